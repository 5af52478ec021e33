import { createLogger } from '@bridge/observability';
import { createRejectionRecorder, type Rejection } from './rejection-recorder';

const logger = createLogger({ name: 'test', level: 'silent' });
const rejection = (bytes: number): Rejection => ({ reason: 'SIGNATURE_WRONG', bytes });

describe('createRejectionRecorder', () => {
  test('a flood is written one at a time, and what passes the waiting room is dropped', async () => {
    const written: number[] = [];
    let inHand = 0;
    let most = 0;
    const recorder = createRejectionRecorder(
      {
        recordRejection: async ({ bytes }) => {
          inHand += 1;
          most = Math.max(most, inHand);
          await Promise.resolve();
          written.push(bytes);
          inHand -= 1;
        },
      },
      { logger, waitingMax: 3 },
    );
    for (let bytes = 0; bytes < 10; bytes += 1) recorder.record(rejection(bytes));
    await recorder.idle();
    expect(most).toBe(1);
    expect(written).toEqual([0, 1, 2, 3]);
  });

  test('a store that is away costs one try for all that wait, and the next refusal is tried again', async () => {
    let tries = 0;
    const recorder = createRejectionRecorder(
      {
        recordRejection: () => {
          tries += 1;
          return Promise.reject(new Error('away'));
        },
      },
      { logger },
    );
    for (let bytes = 0; bytes < 10; bytes += 1) recorder.record(rejection(bytes));
    await recorder.idle();
    expect(tries).toBe(1);
    recorder.record(rejection(11));
    await recorder.idle();
    expect(tries).toBe(2);
  });
});
