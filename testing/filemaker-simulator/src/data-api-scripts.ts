import type { Transport } from './books';
import type { DataApiCall, Reply } from './data-api-call';
import { FileMakerError } from './filemaker-error';
import { parsePayload } from './scripts/effect-changes';
import { ScriptCut } from './scripts/script-context';

/** `GET …/layouts/{layout}/script/{script}?script.param=`: the only form the endpoint has (Claris: Data API guide, run-a-script). */
export async function runScript(call: DataApiCall): Promise<Reply> {
  call.layoutNamed(call.param('layout'));
  if (!mayRun(call, call.param('script'))) throw new FileMakerError(104);
  return runNamed(call, call.param('script'), call.query('script.param') ?? '', '', 'get');
}

/**
 * An action with scripts around it, in the order prerequest, action, presort, sort, script
 * (Claris: Data API guide, run-script-with-another-request). All names are checked before anything runs.
 */
export async function withScripts(
  call: DataApiCall,
  action: () => Reply,
  sort: (reply: Reply) => Reply = same,
): Promise<Reply> {
  const names = { prerequest: 'script.prerequest', presort: 'script.presort', script: 'script' };
  for (const option of Object.values(names)) {
    const name = call.textOption(option);
    if (name !== undefined && !mayRun(call, name)) throw new FileMakerError(104);
  }
  const before = await runAttached(call, names.prerequest, '.prerequest');
  let reply: Reply;
  try {
    reply = action();
  } catch (error) {
    await afterFailedAction(call, error);
    throw error;
  }
  const presort = await runAttached(call, names.presort, '.presort');
  const after = await runAttached(call, names.script, '');
  return { ...sort(reply), ...before, ...presort, ...after };
}

/** Carries what an attached script said although the action failed. */
export class FailedWithScript extends FileMakerError {
  constructor(
    code: string,
    readonly reply: Reply,
  ) {
    super(code);
  }
}

async function afterFailedAction(call: DataApiCall, error: unknown): Promise<void> {
  const { scriptAfterFailedCreate } = call.world.settings;
  if (!(error instanceof FileMakerError) || call.endpoint !== 'create' || scriptAfterFailedCreate === 'skipped') return;
  const reply = await runAttached(call, 'script', '');
  if (scriptAfterFailedCreate === 'runs') throw new FailedWithScript(error.code, reply);
}

async function runAttached(call: DataApiCall, option: string, suffix: string): Promise<Reply> {
  const name = call.textOption(option);
  if (name === undefined || name === '') return {};
  const parameter = call.textOption(`${option}.param`) ?? '';
  return runNamed(call, name, parameter, suffix, call.endpoint === 'create' ? 'create' : 'other');
}

async function runNamed(
  call: DataApiCall,
  script: string,
  parameter: string,
  suffix: string,
  way: Transport,
): Promise<Reply> {
  const { world, session } = call;
  const handoff = parsePayload(parameter)?.handoff !== undefined;
  const outcome = world.scripts.run({
    script,
    parameter,
    database: call.database,
    session,
    transport: handoff ? 'handoff' : way,
    trouble: call.trouble,
    onRun: (run) => {
      call.runs.push(run);
      if (call.res.closed) world.books.answered(run, false);
      if (call.trouble?.kind === 'kill') killDuring(call, call.trouble.script);
    },
  });
  const { scriptError, scriptResult } = await untilKilled(outcome, session.killed.signal);
  return {
    [`scriptError${suffix}`]: scriptError,
    ...(scriptResult === undefined ? {} : { [`scriptResult${suffix}`]: scriptResult }),
  };
}

function killDuring(call: DataApiCall, script: 'survives' | 'cut'): void {
  const { world, session } = call;
  if (script === 'cut') world.scripts.cut('disconnect', (_run, owner) => owner === session);
  world.sessions.end(session, 'killed');
}

/** A session closed from outside shows as 112 on the call in it (FMDataAPI, CommunicationProvider.php), at once. */
async function untilKilled<T>(work: Promise<T>, killed: AbortSignal): Promise<T> {
  let die = (): void => undefined;
  const death = new Promise<never>((_resolve, reject) => {
    die = () => reject(new FileMakerError(112));
  });
  if (killed.aborted) die();
  killed.addEventListener('abort', die, { once: true });
  try {
    return await Promise.race([work, death]);
  } catch (error) {
    if (error instanceof ScriptCut && killed.aborted) throw new FileMakerError(112);
    throw error;
  } finally {
    killed.removeEventListener('abort', die);
    work.catch(ignoreCut);
    death.catch(ignoreCut);
  }
}

/** The call has its answer already; the run's end stands in the books. */
function ignoreCut(error: unknown): void {
  if (error instanceof ScriptCut || error instanceof FileMakerError) return;
  throw error;
}

function mayRun(call: DataApiCall, script: string): boolean {
  return call.world.settings.scripts[script] !== undefined && call.account?.hiddenScripts.includes(script) !== true;
}

function same(reply: Reply): Reply {
  return reply;
}
