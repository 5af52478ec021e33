const { existsSync, readdirSync, readFileSync } = require('node:fs');
const { join } = require('node:path');

const root = join(__dirname, '..');

/** Every workspace package by name, with the source file that stands for it: tests and checks read source, not builds. */
function workspaceSources() {
  const folders = ['apps', 'packages', 'testing']
    .flatMap((group) =>
      existsSync(join(root, group)) ? readdirSync(join(root, group)).map((name) => `${group}/${name}`) : [],
    )
    .concat('flows')
    .filter((folder) => existsSync(join(root, folder, 'package.json')));
  return Object.fromEntries(
    folders.flatMap((folder) => {
      const { name } = JSON.parse(readFileSync(join(root, folder, 'package.json'), 'utf8'));
      const file = ['index.ts', 'src/index.ts', 'src/main.ts']
        .map((one) => join(root, folder, one))
        .find((one) => existsSync(one));
      return file === undefined ? [] : [[name, file]];
    }),
  );
}

module.exports = { workspaceSources };
