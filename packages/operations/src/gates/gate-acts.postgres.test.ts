import { createDatabase, type Database, migrate } from '@bridge/database';
import { createGates } from '@bridge/gates';
import { createTestDatabase } from '@bridge/test-services';
import { listAudit } from '../audit/audit';
import { allMigrations } from '../migrations';
import { pauseScope, resumeScope } from './gate-acts';

let database: Database;
let drop: () => Promise<void>;

beforeEach(async () => {
  const test = await createTestDatabase();
  await migrate(test.url, allMigrations([]));
  database = createDatabase({ url: test.url, poolMax: 5, applicationName: 'operations-test' });
  drop = test.drop;
});
afterEach(async () => {
  await database.close();
  await drop();
});

const asked = { by: 'ada', why: 'the customer asked' };

test('pause closes a scope for everybody until resume, and both are on record', async () => {
  await pauseScope(database, 'flow:invoices', asked);
  expect(await createGates(database).closures(['flow:invoices'])).toMatchObject([{ kind: 'pause', by: 'ada' }]);
  expect(await resumeScope(database, 'flow:invoices', asked)).toEqual({ lifted: 1, circuitClosed: false });
  expect(await resumeScope(database, 'flow:invoices', asked)).toEqual({ lifted: 0, circuitClosed: false });
  expect((await listAudit(database, { limit: 5 })).map(({ action, outcome }) => [action, outcome])).toEqual([
    ['gate.resume', 'refused'],
    ['gate.resume', 'done'],
    ['gate.pause', 'done'],
  ]);
});

test('resume of a peer also ends the note that it is away, so that work tries it at once', async () => {
  const gates = createGates(database);
  await gates.openCircuit('filemaker', 'no answer');
  await gates.openCircuit('stripe', 'no answer');
  expect(await resumeScope(database, 'filemaker', asked)).toEqual({ lifted: 0, circuitClosed: true });
  expect((await gates.closures()).map((closure) => closure.scope)).toEqual(['stripe']);
  expect(await listAudit(database, { limit: 1 })).toMatchObject([
    { action: 'gate.resume', outcome: 'done', detail: '0 lifted, circuit closed' },
  ]);
});
