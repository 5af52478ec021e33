import { createDatabase } from '@bridge/database';
import { disagreements } from './books-agree';
import { type BridgeStand, startBridge } from './bridge-stand';

/**
 * A fifth of FileMaker's answers is cut after the script has run. By default a small number of payments; all of them:
 *   CUT_ANSWERS_OF=5000 npx jest testing/e2e/src/cut-answers
 */
const EFFECTS = Number(process.env.CUT_ANSWERS_OF ?? '24');
const FRACTION = 0.2;
const SOLD_AT_ONCE = 10;
const invoiceIds = Array.from({ length: EFFECTS }, (_, index) => String(100_000 + index));
/** A cut answer closes the circuit for half a second and more, for everybody. */
const WITHIN_MS = 180_000 + EFFECTS * 1_000;
const LOOK_EVERY_MS = 250;

let stand: BridgeStand | undefined;
afterEach(async () => {
  await stand?.stop();
  stand = undefined;
}, 120_000);

type Standing = Record<'open' | 'verified' | 'unverified' | 'parked' | 'parkedUnasked', number>;

/** Sells, waits until nothing is under way any more, and counts how it ended. */
async function sellAndSettle(on: BridgeStand): Promise<Standing> {
  await on.filemaker.ask('POST', '/trouble', {
    kind: 'cut',
    when: 'after',
    on: ['run'],
    fraction: FRACTION,
    times: null,
  });
  // Of one kind, since a large cart does not fit into the URL of a plain script.
  for (let sold = 0; sold < EFFECTS; sold += SOLD_AT_ONCE) {
    const invoices = invoiceIds.slice(sold, sold + SOLD_AT_ONCE);
    await Promise.all(invoices.map((invoiceId) => on.stripe.ask('POST', '/sales', { invoiceId })));
  }
  const database = createDatabase({ url: on.databaseUrl, poolMax: 1, applicationName: 'cut-answers' });
  try {
    const deadline = performance.now() + WITHIN_MS;
    for (;;) {
      const { rows } = await database.pool.query<Standing & { planned: number }>(
        `select count(*) filter (where state in ('planned', 'sending', 'unknown'))::int as open,
           count(*) filter (where state = 'done' and verified)::int as verified,
           count(*) filter (where state = 'done' and not verified)::int as unverified,
           count(*) filter (where state = 'parked')::int as parked,
           count(*) filter (where state = 'parked' and reason_code = 'CANNOT_BE_ASKED')::int as "parkedUnasked",
           count(*)::int as planned
         from effects.effects`,
      );
      const [standing] = rows;
      if (standing?.planned === EFFECTS && standing.open === 0) {
        const { planned: _planned, ...ended } = standing;
        return ended;
      }
      if (performance.now() > deadline)
        throw new Error(`not settled after ${WITHIN_MS / 1_000} s: ${JSON.stringify(standing)}\n${on.tail()}`);
      await new Promise<void>((resolve) => {
        setTimeout(resolve, LOOK_EVERY_MS);
      });
    }
  } finally {
    await database.close();
  }
}

const report = (what: string, figures: unknown): void => {
  if (process.env.CUT_ANSWERS_OF !== undefined) process.stderr.write(`${what}: ${JSON.stringify(figures)}\n`);
};

test(
  'a fifth of the answers cut after the script has run: with the kit none is done twice, none stays unknown, none is parked',
  async () => {
    stand = await startBridge({ workers: 1, env: { FILEMAKER_SCRIPT_MAX_SECONDS: '2' }, filemaker: { scriptMs: 5 } });
    const standing = await sellAndSettle(stand);
    const { summary } = await stand.filemakerBooks();
    report('kit', { ...standing, unheard: summary.unheardAnswers, runs: summary.runs });
    expect(standing).toEqual({ open: 0, verified: EFFECTS, unverified: 0, parked: 0, parkedUnasked: 0 });
    expect(summary.unheardAnswers).toBeGreaterThan(EFFECTS * FRACTION * 0.4);
    expect(summary).toMatchObject({ runs: EFFECTS, effectsApplied: EFFECTS, keysAppliedMoreThanOnce: [] });
    expect(await disagreements(stand)).toEqual([]);
  },
  2 * WITHIN_MS,
);

test(
  'the same with a plain script: none is done twice; what was not heard is parked for a person, the rest is marked unverified',
  async () => {
    stand = await startBridge({
      workers: 1,
      env: { FILEMAKER_LOG_LAYOUT: '', FILEMAKER_HANDOFF_LAYOUT: '', FILEMAKER_SCRIPT_MAX_SECONDS: '2' },
      filemaker: { scriptMs: 5, scripts: { STRIPE_PAYMENTLINK_SUCCESS: { form: 'plain', effect: 'paid' } } },
    });
    await stand.filemaker.ask('POST', '/databases/Shop/tables/invoices/records', {
      records: invoiceIds.map((invoice_id) => ({ invoice_id, status: 'open' })),
    });
    const standing = await sellAndSettle(stand);
    const { summary } = await stand.filemakerBooks();
    report('plain', { ...standing, unheard: summary.unheardAnswers, runs: summary.runs });
    expect(standing).toMatchObject({ open: 0, verified: 0, unverified: EFFECTS - standing.parked });
    expect(standing.parkedUnasked).toBe(standing.parked);
    expect(standing.parked).toBe(summary.unheardAnswers);
    expect(standing.parked).toBeGreaterThan(EFFECTS * FRACTION * 0.4);
    expect(summary).toMatchObject({ runs: EFFECTS, effectsApplied: EFFECTS, keysAppliedMoreThanOnce: [] });
    expect(summary.invoicesAppliedMoreThanOnce).toEqual([]);
  },
  2 * WITHIN_MS,
);
