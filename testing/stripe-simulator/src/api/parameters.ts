import { invalidRequest } from './api-error';
import { type Form, type FormValue, isForm } from './form';

/** Typed reading of a request's parameters; every fault is the 400 Stripe would answer. */
export class Parameters {
  constructor(private readonly form: Form) {}

  /** Refuses names the endpoint does not have. */
  only(...names: string[]): void {
    const stranger = Object.keys(this.form).find((name) => name !== 'expand' && !names.includes(name));
    if (stranger !== undefined) {
      throw invalidRequest(`Received unknown parameter: ${stranger}`, stranger, 'parameter_unknown');
    }
  }

  has(name: string): boolean {
    return this.form[name] !== undefined;
  }

  text(name: string): string | undefined {
    const value = this.form[name];
    if (value === undefined || value === '') return undefined;
    if (typeof value !== 'string') throw invalidRequest(`Invalid string: ${name}`, name);
    return value;
  }

  whole(name: string): number | undefined {
    return wholeNumber(this.form[name], name);
  }

  flag(name: string): boolean | undefined {
    const value = this.text(name);
    if (value === undefined) return undefined;
    if (value !== 'true' && value !== 'false') throw invalidRequest(`Invalid boolean: ${value}`, name);
    return value === 'true';
  }

  texts(name: string): string[] | undefined {
    const value = this.form[name];
    if (value === undefined) return undefined;
    if (!Array.isArray(value)) throw invalidRequest(`Invalid array`, name);
    return value.map((item) => {
      if (typeof item !== 'string') throw invalidRequest(`Invalid array`, name);
      return item;
    });
  }

  oneOf<T extends string>(name: string, values: readonly T[]): T | undefined {
    const given = this.text(name);
    if (given === undefined) return undefined;
    const value = values.find((candidate) => candidate === given);
    if (value === undefined) {
      throw invalidRequest(`Invalid ${name}: must be one of ${values.join(', ')}`, name);
    }
    return value;
  }

  nested(name: string): Parameters | undefined {
    const value = this.form[name];
    if (value === undefined) return undefined;
    if (!isForm(value)) throw invalidRequest(`Invalid object`, name);
    return new Parameters(value);
  }

  /** A `metadata[key]=value` map; an empty text takes the key away, as at Stripe. */
  metadata(): Record<string, string> {
    return Object.fromEntries(Object.entries(this.metadataChange() ?? {}).filter(([, value]) => value !== ''));
  }

  /** The same for a change: undefined leaves all of them as they are. */
  metadataChange(): Record<string, string> | undefined {
    const value = this.form.metadata;
    if (!isForm(value)) return undefined;
    return Object.fromEntries(
      Object.entries(value).filter((pair): pair is [string, string] => typeof pair[1] === 'string'),
    );
  }

  /** A test for `created=<s>` or `created[gt|gte|lt|lte]=<s>`. */
  created(): (seconds: number) => boolean {
    const value = this.form.created;
    if (value === undefined) return () => true;
    if (!isForm(value)) {
      const exact = wholeNumber(value, 'created');
      return (seconds) => seconds === exact;
    }
    const bounds = Object.entries(value).map(([name, bound]) => {
      const limit = wholeNumber(bound, `created[${name}]`) ?? 0;
      const test = COMPARISONS[name];
      if (test === undefined) throw invalidRequest(`Received unknown parameter: created[${name}]`, `created[${name}]`);
      return (seconds: number) => test(seconds, limit);
    });
    return (seconds) => bounds.every((test) => test(seconds));
  }
}

const COMPARISONS: Record<string, (value: number, limit: number) => boolean> = {
  gt: (value, limit) => value > limit,
  gte: (value, limit) => value >= limit,
  lt: (value, limit) => value < limit,
  lte: (value, limit) => value <= limit,
};

function wholeNumber(value: FormValue | undefined, name: string): number | undefined {
  if (value === undefined) return undefined;
  const number = typeof value === 'string' && value !== '' ? Number(value) : Number.NaN;
  if (!Number.isInteger(number)) {
    throw invalidRequest(
      `Invalid integer: ${typeof value === 'string' ? value : name}`,
      name,
      'parameter_invalid_integer',
    );
  }
  return number;
}
