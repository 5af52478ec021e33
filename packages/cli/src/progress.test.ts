import { Writable } from 'node:stream';
import { createProgressLine, type Progress, progressBar, progressText } from './progress';

const progress = (rest: Partial<Progress> = {}): Progress => ({
  what: 'Sending',
  done: 120,
  total: 300,
  perSecond: 13,
  waits: null,
  ...rest,
});

test.each([
  [progress(), 'Sending 120 of 300, 13.0 a second, about 14 s left'],
  [progress({ perSecond: undefined }), 'Sending 120 of 300'],
  [progress({ done: 300 }), 'Sending 300 of 300, 13.0 a second'],
  [progress({ perSecond: 0.5 }), 'Sending 120 of 300, 0.5 a second, about 6 min left'],
  [progress({ total: undefined }), 'Sending: 120 so far'],
  [
    progress({ what: 'Looking, 40 checked:', done: 35, total: 100, inPercent: true, perSecond: undefined }),
    'Looking, 40 checked: 35 %',
  ],
  [
    progress({ waits: 'FileMaker is away' }),
    'Sending 120 of 300, 13.0 a second, about 14 s left, waits: FileMaker is away',
  ],
])('progress is told with a forecast as soon as one can be given', (given, text) => {
  expect(progressText(given)).toBe(text);
});

test('the bar is as full as the work is done, and never fuller', () => {
  expect(progressBar(progress({ done: 0 }))).toMatch(/^\[\.{24}\] /);
  expect(progressBar(progress({ done: 150 }))).toMatch(/^\[#{12}\.{12}\] /);
  expect(progressBar(progress({ done: 999 }))).toMatch(/^\[#{24}\] /);
  expect(progressBar(progress({ done: 0, total: 0 }))).toMatch(/^\[\.{24}\] /);
});

function listener(terminal: boolean): { stream: NodeJS.WriteStream; written: string[] } {
  const written: string[] = [];
  const stream = new Writable({
    write: (chunk: Buffer, _encoding, done) => {
      written.push(chunk.toString('utf8'));
      done();
    },
  });
  return { stream: Object.assign(stream, { isTTY: terminal, columns: 40 }) as unknown as NodeJS.WriteStream, written };
}

test('on a terminal one line is written over, within its width, and taken away at the end', () => {
  const { stream, written } = listener(true);
  const line = createProgressLine({ quiet: false, stream });
  line.show(progress());
  line.show(progress({ done: 121 }));
  line.end();
  expect(written).toHaveLength(3);
  for (const text of written) expect(text.replace('\r\u001b[2K', '').length).toBeLessThan(40);
  expect(written.at(-1)).toBe('\r\u001b[2K');
});

test('elsewhere a line comes now and then, and only when something has changed', () => {
  const { stream, written } = listener(false);
  let now = 0;
  const line = createProgressLine({ quiet: false, stream, now: () => now });
  line.show(progress());
  line.show(progress({ done: 121 }));
  now = 5_000;
  line.show(progress({ done: 122 }));
  now = 10_000;
  line.show(progress({ done: 122 }));
  line.end();
  expect(written).toEqual([`${progressText(progress())}\n`, `${progressText(progress({ done: 122 }))}\n`]);
});

test('with --json nothing is written', () => {
  const { stream, written } = listener(true);
  const line = createProgressLine({ quiet: true, stream });
  line.show(progress());
  line.end();
  expect(written).toEqual([]);
});
