'use strict';
// What the page generators share.
const { execFileSync } = require('node:child_process');
const { writeFileSync } = require('node:fs');
const { join } = require('node:path');

const root = join(__dirname, '..');

/** Tells every generated page's reader where to change it. */
const generatedBy = (script) =>
  `<!-- Made by tooling/${script} from the code; a test compares the two. Change the code, then run: npx node tooling/${script} -->`;

/**
 * A table in the linter's layout: columns padded to their widest cell.
 * @param {string[]} headings
 * @param {string[][]} rows
 */
function table(headings, rows) {
  const cells = [headings, ...rows].map((row) =>
    row.map((cell) => cell.replaceAll('|', '\\|').replaceAll('\n', ' ').trim()),
  );
  const widths = headings.map((_, column) => Math.max(3, ...cells.map((row) => [...row[column]].length)));
  const pad = (cell, column) => cell.padEnd(cell.length + widths[column] - [...cell].length);
  const line = (row) => `| ${row.map(pad).join(' | ')} |`;
  return [line(cells[0]), line(widths.map((width) => '-'.repeat(width))), ...cells.slice(1).map(line)].join('\n');
}

/**
 * @param {string} path from the project's folder
 * @param {string} text
 */
function writePage(path, text) {
  const file = join(root, path);
  writeFileSync(file, text);
  // Our Markdown comes out as the linter wants it; its layout of JSON is not worth repeating.
  if (path.endsWith('.json')) {
    execFileSync(join(root, 'node_modules/.bin/biome'), ['format', '--write', file], { cwd: root, stdio: 'pipe' });
  }
  process.stdout.write(`${path}\n`);
}

module.exports = { generatedBy, root, table, writePage };
