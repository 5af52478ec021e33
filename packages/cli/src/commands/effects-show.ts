import { filemakerScriptTarget, type ShownEffect, showEffect } from '@bridge/operations';
import type { Command } from 'commander';
import { renderAudit } from '../audit-table';
import { withDatabase } from '../command-context';
import type { CommandResult } from '../command-result';
import { renderFacts } from '../facts';
import { CommandError } from '../failure';
import { examples, jsonOption } from '../options';
import type { Output } from '../output';
import { subjectMoney } from '../subject-money';
import { printable, renderTable } from '../table';
import { toneOfState } from '../tone-of-state';

/** Questions to a peer can be many; the last ones tell how it stands. `--json` has all. */
const ATTEMPTS_SHOWN = 20;

function renderAttempts(attempts: ShownEffect['attempts'], output: Output): string {
  if (attempts.length === 0) return 'It was never sent and FileMaker was never asked about it.';
  const earlier = attempts.length - ATTEMPTS_SHOWN;
  const table = renderTable(
    attempts.slice(-ATTEMPTS_SHOWN),
    [
      { heading: `Tries (${output.timeZone})`, cell: (attempt) => output.time(attempt.beganAt), least: 16 },
      { heading: 'What', cell: ({ purpose, number }) => (purpose === 'send' ? `sent, no. ${number}` : 'asked') },
      { heading: 'Took', cell: ({ durationMs }) => (durationMs === null ? '' : `${durationMs} ms`), align: 'right' },
      { heading: 'Ended', cell: (attempt) => attempt.verdict ?? 'no end was written down' },
      { heading: 'Why', cell: ({ code, detail }) => [code, detail].filter(Boolean).join(': '), least: 16 },
    ],
    output,
  );
  return earlier > 0 ? `${table}\n${output.dress('quiet', `${earlier} earlier ones: --json`)}` : table;
}

function renderDecision({ effect }: ShownEffect, output: Output): string {
  if (effect.state !== 'parked' && effect.state !== 'unknown') return '';
  const resolve = (as: string): string =>
    output.dress('command', `./bridge effects resolve ${effect.id} --as ${as} --why "…"`);
  return [
    'Look in FileMaker, then decide:',
    `  ${resolve('done')}       it has happened`,
    ...(effect.state === 'parked' ? [`  ${resolve('again')}      it has not, and shall`] : []),
    `  ${resolve('cancelled')}  it shall not happen`,
  ].join('\n');
}

function nextStep({ askOnly, checkFirst }: ShownEffect['effect']): string | null {
  if (askOnly) return 'FileMaker is only asked: nothing is sent, since the money is from before the bridge went live';
  return checkFirst ? 'FileMaker is asked before it is sent' : null;
}

type Subject = ShownEffect['effect']['subject'];

/** What the parts of a subject are called; what is not here is shown by its own name. */
const SUBJECT_WORDS: Readonly<Record<string, string>> = {
  checkoutSessionId: 'Checkout Session',
  paymentIntentId: 'PaymentIntent',
  chargeId: 'charge',
  invoiceId: 'invoice',
  refundId: 'refund',
  disputeId: 'dispute',
  occurredAt: 'moved at',
  replay: 'replay',
};

const aboutOf = (subject: Subject): string =>
  Object.entries(subject)
    .filter(([name]) => name !== 'amount' && name !== 'currency')
    .map(([name, value]) => `${SUBJECT_WORDS[name] ?? name} ${value}`)
    .join(', ');

/** "script X on layout Y, by the kit's contract, log bridge_log"; what is no script of FileMaker is shown as it is kept. */
function goalOf({ kind, target }: ShownEffect['effect']): string {
  const read = filemakerScriptTarget.safeParse(target);
  if (kind !== 'filemaker-script' || !read.success) return `${kind} ${JSON.stringify(target, null, 1)}`;
  const { layout, script, contract, log, probe, handoffLayout } = read.data;
  return [
    `script ${script} on layout ${layout}`,
    contract === 'kit' ? `by the kit's contract${log === null ? '' : `, log ${log.layout}`}` : 'a plain script',
    probe === null ? null : `looked for in field ${probe.field} on layout ${probe.layout}`,
    handoffLayout === null ? 'payload in the address of the call' : `payload as a record of ${handoffLayout}`,
  ]
    .filter((part) => part !== null)
    .join(', ');
}

function describe(shown: ShownEffect, output: Output): string {
  const { effect } = shown;
  const time = (date: Date | null): string | null => (date === null ? null : output.time(date));
  const state = effect.verified === false ? `${effect.state}, unverified` : effect.state;
  return [
    output.dress('heading', printable(effect.title)),
    '',
    renderFacts(
      [
        ['State', state, toneOfState(effect.state)],
        ['Why', effect.reason ?? effect.reasonCode],
        ['Code', effect.reason === null ? null : effect.reasonCode],
        ['Next', effect.state === 'planned' ? nextStep(effect) : null],
        ['In hand', effect.inHand ? 'a worker is at it now' : null],
        ['Number', effect.id],
        ['Key', effect.key],
        ['Lane', effect.lane],
        ['Money', subjectMoney(effect.subject)],
        ['About', aboutOf(effect.subject)],
        ['Comes from', `${effect.flow}, ${effect.origin}`],
        ['Goes to', goalOf(effect)],
        ['Planned', time(effect.plannedAt)],
        ['First sent', time(effect.firstSentAt)],
        ['Last sent', time(effect.lastSentAt)],
        ['Unknown since', time(effect.unknownSince)],
        ['Settled', time(effect.settledAt)],
        ['Result', effect.result === null ? null : JSON.stringify(effect.result, null, 1)],
      ],
      output,
    ),
    ...[renderAttempts(shown.attempts, output), renderAudit(shown.audit, output), renderDecision(shown, output)]
      .filter((part) => part !== '')
      .flatMap((part) => ['', part]),
    '',
    output.dress('quiet', `Times in ${output.timeZone}.`),
  ].join('\n');
}

async function run(idOrKey: string): Promise<CommandResult> {
  const { shown, timeZone } = await withDatabase(async ({ database, config }) => ({
    shown: await showEffect(database, idOrKey),
    timeZone: config.timezone,
  }));
  if (shown === undefined) throw new CommandError('EFFECT_NOT_FOUND', `There is no effect ${idOrKey}.`);
  return { fine: true, timeZone, json: shown, text: (output) => describe(shown, output) };
}

export function addEffectsShow(effects: Command, report: (work: () => Promise<CommandResult>) => Promise<void>): void {
  effects
    .command('show')
    .argument('<id>', 'number of an effect, or its key')
    .summary('one effect with all its tries')
    .description(
      'Shows one effect: where it goes, every try and every question to FileMaker, what people did, and how it can be decided. Never shows the bytes that are sent.',
    )
    .addOption(jsonOption())
    .addHelpText('after', examples('./bridge effects show 12', './bridge effects show invoice-paid:cs_live_a1 --json'))
    .action((id: string) => report(() => run(id)));
}
