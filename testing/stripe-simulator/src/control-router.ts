import express, { type NextFunction, type Request, type Response, Router } from 'express';
import { z } from 'zod';
import { ApiError } from './api/api-error';
import { bulkOrderSchema } from './bulk-sales';
import { type Control, schemas } from './control';
import { saleOrderSchema } from './sale-order';
import { SimulatorError } from './simulator-error';

type Handler = (id: string, body: unknown, request: Request) => unknown;

/** The control API over HTTP, under /_simulator. JSON in, JSON out; 400 names the fault, 404 and 409 the obstacle. */
export function createControlRouter(control: Control): Router {
  const router = Router();
  router.use(express.json({ limit: '4mb' }));
  const post = (path: string, handler: Handler) => router.post(path, answer(handler));
  const get = (path: string, handler: Handler) => router.get(path, answer(handler));

  post('/sales', (_, body) => control.createSale(checked(saleOrderSchema, body)));
  post('/sales/bulk', (_, body) => ({ sales: control.createBulkSales(checked(bulkOrderSchema, body)) }));
  post('/sales/:id/complete', (id) => control.completeSale(id));
  post('/sales/:id/settle', (id) => ({ eventIds: control.settleSale(id) }));
  post('/sales/:id/fail', (id) => ({ eventIds: control.failSale(id) }));
  post('/sales/:id/capture', (id) => ({ eventIds: control.captureSale(id) }));
  post('/sales/:id/expire', (id) => ({ eventIds: control.expireSale(id) }));
  post('/sales/:id/refund', (id, body) => control.refundSale(id, checked(schemas.refund, body)));
  post('/sales/:id/dispute', (id, body) => control.disputeSale(id, checked(schemas.dispute, body)));
  post('/sales/:id/dispute/close', (id, body) => control.closeDispute(id, checked(schemas.disputeEnd, body)));
  post('/refunds/:id/update', (id, body) => control.updateRefund(id, checked(schemas.refundUpdate, body)));
  post('/refunds/:id/fail', (id, body) => control.failRefund(id, checked(schemas.refundFailure, body)));

  post('/deliver', (_, body) => control.deliver(checked(schemas.deliver, body)));
  post('/events/:id/resend', (id) => control.resend(id));
  get('/deliveries', () => ({ attempts: control.deliveries() }));
  get('/wait', (_, __, request) => {
    const { delivered, idle, timeoutMs } = checked(schemas.wait, request.query);
    return control.wait({
      timeoutMs,
      ...(delivered === undefined ? {} : { delivered }),
      ...(idle === undefined ? {} : { idle }),
    });
  });

  get('/endpoints', () => ({ endpoints: control.endpoints() }));
  post('/endpoints', (_, body) => control.addEndpoint(checked(schemas.endpoint, body)));
  post('/endpoints/:id', (id, body) => control.changeEndpoint(id, checked(schemas.endpointChange, body)));
  router.delete(
    '/endpoints/:id',
    answer((id) => ({ removed: control.removeEndpoint(id) })),
  );

  get('/trouble', () => ({ troubles: control.troubles() }));
  post('/trouble', (_, body) => {
    control.addTrouble(checked(schemas.trouble, body));
    return { troubles: control.troubles() };
  });
  router.delete(
    '/trouble',
    answer(() => {
      control.clearTrouble();
      return { troubles: [] };
    }),
  );

  post('/clock', (_, body) => control.changeClock((body ?? {}) as Parameters<Control['changeClock']>[0]));
  post('/settings', (_, body) => control.changeSettings(checked(schemas.settings, body)));
  get('/books', () => control.books());
  post('/reset', (_, body) => {
    control.reset(checked(schemas.reset, body));
    return { reset: true };
  });
  router.use(reportFault);
  return router;
}

function checked<Schema extends z.ZodType>(schema: Schema, body: unknown): z.output<Schema> {
  return schema.parse(body ?? {});
}

function answer(handler: Handler): (request: Request, response: Response) => Promise<void> {
  return async (request, response) => {
    const id = request.params.id;
    response.json(await handler(typeof id === 'string' ? id : '', request.body, request));
  };
}

function reportFault(fault: unknown, _request: Request, response: Response, next: NextFunction): void {
  if (fault instanceof z.ZodError) {
    response.status(400).json({ error: z.prettifyError(fault) });
  } else if (fault instanceof SimulatorError || fault instanceof ApiError) {
    response.status(fault.status).json({ error: fault.message });
  } else {
    next(fault);
  }
}
