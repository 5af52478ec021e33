import { setTimeout as delay } from 'node:timers/promises';
import { HttpLane } from './http-lane';

export interface Load {
  perSecond: number;
  /** One per request, milliseconds. */
  latenciesMs: number[];
  /** Answers by status; `failed` for those without one. */
  answers: Record<string, number>;
}

/** As many at a time as there are lanes, the next one as soon as an answer is there: how much a server can do. */
export async function closedLoop(port: number, requests: readonly Buffer[], lanes: number): Promise<Load> {
  const latenciesMs: number[] = [];
  const answers: Record<string, number> = {};
  const open = Array.from({ length: lanes }, () => new HttpLane(port));
  let next = 0;
  const startedAt = performance.now();
  await Promise.all(
    open.map(async (lane) => {
      for (let request = requests[next++]; request !== undefined; request = requests[next++]) {
        await sendOne(lane, request, performance.now(), latenciesMs, answers);
      }
    }),
  );
  const seconds = (performance.now() - startedAt) / 1_000;
  for (const lane of open) lane.close();
  return { perSecond: requests.length / seconds, latenciesMs, answers };
}

/**
 * So many a second, whether or not earlier ones are answered. A request that had to wait for a free lane counts from
 * the moment it was due, so that a server that stands still does not hide its own delay.
 */
export async function openLoop(
  port: number,
  requests: readonly Buffer[],
  perSecond: number,
  lanes: number,
): Promise<Load> {
  const latenciesMs: number[] = [];
  const answers: Record<string, number> = {};
  const free = Array.from({ length: lanes }, () => new HttpLane(port));
  const waiting: { request: Buffer; dueAt: number }[] = [];
  const inFlight = new Set<Promise<void>>();
  const start = (request: Buffer, countedFrom: number, lane: HttpLane): void => {
    const sent = sendOne(lane, request, countedFrom, latenciesMs, answers).then(() => {
      inFlight.delete(sent);
      const late = waiting.shift();
      if (late === undefined) free.push(lane);
      else start(late.request, late.dueAt, lane);
    });
    inFlight.add(sent);
  };
  const startedAt = performance.now();
  for (let sent = 0; sent < requests.length; await delay(1)) {
    const due = Math.min(requests.length, Math.floor(((performance.now() - startedAt) / 1_000) * perSecond) + 1);
    for (; sent < due; sent += 1) {
      const request = requests[sent];
      if (request === undefined) break;
      const lane = free.pop();
      if (lane === undefined) waiting.push({ request, dueAt: startedAt + (sent / perSecond) * 1_000 });
      else start(request, performance.now(), lane);
    }
  }
  while (inFlight.size > 0) await Promise.all(inFlight);
  const seconds = (performance.now() - startedAt) / 1_000;
  for (const lane of free) lane.close();
  return { perSecond: requests.length / seconds, latenciesMs, answers };
}

async function sendOne(
  lane: HttpLane,
  request: Buffer,
  countedFrom: number,
  latenciesMs: number[],
  answers: Record<string, number>,
): Promise<void> {
  let outcome = 'failed';
  try {
    outcome = String((await lane.send(request)).status);
  } catch {
    // Counted as failed, and therefore as lost unless it was stored: the report shows both.
    lane.close();
  }
  latenciesMs.push(performance.now() - countedFrom);
  answers[outcome] = (answers[outcome] ?? 0) + 1;
}
