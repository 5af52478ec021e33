import type { Account } from '../wire';

export function renderAccount(id: string, created: number): Account {
  return {
    id,
    object: 'account',
    business_type: 'company',
    charges_enabled: true,
    country: 'US',
    created,
    default_currency: 'usd',
    details_submitted: true,
    email: 'owner@shop.example',
    metadata: {},
    payouts_enabled: true,
    type: 'standard',
  };
}
