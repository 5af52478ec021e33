import type { Config, FactScript, FilemakerConfig } from '@bridge/config';
import type { FileMakerClient } from '@bridge/filemaker-client';
import type { InvoiceScripts } from '@bridge/flows';
import type { ScriptTarget } from './performers/script-target';

/** Claris asks to keep URLs within 2,000 characters; beyond that, web servers answer with nothing or cut it off. */
const SCRIPT_URL_CHARACTERS_MAX = 2_000;

type Call = Parameters<InvoiceScripts['target']>[1];

function probeOf(script: FactScript, call: Call): ScriptTarget['probe'] {
  if (script.probe === undefined) return null;
  const { layout, field, match } = script.probe;
  const values = {
    checkout_session_id: call.checkoutSessionId,
    payment_intent_id: call.paymentIntentId,
    invoice_id: call.invoiceId,
  };
  // An empty value would find anything; an invoice id is shared by every payment of that invoice.
  return values[match] === '' ? null : { layout, field, value: values[match], proves: match !== 'invoice_id' };
}

/** Turns a fact and its bytes into the place where its script runs; what the configuration says later does not reach it. */
export function createScriptTargets(
  config: Pick<Config, 'invoices'>,
  filemaker: FilemakerConfig,
  client: Pick<FileMakerClient, 'scriptUrlLength'>,
): InvoiceScripts {
  return {
    target: (fact, call) => {
      const script = config.invoices.facts[fact];
      if (script === undefined) return undefined;
      const handoffLayout = filemaker.handoffLayout ?? null;
      const length = client.scriptUrlLength({ layout: script.layout, script: script.script, parameter: call.bytes });
      if (handoffLayout === null && length > SCRIPT_URL_CHARACTERS_MAX) {
        return {
          kind: 'park',
          reasonCode: 'PARAMETER_TOO_LONG',
          reason: `The script's URL would have ${length} characters, ${SCRIPT_URL_CHARACTERS_MAX} are safe; set FILEMAKER_HANDOFF_LAYOUT and reprocess`,
        };
      }
      const target: ScriptTarget = {
        layout: script.layout,
        script: script.script,
        contract: script.contract,
        transport: handoffLayout === null ? 'get' : 'handoff',
        handoffLayout,
        probe: probeOf(script, call),
        log: script.contract === 'kit' && filemaker.log !== undefined ? { ...filemaker.log } : null,
      };
      return { kind: 'script', target };
    },
  };
}
