import { z } from 'zod';

// Lenient on purpose: versions of the server and proxies differ in whether a code, an id or a count is a number or a string.
// Strict where leniency would hide something: a list of records or a script error that is absent is not taken for empty or zero.

const textOrNumber = z.union([z.string(), z.number()]).transform(String);
const count = z.union([z.number(), z.string().regex(/^\d+$/).transform(Number)]).pipe(z.number().int().min(0));

/** The form of every Data API answer. */
export const envelope = z.object({
  messages: z.array(z.object({ code: textOrNumber, message: z.string().catch('') })).min(1),
  response: z.unknown().optional(),
});

export const loginAnswer = z.object({ token: z.string().min(1) });

export const sessionAnswer = z.object({
  isSessionInUse: z
    .union([z.boolean(), z.enum(['true', 'false']).transform((text) => text === 'true')])
    .optional()
    .catch(undefined),
});

const optionalText = textOrNumber.optional().catch(undefined);

/** That the server answers is what counts; what it says about itself is for people. */
export const productAnswer = z
  .object({
    productInfo: z.object({
      name: optionalText,
      version: optionalText,
      buildDate: optionalText,
      dateFormat: optionalText,
      timeFormat: optionalText,
      timeStampFormat: optionalText,
    }),
  })
  .catch({ productInfo: {} });

const scriptResult = z.union([z.string(), z.unknown().transform((value) => JSON.stringify(value))]).optional();

export const scriptAnswer = z.object({ scriptError: textOrNumber, scriptResult });

export const createAnswer = z.object({ recordId: textOrNumber, modId: textOrNumber });

export const editAnswer = z.object({ modId: textOrNumber });

export const findAnswer = z.object({
  // Some servers leave out the counts; `find` then goes by the records. A count that cannot be read stays an error.
  dataInfo: z.object({ foundCount: count.nullish() }).nullish(),
  data: z.array(
    z.object({
      recordId: textOrNumber,
      modId: textOrNumber,
      fieldData: z.record(z.string(), z.unknown()),
    }),
  ),
});

export const layoutsAnswer = z.object({ layouts: z.array(z.unknown()) });
export const scriptsAnswer = z.object({ scripts: z.array(z.unknown()) });

const listed = z.object({
  name: z.string(),
  isFolder: z.boolean().optional().catch(undefined),
  folderLayoutNames: z.array(z.unknown()).optional().catch(undefined),
  folderScriptNames: z.array(z.unknown()).optional().catch(undefined),
});

/** The names in a list of layouts or scripts, those inside folders included and the folders themselves left out. */
export function flattenNames(entries: readonly unknown[]): string[] {
  const names: string[] = [];
  const waiting = [...entries].reverse();
  // Bounded: the answer's size is, and each step takes one entry out of it.
  while (waiting.length > 0) {
    const parsed = listed.safeParse(waiting.pop());
    if (!parsed.success) continue;
    const inside = parsed.data.folderLayoutNames ?? parsed.data.folderScriptNames;
    if (inside !== undefined) waiting.push(...[...inside].reverse());
    else if (parsed.data.isFolder !== true) names.push(parsed.data.name);
  }
  return names;
}
