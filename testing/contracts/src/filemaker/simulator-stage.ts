import type { ArrangeStep } from '../contract-case';
import { placeholdersIn, type Variables } from '../placeholders';
import type { Control } from '../simulator-control';
import { CannotArrange, type Stage } from '../stage';
import { exchangesOf } from '../suite';
import type { Arrangement } from './arrangements';

/** What the simulator has from the start, plus three plain scripts that the stage adds. */
export const simulatorVariables: Variables = {
  database: 'Shop',
  databaseInOtherCase: 'sHOP',
  layout: 'web_invoices',
  invoiceField: 'invoice_id',
  invoice: 'contract-invoice',
  script: 'STRIPE_PAYMENTLINK_SUCCESS',
  slowScript: 'STRIPE_PAYMENTLINK_SUCCESS',
  verySlowScript: 'STRIPE_PAYMENTLINK_SUCCESS',
  slowSeconds: '0',
  plainScript: 'CONTRACT_PLAIN',
  silentScript: 'CONTRACT_SILENT',
  leavingScript: 'CONTRACT_LEAVES_OPEN',
  keyLayout: 'bridge_log',
  keyField: 'idempotency_key',
  textField: 'state',
  numberField: 'attempt',
};

const INVOICES = '/databases/Shop/tables/invoices/records';
const PLAIN_SCRIPTS = ['plainScript', 'silentScript', 'leavingScript'];
const PLAIN = { form: 'plain', effect: 'paid' };

interface SimulatorSettings {
  readonly scripts: Readonly<Record<string, unknown>>;
  readonly proxyReadTimeoutMs: number | null;
}

interface BooksSummary {
  readonly requests: { readonly total: number };
}

/** Sets the simulator up through its control API: a fresh server for each case, and whatever a case asks for. */
export function createFileMakerSimulatorStage(control: Control): Stage {
  let requestsBefore = 0;
  const change = (patch: Record<string, unknown>): Promise<unknown> => control('POST', '/settings', patch);
  const settings = (): Promise<SimulatorSettings> => control('GET', '/settings');
  const requestsSoFar = async (): Promise<number> => {
    const { requests } = await control<BooksSummary>('GET', '/books/summary');
    return requests.total;
  };
  const until = async (query: string): Promise<void> => {
    const { reached } = await control<{ reached: boolean }>('GET', `/wait?${query}&timeoutMs=60000`);
    if (!reached) throw new CannotArrange(`the simulator did not reach ${query}`);
  };

  const arrangements: Record<Arrangement, (how: ArrangeStep['how']) => Promise<unknown>> = {
    'hold scripts': () => change({ holdScripts: 'before-commit' }),
    'let scripts go': () => change({ holdScripts: 'none' }),
    'a script is running': async () => {
      await until('running=1');
      requestsBefore = await requestsSoFar();
    },
    'one more request has arrived': () => until(`requests=${requestsBefore + 1}`),
    'the server has noticed': () => until('unheard=1'),
    'all scripts are over': () => until('idle=true'),
    'scripts take their time': async () => {
      const { proxyReadTimeoutMs } = await settings();
      return change({ scriptMs: proxyReadTimeoutMs === null ? 20 : proxyReadTimeoutMs + 200 });
    },
    'records take their time': () => change({ recordMs: 25 }),
    'minutes pass': ({ minutes }) => control('POST', '/clock', { advanceSeconds: Number(minutes) * 60 }),
    'more minutes pass': ({ minutes }) => control('POST', '/clock', { advanceSeconds: Number(minutes) * 60 }),
    'restart the engine': () => control('POST', '/restart', {}),
    'disconnect the sessions': () => control('DELETE', '/sessions'),
    'somebody edits the invoice': () => control('POST', '/locks', { invoice: simulatorVariables.invoice }),
    'nobody edits the invoice': () => control('DELETE', '/locks'),
  };

  return {
    patienceMs: { long: 6_000, short: 100 },
    prepare: async (contractCase) => {
      await control('POST', '/reset', {});
      const used = placeholdersIn(exchangesOf(contractCase).map(({ line, query, body }) => [line, query, body]));
      if (used.includes('invoice'))
        await control('POST', INVOICES, { records: [{ invoice_id: String(simulatorVariables.invoice) }] });
      if (!PLAIN_SCRIPTS.some((name) => used.includes(name))) return;
      const { scripts } = await settings();
      await change({
        scripts: { ...scripts, CONTRACT_PLAIN: PLAIN, CONTRACT_SILENT: PLAIN, CONTRACT_LEAVES_OPEN: PLAIN },
        ...(used.includes('silentScript') ? { plainScriptResult: 'empty' } : {}),
        ...(used.includes('leavingScript') ? { plainScriptLeavesRecordOpen: true } : {}),
      });
    },
    arrange: async ({ what, how }) => {
      const perform = (arrangements as Record<string, ((how: ArrangeStep['how']) => Promise<unknown>) | undefined>)[
        what
      ];
      if (perform === undefined) throw new CannotArrange(`the simulator's stage cannot arrange: ${what}`);
      await perform(how);
    },
  };
}
