import { z } from 'zod';

export const roles = ['ingress', 'worker', 'scheduler', 'cli'] as const;
/** The process that reads the configuration. */
export type Role = (typeof roles)[number];

/** What a reader of the reference page needs to know about one variable. */
export interface VariableDescription {
  /** In words, since some defaults depend on the role: `worker 5, ingress 10`. `none` means unset. */
  default: string;
  meaning: string;
  /** What it takes, in a few words. Default: what its parser says. */
  accepts: string;
  /** Said on the page of a variable, or of one of its values, that is read and checked while nothing uses it yet. */
  notYet?: string;
  /** Accepts `NAME_FILE`, and is never printed. */
  secret: boolean;
  /** The roles that read it; the others ignore it, so that a fault in it cannot stop them. */
  roles: readonly Role[];
}

/** Keeps each variable's description beside its schema; `variables` is read from here. */
export const variableRegistry = z.registry<VariableDescription>();

/** Declares one variable: its check and what the reference page says about it. */
export function variable<S extends z.ZodType>(
  schema: S,
  description: Omit<VariableDescription, 'accepts' | 'secret' | 'roles'> & Partial<VariableDescription>,
): z.ZodOptional<S> {
  const optional = schema.optional();
  variableRegistry.add(optional, { secret: false, roles, accepts: schema.description ?? '', ...description });
  return optional;
}
