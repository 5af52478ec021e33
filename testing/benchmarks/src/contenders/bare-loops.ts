import { logIn, runScript } from './data-api';

/**
 * The least that runs scripts through so many sessions: as many loops as the cap, each logs in once and then runs one
 * script after the other. The work is a number in memory: no queue, no database, no key on record, and whatever fails
 * ends the process.
 */
const count = Number(process.env.COUNT);
const cap = Number(process.env.CAP);
let next = 0;

async function loop(): Promise<void> {
  const token = await logIn();
  for (let index = next++; index < count; index = next++) {
    const parameter = JSON.stringify({
      idempotency_key: `invoice-paid:cs_${index}`,
      invoice_id: String(30_000 + index),
      invoicetotal_cents: 18_000,
    });
    await runScript(token, parameter);
  }
}

console.log(JSON.stringify({ listening: 0 }));
process.on('SIGTERM', () => process.exit(0));
// A process with nothing left to do would end; whoever started it takes that for a fault.
setInterval(() => undefined, 60_000);
void Promise.all(Array.from({ length: cap }, loop));
