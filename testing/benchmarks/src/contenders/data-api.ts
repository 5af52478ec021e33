/** FileMaker's Data API as a tutorial calls it: the simulator's file, account and layout, and an error for any code but 0. */
const base = `${process.env.FILEMAKER_URL}/fmi/data/v2/databases/Shop`;

async function call(method: string, path: string, authorization: string): Promise<Record<string, unknown>> {
  const answer = await fetch(base + path, {
    method,
    headers: { 'content-type': 'application/json', authorization },
    ...(method === 'POST' ? { body: '{}' } : {}),
    signal: AbortSignal.timeout(60_000),
  });
  const json = (await answer.json()) as { response: Record<string, unknown>; messages: { code: string }[] };
  if (json.messages[0]?.code !== '0') throw new Error(`FileMaker ${json.messages[0]?.code}`);
  return json.response;
}

/** The token of a new session. */
export async function logIn(): Promise<string> {
  const basic = Buffer.from('bridge:bridge').toString('base64');
  return String((await call('POST', '/sessions', `Basic ${basic}`)).token);
}

export async function logOut(token: string): Promise<void> {
  await call('DELETE', `/sessions/${token}`, `Bearer ${token}`);
}

export async function runScript(token: string, parameter: string): Promise<void> {
  const query = `script.param=${encodeURIComponent(parameter)}`;
  await call('GET', `/layouts/web_invoices/script/STRIPE_PAYMENTLINK_SUCCESS?${query}`, `Bearer ${token}`);
}
