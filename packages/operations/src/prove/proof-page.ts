import { html, htmlPage } from '../wording/html-page';
import type { Proof, ProofStanding } from './proof';

const TONES: Readonly<Record<ProofStanding, 'fine' | 'waits' | 'broken' | ''>> = {
  applied: 'fine',
  unverified: 'fine',
  waiting: 'waits',
  parked: 'broken',
  cancelled: 'waits',
  unpaid: '',
  'nothing-owed': '',
};

/** What the details are called on paper; what is not here is told by the sentence already. */
const NAMES: Readonly<Record<string, string>> = {
  session: 'FileMaker session',
  row: 'inbox row',
  event: 'event',
  object: 'about',
  charge: 'charge',
  id: 'number',
  effect: 'effect',
  key: 'key',
  lane: 'lane',
  attempt: 'attempt',
  worker: 'process',
  stage: 'reached',
  code: 'code',
  finding: 'finding',
  class: 'class',
  act: 'act',
};

/** Ids and codes that the sentence leaves out, in words. */
function detailsOf({ what, sentence, details }: Proof['timeline'][number]): string {
  return Object.entries(details)
    .map(([name, value]) => [name === 'session' && what === 'money' ? 'Checkout Session' : NAMES[name], value] as const)
    .flatMap(([name, value]) =>
      name === undefined || value === null || isTold(sentence, name, String(value)) ? [] : [`${name} ${value}`],
    )
    .join(' · ');
}

/** Whether the sentence says it already. A bare number says nothing without its name. */
function isTold(sentence: string, name: string, value: string): boolean {
  const words = sentence.split(/[\s,:()[\]"]+/);
  const told = words.some((word, at) => word === value && (!/^\d+$/.test(value) || words[at - 1] === name));
  return told || value === 'answered';
}

/** The proof as a page of its own, to hand on or to print. Holds ids and amounts, no customer data. */
export function proofPage(proof: Proof): string {
  const { id, meaning, verdicts, timeline, timeZone, also } = proof;
  const format = new Intl.DateTimeFormat('sv-SE', { timeZone, dateStyle: 'short', timeStyle: 'medium' });
  const body = html`<p class="quiet">Proof, as of ${format.format(proof.at)} ${timeZone}</p>
<h1>${id}</h1>
<p class="quiet">${meaning.charAt(0).toUpperCase()}${meaning.slice(1)}</p>
${verdicts.map(({ standing, sentence }) => html`<p class="verdict ${TONES[standing]}">${sentence}</p>`)}
<h2>What happened</h2>
<table><thead><tr><th class="when">When (${timeZone})</th><th class="what">What</th></tr></thead><tbody>
${timeline.map(
  (entry) =>
    html`<tr><td class="time">${format.format(entry.at)}</td><td class="what">${entry.sentence}<br><span class="quiet">${detailsOf(entry)}</span></td></tr>`,
)}
</tbody></table>
${also.length === 0 ? null : html`<p class="quiet">The same number also means: ${also.join(', ')}</p>`}`;
  return htmlPage({ title: `Proof: ${id}`, body });
}

/** Whether nothing about it waits for anybody. */
export const isProofFine = ({ verdicts }: Proof): boolean =>
  verdicts.every(({ standing }) => standing !== 'parked' && standing !== 'waiting');
