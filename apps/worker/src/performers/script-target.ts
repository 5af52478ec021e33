import { z } from 'zod';

/** Where and how an effect of kind `filemaker-script` runs, frozen when it is planned. */
export const scriptTargetSchema = z.strictObject({
  layout: z.string(),
  script: z.string(),
  /** kit: the script echoes the key and keeps the kit's log. plain: a script nobody may change. */
  contract: z.enum(['kit', 'plain']),
  /** get: the payload is the script's parameter. handoff: it is a record, and the parameter names it. */
  transport: z.enum(['get', 'handoff']),
  handoffLayout: z.string().nullable(),
  /** A field of the company's own that shows a run; it proves one only if it holds this very payment's id. */
  probe: z.strictObject({ layout: z.string(), field: z.string(), value: z.string(), proves: z.boolean() }).nullable(),
  /** The kit's log, where the cross-check looks. */
  log: z
    .strictObject({ layout: z.string(), keyField: z.string(), stateField: z.string(), resultField: z.string() })
    .nullable(),
});

export type ScriptTarget = z.infer<typeof scriptTargetSchema>;

export const FILEMAKER_SCRIPT = 'filemaker-script';
