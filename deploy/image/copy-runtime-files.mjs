// Copies what runs, and nothing else, from a compiled tree into the pruned one of an image:
//   node copy-runtime-files.mjs <compiled tree> <tree with the package.json files of production>
// What runs: `dist`, `assets` and `runbooks` of every workspace, migrations (.sql) and Redis scripts (.lua).
import { copyFileSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';

const [compiled, production] = process.argv.slice(2);
const forDevelopment = /\.(d\.[cm]?ts|map|tsbuildinfo)$/;
const sourcesThatRun = /\.(sql|lua)$/;
const notOurs = new Set(['node_modules', '.turbo']);

function filesUnder(folder) {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    if (notOurs.has(entry.name)) return [];
    return entry.isDirectory()
      ? filesUnder(join(folder, entry.name)).map((file) => join(entry.name, file))
      : [entry.name];
  });
}

const runs = (file) =>
  /^(dist|assets|runbooks)\//.test(file) ? !forDevelopment.test(file) : sourcesThatRun.test(file);

const workspaces = filesUnder(production)
  .filter((file) => file.endsWith('/package.json'))
  .map(dirname);
for (const workspace of workspaces) {
  const files = filesUnder(join(compiled, workspace)).filter(runs);
  if (!files.some((file) => file.startsWith('dist/'))) throw new Error(`${workspace} was not compiled`);
  for (const file of files) {
    const target = join(production, workspace, file);
    mkdirSync(dirname(target), { recursive: true });
    copyFileSync(join(compiled, workspace, file), target);
  }
}

// Type declarations and source maps of the packages are a third of their size, and no program reads them.
const packages = join(production, 'node_modules');
for (const file of readdirSync(packages, { recursive: true })) {
  if (forDevelopment.test(file)) rmSync(join(packages, file), { force: true });
}
