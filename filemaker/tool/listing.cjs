'use strict';
// Reads the script listings of this folder (scripts/*.txt): one step per line, as FileMaker's Script Workspace shows them.
// Each step becomes `{ line, depth, name, ...options }`. Throws for a line that is not understood.

const BARE = new Set([
  'Else',
  'End If',
  'Loop',
  'End Loop',
  'New Record/Request',
  'Open Record/Request',
  'Commit Transaction',
]);
const OPENS = new Set(['If', 'Loop', 'Open Transaction']);
const CLOSES = new Set(['End If', 'End Loop', 'Commit Transaction']);
const TURNS = new Set(['Else', 'Else If']);
const INDENT = 4;

/** Splits at `;` outside of quotes, parentheses and brackets. */
function parts(text) {
  const found = [''];
  let depth = 0;
  let quoted = false;
  for (let at = 0; at < text.length; at += 1) {
    const character = text[at];
    if (quoted && character === '\\') {
      found[found.length - 1] += character + text[at + 1];
      at += 1;
      continue;
    }
    if (character === '"') quoted = !quoted;
    else if (!quoted && '([{'.includes(character)) depth += 1;
    else if (!quoted && ')]}'.includes(character)) depth -= 1;
    if (character === ';' && depth === 0 && !quoted) found.push('');
    else found[found.length - 1] += character;
  }
  if (depth !== 0 || quoted) throw new Error(`unbalanced: ${text}`);
  return found.map((part) => part.trim());
}

/** The rest of `text` after `label:`. */
function labelled(text, label) {
  if (text === undefined || !text.startsWith(`${label}:`)) throw new Error(`expected "${label}:", found "${text}"`);
  return text.slice(label.length + 1).trim();
}

const literal = (text) => {
  const match = /^"([^"\\]*)"$/.exec(text ?? '');
  if (match === null) throw new Error(`expected a name in quotes, found "${text}"`);
  return match[1];
};

const READERS = {
  'Allow User Abort': ([state]) => ({ on: state === 'On' }),
  'Set Error Capture': ([state]) => ({ on: state === 'On' }),
  'Set Variable': ([variable, value]) => ({ variable, value: labelled(value, 'Value') }),
  If: ([condition]) => ({ condition }),
  'Else If': ([condition]) => ({ condition }),
  'Exit Loop If': ([condition]) => ({ condition }),
  'Exit Script': ([result]) => ({ result: labelled(result, 'Text Result') }),
  'Go to Layout': ([layout]) => ({ layout: literal(layout) }),
  'Enter Find Mode': ([pause]) => ({ pause: labelled(pause, 'Pause') === 'On' }),
  'Set Field': ([target, value]) => {
    const [table, field, ...rest] = target.split('::');
    if (field === undefined || rest.length > 0) throw new Error(`not a field: ${target}`);
    return { table, field, value };
  },
  'Perform Find': () => ({}),
  'Perform Script': ([how, script, parameter]) => {
    if (how !== 'From list') throw new Error('only scripts from the list');
    return { script: literal(script), parameter: labelled(parameter, 'Parameter') };
  },
  'Open Transaction': () => ({}),
  'Revert Transaction': ([condition, code, message]) => ({
    condition: labelled(condition, 'Condition'),
    errorCode: labelled(code, 'Error Code'),
    errorMessage: labelled(message, 'Error Message'),
  }),
  'Commit Records/Requests': ([dialog]) => ({ dialog: labelled(dialog, 'With dialog') === 'On' }),
  'Revert Record/Request': ([dialog]) => ({ dialog: labelled(dialog, 'With dialog') === 'On' }),
};

function readStep(text) {
  if (text === '') return { name: '#', text: '' };
  if (text.startsWith('#')) return { name: '#', text: text.slice(1).trim() };
  if (BARE.has(text)) return { name: text };
  const match = /^([A-Z][A-Za-z/ ]*?) \[(.*)\]$/.exec(text);
  const reader = match === null ? undefined : READERS[match[1]];
  if (match === null || reader === undefined) throw new Error('not a step that the kit uses');
  return { name: match[1], ...reader(parts(match[2])) };
}

/** All steps of a listing, in order. Blocks must be closed and the indentation must show them. */
function readListing(text) {
  const steps = [];
  const open = [];
  text
    .replace(/\n$/, '')
    .split('\n')
    .forEach((raw, index) => {
      const line = index + 1;
      try {
        const step = readStep(raw.trim());
        if (CLOSES.has(step.name)) {
          const opened = open.pop();
          const fits = { 'End If': 'If', 'End Loop': 'Loop', 'Commit Transaction': 'Open Transaction' }[step.name];
          if (opened !== fits) throw new Error(`closes ${opened ?? 'nothing'}`);
        }
        const depth = TURNS.has(step.name) ? open.length - 1 : open.length;
        if (step.name !== '#' || step.text !== '') {
          if (raw !== `${' '.repeat(INDENT * depth)}${raw.trim()}`)
            throw new Error(`is not indented by ${INDENT * depth}`);
        }
        // FileMaker does not save a Commit or Revert Transaction that stands inside of an If or a Loop.
        if (/ Transaction$/.test(step.name) && open.some((name) => name !== 'Open Transaction'))
          throw new Error('stands inside of a block');
        if (OPENS.has(step.name)) open.push(step.name);
        steps.push({ line, depth, ...step });
      } catch (error) {
        throw new Error(`line ${line}: ${error.message}`);
      }
    });
  if (open.length > 0) throw new Error(`${open.at(-1)} is not closed`);
  return steps;
}

module.exports = { readListing, parts };
