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

const detailsOf = (details: Proof['timeline'][number]['details']): string =>
  Object.entries(details)
    .filter(([, value]) => value !== null)
    .map(([name, value]) => `${name} ${value}`)
    .join(' · ');

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
  ({ at, sentence, details }) =>
    html`<tr><td class="time">${format.format(at)}</td><td class="what">${sentence}<br><span class="quiet">${detailsOf(details)}</span></td></tr>`,
)}
</tbody></table>
${also.length === 0 ? null : html`<p class="quiet">The same number also means: ${also.join(', ')}</p>`}`;
  return htmlPage({ title: `Proof: ${id}`, body });
}

/** Whether nothing about it waits for anybody. */
export const isProofFine = ({ verdicts }: Proof): boolean =>
  verdicts.every(({ standing }) => standing !== 'parked' && standing !== 'waiting');
