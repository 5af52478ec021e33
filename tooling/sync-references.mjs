// Keeps each package's tsconfig.json `references` and the root tsconfig.json equal to the workspace
// dependencies in package.json. `--check` only tells; without it the files are written.
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';

const checkOnly = process.argv.includes('--check');
const root = join(import.meta.dirname ?? '.', '..');
const folders = ['apps', 'packages', 'testing']
  .flatMap((group) =>
    existsSync(join(root, group)) ? readdirSync(join(root, group)).map((name) => `${group}/${name}`) : [],
  )
  .concat('flows')
  .filter((folder) => existsSync(join(root, folder, 'package.json')));
const readJson = (file) => JSON.parse(readFileSync(join(root, file), 'utf8'));
const folderOf = new Map(folders.map((folder) => [readJson(`${folder}/package.json`).name, folder]));
const stale = [];

function sync(file, references) {
  const config = readJson(file);
  if (JSON.stringify(config.references ?? []) === JSON.stringify(references)) return;
  stale.push(file);
  if (!checkOnly) writeFileSync(join(root, file), `${JSON.stringify({ ...config, references }, null, 2)}\n`);
}

for (const folder of folders) {
  const { dependencies = {}, devDependencies = {} } = readJson(`${folder}/package.json`);
  const references = Object.keys({ ...dependencies, ...devDependencies })
    .filter((name) => folderOf.has(name))
    .sort()
    .map((name) => ({ path: relative(folder, folderOf.get(name)) }));
  sync(`${folder}/tsconfig.json`, references);
}
sync('tsconfig.json', folders.toSorted?.().map((path) => ({ path })) ?? [...folders].sort().map((path) => ({ path })));

if (checkOnly && stale.length > 0) {
  console.error(`References differ from package.json in: ${stale.join(', ')}. Run: node tooling/sync-references.mjs`);
  process.exit(1);
}
