/** A simulator's control API; an error for anything but 2xx. */
export type Control = <Answer = unknown>(
  method: 'GET' | 'POST' | 'PUT' | 'DELETE',
  path: string,
  body?: unknown,
) => Promise<Answer>;

const CALL_TIMEOUT_MS = 60_000;

/** Speaks to the control API under `/_simulator` of the simulator at that address. */
export function createControl(url: string): Control {
  return async (method, path, body) => {
    const response = await fetch(`${url}/_simulator${path}`, {
      method,
      headers: { 'Content-Type': 'application/json', Connection: 'close' },
      signal: AbortSignal.timeout(CALL_TIMEOUT_MS),
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    if (!response.ok)
      throw new Error(`${method} ${path} of the simulator: HTTP ${response.status} ${text.slice(0, 300)}`);
    return JSON.parse(text);
  };
}
