// Tells the service worker of dist which files make up the shell: the document, scripts and styles. Fonts and the
// viewer are kept when they were first used.
import { createHash } from 'node:crypto';
import { readdir, readFile, writeFile } from 'node:fs/promises';

const dist = new URL('../dist/', import.meta.url);
const assets = (await readdir(new URL('assets/', dist)))
  .filter((name) => /\.(js|css)$/.test(name) && !name.startsWith('screen-'))
  .sort();
const files = ['/', '/favicon.svg', '/manifest.webmanifest', ...assets.map((name) => `/assets/${name}`)];
const index = await readFile(new URL('index.html', dist));
const version = createHash('sha256').update(index).update(files.join('\n')).digest('hex').slice(0, 12);

const worker = new URL('sw.js', dist);
const text = await readFile(worker, 'utf8');
const filled = text
  .replace('const FILES = [];', `const FILES = ${JSON.stringify(files)};`)
  .replace("const CACHE = 'shell-';", `const CACHE = 'shell-${version}';`);
if (filled === text) throw new Error('sw.js has no place for the list of files');
await writeFile(worker, filled);
