import { type BridgeFile, bridgeFileSchema } from './bridge-file';
import type { Environment } from './variables';

/** What runs in FileMaker for one fact. */
export interface FactScript {
  readonly layout: string;
  readonly script: string;
  /** kit: the script echoes the key and keeps the kit's log. plain: nobody may change it. */
  readonly contract: 'kit' | 'plain';
  readonly probe: FactProbe | undefined;
}

/** Where to look whether a plain script has run. */
export interface FactProbe {
  readonly layout: string;
  readonly field: string;
  readonly match: 'checkout_session_id' | 'payment_intent_id' | 'invoice_id';
}

/** The flow `invoices`: the YAML file, with variables where it is silent. */
export interface InvoicesConfig {
  /** `metadata.<name>` or `client_reference_id`; the first hit wins. */
  readonly invoiceIdKeys: readonly string[];
  readonly facts: {
    readonly paid: FactScript;
    /** Undefined: the fact is recorded, and nothing runs. */
    readonly refunded: FactScript | undefined;
    readonly disputed: FactScript | undefined;
    readonly payment_failed: FactScript | undefined;
  };
  readonly payload: BridgeFile['invoices']['payload'];
  readonly instalments: 'allow' | 'park';
}

/** Joins the shorthand variables with the BRIDGE_CONFIG file; the file wins. */
export function resolveInvoices(
  values: Partial<Environment>,
  file: BridgeFile | undefined,
  fault: (variable: string, message: string) => void,
): InvoicesConfig {
  const { facts, payload, instalments } = (file ?? bridgeFileSchema.parse({})).invoices;
  const layout = values.FILEMAKER_LAYOUT ?? 'web_invoices';
  const script = values.FILEMAKER_SCRIPT ?? 'STRIPE_PAYMENTLINK_SUCCESS';
  const logLayoutGiven = values.FILEMAKER_LOG_LAYOUT !== undefined;
  type FileFact = BridgeFile['invoices']['facts']['paid'];

  const resolve = (name: string, fact: FileFact): FactScript => {
    const contract = fact.contract ?? (logLayoutGiven ? 'kit' : 'plain');
    if (fact.contract === 'kit' && !logLayoutGiven && values.FILEMAKER_URL !== undefined) {
      fault(
        `BRIDGE_CONFIG: invoices.facts.${name}.contract`,
        'is kit, but FILEMAKER_LOG_LAYOUT is not set, so that there is no log to look in',
      );
    }
    return { layout: fact.layout ?? layout, script: fact.script ?? script, contract, probe: fact.probe };
  };
  const resolveOptional = (name: string, fact: FileFact | undefined): FactScript | undefined =>
    fact === undefined ? undefined : resolve(name, fact);

  return {
    invoiceIdKeys: values.INVOICE_ID_KEYS ?? ['metadata.invoice_id'],
    facts: {
      paid: resolve('paid', facts.paid),
      refunded: resolveOptional('refunded', facts.refunded),
      disputed: resolveOptional('disputed', facts.disputed),
      payment_failed: resolveOptional('payment_failed', facts.payment_failed),
    },
    payload,
    instalments,
  };
}
