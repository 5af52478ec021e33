import { randomInt } from 'node:crypto';
import { Clock } from './clock';
import { EventLog } from './events';
import { Ids } from './ids';
import { Random } from './random';
import type { StripeSimulatorSettings } from './settings';
import { Store } from './store';

/** One simulated Stripe: its settings, time, chance and memory. The rest of the code works on this. */
export class World {
  readonly clock: Clock = new Clock();
  random: Random;
  ids: Ids;
  store: Store = new Store();
  readonly events: EventLog = new EventLog(this);

  constructor(readonly settings: StripeSimulatorSettings) {
    this.random = new Random(settings.seed ?? randomInt(2 ** 31));
    this.ids = new Ids(this.random);
  }

  /** Forgets everything. With a seed in the settings (or given here) the same ids come again, otherwise new ones. */
  reset(seed?: number): void {
    this.random = new Random(seed ?? this.settings.seed ?? randomInt(2 ** 31));
    this.ids = new Ids(this.random);
    this.store = new Store();
    this.clock.reset();
  }
}
