import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { FakeFileMaker } from './fake-filemaker';

export interface FakeFileMakerServer {
  url: string;
  /** Ends every call begun over the wire. */
  endCalls(): void;
  close(): Promise<void>;
}

/** The same books for a child process: each path is a method, the body is the token. */
export async function serveFakeFileMaker(fileMaker: FakeFileMaker): Promise<FakeFileMakerServer> {
  const ends: (() => void)[] = [];
  const answer = async (path: string, token: string): Promise<string> => {
    if (path === '/open') return (await fileMaker.open()).token;
    if (path === '/validate') return fileMaker.validate(token);
    if (path === '/close') await fileMaker.close(token);
    if (path === '/begin') ends.push(fileMaker.begin(token) ?? (() => undefined));
    return '';
  };
  const server = createServer((request, response) => {
    bodyOf(request)
      .then((body) => answer(request.url ?? '', body))
      .then((text) => response.end(text))
      .catch((error: unknown) => response.writeHead(500).end(String(error)));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    endCalls: () => {
      for (const end of ends.splice(0)) end();
    },
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  let text = '';
  for await (const chunk of request) text += String(chunk);
  return text;
}
