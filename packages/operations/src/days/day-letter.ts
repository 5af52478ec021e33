import { type Html, html, htmlPage, oneLine } from '../html-page';
import type { DayContents } from './day-contents';
import type { ClosedDay } from './day-store';
import { correctionSentence, daySentence, figureRows, isDayFine, openSentence, settledSentence } from './describe-day';

/** So many of each list stand in a letter; the page and `--json` have all. */
const LISTED_IN_LETTER = 50;

const weekdays = new Intl.DateTimeFormat('en-GB', {
  weekday: 'long',
  day: 'numeric',
  month: 'long',
  year: 'numeric',
  timeZone: 'UTC',
});
/** `Sunday 22 November 2026`. */
const longDay = (day: string): string => weekdays.format(new Date(`${day}T00:00:00Z`)).replace(',', '');

interface Part {
  heading: string;
  lines: { sentence: string; next: string | null }[];
  more: number;
}

const plain = (sentence: string) => ({ sentence, next: null });

/** The lists below the figures, each at most `most` long. */
function partsOf(contents: DayContents, most: number): Part[] {
  const open = (one: DayContents['unsettled'][number]) => ({
    sentence: openSentence(one, contents.day),
    next: one.next,
  });
  const parked = (one: DayContents['unsettled'][number]): boolean => one.standing === 'parked';
  const unsettled = [...contents.unsettled, ...contents.stillOpen];
  const parts: [string, { sentence: string; next: string | null }[]][] = [
    ['These need you', unsettled.filter(parked).map(open)],
    ['On their way (the bridge goes on by itself)', unsettled.filter((one) => !parked(one)).map(open)],
    ['Settled since an earlier day was closed', contents.settledSince.map((one) => plain(settledSentence(one)))],
    ['Corrections of earlier days, counted here', contents.corrections.map((one) => plain(correctionSentence(one)))],
  ];
  return parts
    .filter(([, lines]) => lines.length > 0)
    .map(([heading, lines]) => ({ heading, lines: lines.slice(0, most), more: Math.max(0, lines.length - most) }));
}

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
    ({ heading, lines, more }) => html`<h2>${heading}</h2>
<ul>
${lines.map(({ sentence, next }) => html`<li>${sentence}${next === null ? null : html`<br><code>${next}</code>`}</li>`)}
</ul>
${more === 0 ? null : html`<p class="quiet">and ${more} more: <code>./bridge close ${contents.day}</code></p>`}`,
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

/** The closed day in plain text, without colours. Undefined once its contents are erased. */
export function dayText(closed: ClosedDay, most = Number.POSITIVE_INFINITY): string | undefined {
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
  const lists = partsOf(contents, most).flatMap(({ heading, lines, more }) => [
    '',
    `${heading}:`,
    ...lines.flatMap(({ sentence, next }) => [
      `- ${oneLine(sentence)}`,
      ...(next === null ? [] : [`    ${oneLine(next)}`]),
    ]),
    ...(more === 0 ? [] : [`and ${more} more: ./bridge close ${contents.day}`]),
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
