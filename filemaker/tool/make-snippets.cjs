'use strict';
// Makes scripts/*.xml of scripts/*.txt: the same steps in the form that FileMaker's Script Workspace takes from the clipboard.
//
//   node filemaker/tool/make-snippets.cjs           writes them
//   node filemaker/tool/make-snippets.cjs --check   exit 1 when one of them is not what its listing says
//
// Step ids and element order follow what others have published after copying steps out of FileMaker Pro 2025. References to
// fields and scripts carry id 1 and are meant to be resolved by name.

const { readdirSync, readFileSync, writeFileSync } = require('node:fs');
const { join } = require('node:path');
const { readListing } = require('./listing.cjs');

const folder = join(__dirname, '../scripts');

const escaped = (text) =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
const calculation = (text) => `<Calculation><![CDATA[${text.replaceAll(']]>', ']]]]><![CDATA[>')}]]></Calculation>`;
const inside = (element, text) => [`<${element}>`, `  ${calculation(text)}`, `</${element}>`];
const state = (element, on) => `<${element} state="${on ? 'True' : 'False'}"/>`;

/** By step: FileMaker's number, and the lines inside of its element. */
const STEPS = {
  '#': [89, ({ text }) => (text === '' ? [] : [`<Text>${escaped(text)}</Text>`])],
  'Allow User Abort': [85, ({ on }) => [state('Set', on)]],
  'Set Error Capture': [86, ({ on }) => [state('Set', on)]],
  'Set Variable': [
    141,
    ({ variable, value }) => [...inside('Value', value), ...inside('Repetition', '1'), `<Name>${variable}</Name>`],
  ],
  If: [68, ({ condition }) => [state('Restore', false), calculation(condition)]],
  'Else If': [125, ({ condition }) => [state('Restore', false), calculation(condition)]],
  Else: [69, () => [state('Restore', false)]],
  'End If': [70, () => []],
  Loop: [71, () => [state('Restore', false), '<FlushType value="Always"/>']],
  'Exit Loop If': [72, ({ condition }) => [calculation(condition)]],
  'End Loop': [73, () => []],
  'Exit Script': [103, ({ result }) => [calculation(result)]],
  'Go to Layout': [
    6,
    ({ layout }) => ['<LayoutDestination value="LayoutNameByCalc"/>', ...inside('Layout', `"${layout}"`)],
  ],
  'Enter Find Mode': [22, ({ pause }) => [state('Pause', pause), state('Restore', false)]],
  'Set Field': [
    76,
    ({ table, field, value }) => [
      calculation(value),
      `<Field table="${escaped(table)}" id="1" name="${escaped(field)}"/>`,
    ],
  ],
  'Perform Find': [28, () => [state('Restore', false)]],
  'New Record/Request': [7, () => []],
  'Open Record/Request': [133, () => []],
  'Perform Script': [
    1,
    ({ script, parameter }) => [calculation(parameter), `<Script id="1" name="${escaped(script)}"/>`],
  ],
  'Open Transaction': [
    205,
    () => [
      state('Option', false),
      state('ESSForceCommit', false),
      state('SkipAutoEntry', false),
      state('Restore', false),
    ],
  ],
  'Revert Transaction': [
    207,
    ({ condition, errorCode, errorMessage }) => [
      state('Option', true),
      ...inside('Condition', condition),
      ...inside('ErrorCode', errorCode),
      ...inside('ErrorMessage', errorMessage),
    ],
  ],
  'Commit Transaction': [206, () => []],
  'Commit Records/Requests': [
    75,
    ({ dialog }) => [state('NoInteract', !dialog), state('Option', false), state('ESSForceCommit', false)],
  ],
  'Revert Record/Request': [51, ({ dialog }) => [state('NoInteract', !dialog)]],
};

function stepXml(step) {
  const [id, lines] = STEPS[step.name];
  const name = step.name === '#' ? '# (comment)' : step.name;
  const head = `  <Step enable="True" id="${id}" name="${name}"`;
  const body = lines(step);
  return body.length === 0 ? [`${head}/>`] : [`${head}>`, ...body.map((line) => `    ${line}`), '  </Step>'];
}

/** The clipboard's XML for one listing. */
function snippet(listing) {
  return `${[
    '<?xml version="1.0" encoding="UTF-8"?>',
    '<fmxmlsnippet type="FMObjectList">',
    ...readListing(listing).flatMap(stepXml),
    '</fmxmlsnippet>',
  ].join('\n')}\n`;
}

/** Every listing with the text and the snippet that belongs to it. */
function listings() {
  return readdirSync(folder)
    .filter((file) => file.endsWith('.txt'))
    .sort()
    .map((file) => {
      const text = readFileSync(join(folder, file), 'utf8');
      return {
        name: file.slice(0, -'.txt'.length),
        text,
        xmlFile: join(folder, `${file.slice(0, -'.txt'.length)}.xml`),
      };
    });
}

function main(check) {
  let different = 0;
  for (const { name, text, xmlFile } of listings()) {
    const xml = snippet(text);
    if (!check) writeFileSync(xmlFile, xml);
    else if (readFileSync(xmlFile, 'utf8') !== xml) {
      different += 1;
      process.stderr.write(`${name}.xml is not what its listing says; run: node filemaker/tool/make-snippets.cjs\n`);
    }
  }
  process.exitCode = different > 0 ? 1 : 0;
}

if (require.main === module) main(process.argv.includes('--check'));

module.exports = { listings, snippet, STEPS };
