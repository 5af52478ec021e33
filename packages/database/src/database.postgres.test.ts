import { createTestDatabase, type PostgresService, startPostgres } from '@bridge/test-services';
import { sql } from 'drizzle-orm';
import { Client } from 'pg';
import {
  changed,
  createDatabase,
  type Database,
  type DatabaseOptions,
  oneRow,
  rows,
  type Transaction,
} from './database';

const cleanups: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

function connect(url: string, rest: Partial<DatabaseOptions> = {}): Database & { errors: Error[] } {
  const errors: Error[] = [];
  const database = createDatabase({
    url,
    poolMax: 2,
    applicationName: 'database-test',
    onConnectionError: (error) => errors.push(error),
    ...rest,
  });
  cleanups.push(() => database.close());
  return Object.assign(database, { errors });
}

async function setup(rest: Partial<DatabaseOptions> = {}) {
  const { url, drop } = await createTestDatabase();
  cleanups.push(drop);
  const database = connect(url, rest);
  await database.executor.execute(sql`create table notes (n int primary key)`);
  return { url, database };
}
const countNotes = async (database: Database): Promise<number> =>
  (await oneRow<{ n: number }>(database.executor, sql`select count(*)::int as n from notes`))?.n ?? -1;
const timed = async (work: Promise<unknown>): Promise<{ ms: number; error: unknown }> => {
  const began = performance.now();
  const error = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  return { ms: performance.now() - began, error };
};

describe('transactions', () => {
  test('a transaction whose work rejects keeps nothing, and its connection serves the next one', async () => {
    const { database } = await setup({ poolMax: 1 });
    const work = database.transaction(async (tx) => {
      await tx.execute(sql`insert into notes values (1)`);
      throw new Error('changed my mind');
    });
    await expect(work).rejects.toThrow('changed my mind');
    await database.transaction(async (tx) => void (await tx.execute(sql`insert into notes values (2)`)));
    expect(await rows(database.executor, sql`select n from notes`)).toEqual([{ n: 2 }]);
  });

  test('a transaction that swallowed a failed statement is not taken for committed', async () => {
    const { database } = await setup();
    const work = database.transaction(async (tx) => {
      await tx.execute(sql`insert into notes values (1)`);
      await tx.execute(sql`insert into notes values (1)`).catch(() => undefined);
    });
    await expect(work).rejects.toMatchObject({ code: 'TRANSACTION_ROLLED_BACK' });
    expect(await countNotes(database)).toBe(0);
  });

  test('statements that go out together run in their order, and are kept or lost together', async () => {
    const { database } = await setup({ poolMax: 1 });
    const insert = (tx: Transaction, n: number) => changed(tx, sql`insert into notes values (${n})`);
    const read = (tx: Transaction) => rows<{ n: number }>(tx, sql`select n from notes order by n`);
    const seen = await database.transaction((tx) =>
      Promise.all([insert(tx, 1), read(tx), insert(tx, 2), read(tx), insert(tx, 3)]),
    );
    expect(seen).toEqual([1, [{ n: 1 }], 1, [{ n: 1 }, { n: 2 }], 1]);
    const twice = database.transaction((tx) => Promise.all([insert(tx, 4), insert(tx, 1), insert(tx, 5)]));
    await expect(twice).rejects.toMatchObject({ cause: { code: '23505' } });
    expect(await countNotes(database)).toBe(3);
  });

  test('what a failed transaction still asks for is refused, and never written outside of it', async () => {
    const { database } = await setup({ poolMax: 1 });
    let late: Promise<unknown> | undefined;
    const work = database.transaction(async (tx) => {
      const goesOn = async (): Promise<void> => {
        await tx.execute(sql`insert into notes values (1)`);
        await tx.execute(sql`insert into notes values (2)`);
        await tx.execute(sql`insert into notes values (3)`);
      };
      late = goesOn().catch((error: unknown) => error);
      throw new Error('changed my mind');
    });
    await expect(work).rejects.toThrow('changed my mind');
    expect(await late).toMatchObject({ cause: { code: 'TRANSACTION_OVER' } });
    expect(await countNotes(database)).toBe(0);
  });

  test('where no transaction could be begun, nothing is written', async () => {
    const { url, database } = await setup({ poolMax: 1 });
    const real = Client.prototype.query;
    // PostgreSQL refuses the statement, as it does one that is cancelled at that moment; the connection lives on.
    const refused = jest.spyOn(Client.prototype, 'query').mockImplementation(function (
      this: Client,
      ...given: unknown[]
    ): unknown {
      return Reflect.apply(real, this, given[0] === 'begin' ? ['begin nothing at all'] : given);
    } as typeof real);
    const work = database.transaction(async (tx) => {
      await tx.execute(sql`select 1`);
      await tx.execute(sql`insert into notes values (1)`);
    });
    await expect(work).rejects.toThrow();
    refused.mockRestore();
    expect(await countNotes(connect(url))).toBe(0);
    expect(await countNotes(database)).toBe(0);
  });

  test('what a transaction wrote is seen by nobody before its commit', async () => {
    const { database } = await setup();
    const seen = await database.transaction(async (tx) => {
      await tx.execute(sql`insert into notes values (1)`);
      return countNotes(database);
    });
    expect([seen, await countNotes(database)]).toEqual([0, 1]);
  });

  test('a connection that dies in mid-transaction ends neither the process nor the pool', async () => {
    const { database } = await setup();
    const work = database.transaction(async (tx) => {
      const me = await oneRow<{ pid: number }>(tx, sql`select pg_backend_pid() as pid`);
      await tx.execute(sql`insert into notes values (1)`);
      // No query is under way on it: the error has no other ear than the transaction's own.
      const heard = new Promise<void>((resolve) => {
        database.errors.push = (...errors: Error[]) => {
          resolve();
          return Array.prototype.push.apply(database.errors, errors);
        };
      });
      await changed(database.executor, sql`select pg_terminate_backend(${me?.pid ?? 0})`);
      await heard;
      await tx.execute(sql`insert into notes values (2)`);
    });
    await expect(work).rejects.toThrow();
    expect(await countNotes(database)).toBe(0);
  });
});

describe('a statement takes no longer than its limit', () => {
  test('on a server that answers, the server ends it', async () => {
    const { url } = await setup();
    const hasty = connect(url, { statementTimeoutMs: 200 });
    const { ms, error } = await timed(hasty.executor.execute(sql`select pg_sleep(60)`));
    expect((error as Error).cause).toMatchObject({ code: '57014' });
    expect(ms).toBeLessThan(30_000);
  });

  test('when all connections are in use, the wait for one is bounded', async () => {
    const { database } = await setup({ poolMax: 1, connectTimeoutMs: 2_000 });
    await database.transaction(async () => {
      const { ms, error } = await timed(database.ping());
      expect(error).toBeInstanceOf(Error);
      expect(ms).toBeLessThan(25_000);
    });
    await expect(database.ping()).resolves.toBeUndefined();
  });
});

describe('a PostgreSQL that is away or hangs', () => {
  let server: PostgresService;
  beforeAll(async () => {
    server = await startPostgres();
  });
  afterAll(() => server.discard());
  // Long enough for what has to succeed on a machine that stands still for a second or two; the bounds leave it as much.
  const limits = { connectTimeoutMs: 3_000, statementTimeoutMs: 3_000 };
  const BOUND_MS = 3_000 + 3_000 + 2_000 + 15_000;

  async function setupOwn(rest: Partial<DatabaseOptions> = {}) {
    const created = await server.createDatabase();
    const database = connect(created.url, { ...limits, ...rest });
    await database.executor.execute(sql`create table notes (n int primary key)`);
    return database;
  }
  /** The server process behind each connection of the pool stands still until `wake`. */
  async function freeze(pids: number[]): Promise<() => void> {
    for (const pid of pids) process.kill(pid, 'SIGSTOP');
    let asleep = true;
    const wake = (): void => {
      if (asleep) for (const pid of pids) process.kill(pid, 'SIGCONT');
      asleep = false;
    };
    cleanups.push(wake);
    return wake;
  }

  test('stopped and back again: calls reject within their bound meanwhile and work afterwards', async () => {
    const database = await setupOwn();
    await server.stop();
    cleanups.push(() => server.start());
    for (const work of [() => database.ping(), () => countNotes(database), () => database.transaction(countOf)]) {
      const { ms, error } = await timed(work());
      expect(String(error)).toMatch(/Error|refused|terminat|timeout/i);
      expect(ms).toBeLessThan(BOUND_MS);
    }
    await server.start();
    expect(await countNotes(database)).toBe(0);
    expect(await database.transaction(countOf)).toBe(0);
  });

  test('a transaction that hung is never continued by the next caller of its connection', async () => {
    const database = await setupOwn({ poolMax: 1 });
    let wake: () => void = () => undefined;
    const work = database.transaction(async (tx) => {
      const me = await oneRow<{ pid: number }>(tx, sql`select pg_backend_pid() as pid`);
      wake = await freeze([me?.pid ?? 0]);
      await tx.execute(sql`insert into notes values (1)`);
    });
    const { ms, error } = await timed(work);
    expect(error).toBeInstanceOf(Error);
    expect(ms).toBeLessThan(BOUND_MS);
    wake();
    // Written through the pool's only connection, read by another: it was committed.
    await database.executor.execute(sql`insert into notes values (2)`);
    const reader = connect(database.pool.options.connectionString ?? '', limits);
    expect(await rows(reader.executor, sql`select n from notes`)).toEqual([{ n: 2 }]);
  });

  test('a pool on a server that hangs can be closed', async () => {
    const database = await setupOwn({ poolMax: 1 });
    const me = await oneRow<{ pid: number }>(database.executor, sql`select pg_backend_pid() as pid`);
    await freeze([me?.pid ?? 0]);
    const { ms, error } = await timed(database.close());
    expect(error).toBeUndefined();
    // Five seconds of patience; without a bound it would wait for ever.
    expect(ms).toBeLessThan(25_000);
  });

  const countOf = async (tx: Parameters<Parameters<Database['transaction']>[0]>[0]): Promise<number> =>
    (await oneRow<{ n: number }>(tx, sql`select count(*)::int as n from notes`))?.n ?? -1;
});
