import type { Suite } from '../suite';
import { ARRANGEMENTS } from './arrangements';
import { endpointCases } from './endpoint-cases';
import { errorsAndListsCases } from './errors-and-lists-cases';
import { eventCases } from './event-cases';
import { redactStripe } from './redact-stripe';
import { asForm } from './requests';
import { sessionCases } from './session-cases';

/** What Stripe's API and its webhooks promise to a shop of one-off sales. */
export const stripeSuite: Suite = {
  name: 'stripe',
  basePath: '/v1',
  codePath: 'error.code',
  cases: [...errorsAndListsCases, ...sessionCases, ...eventCases, ...endpointCases],
  needs: {
    restrictedKey: 'STRIPE_RESTRICTED_KEY: a restricted key that may read Checkout Sessions and nothing else',
    receiverUrl:
      '--with receiverUrl=https://… --receiver-port N: a public address that leads to that port of this machine',
  },
  arrangements: ARRANGEMENTS,
  encodeBody: asForm,
  risksOf: ({ line }) => (line.startsWith('GET ') ? [] : ['write']),
  redact: redactStripe,
  plainVariables: ['run'],
};
