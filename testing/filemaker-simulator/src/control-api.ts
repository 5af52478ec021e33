import express, { type Request, type Response, type Router } from 'express';
import { z } from 'zod';
import { DatabaseFile, databaseDefinition } from './database-file';
import { FileMakerError } from './filemaker-error';
import { commitChanges, type FieldValues, type StoredRecord, type Table } from './table';
import { troubleRequest } from './trouble';
import type { World } from './world';

/** How the server is away: `refuse` takes no connections, `reset` breaks them, `bad-gateway` lets the web tier answer 502. */
export type DownMode = 'refuse' | 'reset' | 'bad-gateway';

/** What only the server can do: drop connections, be away, come back. */
export interface ServerControl {
  dropConnections(): number;
  goDown(mode: DownMode, forMs: number, answered: Promise<void>): Promise<void>;
  comeUp(): Promise<void>;
}

const DOWN_MAX_MS = 600_000;
const WAIT_MAX_MS = 300_000;
const downMode = z.enum(['refuse', 'reset', 'bad-gateway']);
const downMs = z.number().int().min(1).max(DOWN_MAX_MS);
const restartRequest = z.strictObject({
  scripts: z.enum(['survives', 'cut']).optional(),
  downMs: downMs.optional(),
  mode: downMode.default('bad-gateway'),
});
const downRequest = z.strictObject({ forMs: downMs, mode: downMode.default('bad-gateway') });
const lockRequest = z.strictObject({
  database: z.string().default('Shop'),
  /** Either an invoice by its number, or any record by table and record id. */
  invoice: z.string().optional(),
  table: z.string().default('invoices'),
  recordId: z.string().optional(),
  owner: z.string().min(1).default('a person'),
});
const clockRequest = z.strictObject({
  advanceMs: z.number().int().min(0).optional(),
  advanceSeconds: z.number().min(0).optional(),
});
const closeRequest = z.strictObject({ code: z.enum(['100', '802']).default('802') });
const values = z.record(z.string(), z.union([z.string(), z.number()]));
const recordsRequest = z.union([z.strictObject({ records: z.array(values) }), z.strictObject({ fieldData: values })]);
const count = z.coerce.number().int().min(0).optional();
const waitQuery = z.strictObject({
  applied: count,
  running: count,
  runs: count,
  logins: count,
  requests: count,
  unheard: count,
  idle: z.enum(['true', 'false']).optional(),
  timeoutMs: z.coerce.number().int().min(0).max(WAIT_MAX_MS).default(30_000),
});

/** Everything under `/_simulator`: look into the books, set switches, make trouble. */
export function createControlApi(world: World, server: ServerControl): Router {
  const router = express.Router();
  router.use((req, res, next) => {
    const local = ['127.0.0.1', '::1', '::ffff:127.0.0.1'].includes(req.socket.remoteAddress ?? '');
    if (local || world.settings.controlFrom === 'anywhere') next();
    else res.status(403).json({ error: 'The control API answers on loopback only.' });
  });

  router.get('/books', (_req, res) => {
    const { books } = world;
    res.json({
      summary: books.summary(),
      runs: books.runs,
      logins: books.logins,
      applied: Object.fromEntries(books.applied),
      appliedByInvoice: Object.fromEntries(books.appliedByInvoice),
    });
  });
  router.get('/books/summary', (_req, res) => void res.json(world.books.summary()));
  router.get('/wait', (req, res) => waitForBooks(world, req, res));

  router.get('/settings', (_req, res) => void res.json(world.settings));
  router.post('/settings', (req, res) => void res.json(world.change(jsonBody(req))));
  router.post('/clock', (req, res) => {
    const { advanceMs = 0, advanceSeconds = 0 } = clockRequest.parse(jsonBody(req));
    world.clock.advance(advanceMs + Math.round(advanceSeconds * 1_000));
    res.json({ now: world.clock.iso(), presentSessions: world.sessions.present().length });
  });
  router.post('/reset', (_req, res) => {
    world.reset();
    res.json({ reset: true });
  });

  router.get('/trouble', (_req, res) => void res.json({ troubles: world.troubles.list() }));
  router.post('/trouble', (req, res) => {
    const body = jsonBody(req);
    const troubles = z.array(troubleRequest).parse(Array.isArray(body) ? body : [body]);
    for (const trouble of troubles) world.troubles.add(trouble, world.clock.now());
    res.json({ troubles: world.troubles.list() });
  });
  router.delete('/trouble', (_req, res) => {
    world.troubles.clear();
    res.json({ troubles: [] });
  });

  router.post('/restart', (req, res) => restart(world, server, req, res));
  router.post('/down', (req, res) => {
    const { forMs, mode } = downRequest.parse(jsonBody(req));
    void server.goDown(mode, forMs, answered(res));
    res.set('Connection', 'close').json({ mode, forMs });
  });
  router.post('/up', async (_req, res) => {
    await server.comeUp();
    res.json({ up: true });
  });

  router.get('/sessions', (_req, res) => {
    const sessions = world.sessions.present();
    res.json({
      sessions: sessions.map(({ number, database, account, inUse }) => ({ number, database, account, inUse })),
    });
  });
  router.delete('/sessions', (_req, res) => void res.json({ ended: world.sessions.endAll('killed') }));

  router.get('/locks', (_req, res) => void res.json({ locks: world.locks.list() }));
  router.post('/locks', (req, res) => {
    const { table, recordId, owner } = lockTarget(world, jsonBody(req));
    const taken = world.locks.take(table, recordId, owner);
    res.status(taken ? 200 : 409).json({ taken, locks: world.locks.list() });
  });
  router.delete('/locks', (req, res) => {
    const body = jsonBody(req);
    if (body === undefined) world.locks.clear();
    else {
      const { table, recordId } = lockTarget(world, body);
      world.locks.release(table, recordId);
    }
    res.json({ locks: world.locks.list() });
  });

  router.put('/databases/:database', (req, res) => {
    const name = req.params.database;
    const definition = databaseDefinition.parse(jsonBody(req));
    world.databases.set(name, new DatabaseFile(name, definition));
    res.json({ database: name });
  });
  router.post('/databases/:database/close', (req, res) => {
    const { code } = closeRequest.parse(jsonBody(req) ?? {});
    res.json({ closedWith: code, sessionsEnded: world.closeFile(database(world, req.params.database), code) });
  });
  router.post('/databases/:database/open', (req, res) => {
    database(world, req.params.database).closedWith = null;
    res.json({ closedWith: null });
  });
  router
    .route('/databases/:database/tables/:table/records')
    .get((req, res) => {
      res.json({ records: table(world, req).all().map(plainRecord) });
    })
    .post((req, res) => {
      const body = recordsRequest.parse(jsonBody(req));
      const rows = 'records' in body ? body.records : [body.fieldData];
      const target = table(world, req);
      const created = rows.map((row) => add(world, target, asText(target, row)));
      res.status(201).json({ records: created.map(plainRecord) });
    })
    .delete((req, res) => {
      table(world, req).clear();
      res.json({ records: [] });
    });
  router.patch('/databases/:database/tables/:table/records/:recordId', (req, res) => {
    const target = table(world, req);
    const row = asText(target, values.parse(jsonBody(req)));
    const change = { kind: 'edit', table: target, recordId: req.params.recordId, values: row } as const;
    res.json({ records: commitChanges([change], NO_RULES, world.clock.now()).map(plainRecord) });
  });

  router.use((_req, res) => void res.status(404).json({ error: 'There is no such control.' }));
  router.use((error: unknown, _req: Request, res: Response, next: (error: unknown) => void) => {
    if (error instanceof z.ZodError) res.status(400).json({ error: 'The request does not fit.', issues: error.issues });
    else if (error instanceof ControlFault) res.status(error.status).json({ error: error.message });
    else if (error instanceof FileMakerError) res.status(409).json({ error: error.message, code: error.code });
    else next(error);
  });
  return router;
}

const NO_RULES = { validations: new Set([]) } as const;

class ControlFault extends Error {
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message);
    this.name = 'ControlFault';
  }
}

async function waitForBooks(world: World, req: Request, res: Response): Promise<void> {
  const { timeoutMs, idle, ...figures } = waitQuery.parse(req.query);
  const gone = new AbortController();
  res.once('close', () => gone.abort());
  const reached = await world.books.waitFor({ ...figures, idle: idle === 'true' }, timeoutMs, gone.signal);
  if (!res.destroyed) res.json({ reached, summary: world.books.summary() });
}

function restart(world: World, server: ServerControl, req: Request, res: Response): void {
  const { scripts, downMs: away, mode } = restartRequest.parse(jsonBody(req) ?? {});
  const done = world.restartEngine(scripts ?? (world.settings.restartScripts === 'cut' ? 'cut' : 'survives'));
  const heard = answered(res);
  void heard.then(() => server.dropConnections());
  if (away !== undefined) void server.goDown(mode, away, heard);
  res.set('Connection', 'close').json(done);
}

/** The caller hears the answer first; then its own connection may go down with the rest. */
function answered(res: Response): Promise<void> {
  return new Promise((resolve) => {
    res.once('close', () => resolve());
  });
}

function lockTarget(world: World, body: unknown): { table: Table; recordId: string; owner: string } {
  const { database: name, invoice, table: tableName, recordId, owner } = lockRequest.parse(body);
  const target = database(world, name).tables.get(tableName);
  if (target === undefined) throw new ControlFault(404, `There is no table ${tableName}.`);
  const record = invoice === undefined ? target.get(recordId ?? '') : target.withExactly('invoice_id', invoice)[0];
  if (record === undefined) throw new ControlFault(404, 'There is no such record.');
  return { table: target, recordId: record.recordId, owner };
}

function database(world: World, name: string): DatabaseFile {
  const found = world.databases.get(name);
  if (found === undefined) throw new ControlFault(404, `There is no database ${name}.`);
  return found;
}

function table(world: World, req: Request): Table {
  const found = database(world, String(req.params.database)).tables.get(String(req.params.table));
  if (found === undefined) throw new ControlFault(404, `There is no table ${String(req.params.table)}.`);
  return found;
}

function add(world: World, target: Table, row: FieldValues): StoredRecord {
  const rules = { validations: new Set(['always', 'entry'] as const) };
  const [record] = commitChanges([{ kind: 'create', table: target, values: row }], rules, world.clock.now());
  if (record === undefined) throw new ControlFault(500, 'Nothing was created.');
  return record;
}

function asText(target: Table, row: Record<string, string | number>): FieldValues {
  const unknown = Object.keys(row).filter((name) => !target.fields.has(name));
  if (unknown.length > 0) throw new ControlFault(400, `Table ${target.name} has no field ${unknown.join(', ')}.`);
  return Object.fromEntries(Object.entries(row).map(([name, value]) => [name, String(value)]));
}

function plainRecord(record: StoredRecord): { recordId: string; modId: number; fields: FieldValues } {
  return { recordId: record.recordId, modId: record.modId, fields: record.values };
}

function jsonBody(req: Request): unknown {
  const body: unknown = req.body;
  if (typeof body !== 'string' || body.trim() === '') return undefined;
  try {
    return JSON.parse(body);
  } catch (error) {
    if (error instanceof SyntaxError) throw new ControlFault(400, 'The body is no JSON.');
    throw error;
  }
}
