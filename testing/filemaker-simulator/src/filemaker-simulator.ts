import type { Express } from 'express';
import type { Books } from './books';
import type { SimulatorSettingsPatch } from './settings';
import { WebServer } from './web-server';
import { World } from './world';

/** A FileMaker server in this process. */
export interface FileMakerSimulator {
  /** The Express application, built and without a port. */
  readonly app: Express;
  /** What truly happened, readable in-process as well as over `/_simulator/books`. */
  readonly books: Books;
  /** Starts listening; port 0 takes a free one. */
  listen(where?: { port?: number; host?: string }): Promise<{ url: string; port: number }>;
  /** Cuts running scripts, drops connections, stops listening. May be called twice. */
  close(): Promise<void>;
}

/** Builds a FileMaker Server with the file `Shop`. Throws `z.ZodError` for settings that do not fit. */
export function createFileMakerSimulator(
  settings: SimulatorSettingsPatch = {},
  log?: (line: string) => void,
): FileMakerSimulator {
  const world = new World(settings);
  const server = new WebServer(world, log);
  return {
    app: server.app,
    books: world.books,
    listen: ({ port = 0, host = '127.0.0.1' } = {}) => server.listen(port, host),
    close: async () => {
      world.scripts.cut('shutdown');
      await server.close();
    },
  };
}
