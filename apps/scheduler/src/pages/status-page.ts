import {
  type MoneyPlace,
  type Status,
  type StatusFigures,
  type StatusLine,
  spell,
  tellMoney,
} from '@bridge/operations';
import { type Html, html } from '../html';
import { layout } from './layout';

const TONES: Readonly<Record<StatusLine['tone'], string>> = {
  broken: 'Stands still',
  waits: 'Waits for you',
  note: 'Good to know',
  fine: 'Fine',
};

type Mode = 'live' | 'observe';

/** While the bridge observes nothing moves. */
const ON_THE_WAY: Readonly<Record<Mode, string>> = { live: 'On the way', observe: 'Planned, not sent' };

/** What waits for a person first, the figures below. */
export function statusPage(page: { status: Status; operator: string; mode: Mode; timeZone: string }): string {
  const { status, operator, mode, timeZone } = page;
  const time = new Intl.DateTimeFormat('sv-SE', { timeZone, dateStyle: 'short', timeStyle: 'medium' }).format(
    status.at,
  );
  const urgent = status.lines.filter((line) => line.tone === 'broken' || line.tone === 'waits');
  const waiting = status.figures === null ? 0 : waitingForPeople(status.figures);
  const broken = urgent.filter((line) => line.tone === 'broken').length;
  const headline = [
    broken === 0 ? null : broken === 1 ? 'Something stands still.' : `${broken} things stand still.`,
    waiting === 0
      ? urgent.length === 0
        ? mode === 'observe'
          ? 'Only observing: nothing else waits for you.'
          : 'Nothing waits for you.'
        : null
      : waiting === 1
        ? 'One thing waits for you.'
        : `${waiting} things wait for you.`,
  ]
    .filter((sentence) => sentence !== null)
    .join(' ');
  const lines = status.lines.filter((line) => line.tone !== 'fine');
  const money = tellMoney(status.figures?.money ?? []);
  return layout({
    title: urgent.length > 0 ? headline : mode === 'observe' ? 'Observing' : 'Fine',
    operator,
    at: 'status',
    body: html`<div class="head"><h1>${headline === '' ? 'Something needs a look.' : headline}</h1>
<p class="quiet">As of ${time} ${timeZone}. <a href="/">Look again</a></p></div>
${money.length === 0 ? null : moneyTiles(money, mode)}
${lines.length === 0 ? html`<p class="card calm">All payments that arrived are in FileMaker or on their way.</p>` : html`<ul class="lines">${lines.map(lineItem)}</ul>`}
${status.figures === null ? null : figures(status.figures, mode)}
<footer class="quiet">Bridge ${status.version} · PostgreSQL ${status.postgresql}</footer>`,
  });
}

const PLACES: Readonly<Record<MoneyPlace, string>> = {
  'for-you': 'Waiting for you',
  'being-checked': 'Answer lost, being checked',
  'on-the-way': ON_THE_WAY.live,
  found: 'Found by reconciliation',
};

/** What an accountant asks first: how much of the money that came is not in FileMaker, and why not. */
const moneyTiles = (money: ReturnType<typeof tellMoney>, mode: Mode): Html =>
  html`<section aria-labelledby="money"><h2 id="money">Money that is not settled yet</h2><dl class="tiles sums">
${money.map(
  ({ place, sums, counted }) =>
    html`<div class="tile ${place}"><dt>${place === 'on-the-way' ? ON_THE_WAY[mode] : PLACES[place]}, ${counted}</dt>${sums.map((sum) => html`<dd>${sum}</dd>`)}</div>`,
)}</dl></section>`;

const waitingForPeople = ({ parked, overdue }: StatusFigures): number =>
  parked.effects + parked.events + overdue.unknown + overdue.checkFirst;

const lineItem = ({ tone, sentence, next, runbook }: StatusLine): Html =>
  html`<li class="card ${tone}"><span class="tag">${TONES[tone]}</span><p>${sentence}</p><p class="next"><span class="quiet">Next:</span> <code>${next}</code>${
    runbook === null ? null : html` <a href="/runbooks/${runbook}">What to do</a>`
  }</p></li>`;

function figures({ inbox, effects, parked, processes, filemakerSessions: sessions }: StatusFigures, mode: Mode): Html {
  const tile = (name: string, count: number, link?: string): Html =>
    html`<div class="tile"><dt>${name}</dt><dd>${link === undefined || count === 0 ? count : html`<a href="${link}">${count}</a>`}</dd></div>`;
  const failed = (queue: string): string => `/queues/queue/${queue}?status=failed`;
  const onTheirWay = inbox.counts.received + inbox.counts.processing;
  return html`<section aria-labelledby="filemaker"><h2 id="filemaker">Owed to FileMaker</h2><dl class="tiles">
${tile('Done', effects.counts.done)}${tile(ON_THE_WAY[mode], effects.counts.planned + effects.counts.sending)}
${tile('Answer lost, being checked', effects.counts.unknown)}${tile('Waiting for you', parked.effects, failed('filemaker-effects'))}
${tile('Cancelled', effects.counts.cancelled)}</dl></section>
<section aria-labelledby="stripe"><h2 id="stripe">Arrived from Stripe</h2><dl class="tiles">
${tile('Handled', inbox.counts.processed)}${tile('On the way', onTheirWay)}${tile('Not needed', inbox.counts.ignored)}
${tile('Waiting for you', parked.events, failed('stripe-events'))}</dl>
${onTheirWay === 0 ? null : html`<p class="quiet">The oldest of them came ${spell(inbox.oldestUnfinishedSeconds)} ago.</p>`}</section>
<section aria-labelledby="processes"><h2 id="processes">At work</h2><ul class="plain">
${processes.living.map(({ app, host, pid }) => html`<li>${app} on ${host}, process ${pid}</li>`)}
<li>FileMaker sessions: ${sessions.leased} in use, ${sessions.idle} free, ${sessions.opening + sessions.closing} opening or closing</li></ul></section>`;
}
