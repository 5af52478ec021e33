/**
 * An attempt notes which lease of which session carried it. The fence is needed later: a session that was lent again
 * since has surely ended our call.
 */
export function writeSessionReference(lease: { sessionId: string; fence: string }): string {
  return `${lease.sessionId}/${lease.fence}`;
}

export function readSessionReference(reference: string): { sessionId: string; fence: string | undefined } {
  const [sessionId = '', fence] = reference.split('/');
  return { sessionId, fence };
}
