// Writes dist/third-party.txt: what the interface is made of, and under which terms.
import { readdir, readFile, writeFile } from 'node:fs/promises';

const root = new URL('../', import.meta.url);
const { dependencies } = JSON.parse(await readFile(new URL('package.json', root), 'utf8'));

const parts = [];
for (const name of [...Object.keys(dependencies), 'svelte'].sort()) {
  const folder = new URL(`node_modules/${name}/`, root);
  const { version, license, homepage } = JSON.parse(await readFile(new URL('package.json', folder), 'utf8'));
  const file = (await readdir(folder)).find((entry) => /^licen[cs]e/i.test(entry));
  const text = file ? await readFile(new URL(file, folder), 'utf8') : `Licensed under ${license}.\n`;
  parts.push(`${name} ${version} (${license})${homepage ? `\n${homepage}` : ''}\n\n${text.trim()}\n`);
}
await writeFile(new URL('dist/third-party.txt', root), parts.join(`\n${'='.repeat(80)}\n\n`));
