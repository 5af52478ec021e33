// `npm start` and `npm test` on a machine that has Node (18 or newer) and npm, and nothing of this project installed:
// install, find a recent Node, build, run. No dependencies, since it makes them; nothing newer than Node 18.
//   node tooling/start.mjs demo|test|build [arguments for the demo or for jest]
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  accessSync,
  constants,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { homedir, constants as osConstants, tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  exitCodeOf,
  isRecentNode,
  oldestNode,
  packagesWithPlatformParts,
  partsForMachine,
  verdict,
} from './bootstrap.cjs';

const { env: environment } = process;
const root = dirname(dirname(fileURLToPath(import.meta.url)));
const inRoot = (...parts) => join(root, ...parts);
const [command, ...rest] = process.argv.slice(2);
const startedAt = Date.now();
let child;
let stopping = false;

class Failure extends Error {
  constructor(message, exitCode = 1) {
    super(message);
    this.exitCode = exitCode;
  }
}

const say = (line) => process.stdout.write(`${line}\n`);
const seconds = (since) => `${((Date.now() - since) / 1000).toFixed(1)} s`;

async function main() {
  if (!['demo', 'test', 'build'].includes(command)) {
    throw new Failure('Usage: node tooling/start.mjs demo|test|build [arguments]', 2);
  }
  const node = await alone(async () => {
    await installPackages();
    await installPlatformParts();
    linkNode();
    const found = findNode();
    await build(found);
    return found;
  });
  if (command === 'demo') return run(node, [inRoot('testing/demo/dist/main.js'), ...rest], { ipc: true });
  if (command === 'test') return test(node);
  return 0;
}

/** Two commands at once on a fresh clone must not install over each other. The folder's owner is written into it. */
async function alone(work) {
  const lock = inRoot('.bridge/preparing');
  mkdirSync(dirname(lock), { recursive: true });
  const deadline = Date.now() + 15 * 60_000;
  let told = false;
  for (;;) {
    try {
      writeFileSync(lock, String(process.pid), { flag: 'wx' });
      break;
    } catch (error) {
      if (error.code !== 'EEXIST') throw error;
      if (!isAlive(Number(readOrEmpty(lock))) || Date.now() > deadline) rmSync(lock, { force: true });
      else {
        if (!told) say('Another npm start or npm test is installing or building here; waiting for it.');
        told = true;
        await new Promise((resolve) => setTimeout(resolve, 200));
      }
    }
  }
  const free = () => rmSync(lock, { force: true });
  process.on('exit', free);
  try {
    return await work();
  } finally {
    free();
    process.off('exit', free);
  }
}

function isAlive(pid) {
  // Just created and not yet written: give its owner the benefit of the doubt once more.
  if (!Number.isInteger(pid) || pid <= 0) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}

const readOrEmpty = (file) => (existsSync(file) ? readFileSync(file, 'utf8') : '');

async function installPackages() {
  const stampFile = inRoot('node_modules/.bridge-install');
  const lock = readFileSync(inRoot('package-lock.json'));
  const stamp = createHash('sha256').update(lock).update(`${process.platform}-${process.arch}`).digest('hex');
  if (readOrEmpty(stampFile).trim() === stamp) return;
  // --no-save: the packages of package-lock.json, and never a change to it. (`npm ci` refuses a lock file in which
  // packages for other platforms are missing, and it would delete what is there.)
  await npm(['install', '--no-save', '--no-audit', '--no-fund', '--loglevel=error'], {
    doing: 'Installing packages from npm (the first time this takes a minute or two)',
    done: 'Packages installed',
  });
  writeFileSync(stampFile, `${stamp}\n`);
}

/**
 * npm leaves out platform packages that the lock file does not name, and a lock file written on Linux may not name a
 * Mac's. Their exact versions stand in the packages that want them.
 */
async function installPlatformParts() {
  const machine = { platform: process.platform, arch: process.arch, libc: libc() };
  const missing = packagesWithPlatformParts.flatMap((name) => {
    const file = inRoot('node_modules', name, 'package.json');
    if (!existsSync(file)) return [];
    const wanted = partsForMachine(JSON.parse(readFileSync(file, 'utf8')).optionalDependencies ?? {}, machine);
    const isThere = (part) => {
      const partName = part.slice(0, part.lastIndexOf('@'));
      return (
        existsSync(inRoot('node_modules', partName)) ||
        existsSync(inRoot('node_modules', name, 'node_modules', partName))
      );
    };
    return wanted.filter((part) => !isThere(part));
  });
  if (missing.length === 0) return;
  await npm(['install', '--no-save', '--no-package-lock', '--no-audit', '--no-fund', '--loglevel=error', ...missing], {
    doing: `Installing what only ${machine.platform}-${machine.arch} needs: ${missing.join(', ')}`,
    done: 'Platform packages installed',
  });
}

/** Node's report names the C library it runs on only when that is glibc. */
function libc() {
  if (process.platform !== 'linux') return undefined;
  return process.report?.getReport().header.glibcVersionRuntime ? 'gnu' : 'musl';
}

async function npm(args, { doing, done }) {
  const since = Date.now();
  say(`${doing} …`);
  const heartbeat = setInterval(() => say(`  still at it, ${Math.round((Date.now() - since) / 1000)} s`), 15_000);
  // Run by npm, we use that very npm; else the one on the PATH.
  const script = environment.npm_execpath;
  const isNpm = script !== undefined && /npm-cli\.c?js$/.test(script);
  const cache = npmCacheWhenHomeIsClosed();
  try {
    const code = await run(isNpm ? process.execPath : 'npm', [...(isNpm ? [script] : []), ...args], {
      env: { ...environment, ...(cache ? { npm_config_cache: cache } : {}) },
      // Only what goes wrong is worth reading, and npm says that on standard error.
      quiet: true,
    });
    if (code !== 0) throw new Failure(`npm ${args[0]} failed (see above).`, stopping ? 130 : code);
  } finally {
    clearInterval(heartbeat);
    if (cache) rmSync(cache, { recursive: true, force: true });
  }
  say(`${done} (${seconds(since)}).`);
}

/** npm keeps its cache at home. A home that is missing or closed gets a cache for this once. */
function npmCacheWhenHomeIsClosed() {
  if (environment.npm_config_cache && isWritable(environment.npm_config_cache)) return undefined;
  const home = homedir();
  if (isWritable(join(home, '.npm')) || (!existsSync(join(home, '.npm')) && isWritable(home))) return undefined;
  return mkdtempSync(join(tmpdir(), 'bridge-npm-cache-'));
}

function isWritable(folder) {
  try {
    accessSync(folder, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

/** What `npx` and `npm run` find first. npm 9 leaves it out, and they would run on the machine's own, maybe older Node. */
function linkNode() {
  const parts = [`node-${process.platform}-${process.arch}`, 'bin', 'node'];
  const link = inRoot('node_modules', '.bin', 'node');
  if (existsSync(link) || !existsSync(inRoot('node_modules', ...parts))) return;
  symlinkSync(join('..', ...parts), link);
}

/** This Node if it is recent enough, else the one that npm installed beside the other packages. */
function findNode() {
  if (isRecentNode(process.version)) return process.execPath;
  const installed = inRoot(`node_modules/node-${process.platform}-${process.arch}/bin/node`);
  const { stdout, status } = spawnSync(installed, ['--version'], { encoding: 'utf8', timeout: 20_000 });
  if (status === 0 && isRecentNode(stdout.trim())) return installed;
  throw new Failure(
    `The bridge needs Node ${oldestNode.slice(0, 2).join('.')} or newer; this is ${process.version}, and npm has no newer one for ` +
      `${process.platform}-${process.arch}. Install Node 24 from https://nodejs.org (macOS: brew install node@24) and run this again.`,
  );
}

async function build(node) {
  const since = Date.now();
  const code = await run(node, [inRoot('node_modules/typescript/bin/tsc'), '-b']);
  if (code !== 0) {
    if (command === 'test' && !stopping) {
      say('The build failed, so no test could run; that counts as one failure.\n0 passed, 1 failed');
      throw new Failure('', code);
    }
    throw new Failure('The build failed (see above).', code);
  }
  if (Date.now() - since > 2_000 || command === 'build') say(`Built (${seconds(since)}).`);
}

async function test(node) {
  const reports = mkdtempSync(join(tmpdir(), 'bridge-test-report-'));
  process.on('exit', () => rmSync(reports, { recursive: true, force: true }));
  const reportFile = join(reports, 'report.json');
  const jest = inRoot('node_modules/jest/bin/jest.js');
  // The cache belongs to the project folder, not to the machine's temporary one.
  const options = ['--json', `--outputFile=${reportFile}`, `--cacheDirectory=${inRoot('node_modules/.cache/jest')}`];
  // With --json jest prints the report on standard output as well; what people read goes to standard error.
  const code = await run(node, [jest, ...options, ...rest], { quiet: true });
  let report;
  try {
    report = JSON.parse(readFileSync(reportFile, 'utf8'));
  } catch {
    report = undefined;
  }
  const { line, exitCode, remark } = verdict(report, code);
  say('');
  if (remark) say(remark);
  say(`${seconds(startedAt)} in all.`);
  say(line);
  return exitCode;
}

/** Runs a program in the project folder to its end and gives its exit code. `quiet` drops its standard output. */
function run(file, args, { env = environment, quiet = false, ipc = false } = {}) {
  const path = [
    inRoot('node_modules/.bin'),
    file === 'npm' ? dirname(process.execPath) : dirname(file),
    env.PATH ?? '',
  ];
  child = spawn(file, args, {
    cwd: root,
    env: { ...env, PATH: path.join(delimiter) },
    // The channel tells the demo when this process was killed outright and can forward nothing any more.
    stdio: ['inherit', quiet ? 'ignore' : 'inherit', 'inherit', ...(ipc ? ['ipc'] : [])],
  });
  return new Promise((resolve, reject) => {
    child.once('error', (error) =>
      reject(
        new Failure(
          error.code === 'ENOENT' ? `${file} was not found. Please install it (Node brings npm along).` : String(error),
        ),
      ),
    );
    child.once('exit', (code, signal) => resolve(exitCodeOf(code, signal, osConstants.signals)));
  });
}

// The child decides how to stop; this process lives as long as it does and ends with its code.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.on(signal, () => {
    stopping = true;
    if (child) child.kill(signal);
    else process.exit(exitCodeOf(null, signal, osConstants.signals));
  });
}

// npm runs us through a shell that does not pass signals on: a killed npm shows only in a new parent.
if (environment.npm_lifecycle_event) {
  const parent = process.ppid;
  setInterval(() => {
    if (process.ppid !== parent && !stopping) process.kill(process.pid, 'SIGTERM');
  }, 500).unref();
}

main().then(
  (code) => {
    process.exitCode = code;
  },
  (error) => {
    if (error.message) process.stderr.write(`${error instanceof Failure ? error.message : error.stack}\n`);
    process.exitCode = error.exitCode ?? 1;
  },
);
