import { z } from 'zod';

const body = z.looseObject({
  object: z.literal('event'),
  type: z.string().min(1),
  data: z.looseObject({ object: z.record(z.string(), z.unknown()) }),
});

/** The object an event is about; undefined when the bytes are no Stripe event. */
export function readEventObject(bytes: Buffer): Record<string, unknown> | undefined {
  let json: unknown;
  try {
    json = JSON.parse(bytes.toString('utf8'));
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
  const parsed = body.safeParse(json);
  return parsed.success ? parsed.data.data.object : undefined;
}
