import { type DestinationStream, pino } from 'pino';
import { redactLine, redactText } from './redact';

/** pino's, made by `createLogger`. */
export type Logger = pino.Logger;

/** pino's levels; `silent` writes nothing. */
export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal' | 'silent';

/**
 * A logger that writes one JSON line per entry: `level` as a word, `time` in ISO 8601, `name`, `msg` and the fields.
 * Fields are copied and redacted by `redact.ts` at any depth, the message text too; an error goes under `err`.
 * Lines are written before the call returns, so that none is lost when the process ends.
 */
export function createLogger(options: { name: string; level?: LogLevel; destination?: DestinationStream }): Logger {
  const logger = pino(
    {
      name: options.name,
      level: options.level ?? 'info',
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: {
        level: (label) => ({ level: label }),
        log: redactLine,
        bindings: redactLine,
      },
      // `err` is redacted by the `log` formatter already; pino's own serializer would not recognise the copy.
      serializers: { err: (value: unknown) => value },
      hooks: {
        // The text of a message, placeholders filled in, is out of the formatters' reach.
        streamWrite: (line) => redactText(line),
      },
    },
    options.destination ?? pino.destination({ fd: 1, sync: true }),
  );
  // pino drops the bindings formatter for children; each child inherits from its parent, so this reaches all of them.
  const makeChild: (this: Logger, bindings: pino.Bindings, options?: object) => Logger = logger.child;
  Object.defineProperty(logger, 'child', {
    value(this: Logger, bindings: pino.Bindings, childOptions?: object): Logger {
      return makeChild.call(this, redactLine(bindings), childOptions);
    },
  });
  return logger;
}
