import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { SMTPServer, type SMTPServerOptions } from 'smtp-server';
import type { MailError } from './mail-error';
import { createMailer, type Mailer } from './mailer';

const cleanups: (() => Promise<unknown> | unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

interface Stand {
  url(user?: string): string;
  letters: string[];
}

/** A mail server of its own; without TLS, since nobody outside this process is asked. */
async function startServer(options: SMTPServerOptions = {}): Promise<Stand> {
  const letters: string[] = [];
  const server = new SMTPServer({
    authOptional: true,
    disabledCommands: ['STARTTLS'],
    logger: false,
    onData: (stream, _session, done) => {
      let text = '';
      stream.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk;
      });
      stream.on('end', () => {
        letters.push(text);
        done();
      });
    },
    ...options,
  });
  // A client that goes away in the middle is what some of these tests are about.
  server.on('error', () => undefined);
  server.listen(0, '127.0.0.1');
  await once(server.server, 'listening');
  cleanups.push(() => new Promise<void>((resolve) => server.close(() => resolve())));
  const { port } = server.server.address() as { port: number };
  return { letters, url: (user) => `smtp://${user === undefined ? '' : `${user}@`}127.0.0.1:${port}` };
}

function mailerFor(smtpUrl: string, timeoutMs = 30_000): Mailer {
  const mailer = createMailer({ smtpUrl, from: 'Bridge <bridge@shop.example>', timeoutMs });
  cleanups.push(() => mailer.close());
  return mailer;
}
const letter = {
  to: ['office@shop.example', 'ada@shop.example'],
  subject: '41 payments',
  text: 'All in FileMaker',
  id: 'day-1',
};
const failureOf = (work: Promise<unknown>): Promise<MailError> =>
  work.then(
    () => Promise.reject(new Error('it was sent')),
    (error: MailError) => error,
  );
const reply = (code: number, text: string): Error => Object.assign(new Error(text), { responseCode: code });

test('a letter arrives with its subject, both forms of its text and its own id', async () => {
  const server = await startServer();
  const sent = await mailerFor(server.url()).send({ ...letter, html: '<p>All in <b>FileMaker</b></p>' });
  expect(sent).toEqual({ messageId: '<day-1@shop.example>', accepted: 2, rejected: 0 });
  expect(server.letters).toHaveLength(1);
  const [text] = server.letters;
  for (const part of [
    'Subject: 41 payments',
    'Message-ID: <day-1@shop.example>',
    'To: office@shop.example, ada@shop.example',
    'text/plain',
    'text/html',
    '<b>FileMaker</b>',
  ])
    expect(text).toContain(part);
});

test('an address that is refused by name does not keep the letter from the others', async () => {
  const server = await startServer({
    onRcptTo: ({ address }, _session, done) => done(address.startsWith('ada') ? reply(550, 'no such ada') : null),
  });
  expect(await mailerFor(server.url()).send(letter)).toMatchObject({ accepted: 1, rejected: 1 });
  expect(server.letters).toHaveLength(1);
});

test.each([
  [550, false, 'MAIL_REFUSED'],
  [451, true, 'MAIL_BUSY'],
])('a server that says %d before the letter has refused it (again: %s)', async (code, again, name) => {
  const server = await startServer({
    onMailFrom: (_from, _session, done) => done(reply(code, 'not from you, ada@shop.example')),
  });
  const error = await failureOf(mailerFor(server.url()).send(letter));
  expect(error).toMatchObject({ code: name, stage: 'refused', again });
  expect(error.message).toContain(String(code));
  expect(server.letters).toEqual([]);
});

test.each([
  [554, false],
  [452, true],
])('a server that has the letter and says %d has refused it all the same', async (code, again) => {
  const server = await startServer({
    onData: (stream, _session, done) => {
      stream.resume().on('end', () => done(reply(code, 'spam')));
    },
  });
  expect(await failureOf(mailerFor(server.url()).send(letter))).toMatchObject({ stage: 'refused', again });
});

test('a login that is refused says so and keeps the password to itself', async () => {
  const server = await startServer({
    authOptional: false,
    onAuth: (_auth, _session, done) => done(reply(535, 'wrong password s3cret for bridge')),
  });
  const error = await failureOf(mailerFor(server.url('bridge:s3cret')).send(letter));
  expect(error).toMatchObject({ code: 'MAIL_LOGIN_REFUSED', stage: 'refused', again: false });
  expect(`${error.message} ${error.stack} ${JSON.stringify(error)}`).not.toMatch(/s3cret|office@|ada@/);
});

test('a connection that is cut after the letter is unheard: nobody knows, and it is not for sending again', async () => {
  let cut: () => void = () => undefined;
  const server = await startServer({
    onData: (stream) => {
      stream.resume().on('end', () => cut());
    },
  });
  const relay = await startRelay(Number(new URL(server.url()).port));
  cut = relay.cut;
  const error = await failureOf(mailerFor(relay.url).send(letter));
  expect(error).toMatchObject({ code: 'MAIL_UNHEARD', stage: 'unheard', again: false });
});

test('a connection that is cut before the letter is not sent, and sending again is safe', async () => {
  let cut: () => void = () => undefined;
  const server = await startServer({
    onRcptTo: () => {
      cut();
    },
  });
  const relay = await startRelay(Number(new URL(server.url()).port));
  cut = relay.cut;
  expect(await failureOf(mailerFor(relay.url).send(letter))).toMatchObject({ stage: 'not-sent', again: true });
});

test('a server that takes the letter and never answers is unheard within the time', async () => {
  const server = await startServer({ onData: (stream) => void stream.resume() });
  const began = performance.now();
  // Time enough for the letter to get there on a machine that stands still for a second or two.
  expect(await failureOf(mailerFor(server.url(), 4_000).send(letter))).toMatchObject({ stage: 'unheard' });
  expect(performance.now() - began).toBeLessThan(25_000);
});

test('nobody at the address is not sent; a greeting that never comes is given up in time', async () => {
  const silent = createServer(() => undefined);
  silent.listen(0, '127.0.0.1');
  await once(silent, 'listening');
  const { port } = silent.address() as { port: number };
  const began = performance.now();
  const waiting = failureOf(mailerFor(`smtp://127.0.0.1:${port}`, 500).send(letter));
  expect(await waiting).toMatchObject({ code: 'MAIL_SERVER_AWAY', stage: 'not-sent', again: true });
  expect(performance.now() - began).toBeLessThan(20_000);
  await new Promise((resolve) => silent.close(resolve));
  expect(await failureOf(mailerFor(`smtp://127.0.0.1:${port}`).send(letter))).toMatchObject({ stage: 'not-sent' });
});

test('a closed mailer sends nothing', async () => {
  const server = await startServer();
  const mailer = mailerFor(server.url());
  mailer.close();
  expect(await failureOf(mailer.send(letter))).toMatchObject({ code: 'MAIL_CLOSED', stage: 'not-sent' });
  expect(server.letters).toEqual([]);
});

/** Stands between, so that a test can cut the line at a moment of its own. */
async function startRelay(port: number): Promise<{ url: string; cut(): void }> {
  const sockets: Socket[] = [];
  const relay: Server = createServer((inside) => {
    const outside = new (inside.constructor as typeof Socket)();
    sockets.push(inside, outside);
    for (const socket of [inside, outside]) socket.on('error', () => undefined);
    outside.connect(port, '127.0.0.1');
    inside.pipe(outside).pipe(inside);
  });
  relay.listen(0, '127.0.0.1');
  await once(relay, 'listening');
  cleanups.push(() => new Promise<void>((resolve) => relay.close(() => resolve())));
  const address = relay.address() as { port: number };
  return {
    url: `smtp://127.0.0.1:${address.port}`,
    cut: () => {
      for (const socket of sockets) socket.destroy();
    },
  };
}
