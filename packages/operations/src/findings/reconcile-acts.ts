import type { Database } from '@bridge/database';
import {
  createFindings,
  createRuns,
  FINDING_STATES,
  type FindingFilter,
  type FindingTotal,
  type Run,
  type RunMode,
  type StoredFinding,
} from '@bridge/reconciliation';
import { type AuditRow, auditedTransaction, listAudit } from '../audit/audit';

export { FINDING_STATES };

/** A reconciliation that a person wants. */
export interface ReconcileOrder {
  flow: string;
  pass: string;
  mode: RunMode;
  since: Date;
  until: Date;
  /** `cli:ada`. */
  by: string;
}

/** Stores the run, for a worker to carry out, and who wanted it. */
export function askReconcile(database: Database, order: ReconcileOrder): Promise<Run> {
  const { flow, pass, mode, since, until, by } = order;
  return auditedTransaction(
    database,
    {
      who: by,
      action: mode === 'act' ? 'reconcile.act' : 'reconcile.look',
      object: `flow:${flow}`,
      why: `${since.toISOString()} to ${until.toISOString()}`,
    },
    (tx) => createRuns(database).want({ flow, pass, mode, since, until, askedBy: by }, tx),
    ({ id }) => ({ outcome: 'done', detail: `run ${id}` }),
  );
}

/** Nobody will do it: a person's run that no worker took. False: one has it in hand, or it has ended. */
export function giveUpReconcile(database: Database, runId: string, why: string): Promise<boolean> {
  return createRuns(database).supersede(runId, 'NO_WORKER', why);
}

/** A run by its number; undefined: there is none. */
export const findReconcileRun = (database: Database, runId: string): Promise<Run | undefined> =>
  createRuns(database).find(runId);

/** Findings that fit the filter, the newest first. */
export const listFindings = (database: Database, filter: FindingFilter): Promise<StoredFinding[]> =>
  createFindings(database).list(filter);

/** Open findings by class and currency; those that a run saw last, when it is given. */
export const totalFindings = (database: Database, filter: { run?: string; flow?: string }): Promise<FindingTotal[]> =>
  createFindings(database).totals(filter);

/** A finding with what people did about it, the newest first. */
export interface ShownFinding {
  finding: StoredFinding;
  audit: AuditRow[];
}

/** By its number; undefined: there is none. */
export async function showFinding(database: Database, id: string): Promise<ShownFinding | undefined> {
  const finding = await createFindings(database).find(id);
  if (finding === undefined) return undefined;
  return { finding, audit: await listAudit(database, { object: `finding:${id}`, limit: 20 }) };
}

/** The accepted finding, or why it was not accepted. */
export type FindingAcceptance =
  | { kind: 'accepted'; finding: StoredFinding }
  | { kind: 'refused'; code: 'FINDING_NOT_FOUND' | 'FINDING_NOT_OPEN'; reason: string };

/** A person's word that a difference may stay as it is; written down in the same transaction. */
export function acceptFinding(
  database: Database,
  id: string,
  { by, why }: { by: string; why: string },
): Promise<FindingAcceptance> {
  const findings = createFindings(database);
  return auditedTransaction<FindingAcceptance>(
    database,
    { who: by, action: 'finding.accept', object: `finding:${id.slice(0, 100)}`, why },
    async (tx) => {
      const finding = await findings.find(id, tx);
      if (finding === undefined)
        return { kind: 'refused', code: 'FINDING_NOT_FOUND', reason: `There is no finding ${id}.` };
      if (!(await findings.accept(tx, id, by, why)))
        return { kind: 'refused', code: 'FINDING_NOT_OPEN', reason: `Finding ${id} is ${finding.state} already.` };
      return { kind: 'accepted', finding };
    },
    (value) =>
      value.kind === 'refused' ? { outcome: 'refused', detail: value.code } : { outcome: 'done', detail: null },
  );
}
