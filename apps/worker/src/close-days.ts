import type { ConfigByRole } from '@bridge/config';
import type { Database } from '@bridge/database';
import type { JobEnding } from '@bridge/jobs';
import { createMailer, type Mailer } from '@bridge/mail';
import type { Logger } from '@bridge/observability';
import { closeDueDays, daySentence, type RecordingFlow, recordScheduleSuccess, sendDayMails } from '@bridge/operations';

export interface CloseDaysOptions {
  config: Pick<ConfigByRole['worker'], 'mode' | 'timezone' | 'closeDayMinutes' | 'notices'>;
  database: Database;
  flows: readonly RecordingFlow[];
  firstMigratedAt: Date;
  /** This worker's id. */
  worker: string;
  logger: Logger;
  /** For tests; default: from the configuration. */
  mailer?: Mailer;
}

export interface DayCloser {
  run(): Promise<JobEnding>;
  /** After the last `run`. */
  close(): void;
}

/** Undefined when the configuration lacks a part of what a mail needs. */
function mailerOf({ smtpUrl, mailFrom, reportEmailTo }: CloseDaysOptions['config']['notices']): Mailer | undefined {
  if (smtpUrl === undefined || mailFrom === undefined || reportEmailTo.length === 0) return undefined;
  return createMailer({ smtpUrl, from: mailFrom });
}

/**
 * Each round closes the days that are due, one by one, and then sends the mails that are owed. A mail server that is away
 * never holds up a closing; a worker that dies on the way is made up for by the next round, here or elsewhere.
 */
export function createDayCloser(options: CloseDaysOptions): DayCloser {
  const { config, database, flows, worker, logger } = options;
  const { notices } = config;
  const mailer = options.mailer ?? mailerOf(notices);
  const recipients = mailer === undefined ? [] : notices.reportEmailTo;
  if (mailer === undefined && notices.reportEmailTo.length > 0)
    logger.warn('REPORT_EMAIL_TO is set, and SMTP_URL or MAIL_FROM is not: no mail about closed days is sent');

  return {
    run: async () => {
      // While observing nothing is applied by this bridge: its days would say that everything is missing.
      if (config.mode === 'live') {
        const closed = await closeDueDays({
          database,
          flows,
          timeZone: config.timezone,
          by: 'worker',
          recipients,
          afterMs: config.closeDayMinutes * 60_000,
          firstMigratedAt: options.firstMigratedAt,
        });
        for (const { day, head, contents } of closed)
          logger.info({ day, head, says: contents === null ? null : daySentence(contents) }, 'day.closed');
      }
      if (mailer !== undefined) {
        for (const { day, state, code } of await sendDayMails({ database, recipients, sender: mailer, worker })) {
          if (state === 'sent') logger.info({ day, code }, 'day.mailed');
          else logger.warn({ day, state, code }, 'day.not-mailed');
        }
      }
      await recordScheduleSuccess(database.executor, 'close-day');
      return { kind: 'finished' };
    },
    close: () => mailer?.close(),
  };
}
