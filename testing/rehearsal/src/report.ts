import { callsDuringOutages } from './judge';
import type { Rehearsal } from './rehearse';
import type { Scenario } from './scenario';

const fewMax = 3;

const seconds = (ms: number | null): string => (ms === null ? '–' : `${(ms / 1_000).toFixed(1)} s`);

/** The slowest return after an outage; null when there was none, or nothing ran afterwards. */
function slowestReturn({ outages }: Rehearsal): number | null {
  const returns = outages.flatMap(({ resumedAfterMs }) => resumedAfterMs ?? []);
  return returns.length === 0 ? null : Math.max(...returns);
}

/** One line per scenario, and what the columns are. */
export function tableOf(rehearsals: readonly Rehearsal[]): string[] {
  const head = [
    '',
    'scenario',
    'paid',
    'accepted',
    'once',
    'lost',
    'doubled',
    'owed',
    'parked',
    'worst delay',
    'sessions',
    'calls while away',
    'went on after',
  ];
  const rows = rehearsals.map((rehearsal) => [
    rehearsal.passed ? '✓' : '✗',
    rehearsal.scenario.name,
    String(rehearsal.paid),
    String(rehearsal.accepted),
    String(rehearsal.appliedOnce),
    String(rehearsal.lost.length),
    String(rehearsal.doubled.length),
    String(rehearsal.owed.length),
    String(rehearsal.parked.length),
    seconds(rehearsal.worstDelayMs),
    `${rehearsal.peakSessions} of ${rehearsal.cap}`,
    String(callsDuringOutages(rehearsal) ?? '–'),
    seconds(slowestReturn(rehearsal)),
  ]);
  return align([head, ...rows]);
}

/** What happened and what came of it, in one sentence that hides nothing. */
export function sentenceOf(rehearsal: Rehearsal): string {
  const { scenario, paid, appliedOnce, lost, doubled, peakSessions, cap, faults, missed } = rehearsal;
  const calls = callsDuringOutages(rehearsal);
  const back = slowestReturn(rehearsal);
  const parts = [
    lost.length === 0 && doubled.length === 0 && appliedOnce === paid
      ? `all ${paid} payments were applied once`
      : `of ${paid} payments ${appliedOnce} were applied once, ${lost.length} lost, ${doubled.length} doubled`,
    `the slowest after ${seconds(rehearsal.worstDelayMs)}`,
    ...(back === null ? [] : [`work went on ${seconds(back)} after the end of the outage`]),
    ...(calls === null ? [] : [`${calls} calls to FileMaker while it was away`]),
    ...(peakSessions > cap ? [`${peakSessions} FileMaker sessions although ${cap} were allowed`] : []),
    ...faults,
    ...missed,
  ];
  return `${scenario.name}: ${scenario.story}; ${parts.join(', ')}.`;
}

/** The first few of many, so that a bad end can be read; `--json` has them all. */
export function few(names: readonly string[]): string {
  const more = names.length - fewMax;
  return [...names.slice(0, fewMax), ...(more > 0 ? [`and ${more} more`] : [])].join(', ');
}

/** Reasons of what was parked, with how many of each. */
export function parkedReasons(rehearsal: Rehearsal): string[] {
  const counts = new Map<string, number>();
  for (const { code } of rehearsal.parked) counts.set(code, (counts.get(code) ?? 0) + 1);
  return [...counts].map(([code, count]) => `${count} ${code}`);
}

/** The documented object of `--json`; see README.md. */
export function jsonOf(rehearsals: readonly Rehearsal[], seed: number): object {
  return {
    passed: rehearsals.every(({ passed }) => passed),
    seed,
    lost: sum(rehearsals, ({ lost }) => lost.length),
    doubled: sum(rehearsals, ({ doubled }) => doubled.length),
    scenarios: rehearsals.map((rehearsal) => ({
      name: rehearsal.scenario.name,
      passed: rehearsal.passed,
      sentence: sentenceOf(rehearsal),
      seconds: round(rehearsal.seconds),
      paid: rehearsal.paid,
      accepted: rehearsal.accepted,
      appliedOnce: rehearsal.appliedOnce,
      lost: rehearsal.lost.length,
      doubled: rehearsal.doubled.length,
      owed: rehearsal.owed.length,
      parked: rehearsal.parked.length,
      parkedReasons: parkedReasons(rehearsal),
      worstDelaySeconds: rehearsal.worstDelayMs === null ? null : round(rehearsal.worstDelayMs / 1_000),
      peakSessions: rehearsal.peakSessions,
      sessionCap: rehearsal.cap,
      unheardAnswers: rehearsal.unheardAnswers,
      callsDuringOutages: callsDuringOutages(rehearsal),
      resumedAfterSeconds: ((back) => (back === null ? null : round(back / 1_000)))(slowestReturn(rehearsal)),
      outages: rehearsal.outages,
      lostSessions: rehearsal.lost,
      doubledKeys: rehearsal.doubled,
      faults: rehearsal.faults,
      missedExpectations: rehearsal.missed,
    })),
  };
}

export function listOf(scenarios: readonly Scenario[]): string[] {
  return align(
    scenarios.map(({ name, story, mustFail }) => [
      name,
      `${story}${mustFail === true ? ' (sabotage: must fail; not part of "all")' : ''}`,
    ]),
  );
}

function sum(rehearsals: readonly Rehearsal[], figure: (rehearsal: Rehearsal) => number): number {
  return rehearsals.reduce((total, rehearsal) => total + figure(rehearsal), 0);
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}

/** Columns two spaces apart; figures end flush, words begin flush. */
function align(rows: readonly (readonly string[])[]): string[] {
  const widths: number[] = [];
  for (const row of rows)
    for (const [column, cell] of row.entries()) widths[column] = Math.max(widths[column] ?? 0, cell.length);
  return rows.map((row) =>
    row
      .map((cell, column) => (column < 2 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0)))
      .join('  ')
      .trimEnd(),
  );
}
