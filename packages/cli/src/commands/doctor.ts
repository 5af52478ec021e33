import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { flows } from '@bridge/flows';
import {
  type DoctorFault,
  type DoctorOptions,
  type DoctorReport,
  type EndpointFix,
  type EndpointFixed,
  examineBridge,
  fixWebhookEndpoint,
} from '@bridge/operations';
import { type Command, InvalidArgumentError } from 'commander';
import { projectFolder } from '../app-processes';
import { migrationSources, operatorAtKeyboard } from '../command-context';
import type { CommandResult } from '../command-result';
import { confirmPlan } from '../confirm';
import { commandEnvironment, ENVIRONMENT_FILE } from '../environment-file';
import { examples, jsonOption } from '../options';
import type { Output, Tone } from '../output';
import { wrap } from '../table';

type Section = DoctorReport['sections'][number];

const SECTION_NAMES: Readonly<Record<Section['name'], string>> = {
  configuration: 'Configuration',
  postgresql: 'PostgreSQL',
  redis: 'Redis',
  clock: 'Clocks',
  stripe: 'Stripe key',
  webhook: 'Webhook endpoint',
  filemaker: 'FileMaker',
  work: 'Processes and schedules',
};
const MARKS = { fine: '✓', broken: '✗', note: '·', quiet: '–' } as const;
const NAME_WIDTH = Math.max(...Object.values(SECTION_NAMES).map((name) => name.length));
const ROLES = ['ingress', 'worker', 'scheduler'] as const;

interface Options {
  fix?: boolean;
  yes?: boolean;
  url?: string;
  json?: boolean;
}

function markOf({ name, outcome }: Section, faults: readonly DoctorFault[]): keyof typeof MARKS {
  if (outcome === 'fine') return 'fine';
  if (outcome === 'not-checked') return 'quiet';
  return faults.some(({ section, weight }) => section === name && weight === 'broken') ? 'broken' : 'note';
}

function describeSection(section: Section, report: DoctorReport, output: Output): string {
  const mark = markOf(section, report.faults);
  const head = `${output.dress(mark, MARKS[mark])} ${output.dress('heading', SECTION_NAMES[section.name].padEnd(NAME_WIDTH))}  `;
  const indent = ' '.repeat(NAME_WIDTH + 4);
  const detail = wrap(section.detail, output.width - indent.length, indent);
  const faults = report.faults.filter((found) => found.section === section.name);
  return [`${head}${detail}`, ...faults.map((found) => describeFault(found, output))].join('\n');
}

function describeFault({ weight, code, what, why, todo, runbook }: DoctorFault, output: Output): string {
  const paragraph = (text: string, tone?: Tone): string => {
    const lines = `    ${wrap(text, output.width - 4, '    ')}`;
    return tone === undefined ? lines : output.dress(tone, lines);
  };
  return [
    `  ${output.dress(weight, `${MARKS[weight]} ${code}`)}`,
    paragraph(what),
    paragraph(`Why: ${why}`, 'quiet'),
    paragraph(`Do: ${todo}`, 'command'),
    ...(runbook === null ? [] : [paragraph(`More: ./bridge runbook ${runbook}`, 'quiet')]),
  ].join('\n');
}

function sumOf(report: DoctorReport, output: Output): string {
  const broken = report.faults.filter(({ weight }) => weight === 'broken').length;
  const notes = report.faults.length - broken;
  if (broken > 0)
    return output.dress(
      'broken',
      `${broken} ${broken === 1 ? 'fault keeps' : 'faults keep'} payments from arriving, or can lose one.`,
    );
  return output.dress('fine', notes > 0 ? 'It works; the notes make it safer.' : 'Everything is as it should be.');
}

const describe = (report: DoctorReport, fixed: EndpointFixed | null, output: Output): string =>
  [
    ...report.sections.map((section) => describeSection(section, report, output)),
    '',
    ...(fixed === null
      ? []
      : [
          fixed.kind === 'done'
            ? output.dress('fine', 'The webhook endpoint at Stripe was set as planned; this is how it stands now.')
            : output.dress('broken', `Nothing was changed at Stripe. ${fixed.reason}`),
        ]),
    sumOf(report, output),
  ].join('\n');

/** What `--fix` is about to do, for people. */
export function describeFix({ endpointId, url, enable, add, remove, enabledEvents }: EndpointFix): string {
  return [
    `At Stripe, the webhook endpoint ${url} (${endpointId}) would be changed:`,
    ...(enable ? ['  switched on'] : []),
    ...add.map((type) => `  + ${type}`),
    ...remove.map((type) => `  - ${type === '*' ? '* (everything)' : type}`),
    `Afterwards it gets exactly these ${enabledEvents.length} types. The change is kept in the audit table.`,
  ].join('\n');
}

/** In an image of one app only that app's folder is there. */
const appsHere = (): DoctorOptions['apps'] =>
  ROLES.filter((role) => existsSync(join(projectFolder, 'apps', role, 'package.json')));

async function run(given: Options): Promise<CommandResult> {
  const env = commandEnvironment();
  const file = join(process.cwd(), ENVIRONMENT_FILE);
  const options: DoctorOptions = {
    env,
    // A variable of the environment goes first; then the file here is somebody else's.
    environmentFile: env !== process.env && existsSync(file) ? file : undefined,
    apps: appsHere(),
    flows,
    migrationSources,
    webhookUrl: given.url,
  };
  let report = await examineBridge(options);
  let fixed: EndpointFixed | null = null;
  if (given.fix === true && report.fix !== null) {
    const agreed = await confirmPlan(describeFix(report.fix), { yes: given.yes === true, json: given.json === true });
    if (agreed) {
      fixed = await fixWebhookEndpoint(options, report.fix, operatorAtKeyboard());
      if (fixed.kind === 'done') report = await examineBridge(options);
    }
  }
  return {
    fine: report.fine && fixed?.kind !== 'refused',
    json: given.fix === true ? { ...report, fixed } : report,
    text: (output) => describe(report, fixed, output),
  };
}

export function addDoctor(program: Command, report: (work: () => Promise<CommandResult>) => Promise<void>): void {
  program
    .command('doctor')
    .summary('is everything there that the bridge needs?')
    .description(
      'Looks at the configuration, PostgreSQL, Redis, the clocks, the Stripe key and its permissions, the webhook endpoint, FileMaker, processes and schedules. ' +
        'Each fault says what it is, why it matters and what to do; a faulty setting hides only what cannot be looked at without it. Changes nothing without --fix, but for the two rows that `filemaker check` leaves. ' +
        'Exit 0: payments can arrive; 1: something keeps them from it.',
    )
    .option('--fix', 'switch the webhook endpoint on and let it get exactly the events that the flows want')
    .option('--yes', 'with --fix: do not ask before')
    .option(
      '--url <address>',
      'address of the webhook endpoint, as it stands at Stripe (default: STRIPE_WEBHOOK_URL)',
      (text: string) => {
        if (!URL.canParse(text)) throw new InvalidArgumentError('Give a whole address: https://host/webhooks/stripe');
        return text;
      },
    )
    .addOption(jsonOption())
    .addHelpText(
      'after',
      examples(
        './bridge doctor',
        './bridge doctor --fix',
        './bridge doctor --url https://pay.example.com/webhooks/stripe --fix --yes',
        "./bridge doctor --json | jq '.faults[].code'",
      ),
    )
    .action((options: Options) => report(() => run(options)));
}
