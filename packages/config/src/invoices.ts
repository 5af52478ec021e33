import { z } from 'zod';
import { list, moment } from './parsers';
import { variable } from './variable';

export const invoicesVariables = z.object({
  INVOICE_ID_KEYS: variable(
    list((key) =>
      /^(client_reference_id|metadata\.[^\s,]{1,40})$/.test(key)
        ? undefined
        : 'must be client_reference_id or metadata.<name>',
    ),
    {
      default: 'metadata.invoice_id',
      accepts: '`metadata.NAME`, `client_reference_id`, comma-separated',
      meaning:
        'Where a Checkout Session names its invoice, comma-separated, first hit wins. client_reference_id can be set by the payer of a Payment Link: list it only by choice.',
    },
  ),
  RECONCILE_FROM: variable(moment, {
    default: 'the moment of the first migration',
    meaning:
      'Recovery acts only on money from this moment on (ISO 8601). Older Sessions are reported, never run by themselves. `./bridge golive --at` goes before it.',
  }),
});
