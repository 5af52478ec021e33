import { channel } from 'node:diagnostics_channel';
import type { Command, Redis } from 'ioredis';

/** Tests listen and kill the process there; nobody else does. See docs/decisions/0012-crash-points.md. */
const calls = channel('bridge:outside-call');

/** Only what changes something: a crash around a question is a crash between its neighbours. */
const WRITING = new Set(['evalsha', 'eval', 'set', 'hset', 'hmset', 'del', 'zadd', 'zrem', 'lpush', 'rpush', 'xadd']);

/** What a command is about, without any id: `evalsha 1f2e3d4c on stripe-events:wait`. */
function labelOf(command: Command): string {
  const given = command.args.map(String);
  const script = command.name === 'evalsha' ? ` ${(given[0] ?? '').slice(0, 8)}` : '';
  const key = (command.name.startsWith('eval') ? given[2] : given[0]) ?? '';
  const [area = '', part = ''] = key.replace(/^\{[^}]*\}:/, '').split(':');
  const place = /\d/.test(part) ? `${area}:…` : `${area}:${part}`;
  return `redis ${command.name}${script} on ${place}`;
}

/**
 * Lets every writing command of this connection tell the channel before it leaves and after its answer. Done when
 * somebody listens already, which is decided once, so that a connection in production stays as ioredis made it.
 */
export function tellCommands(redis: Redis): Redis {
  if (!calls.hasSubscribers) return redis;
  const send = redis.sendCommand.bind(redis);
  redis.sendCommand = (command, stream) => {
    if (!WRITING.has(command.name)) return send(command, stream);
    const label = labelOf(command);
    calls.publish({ at: 'before-first-byte', label });
    const answered = (): void => calls.publish({ at: 'after-answer', label });
    Promise.resolve(command.promise).then(answered, () => undefined);
    return send(command, stream);
  };
  return redis;
}
