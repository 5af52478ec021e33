import { connect } from 'node:net';
import { ServiceError } from './service-error';

const answerMs = 2_000;

/**
 * One command over a connection of its own, done when the answer contains `expected`; so no client library is needed
 * here.
 */
export function redisCommand(
  port: number,
  command: string,
  expected: string,
  answerTimeoutMs = answerMs,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port });
    const fail = (why: string) => {
      socket.destroy();
      reject(new ServiceError('SERVICE_STATE', `Redis did not answer ${command}: ${why}`, true));
    };
    let answer = '';
    socket.setEncoding('utf8');
    socket.setTimeout(answerTimeoutMs, () =>
      fail(`${answer.slice(0, 200) || 'nothing'} within ${answerTimeoutMs / 1000} s`),
    );
    socket.once('error', (error) => fail(error.message));
    socket.once('end', () => fail('the connection was closed'));
    socket.on('data', (chunk: string) => {
      answer += chunk;
      if (answer.startsWith('-')) return fail(answer.trim());
      if (!answer.includes(expected)) return;
      socket.destroy();
      resolve();
    });
    socket.write(`${command}\r\n`);
  });
}
