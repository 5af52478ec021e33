import { type AddressInfo, connect, createServer } from 'node:net';
import { createTestDatabase } from '@bridge/test-services';
import { sql } from 'drizzle-orm';
import { createDatabase, rows } from './database';

const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

/** The end of an answer: ready for the next query, no transaction open. */
const READY = Buffer.from('5a0000000549', 'hex');

/** What PostgreSQL says to every connection when it is stopped. */
function farewell(): Buffer {
  const fields = 'SFATAL\0VFATAL\0C57P01\0Mterminating connection due to administrator command\0\0';
  const message = Buffer.alloc(5 + fields.length);
  message.write('E');
  message.writeInt32BE(4 + fields.length, 1);
  message.write(fields, 5, 'latin1');
  return message;
}

/** Between the pool and PostgreSQL. `stopWithNextAnswer`: the next answer ends with the farewell, in one packet. */
async function startGate(databaseUrl: string) {
  const url = new URL(databaseUrl);
  const target = { port: Number(url.port), host: url.hostname };
  let stopping = false;
  const server = createServer((socket) => {
    const onward = connect(target);
    socket.pipe(onward);
    for (const end of [socket, onward]) end.on('error', () => end.destroy());
    socket.on('close', () => onward.destroy());
    onward.on('close', () => socket.destroy());
    onward.on('data', (chunk) => {
      if (!stopping || !chunk.subarray(-READY.length).equals(READY)) socket.write(chunk);
      else socket.end(Buffer.concat([chunk, farewell()]));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()));
  cleanups.push(() => new Promise((resolve) => server.close(resolve)));
  url.port = String((server.address() as AddressInfo).port);
  return {
    url: url.toString(),
    stopWithNextAnswer: () => {
      stopping = true;
    },
    startAgain: () => {
      stopping = false;
    },
  };
}

// Found by a rehearsal: both workers died of it when PostgreSQL was restarted on a busy machine.
test('PostgreSQL is stopped while a transaction waits for the connection: the transaction fails, and the process lives', async () => {
  const { url, drop } = await createTestDatabase();
  cleanups.push(drop);
  const gate = await startGate(url);
  const told: string[] = [];
  const database = createDatabase({
    url: gate.url,
    poolMax: 1,
    applicationName: 'farewell-test',
    onConnectionError: (error) => told.push(error.message),
  });
  cleanups.push(() => database.close());
  await database.ping();

  const unheard: Error[] = [];
  const onUncaught = (error: Error): void => void unheard.push(error);
  process.on('uncaughtException', onUncaught);
  gate.stopWithNextAnswer();
  const statement = rows(database.executor, sql`select 1 as n`);
  const transaction = database.transaction((tx) => rows(tx, sql`select 2 as n`));
  expect(await statement).toEqual([{ n: 1 }]);
  await expect(transaction).rejects.toThrow();
  process.off('uncaughtException', onUncaught);
  expect(unheard).toEqual([]);
  expect(told).toContain('terminating connection due to administrator command');

  gate.startAgain();
  expect(await database.transaction((tx) => rows(tx, sql`select 3 as n`))).toEqual([{ n: 3 }]);
});
