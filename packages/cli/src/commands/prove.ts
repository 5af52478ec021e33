import { writeFile } from 'node:fs/promises';
import { flows } from '@bridge/flows';
import { isProofFine, type NoProof, type Proof, proofPage, proveId } from '@bridge/operations';
import { type Command, InvalidArgumentError } from 'commander';
import { withDatabase } from '../command-context';
import type { CommandResult } from '../command-result';
import { CommandError } from '../failure';
import { examples, jsonOption } from '../options';
import type { Output, Tone } from '../output';
import { wrap } from '../table';

const TONES: Readonly<Record<Proof['verdicts'][number]['standing'], Tone>> = {
  applied: 'fine',
  unverified: 'fine',
  waiting: 'note',
  parked: 'waits',
  cancelled: 'quiet',
  unpaid: 'quiet',
  'nothing-owed': 'quiet',
};

/** As wide as a time and the gap behind it. */
const TIME_INDENT = ' '.repeat(20);

function describe(proof: Proof, file: string | undefined, output: Output): string {
  const { verdicts, timeline, also } = proof;
  const verdictLines = verdicts.map(({ standing, sentence }) =>
    output.dress(TONES[standing], wrap(sentence, output.width)),
  );
  const lines = timeline.map(({ at, sentence, tone }) => {
    const line = wrap(`${output.moment(at)} ${sentence}`, output.width, TIME_INDENT);
    return tone === 'quiet' ? line : output.dress(tone, line);
  });
  return [
    output.dress('quiet', `${proof.id} is ${proof.meaning}.`),
    ...verdictLines,
    '',
    ...(lines.length === 0 ? ['Nothing was written down about it.'] : lines),
    output.dress('quiet', `Times in ${output.timeZone}.`),
    ...(also.length === 0 ? [] : ['', output.dress('quiet', `The same number also means: ${also.join(', ')}`)]),
    ...(file === undefined ? [] : ['', `Written to ${file}.`]),
  ].join('\n');
}

function describeNothing({ id, looked, meaning, next }: NoProof, output: Output): string {
  if (meaning !== null) {
    return [
      `${id} is ${meaning}. No payment hangs on it.`,
      ...(next === null ? [] : [`    ${output.dress('command', next)}`]),
    ].join('\n');
  }
  return [
    `${output.dress('waits', 'Found nowhere:')} ${id}`,
    'It was looked for among',
    ...looked.map((place) => `- ${place}`),
    'A payment that the bridge never heard of is looked for at Stripe by reconciliation:',
    `    ${output.dress('command', './bridge reconcile invoices --dry-run')}`,
  ].join('\n');
}

/** The file that stands for standard output, as many programs have it. */
export const STANDARD_OUTPUT = '-';

/** A result that is nothing but a document, byte for byte where no terminal listens. */
export const asDocument = (result: Omit<CommandResult, 'text' | 'bytes'>, document: string): CommandResult => ({
  ...result,
  text: () => document.trimEnd(),
  bytes: Buffer.from(document),
});

/** A file that cannot be written is said in words; it names the path the person typed. */
export async function writeAsked(file: string, text: string): Promise<void> {
  try {
    await writeFile(file, text, 'utf8');
  } catch (error) {
    const reason = error instanceof Error && 'code' in error ? String(error.code) : 'unknown reason';
    throw new CommandError('FILE_NOT_WRITTEN', `${file} cannot be written (${reason}).`);
  }
}

async function run(id: string, file: string | undefined): Promise<CommandResult> {
  const { proof, timeZone } = await withDatabase(async ({ database, config }) => ({
    proof: await proveId({ database, flows, timeZone: config.timezone }, id),
    timeZone: config.timezone,
  }));
  if (!proof.found) {
    if (file !== undefined)
      throw new CommandError('NOT_FOUND', `There is nothing to write about: ${id} was found nowhere.`);
    return { fine: proof.meaning !== null, json: proof, timeZone, text: (output) => describeNothing(proof, output) };
  }
  if (file === STANDARD_OUTPUT) return asDocument({ fine: isProofFine(proof), json: proof }, proofPage(proof));
  if (file !== undefined) await writeAsked(file, proofPage(proof));
  return { fine: isProofFine(proof), json: proof, timeZone, text: (output) => describe(proof, file, output) };
}

export function addProve(program: Command, report: (work: () => Promise<CommandResult>) => Promise<void>): void {
  program
    .command('prove')
    .argument(
      '<id>',
      'any id: Checkout Session, PaymentIntent, charge, invoice, event, refund, dispute, effect, key, attempt, inbox row, finding, job, plan, run, process, day',
      (text: string) => {
        if (text.trim() === '') throw new InvalidArgumentError('Give an id.');
        return text;
      },
    )
    .summary('what became of a payment, proved')
    .description(
      'Tells what became of the money behind an id, and everything that happened to it in one line of time: payment, events, decisions, every try and every answer of FileMaker, what people did. Holds ids and amounts, no customer data. A bare number is an invoice first; effect:12, event:34, finding:5, attempt:6 and session:7 name another meaning. Exit 1: it waits, or was found nowhere.',
    )
    .option('--html <file>', 'also write it as a page to hand on or to print; - prints the page alone')
    .addOption(jsonOption())
    .addHelpText(
      'after',
      examples(
        './bridge prove 18637',
        './bridge prove cs_live_a1 --html proof.html',
        './bridge prove effect:12 --json',
      ),
    )
    .action((id: string, { html }: { html?: string }) => report(() => run(id, html)));
}
