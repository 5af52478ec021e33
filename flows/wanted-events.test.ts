import { wantedEvents } from '@bridge/test-services';
import { wantedEventTypes } from './index';

test('an endpoint that a stand registers asks for exactly the types that the flow invoices wants', () => {
  expect([...wantedEvents].sort()).toEqual([...wantedEventTypes(['invoices'])].sort());
});
