import type { AddressInfo } from 'node:net';
import { Queue } from 'bullmq';
import express from 'express';
import { Redis } from 'ioredis';
import Stripe from 'stripe';

/** The way most tutorials show: express, the package's own check, and the queue before the 200. Nothing is stored. */
const secret = process.env.WEBHOOK_SECRET ?? '';
const stripe = new Stripe('sk_test_unused');
const connection = new Redis(process.env.REDIS_URL ?? '', { maxRetriesPerRequest: null });
const queue = new Queue('textbook', { connection });
const app = express();

app.post('/webhooks/stripe', express.raw({ type: 'application/json' }), async (request, response) => {
  let event: Stripe.Event;
  try {
    event = stripe.webhooks.constructEvent(request.body as Buffer, request.headers['stripe-signature'] ?? '', secret);
  } catch {
    // A body that Stripe did not sign.
    response.status(400).json({ error: 'bad signature' });
    return;
  }
  await queue.add(event.type, event, { jobId: event.id });
  response.json({ received: true });
});

const server = app.listen(0, '127.0.0.1', () => {
  console.log(JSON.stringify({ listening: (server.address() as AddressInfo).port }));
});
process.on('SIGTERM', () => process.exit(0));
