import { askYesNo, chooseName, type Prompter, terminalPrompter } from './prompter';

function person(...answers: string[]): Prompter & { said: string[]; left: string[] } {
  const said: string[] = [];
  const next = (question: string): Promise<string> => {
    said.push(question);
    const answer = answers.shift();
    return answer === undefined ? Promise.reject(new Error('nobody answers any more')) : Promise.resolve(answer);
  };
  return { said, left: answers, say: (text) => said.push(text), ask: next, askHidden: next };
}

const names = ['bridge_log', 'web_invoices', 'web_products'];
const choose = (prompter: Prompter, byDefault?: string, none?: string): Promise<string | undefined> =>
  chooseName(prompter, { asks: 'Which layout?', names, byDefault, ...(none === undefined ? {} : { none }) });

test.each([
  ['a number', ['2'], 'web_invoices'],
  ['a name', ['web_products'], 'web_products'],
  ['a part that only one has, in any case', ['LOG'], 'bridge_log'],
  ['a part that several have, then a number among these', ['web', '2'], 'web_products'],
  ['nothing, once there is a default', [''], 'web_invoices', 'web_invoices'],
  ['nothing, when there is none', ['', '1'], 'bridge_log'],
  ['a name that is not there, typed twice', ['other', 'other'], 'other'],
  ['a name that is not there, then one that is', ['other', '3'], 'web_products'],
  ['a number that no line has, then one that a line has', ['9', '1'], 'bridge_log'],
] as const)('%s chooses', async (_what, answers, chosen, byDefault: string | undefined = undefined) => {
  const prompter = person(...answers);
  expect(await choose(prompter, byDefault)).toBe(chosen);
  expect(prompter.left).toEqual([]);
});

test('none is 0, and an empty answer where nothing is proposed', async () => {
  expect(await choose(person('0'), undefined, 'none of these')).toBeUndefined();
  expect(await choose(person('0'), 'bridge_log', 'none of these')).toBeUndefined();
  expect(await choose(person(''), undefined, 'none of these')).toBeUndefined();
  expect(await choose(person(''), 'bridge_log', 'none of these')).toBe('bridge_log');
});

test('the numbers that are shown are the numbers that count, also after narrowing', async () => {
  const prompter = person('web', '1');
  expect(await choose(prompter)).toBe('web_invoices');
  expect(prompter.said).toEqual([
    '\nWhich layout?',
    '  1  bridge_log',
    '  2  web_invoices',
    '  3  web_products',
    'Number or name: ',
    '  1  web_invoices',
    '  2  web_products',
    'Number or name: ',
  ]);
});

test('a long list shows its beginning and says how to see the rest', async () => {
  const many = Array.from({ length: 45 }, (_, index) => `layout ${index + 1}`);
  const prompter = person('41');
  const chosen = await chooseName(prompter, { asks: 'Which?', names: many, byDefault: undefined });
  expect(chosen).toBe('layout 41');
  expect(prompter.said.filter((line) => line.startsWith('  '))).toHaveLength(21);
  expect(prompter.said).toContain('  … and 25 more: type a part of the name to see fewer.');
});

test('a person who answers nothing useful is not asked for ever', async () => {
  expect(await choose(person(...Array<string>(20).fill('')))).toBeUndefined();
});

test.each([
  ['y', false, true],
  ['Yes', false, true],
  ['', false, false],
  ['', true, true],
  ['no', true, false],
  ['what?', true, false],
])('answering %p where %p is the default means %p', async (answer, byDefault, meant) => {
  expect(await askYesNo(person(answer), 'Sure?', byDefault)).toBe(meant);
});

test('what is said at a terminal is broken between words, and stays as it is where no terminal listens', () => {
  const { isTTY, columns } = process.stderr;
  const written: string[] = [];
  const write = jest.spyOn(process.stderr, 'write').mockImplementation((text) => written.push(String(text)) > 0);
  const sayTo = (terminal: boolean): void => {
    Object.assign(process.stderr, { isTTY: terminal, columns: 60 });
    terminalPrompter.say(`\n  ${'word '.repeat(20).trim()}`);
  };
  try {
    sayTo(true);
    sayTo(false);
  } finally {
    write.mockRestore();
    Object.assign(process.stderr, { isTTY, columns });
  }
  expect(written[0]?.split('\n').every((line) => line.length <= 60)).toBe(true);
  expect(written[0]?.split(/\s+/).join(' ')).toBe(written[1]?.split(/\s+/).join(' '));
  expect(written[1]).toBe(`\n  ${'word '.repeat(20).trim()}\n`);
});
