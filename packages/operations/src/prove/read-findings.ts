import { type Executor, rows } from '@bridge/database';
import { sql } from 'drizzle-orm';
import { hasTable } from '../tables/read-proof-tables';

/** A row of `reconciliation.findings` as a proof shows it. */
export interface ProofFinding {
  id: string;
  flow: string;
  class: string;
  objectId: string;
  stripeValue: string | null;
  recordedValue: string | null;
  filemakerValue: string | null;
  amount: number;
  currency: string;
  message: string;
  state: string;
  firstSeen: Date;
  fixedAt: Date | null;
  fixedHow: string | null;
  acceptedBy: string | null;
  acceptedWhy: string | null;
  acceptedAt: Date | null;
}

const FINDINGS_MAX = 200;

/** By row id, or by the object they are about; the oldest first. None where reconciliation has no tables. */
export async function readProofFindings(
  executor: Executor,
  by: { ids?: readonly string[]; objectIds?: readonly string[] },
): Promise<ProofFinding[]> {
  if (!(await hasTable(executor, 'reconciliation.findings'))) return [];
  const found = await rows<
    Omit<ProofFinding, 'firstSeen' | 'fixedAt' | 'acceptedAt' | 'amount'> & {
      first_seen: string;
      fixed_at: string | null;
      accepted_at: string | null;
      amount: string;
    }
  >(
    executor,
    sql`select id, flow, class, object_id as "objectId", stripe_value as "stripeValue", recorded_value as "recordedValue",
          filemaker_value as "filemakerValue", amount, currency, message, state, first_seen, fixed_at, fixed_how as "fixedHow",
          accepted_by as "acceptedBy", accepted_why as "acceptedWhy", accepted_at
        from reconciliation.findings
        where id = any(${sql.param([...(by.ids ?? [])])}::text[]::bigint[]) or object_id = any(${sql.param([...(by.objectIds ?? [])])}::text[])
        order by first_seen, id limit ${FINDINGS_MAX}`,
  );
  return found.map(({ first_seen, fixed_at, accepted_at, amount, ...row }) => ({
    ...row,
    amount: Number(amount),
    firstSeen: new Date(first_seen),
    fixedAt: fixed_at === null ? null : new Date(fixed_at),
    acceptedAt: accepted_at === null ? null : new Date(accepted_at),
  }));
}
