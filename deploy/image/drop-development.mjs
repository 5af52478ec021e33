// Before `turbo prune` for an image: takes away what only development needs, so that the pruned workspaces, their
// package.json files and the pruned lock file are those of production. Changes the files in place: for a copy only.
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';

const readManifest = (file) => JSON.parse(readFileSync(file, 'utf8'));
const { workspaces } = readManifest('package.json');
const folders = workspaces.flatMap((pattern) => {
  if (!pattern.endsWith('/*')) return [pattern];
  const group = pattern.slice(0, -2);
  return existsSync(group) ? readdirSync(group).map((name) => `${group}/${name}`) : [];
});

for (const folder of ['.', ...folders]) {
  const file = `${folder}/package.json`;
  if (!existsSync(file)) continue;
  const { devDependencies: _development, ...manifest } = readManifest(file);
  // The root's optional dependencies are a Node for machines that have none; the image brings its own.
  if (folder === '.') delete manifest.optionalDependencies;
  writeFileSync(file, `${JSON.stringify(manifest, null, 2)}\n`);
}
