import { type BridgeFile, WEEKDAYS } from './bridge-file';

/** A span of time that comes again each week or each day, in which a scope is closed. */
export interface WindowConfig {
  /** `filemaker`, `stripe`, `script:NAME` or `flow:NAME`. */
  readonly scope: string;
  /** Days on which it begins, 1 Monday to 7 Sunday. */
  readonly days: readonly number[];
  /** Minutes after midnight. */
  readonly fromMinute: number;
  /** Up to 1440; not after `fromMinute`: on the next day. */
  readonly toMinute: number;
  /** IANA name. */
  readonly timeZone: string;
  readonly why: string;
}

const minuteOf = (time: string): number => {
  const [hours = 0, minutes = 0] = time.split(':').map(Number);
  return hours * 60 + minutes;
};

/** The windows of the BRIDGE_CONFIG file, by the clock of `timeZone`. */
export function resolveWindows(
  file: BridgeFile | undefined,
  options: { timeZone: string; knownFlows: readonly string[] | undefined },
  fault: (variable: string, message: string) => void,
): WindowConfig[] {
  return (file?.windows ?? []).map(({ scope, days, from, to, why }, at) => {
    const [kind, name] = [scope.split(' ', 1)[0] ?? '', scope.slice(scope.indexOf(' ') + 1)];
    if (kind === 'flow' && options.knownFlows?.includes(name) === false) {
      fault(
        `BRIDGE_CONFIG: windows.${at}.scope`,
        `names a flow that this build does not have; there are: ${options.knownFlows.join(', ')}`,
      );
    }
    const [fromMinute, toMinute] = [minuteOf(from), minuteOf(to)];
    if (fromMinute === toMinute) {
      fault(`BRIDGE_CONFIG: windows.${at}.to`, 'is the same as from; for a whole day write 00:00 and 24:00');
    }
    return {
      scope: scope.replace(' ', ':'),
      days: days.map((day) => WEEKDAYS.indexOf(day) + 1),
      fromMinute,
      toMinute,
      timeZone: options.timeZone,
      why,
    };
  });
}
