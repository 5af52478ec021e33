/**
 * The guardian's whole program, run as `node -e`. It is text and not a module of its own so that it starts the same
 * way from TypeScript sources (jest) and from the build, without a path to find.
 *
 * It reads JSON lines from standard input: `{"id":1,"pid":123,"signal":"SIGINT","graceMs":5000}`,
 * `{"id":2,"folder":"/tmp/x"}`, `{"id":3,"command":["docker","rm","-f","x"]}` and `{"release":1}`.
 * End of input means that the parent is gone, however it went: then it ends what is still on its list.
 */
export const guardianProgram = `
'use strict';
const { readFileSync, rmSync } = require('node:fs');
const { spawnSync } = require('node:child_process');
const wards = new Map();
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => {});
let text = '';
process.stdin.setEncoding('utf8');
process.stdin.on('data', (chunk) => {
  text += chunk;
  const lines = text.split('\\n');
  text = lines.pop();
  for (const line of lines) {
    const ward = JSON.parse(line);
    if (ward.release === undefined) wards.set(ward.id, ward);
    else wards.delete(ward.release);
  }
});
process.stdin.on('error', finish);
process.stdin.on('end', finish);

function send(pid, signal) {
  try { process.kill(pid, signal); return true; } catch { return false; }
}
function runs(pid) {
  if (!send(pid, 0)) return false;
  // A process that ended but that nobody collected still takes signals; in containers that can last.
  try { return !/^\\d+ \\(.*\\) [ZX]/s.test(readFileSync('/proc/' + pid + '/stat', 'utf8')); } catch { return true; }
}
let finishing = false;
async function finish() {
  if (finishing) return;
  finishing = true;
  const list = [...wards.values()];
  const processes = list.filter((ward) => ward.pid !== undefined);
  for (const { pid, signal } of processes) { send(pid, signal); send(pid, 'SIGCONT'); }
  const startedAt = Date.now();
  let left = processes.filter(({ pid }) => runs(pid));
  while (left.length > 0) {
    for (const { pid, graceMs } of left) if (Date.now() - startedAt > graceMs) send(pid, 'SIGKILL');
    if (Date.now() - startedAt > 30000) break;
    await new Promise((resolve) => setTimeout(resolve, 20));
    left = left.filter(({ pid }) => runs(pid));
  }
  for (const { command } of list) if (command) spawnSync(command[0], command.slice(1), { stdio: 'ignore', timeout: 30000 });
  for (const { folder } of list) {
    if (folder) try { rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 }); } catch { process.exitCode = 1; }
  }
  process.exit();
}
`;
