import { fault, type Judged } from './fault';

/** Redis as far as the doctor asks it: `connectForCommands` of packages/jobs makes one. */
export interface RedisToAsk {
  call(command: string, ...args: string[]): Promise<unknown>;
}

export type RedisFacts =
  | { reached: false; refused: boolean; because: string }
  | {
      reached: true;
      /** `redis` or `valkey`. */
      server: string;
      version: string;
      policy: string | null;
      appendOnly: boolean;
      /** At least one rule for snapshots. */
      snapshots: boolean;
      usedBytes: number;
      /** 0: no limit. */
      mostBytes: number;
      replica: boolean;
      /** What a command on one of our keys answers in a cluster where it lives elsewhere. */
      moved: string | null;
    };

const MEMORY_SHORT = 0.8;
const LEAST: Readonly<Record<string, number>> = { redis: 7, valkey: 8 };

/** Pure. */
export function judgeRedis(facts: RedisFacts): Judged {
  if (!facts.reached)
    return { detail: 'not reached', faults: [fault(facts.refused ? 'REDIS_REFUSED' : 'REDIS_AWAY', facts.because)] };
  const { server, version, policy, usedBytes, mostBytes } = facts;
  const name = server === 'valkey' ? 'Valkey' : 'Redis';
  const used = mostBytes === 0 ? 0 : usedBytes / mostBytes;
  return {
    detail: `${name} ${version}, ${policy ?? 'policy not told'}, ${megabytes(usedBytes)}${mostBytes === 0 ? '' : ` of ${megabytes(mostBytes)}`}`,
    faults: [
      ...(Number.parseInt(version, 10) < (LEAST[server] ?? 7) ? [fault('REDIS_TOO_OLD', `${name} ${version}`)] : []),
      ...(policy !== null && policy !== 'noeviction' ? [fault('REDIS_EVICTS', policy)] : []),
      ...(facts.replica ? [fault('REDIS_READ_ONLY', 'role: replica')] : []),
      ...(facts.moved === null ? [] : [fault('REDIS_OTHER_NODE', facts.moved)]),
      ...(used > MEMORY_SHORT ? [fault('REDIS_MEMORY_SHORT', `${Math.round(used * 100)} %`)] : []),
      ...(facts.appendOnly || facts.snapshots ? [] : [fault('REDIS_FORGETS')]),
    ],
  };
}

const megabytes = (bytes: number): string => `${Math.ceil(bytes / 1_048_576)} MB`;

/** Asks a Redis that is connected. `key` is one of ours, which need not exist. Rejects when it stops answering. */
export async function collectRedis(redis: RedisToAsk, key: string): Promise<RedisFacts> {
  const info = readInfo(String(await redis.call('info')));
  const text = (name: string): string => info.get(name) ?? '';
  const server = info.has('valkey_version') ? 'valkey' : 'redis';
  const policy = text('maxmemory_policy') || (await settingOf(redis, 'maxmemory-policy'));
  const save = await settingOf(redis, 'save');
  return {
    reached: true,
    server,
    version: text(`${server}_version`),
    policy: policy === '' ? null : policy,
    appendOnly: text('aof_enabled') === '1',
    // A managed server that does not show its settings has snapshots for all we know.
    snapshots: save === null || save !== '',
    usedBytes: Number(text('used_memory')) || 0,
    mostBytes: Number(text('maxmemory')) || 0,
    replica: text('role') === 'slave',
    moved: await movedTo(redis, key),
  };
}

function readInfo(text: string): Map<string, string> {
  return new Map(
    text.split(/\r?\n/).flatMap((line): [string, string][] => {
      const [name = '', ...rest] = line.split(':');
      return name === '' || name.startsWith('#') ? [] : [[name, rest.join(':')]];
    }),
  );
}

/** Null where the server does not let itself be asked (managed ones forbid CONFIG). */
async function settingOf(redis: RedisToAsk, name: string): Promise<string | null> {
  try {
    const answer = await redis.call('config', 'get', name);
    return Array.isArray(answer) && typeof answer[1] === 'string' ? answer[1] : null;
  } catch (error) {
    if (isReply(error)) return null;
    throw error;
  }
}

async function movedTo(redis: RedisToAsk, key: string): Promise<string | null> {
  try {
    await redis.call('exists', key);
    return null;
  } catch (error) {
    const message = isReply(error) ? error.message : '';
    if (/^(MOVED|ASK) /.test(message)) return message.split(' ')[0] ?? message;
    if (message === '') throw error;
    return null;
  }
}

/** The server answered, and said no; the name is ioredis's. */
const isReply = (error: unknown): error is Error => error instanceof Error && error.name === 'ReplyError';
