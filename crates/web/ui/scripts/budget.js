// Fails when the interface outgrows its budget: 90 KB gz of entry JavaScript, 60 KB gz for each lazy chunk.
import { readdir, readFile } from 'node:fs/promises';
import { gzipSync } from 'node:zlib';

const ENTRY = 90 * 1024;
const LAZY = 60 * 1024;

const dist = new URL('../dist/', import.meta.url);
const html = await readFile(new URL('index.html', dist), 'utf8');
const first = new Set([...html.matchAll(/(?:src|href)="\/(assets\/[^"]+\.js)"/g)].map((m) => m[1]));

let entry = 0;
let over = false;
for (const name of (await readdir(new URL('assets/', dist))).filter((n) => n.endsWith('.js')).sort()) {
  const size = gzipSync(await readFile(new URL(`assets/${name}`, dist)), { level: 9 }).length;
  const isFirst = first.has(`assets/${name}`);
  if (isFirst) entry += size;
  const bad = !isFirst && size > LAZY;
  over ||= bad;
  console.log(
    `${(size / 1024).toFixed(1).padStart(6)} KB  ${isFirst ? 'entry' : 'lazy '}  ${name}${bad ? '  over 60 KB' : ''}`,
  );
}
over ||= entry > ENTRY;
console.log(`${(entry / 1024).toFixed(1).padStart(6)} KB  entry JavaScript in all, of ${ENTRY / 1024} KB`);
process.exit(over ? 1 : 0);
