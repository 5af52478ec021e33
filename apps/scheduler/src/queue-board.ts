import type { Database } from '@bridge/database';
import { type Producer, type QueueName, queueNames } from '@bridge/jobs';
import { createBullBoard } from '@bull-board/api';
import { BullMQAdapter } from '@bull-board/api/bullMQAdapter';
import { ExpressAdapter } from '@bull-board/express';
import { type RequestHandler, type Response, Router } from 'express';
import { putIntoWords } from './board-words';
import { operatorOf } from './console-login';
import { refuse } from './refuse';
import { type RetryAnswer, retryAllFailed, retryOne } from './retry-jobs';

/** Where the board is mounted; it writes links with this. */
export const BOARD_PATH = '/queues';

const DESCRIPTIONS: Readonly<Record<QueueName, string>> = {
  'stripe-events':
    'What arrived from Stripe. A failed job is an event that waits for a person and says what a retry does.',
  'filemaker-effects': 'Scripts owed to FileMaker. A failed job waits for a person and says what a retry does.',
  reconciliations:
    'Compares Stripe, our records and FileMaker, by the clock or for a person. Its runs stand in PostgreSQL.',
  rounds: 'What comes back by the clock and belongs to no flow, such as fetching events.',
  replays: 'Replays that a person wants. Their plans stand in PostgreSQL.',
};

/**
 * Bull Board behind our own rules. It shows the queues as they are. Of its actions only "retry" exists, and that goes
 * through the engine: PostgreSQL owns every fact, and a queue edited by hand would say something else.
 */
export function createQueueBoard(parts: { producer: Producer; database: Database }): Router {
  const { producer, database } = parts;
  const router = Router();

  router.use((request, response, next) => {
    if (producer.ready() || !request.path.startsWith('/api/')) next();
    else
      refuse(request, response, 503, {
        code: 'REDIS_AWAY',
        headline: 'Redis is away',
        sentence: 'The queues cannot be shown until Redis is back. Nothing is lost: PostgreSQL has all of it.',
      });
  });

  const retry =
    (run: (parts: Parameters<typeof retryOne>[0], name: QueueName) => Promise<RetryAnswer>) =>
    async (given: string, response: Response): Promise<void> => {
      const name = queueNames.find((one) => one === given);
      if (name === undefined) {
        response.status(404).json({ error: 'Not there', message: 'There is no such queue.', code: 'QUEUE_NOT_FOUND' });
        return;
      }
      const { status, body } = await run(
        { database, queue: producer.queue(name), operator: operatorOf(response) },
        name,
      );
      response.status(status).json(body);
    };
  router.put('/api/queues/:queue/retry/failed', (request, response) =>
    retry(retryAllFailed)(request.params.queue, response),
  );
  router.put('/api/queues/:queue/:job/retry', (request, response) =>
    retry((found, name) => retryOne(found, name, request.params.job))(request.params.queue, response),
  );
  router.use((request, response, next) => {
    if (request.method === 'GET' || request.method === 'HEAD') next();
    else
      refuse(request, response, 403, {
        code: 'BOARD_IS_READ_ONLY',
        headline: 'Not possible here',
        sentence:
          'The queues are made from PostgreSQL, so a change here would be undone or would hide work. Only "retry" is possible; to stop work use: ./bridge pause',
      });
  });

  const adapter = new ExpressAdapter().setBasePath(BOARD_PATH);
  createBullBoard({
    queues: queueNames.map((name) => {
      // Only failed jobs stand for something that waits. (The option exists, but not in the adapter's types.)
      const options = { allowRetries: true, allowCompletedRetries: false, description: DESCRIPTIONS[name] };
      return new BullMQAdapter(producer.queue(name), options);
    }),
    serverAdapter: adapter,
    options: {
      handlerHooks: {
        after: async (_context, answer) => ({ ...answer, body: await putIntoWords(database, answer.body) }),
      },
      uiConfig: {
        boardTitle: 'Queues',
        boardLogo: { path: '/assets/icon.svg', width: 22, height: 22 },
        favIcon: { default: '/assets/icon.svg', alternative: '/assets/icon.svg' },
        miscLinks: [{ text: 'To the status page', url: '/' }],
        hideDocsLink: true,
        hideRedisDetails: true,
        showWorkers: false,
        sortQueues: false,
        locale: { lng: 'en-US' },
        pollingInterval: { showSetting: false, forceInterval: 5 },
        jobDetails: { defaultTab: 'Error' },
      },
    },
  });
  router.use(dressed, adapter.getRouter());
  return router;
}

/** What the page of the package shows until its script has drawn it. */
const PLACEHOLDER = /<div id="root">.*?<\/div>(?=\s*<script)/s;

/**
 * The board's page comes from a package. It gets our style sheet; it loses its web font, so that no other host is told who
 * looks, and the inline styles of its placeholder, which our Content-Security-Policy blocks with an error each.
 */
export const dressPage = (page: string): string =>
  page
    .replace(/<link[^>]+href="https?:[^>]*>/g, '')
    .replace(PLACEHOLDER, '<div id="root"><p class="loading">Loading …</p></div>')
    .replace('</head>', '<link href="/assets/board.css" rel="stylesheet"></head>');

const dressed: RequestHandler = (request, response, next) => {
  if (request.path.startsWith('/api/')) return next();
  const send = response.send.bind(response);
  response.send = (body: unknown) => send(typeof body === 'string' ? dressPage(body) : body);
  next();
};
