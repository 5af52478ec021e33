import { FileMakerError } from '../filemaker-error';
import { type EffectName, effectChanges, invoiceTable, parsePayload, text } from './effect-changes';
import type { ScriptContext, ScriptOutcome } from './script-context';

/** A script nobody may change: it does the effect every time it is asked, knows no keys and writes no log. */
export async function runPlainScript(context: ScriptContext, effect: EffectName): Promise<ScriptOutcome> {
  const payload = parsePayload(context.parameter) ?? {};
  const invoices = invoiceTable(context.database);
  const invoiceId = text(payload.invoice_id);
  const keyOrSession = text(payload.idempotency_key) || text(payload.checkout_session_id);
  context.run.key = keyOrSession === '' ? null : keyOrSession;
  context.run.invoiceId = invoiceId === '' ? null : invoiceId;
  const invoice = invoiceId === '' ? undefined : invoices.withExactly('invoice_id', invoiceId)[0];
  if (invoice === undefined) return { scriptError: '401' };
  let keepOpen = false;
  try {
    context.lock(invoices, invoice.recordId);
    await context.pause('before-commit');
    const fresh = invoices.get(invoice.recordId) ?? invoice;
    context.commit(effectChanges(effect, payload, fresh, context.database, context.timestamp()));
    context.books.effectApplied(context.run);
    keepOpen = context.settings.plainScriptLeavesRecordOpen && context.settings.openRecordLock === 'session';
    await context.pause('after-commit');
    return {
      scriptError: '0',
      ...(context.settings.plainScriptResult === 'text' ? { scriptResult: `Invoice ${invoiceId} updated` } : {}),
    };
  } catch (error) {
    if (error instanceof FileMakerError) return { scriptError: error.code };
    throw error;
  } finally {
    if (!keepOpen) context.unlock(invoices, invoice.recordId);
  }
}
