/** Stand-ins for what must not be shown: the same value always gets the same one, so that captures and comparisons still work. */
export class Pseudonyms {
  readonly #known = new Map<string, string>();
  readonly #counts = new Map<string, number>();

  /** `token-1`, `name-2` … */
  of(kind: string, value: string): string {
    const known = this.#known.get(value);
    if (known !== undefined) return known;
    const count = (this.#counts.get(kind) ?? 0) + 1;
    this.#counts.set(kind, count);
    const stand = `${kind}-${count}`;
    this.#known.set(value, stand);
    return stand;
  }

  /** The value's stand-in, when it has one already. */
  find(value: string): string | undefined {
    return this.#known.get(value);
  }
}

/** A secret would have been written down. A fault of ours: nothing was written. */
export class SecretInRecording extends Error {
  constructor(name: string) {
    super(`The value of ${name} stood in what was to be recorded. Nothing of it was written; please report this.`);
    this.name = 'SecretInRecording';
  }
}
