import { type Html, html, htmlPage, oneLine } from '../wording/html-page';
import type { DayContents } from './day-contents';
import type { ClosedDay } from './day-store';
import {
  correctionSentence,
  daySentence,
  figureRows,
  isDayFine,
  largestFirst,
  moneyOf,
  openSentence,
  settledSentence,
} from './describe-day';

/** So many of each list stand in a letter, and so many on a screen; the page and `--json` have all. */
const LISTED_IN_LETTER = 25;
const LISTED_ON_SCREEN = 50;
/** Characters of one sentence of a list, where the list is cut too: mail programs hide what is longer than 100 kB. */
const SENTENCE_MAX = 300;
/** Reasons that are counted for what is not listed. */
const REASONS_MAX = 8;

const weekdays = new Intl.DateTimeFormat('en-GB', {
  weekday: 'long',
  day: 'numeric',
  month: 'long',
  year: 'numeric',
  timeZone: 'UTC',
});
/** `Sunday 22 November 2026`. */
const longDay = (day: string): string => weekdays.format(new Date(`${day}T00:00:00Z`)).replace(',', '');

type Listed = DayContents['unsettled'][number] | DayContents['corrections'][number];

interface Part {
  heading: string;
  lines: { sentence: string; next: string | null }[];
  /** What is not listed: how many, their money, and why they wait. Null: all are listed. */
  rest: string | null;
}

/** The rest of a list in one sentence: "and 575 more, 103,500.00 USD (560 second-payment, 15 LOG_NOT_DONE)". */
function restSentence(rest: readonly Listed[]): string | null {
  if (rest.length === 0) return null;
  const codes = new Map<string, number>();
  for (const one of rest) {
    const code = 'code' in one ? one.code : null;
    if (code !== null) codes.set(code, (codes.get(code) ?? 0) + 1);
  }
  const most = [...codes].sort(([, a], [, b]) => b - a).slice(0, REASONS_MAX);
  const reasons = most.map(([code, count]) => `${count} ${code}`);
  return `and ${rest.length} more, ${moneyOf(rest)}${reasons.length === 0 ? '' : ` (${reasons.join(', ')})`}`;
}

const cut = (sentence: string, isCut: boolean): string =>
  isCut && sentence.length > SENTENCE_MAX ? `${sentence.slice(0, SENTENCE_MAX - 1).toWellFormed()}…` : sentence;

/** The lists below the figures, each at most `most` long, the largest sums first. */
function partsOf(contents: DayContents, most: number): Part[] {
  const isCut = Number.isFinite(most);
  const part = <One extends Listed>(heading: string, all: readonly One[], sentenceOf: (one: One) => string): Part => {
    const ranked = largestFirst(all);
    return {
      heading,
      lines: ranked
        .slice(0, most)
        .map((one) => ({ sentence: cut(sentenceOf(one), isCut), next: 'next' in one ? one.next : null })),
      rest: restSentence(ranked.slice(most)),
    };
  };
  const open = (one: DayContents['unsettled'][number]): string => openSentence(one, contents.day);
  const unsettled = [...contents.unsettled, ...contents.stillOpen];
  const isParked = ({ standing }: DayContents['unsettled'][number]): boolean => standing === 'parked';
  return [
    part('These need you', unsettled.filter(isParked), open),
    part(
      'On their way (the bridge goes on by itself)',
      unsettled.filter((one) => !isParked(one)),
      open,
    ),
    part('Settled since an earlier day was closed', contents.settledSince, settledSentence),
    part('Corrections of earlier days, counted here', contents.corrections, correctionSentence),
  ].filter(({ lines }) => lines.length > 0);
}

/** Where all of it stands. */
const wholeOf = (day: string): string => `./bridge close ${day} --html day.html`;

const testMode = ({ livemode, entries }: DayContents): boolean => !livemode && entries.count > 0;

function closedWhen({ timeZone }: DayContents, closedAt: Date): string {
  const format = new Intl.DateTimeFormat('sv-SE', { timeZone, dateStyle: 'short', timeStyle: 'short' });
  return `${format.format(closedAt)} ${timeZone}`;
}

function bodyOf(closed: ClosedDay, contents: DayContents, most: number): Html {
  const tables = contents.currencies.map(
    (figures) => html`<h2>${figures.currency.toUpperCase()}</h2>
<table><thead><tr><th></th><th class="number">Count</th><th class="number">Sum</th></tr></thead><tbody>
${figureRows(figures).map((row) => html`<tr><td>${row.name}</td><td class="number">${row.count}</td><td class="number">${row.money}</td></tr>`)}
</tbody></table>`,
  );
  const lists = partsOf(contents, most).map(
    ({ heading, lines, rest }) => html`<h2>${heading}</h2>
<ul>
${lines.map(({ sentence, next }) => html`<li>${sentence}${next === null ? null : html`<br><code>${next}</code>`}</li>`)}
</ul>
${rest === null ? null : html`<p class="quiet">${rest}: <code>${wholeOf(contents.day)}</code></p>`}`,
  );
  return html`<p class="quiet">${longDay(contents.day)}${testMode(contents) ? ', test mode' : ''}</p>
<h1>${daySentence(contents)}</h1>
<p class="verdict ${isDayFine(contents) ? 'fine' : 'waits'}">${isDayFine(contents) ? 'Nothing of this day waits for anybody.' : 'What is not settled stands below, each with its reason and the next command.'}</p>
${tables}
${lists}
<h2>Seal</h2>
<p class="quiet">Closed ${closedWhen(contents, closed.closedAt)} by ${closed.closedBy}, day ${closed.number} of the chain. Whoever keeps this
head can prove later that neither this day nor one before it was changed: <code>./bridge close --verify</code></p>
<p class="head"><code>${closed.head}</code></p>`;
}

/** The closed day as a page of its own; the same bytes each time. Undefined once its contents are erased. */
export function dayPage(closed: ClosedDay): string | undefined {
  const { contents } = closed;
  if (contents === null) return undefined;
  return htmlPage({
    title: `${contents.day}: ${daySentence(contents)}`,
    body: bodyOf(closed, contents, Number.POSITIVE_INFINITY),
  });
}

/** The closed day in plain text, without colours, its lists cut for a screen. Undefined once its contents are erased. */
export function dayText(closed: ClosedDay, most = LISTED_ON_SCREEN): string | undefined {
  const { contents } = closed;
  if (contents === null) return undefined;
  const figures = contents.currencies.flatMap((one) => {
    const rows = figureRows(one);
    const [names, counts] = [
      Math.max(...rows.map(({ name }) => name.length)),
      Math.max(...rows.map((row) => String(row.count).length)),
    ];
    const money = Math.max(...rows.map((row) => row.money.length));
    return [
      '',
      ...rows.map(
        (row) => `  ${row.name.padEnd(names)}  ${String(row.count).padStart(counts)}  ${row.money.padStart(money)}`,
      ),
    ];
  });
  const lists = partsOf(contents, most).flatMap(({ heading, lines, rest }) => [
    '',
    `${heading}:`,
    ...lines.flatMap(({ sentence, next }) => [
      `- ${oneLine(sentence)}`,
      ...(next === null ? [] : [`    ${oneLine(next)}`]),
    ]),
    ...(rest === null ? [] : [`${rest}: ${wholeOf(contents.day)}`]),
  ]);
  return [
    `${daySentence(contents)}.`,
    `${longDay(contents.day)}${testMode(contents) ? ', test mode' : ''}`,
    ...figures,
    ...lists,
    '',
    `Closed ${closedWhen(contents, closed.closedAt)} by ${closed.closedBy}, day ${closed.number} of the chain.`,
    `Head: ${closed.head}`,
  ].join('\n');
}

/** The mail about a closed day. Undefined once its contents are erased. */
export function dayLetter(closed: ClosedDay): { subject: string; text: string; html: string; id: string } | undefined {
  const { contents } = closed;
  const text = dayText(closed, LISTED_IN_LETTER);
  if (contents === null || text === undefined) return undefined;
  const mode = testMode(contents) ? 'Test mode, ' : '';
  return {
    subject: `${mode}${contents.day}: ${daySentence(contents)}`,
    text: `${text}\n`,
    html: htmlPage({
      title: `${contents.day}: ${daySentence(contents)}`,
      body: bodyOf(closed, contents, LISTED_IN_LETTER),
    }),
    id: `day-${contents.day}-${closed.head.slice(0, 16)}`,
  };
}
