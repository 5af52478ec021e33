import { changed, type Database, type Executor, rows } from '@bridge/database';
import { sql } from 'drizzle-orm';
import type { Day } from './calendar';
import { dayLetter } from './day-letter';
import { readDay } from './day-store';

/** What sending needs; an app joins it with the mailer. Rejects with something that says how far the letter got. */
export interface LetterSender {
  send(letter: {
    to: readonly string[];
    subject: string;
    text: string;
    html: string;
    id: string;
  }): Promise<{ accepted: number; rejected: number }>;
}

export interface DayMailOptions {
  database: Database;
  /** REPORT_EMAIL_TO. */
  recipients: readonly string[];
  sender: LetterSender;
  /** The worker's id: while it is alive nobody else touches what it is sending. */
  worker: string;
}

/**
 * What became of one mail. `owed`: the server is away and it is tried again; `unheard`: sent, no answer, not sent
 * twice.
 */
export interface MailEnding {
  day: Day;
  state: 'sent' | 'unheard' | 'refused' | 'owed';
  code: string | null;
}

/** A day that was closed by hand longer ago is not told of any more. */
const OWED_WITHIN_DAYS = 3;
const AGAIN_MS = 60_000;
const AGAIN_MAX_MS = 3_600_000;
/** A server that refuses for good may be mended: so many tries, an hour apart at last. */
const REFUSALS_MAX = 48;
const PER_ROUND = 20;
/** A letter takes half a minute at most. A living worker that still holds it has lost an answer of PostgreSQL. */
const SENDING_MINUTES_MAX = 5;

const listOf = (recipients: readonly string[]): string => [...new Set(recipients)].sort().join(',');

/** A mail about this day is owed to this list; once. In the transaction that closes the day. */
export async function oweMail(tx: Executor, day: Day, recipients: readonly string[]): Promise<void> {
  await changed(
    tx,
    sql`insert into operations.day_mails (day, recipients, state) values (${day}::date, ${listOf(recipients)}, 'owed') on conflict do nothing`,
  );
}

interface MailRow {
  day: string;
  recipients: string;
  tries: number;
}

const backoffMs = (tries: number): number => Math.min(AGAIN_MAX_MS, AGAIN_MS * 2 ** Math.min(10, tries - 1));

const field = (error: unknown, name: string): unknown =>
  typeof error === 'object' && error !== null ? Reflect.get(error, name) : undefined;

/** What a failed sending means for the obligation. What does not say how far it got may have arrived. */
export function judgeFailure(error: unknown, tries: number): Omit<MailEnding, 'day'> & { detail: string } {
  const code = field(error, 'code');
  const told = {
    code: typeof code === 'string' ? code : 'FAILED',
    detail: error instanceof Error ? error.message : '',
  };
  const stage = field(error, 'stage');
  if (stage === 'not-sent') return { state: 'owed', ...told };
  if (stage === 'refused') {
    const last = field(error, 'again') !== true && tries >= REFUSALS_MAX;
    return { state: last ? 'refused' : 'owed', ...told };
  }
  return { state: 'unheard', ...told };
}

async function settle(
  executor: Executor,
  row: MailRow,
  worker: string,
  ending: Omit<MailEnding, 'day'> & { detail: string | null },
): Promise<void> {
  const settled = ending.state !== 'owed';
  await changed(
    executor,
    sql`update operations.day_mails set state = ${ending.state}, code = ${ending.code}, detail = ${ending.detail},
          settled_at = case when ${settled} then clock_timestamp() end,
          due_at = clock_timestamp() + make_interval(secs => ${settled ? 0 : backoffMs(row.tries) / 1_000}::float8)
        where day = ${row.day}::date and recipients = ${row.recipients} and state = 'sending' and sent_by = ${worker} and tries = ${row.tries}`,
  );
}

/**
 * Sends what is owed, one letter after the other. `sending` is committed before the first byte; a letter whose answer was
 * never heard, or whose worker died, is closed as unheard and not sent again: better missed than twice. Returns how each
 * ended.
 */
export async function sendDayMails(options: DayMailOptions): Promise<MailEnding[]> {
  const { database, recipients, sender, worker } = options;
  const { executor } = database;
  const endings: MailEnding[] = [];
  const dead = await rows<{ day: string }>(
    executor,
    sql`update operations.day_mails set state = 'unheard', settled_at = clock_timestamp(), code = 'END_UNKNOWN',
          detail = 'How it ended was not written down'
        where state = 'sending'
          and (not claims.is_alive(sent_by) or due_at < clock_timestamp() - make_interval(mins => ${SENDING_MINUTES_MAX}::int))
        returning to_char(day, 'YYYY-MM-DD') as day`,
  );
  for (const { day } of dead) endings.push({ day, state: 'unheard', code: 'END_UNKNOWN' });
  if (recipients.length === 0) return endings;
  // Closed by a person's command, which does not know who is to be told.
  await changed(
    executor,
    sql`insert into operations.day_mails (day, recipients, state)
        select d.day, ${listOf(recipients)}, 'owed' from operations.days d
        where d.closed_at > clock_timestamp() - make_interval(days => ${OWED_WITHIN_DAYS}::int)
          and not exists (select 1 from operations.day_mails m where m.day = d.day)
        on conflict do nothing`,
  );
  for (let turn = 0; turn < PER_ROUND; turn += 1) {
    const [row] = await rows<MailRow>(
      executor,
      sql`update operations.day_mails m set state = 'sending', tries = tries + 1, sent_by = ${worker}, due_at = clock_timestamp()
          from (select day, recipients from operations.day_mails where state = 'owed' and due_at <= clock_timestamp()
                order by day, recipients limit 1 for update skip locked) next
          where m.day = next.day and m.recipients = next.recipients and m.state = 'owed'
          returning to_char(m.day, 'YYYY-MM-DD') as day, m.recipients, m.tries`,
    );
    if (row === undefined) break;
    const closed = await readDay(executor, row.day);
    const letter = closed === undefined ? undefined : dayLetter(closed);
    if (letter === undefined) {
      await settle(executor, row, worker, {
        state: 'refused',
        code: 'CONTENTS_ERASED',
        detail: 'Its contents are erased',
      });
      endings.push({ day: row.day, state: 'refused', code: 'CONTENTS_ERASED' });
      continue;
    }
    const ending = await sender.send({ ...letter, to: row.recipients.split(',') }).then(
      ({ accepted, rejected }) => ({
        state: 'sent' as const,
        code: rejected > 0 ? 'SOME_REFUSED' : null,
        detail: rejected > 0 ? `Taken for ${accepted} of ${accepted + rejected} addresses` : null,
      }),
      (error: unknown) => judgeFailure(error, row.tries),
    );
    await settle(executor, row, worker, ending);
    endings.push({ day: row.day, state: ending.state, code: ending.code });
    // A server in trouble would keep each of them waiting for its whole patience.
    if (ending.state === 'owed') break;
  }
  return endings;
}

/** How a day's mails stand, for people. */
export interface DayMail {
  recipients: string;
  state: 'owed' | 'sending' | 'sent' | 'unheard' | 'refused';
  tries: number;
  settledAt: Date | null;
  code: string | null;
  detail: string | null;
}

/** How the mails about a day stand, one for each set of recipients. */
export async function listDayMails(executor: Executor, day: Day): Promise<DayMail[]> {
  const found = await rows<Omit<DayMail, 'settledAt'> & { settled_at: string | null }>(
    executor,
    sql`select recipients, state, tries, settled_at, code, detail from operations.day_mails where day = ${day}::date order by recipients`,
  );
  return found.map(({ settled_at, ...row }) => ({
    ...row,
    settledAt: settled_at === null ? null : new Date(settled_at),
  }));
}
