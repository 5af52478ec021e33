import { setTimeout as delay } from 'node:timers/promises';
import type { FileMakerSummary, PostgresService } from '@bridge/test-services';
import { Chance } from './chance';
import { Endings } from './endings';
import { type Judgement, judge, type Parked } from './judge';
import { createLoad, type Load } from './load';
import { type Blow, type Moment, partsOf, type Scenario, type TimedBlow } from './scenario';
import { cap, Stand } from './stand';
import { type Outage, strike } from './strike';

export interface RehearsalOptions {
  readonly seed: number;
  /** Instead of the scenario's own number. */
  readonly payments?: number | undefined;
  /** Ends it early, with whatever it throws. */
  readonly signal: AbortSignal;
  /** Told what happens, for people who watch. */
  readonly voice: Voice;
}

export interface Voice {
  /** Something happened. */
  note(sentence: string): void;
  /** How far it has come; called several times a second. */
  progress(figures: { readonly sold: number; readonly payments: number; readonly applied: number }): void;
}

export interface Rehearsal extends Judgement {
  readonly scenario: Scenario;
  readonly seed: number;
  readonly seconds: number;
  /** What the apps printed. */
  readonly printed: string;
}

const lookMs = 200;
/** So long without a step forward, and the rest counts as it stands. */
const patienceMs = 90_000;
const momentWithinMs = 300_000;

/** Plays one scenario on a stand of its own and judges it. */
export async function rehearse(
  scenario: Scenario,
  postgres: PostgresService,
  endings: Endings,
  { seed, payments = scenario.load.payments, signal, voice }: RehearsalOptions,
): Promise<Rehearsal> {
  const begun = performance.now();
  const own = new Endings();
  endings.add(() => own.end());
  try {
    const stand = await Stand.start(postgres, scenario, { seed, signal, endings: own });
    signal.throwIfAborted();
    const play = new Play(
      stand,
      createLoad(stand, payments, scenario.load.overSeconds, seed),
      new Chance(seed),
      signal,
    );
    const judgement = await play.run(scenario, voice);
    return { ...judgement, scenario, seed, seconds: (performance.now() - begun) / 1_000, printed: stand.printed };
  } finally {
    await own.end();
  }
}

/** One scenario while it runs: load, blows and watching beside each other. */
class Play {
  readonly #outages: Outage[] = [];
  #summary: FileMakerSummary | undefined;

  constructor(
    private readonly stand: Stand,
    private readonly load: Load,
    private readonly chance: Chance,
    private readonly signal: AbortSignal,
  ) {}

  async run(scenario: Scenario, voice: Voice): Promise<Judgement> {
    const { load } = this;
    const blows = typeof scenario.blows === 'function' ? scenario.blows(this.chance) : scenario.blows;
    const over = new AbortController();
    const signal = AbortSignal.any([this.signal, over.signal]);
    await load.prepare();
    const watching = this.#watch(voice, signal);
    try {
      // What stands at the very beginning falls before the first payment.
      const atStart = blows.filter(({ at }) => 'sold' in at && at.sold === 0);
      const first = await this.#letFall(atStart, voice, signal);
      const [, later] = await Promise.all([
        load.sell(signal),
        this.#letFall(
          blows.filter((blow) => !atStart.includes(blow)),
          voice,
          signal,
        ),
      ]);
      voice.note('All payments are made; waiting until nothing is owed.');
      await Promise.all([...first, ...later]);
      await this.#untilQuiet(signal);
      return await this.#judge(scenario);
    } finally {
      over.abort();
      await watching;
    }
  }

  /** Begins each blow at its moment; gives what to wait for until the last is over. */
  async #letFall(blows: readonly TimedBlow[], voice: Voice, signal: AbortSignal): Promise<Promise<void>[]> {
    const begun: { blow: Blow; over: Promise<void> }[] = [];
    for (const { at, blow } of blows) {
      await this.#reached(at, signal);
      const parts = partsOf(blow);
      await Promise.all(
        begun.filter((one) => partsOf(one.blow).some((part) => parts.includes(part))).map(({ over }) => over),
      );
      voice.note(describe(blow));
      const over = strike(blow, { stand: this.stand, chance: this.chance, invoiceIds: this.load.invoiceIds }).then(
        (outage) => {
          if (outage !== undefined) this.#outages.push(outage);
        },
      );
      // Whoever waits for it hears of a failure; until then it must not end the process.
      over.catch(() => undefined);
      begun.push({ blow, over });
      if ('sold' in at && at.sold === 0) await Promise.race([over, delay(lookMs, undefined, { signal })]);
    }
    return begun.map(({ over }) => over);
  }

  async #reached(at: Moment, signal: AbortSignal): Promise<void> {
    const deadline = performance.now() + momentWithinMs;
    const payments = this.load.invoiceIds.length;
    const now = () =>
      'sold' in at
        ? this.load.sales.length >= payments * at.sold
        : (this.#summary?.effectsApplied ?? 0) >= payments * at.applied;
    while (!now()) {
      if (performance.now() > deadline)
        throw new Error(`${JSON.stringify(at)} did not come within ${momentWithinMs / 1_000} s`);
      await delay(lookMs / 4, undefined, { signal });
    }
  }

  async #watch(voice: Voice, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      // While FileMaker is away nobody can look into its books.
      this.#summary = await this.stand.filemakerSummary().catch(() => this.#summary);
      voice.progress({
        sold: this.load.sales.length,
        payments: this.load.invoiceIds.length,
        applied: this.#summary?.effectsApplied ?? 0,
      });
      await delay(lookMs, undefined, { signal }).catch(() => undefined);
    }
  }

  /** Every webhook delivered, every event decided, no script running, nothing owed; or no step forward for long. */
  async #untilQuiet(signal: AbortSignal): Promise<void> {
    let last = '';
    let since = performance.now();
    while (performance.now() - since < patienceMs) {
      const { deliveries } = await this.stand.stripeBooks();
      const open = await this.#openRows();
      const running = this.#summary?.running ?? 1;
      if (deliveries.outstanding === 0 && open.length === 0 && running === 0) return;
      const state = `${deliveries.outstanding} ${open.length} ${this.#summary?.effectsApplied}`;
      if (state !== last) since = performance.now();
      last = state;
      await delay(lookMs, undefined, { signal });
    }
  }

  async #openRows(): Promise<string[]> {
    const rows = await this.stand.query<{ what: string }>(
      `select event_id as what from inbox.events where state in ('received', 'processing')
       union all select key from effects.effects where state in ('planned', 'sending', 'unknown')`,
    );
    return rows.map(({ what }) => what);
  }

  async #judge(scenario: Scenario): Promise<Judgement> {
    const { stand, load } = this;
    const deliveries = await stand.deliveries();
    const saysPaid = new Set(['checkout.session.completed', 'checkout.session.async_payment_succeeded']);
    const acknowledged = deliveries.filter(
      ({ eventType, status }) => saysPaid.has(eventType) && status !== null && status >= 200 && status < 300,
    );
    const parked = await stand.query<Parked & { [column: string]: unknown }>(
      `select key as what, reason_code as code from effects.effects where state = 'parked'
       union all select event_id, reason_code from inbox.events where state = 'parked'`,
    );
    const evidence = {
      sales: load.sales,
      stripe: await stand.stripeBooks(),
      filemaker: await stand.filemakerBooks(),
      invoices: await stand.invoices(),
      acknowledged: new Set(acknowledged.map(({ eventId }) => eventId)),
      parked,
      open: await this.#openRows(),
      outages: this.#outages,
      calls: stand.calls,
      cap,
      faults: stand.faults,
    };
    return judge(evidence, scenario.expects);
  }
}

function describe(blow: Blow): string {
  const { kind, ...details } = blow;
  const words = Object.entries(details).map(([name, value]) => `${name} ${value}`);
  return words.length === 0 ? kind : `${kind} (${words.join(', ')})`;
}
