import type { Request, Response } from 'express';
import type { ScriptRun } from './books';
import type { DatabaseFile, Layout } from './database-file';
import { FileMakerError } from './filemaker-error';
import { isPlainObject } from './layout-records';
import type { FileMakerSession } from './sessions';
import type { SimulatorSettings } from './settings';
import type { Endpoint, Trouble } from './trouble';
import type { World } from './world';

/** What a handler gives back: the envelope's `response`, or an error that still carries one. */
export type Reply = Readonly<Record<string, unknown>>;

/** One Data API request while it is being carried out. */
export class DataApiCall {
  readonly world: World;
  readonly endpoint: Endpoint;
  readonly req: Request;
  readonly res: Response;
  readonly trouble: Trouble | undefined;
  readonly body: Readonly<Record<string, unknown>>;
  /** The scripts that this call started; the books hear whether their results were delivered. */
  readonly runs: ScriptRun[] = [];
  readonly arrivedAt: number;
  /** The envelope with the scripts' results went out whole. */
  delivered = false;
  #session: FileMakerSession | undefined;

  constructor(
    world: World,
    endpoint: Endpoint,
    req: Request,
    res: Response,
    body: Readonly<Record<string, unknown>>,
    trouble: Trouble | undefined,
  ) {
    this.world = world;
    this.arrivedAt = world.clock.now();
    this.endpoint = endpoint;
    this.req = req;
    this.res = res;
    this.body = body;
    this.trouble = trouble;
  }

  get session(): FileMakerSession {
    if (this.#session === undefined) throw new FileMakerError(952);
    return this.#session;
  }

  useSession(session: FileMakerSession): void {
    this.#session = session;
  }

  param(name: string): string {
    const value = this.req.params[name];
    return typeof value === 'string' ? value : '';
  }

  /** One query parameter; a repeated one is an error, each key may be used once. */
  query(name: string): string | undefined {
    const value: unknown = this.req.query[name];
    if (value === undefined || typeof value === 'string') return value;
    throw new FileMakerError(960, name);
  }

  get database(): DatabaseFile {
    const database = this.world.database(this.param('database'));
    if (database === undefined) throw new FileMakerError(952);
    return database;
  }

  get layout(): Layout {
    return this.layoutNamed(this.param('layout'));
  }

  layoutNamed(name: string): Layout {
    const layout = this.database.layouts.get(name);
    if (layout === undefined || this.account?.hiddenLayouts.includes(name) === true) throw new FileMakerError(105);
    return layout;
  }

  /** Whose session carries the call. */
  get account(): SimulatorSettings['accounts'][number] | undefined {
    return this.world.settings.accounts.find((entry) => entry.name === this.#session?.account);
  }

  mayOn(layout: Layout, action: 'view' | 'create' | 'edit' | 'delete'): boolean {
    const denied = this.account?.denied.filter((entry) => entry.layout === layout.name) ?? [];
    return denied.every(({ actions }) => !actions.includes(action));
  }

  /** An option that rides in the body of POST and PATCH calls and in the query of the others. */
  option(name: string): unknown {
    return this.req.method === 'POST' || this.req.method === 'PATCH' ? this.body[name] : this.query(name);
  }

  textOption(name: string): string | undefined {
    const value = this.option(name);
    if (value === undefined || typeof value === 'string') return value;
    if (typeof value === 'number') return String(value);
    throw new FileMakerError(960, name);
  }
}

/** Reads a request body as a JSON object; an empty one counts as `{}`. Throws 1710 for anything else. */
export function readJsonBody(text: unknown): Readonly<Record<string, unknown>> {
  if (typeof text !== 'string' || text.trim() === '') return {};
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) throw new FileMakerError(1710);
    throw error;
  }
  if (!isPlainObject(parsed)) throw new FileMakerError(1710);
  return parsed;
}
