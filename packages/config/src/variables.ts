import { z } from 'zod';
import { billingApiVariables, consoleVariables, noticeVariables } from './console';
import { databaseVariables } from './database';
import { filemakerVariables } from './filemaker';
import { invoicesVariables } from './invoices';
import { text } from './parsers';
import { processVariables } from './process';
import { redisVariables } from './redis';
import { stripeVariables } from './stripe';
import { type VariableDescription, variable, variableRegistry } from './variable';

const fileVariables = z.object({
  BRIDGE_CONFIG: variable(text, {
    default: 'none',
    accepts: 'path of a file',
    meaning:
      'Path of a YAML file: facts with layout, script, contract and probe, the payload profile, instalments, maintenance windows. Its JSON Schema comes from the same source as its check.',
  }),
});

/** Every variable, in the order of the reference page. */
export const environmentSchema = z.object({
  ...databaseVariables.shape,
  ...redisVariables.shape,
  ...processVariables.shape,
  ...stripeVariables.shape,
  ...filemakerVariables.shape,
  ...invoicesVariables.shape,
  ...fileVariables.shape,
  ...consoleVariables.shape,
  ...billingApiVariables.shape,
  ...noticeVariables.shape,
});

export type VariableName = keyof typeof environmentSchema.shape & string;
export type Environment = z.output<typeof environmentSchema>;

/** The reference page in data form: what each variable is called, means and defaults to. */
export const variables: readonly ({ name: VariableName } & VariableDescription)[] = Object.entries(
  environmentSchema.shape,
).map(([name, schema]) => {
  const description = variableRegistry.get(schema);
  if (description === undefined) throw new Error(`The variable ${name} has no description.`);
  return { name: name as VariableName, ...description };
});
