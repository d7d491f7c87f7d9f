/**
 * `npm test`: sets the clone up, then runs the suites one after the other and adds up what they report. The last line is
 * `N passed, N failed` (`, N skipped` when some were); the exit code is 0 only if something ran and nothing failed.
 *
 *   npm test                     all suites
 *   npm test -- libs/protocol    only spec files whose path matches
 *   npm run test:extended        the suites that are too long for every change
 *
 * Free of dependencies and valid on Node 20, because it runs before anything is installed; jest runs on the Node that
 * set-up names. A suite that takes longer than its budget is reported; at three times its budget, an hour at most, it is ended
 * and counts as failed. A suite that leaves processes behind has failed too: every process of a run carries the run's name in
 * its environment or its arguments, by which stragglers are found and ended.
 */
import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { projectFolder, setUp } from '../apps/local/set-up.mjs';

const everyChange = [
  { name: 'unit and property', project: 'unit', budgetSeconds: 120, workers: 2 },
  { name: 'simulation', project: 'simulation', budgetSeconds: 180, workers: 2 },
  // Two processes of its own: beside other specs it takes nearly twice as long.
  { name: 'a thousand seeds', project: 'seeds', budgetSeconds: 180, workers: 1 },
  { name: 'conformance and integration', project: 'integration', budgetSeconds: 180, workers: 2 },
  // One at a time: each starts a whole cluster, and faults are judged by what a loaded machine does not blur.
  { name: 'end-to-end', project: 'end-to-end', budgetSeconds: 600, workers: 1 },
];
const extended = [{ name: 'extended', project: 'extended', budgetSeconds: 2_400, workers: 1 }];
/** What runs longer hangs; a machine that is shared can be half as fast as it was. */
const BUDGETS_MAX = 3;
/** And no suite takes longer: CI gives up after an hour and a half of all, and would tell nothing of what failed. */
const SUITE_SECONDS_MAX = 3_600;

const GRACE_MS = 5_000;
const HEARTBEAT_MS = 30_000;
const runName = `lockstep-test-${randomUUID()}`;
const begunMs = Date.now();

/** The jest that runs now; a signal to this process ends it first. */
let running = null;
let interrupted = null;

const say = (line) => console.log(`[${String(secondsSince(begunMs)).padStart(4)} s] ${line}`);
const secondsSince = (ms) => Math.round((Date.now() - ms) / 1000);
const sleep = (ms) => new Promise((wake) => setTimeout(wake, ms));
const line = ({ passed, failed, skipped }) =>
  `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`;

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.on(signal, () => {
    interrupted = signal;
    if (running !== null) signalGroup(running.pid, 'SIGTERM');
    else process.exit(1);
  });
}

async function main() {
  const args = process.argv.slice(2);
  const unknown = args.find((arg) => arg.startsWith('-') && arg !== '--extended');
  if (unknown !== undefined) {
    console.error(
      `Unknown option ${unknown}. Usage: npm test [-- PATH...], npm run test:extended [-- PATH...]`,
    );
    return 2;
  }
  const patterns = args.filter((arg) => arg !== '--extended');
  const isExtended = args.includes('--extended');

  const { node, java } = await setUp({ log: say });
  const total = { passed: 0, failed: 0, skipped: 0 };
  for (const suite of isExtended ? extended : everyChange) {
    if (interrupted !== null) break;
    const files = await specFiles(node, suite, patterns);
    if (files === 0) {
      say(patterns.length > 0 ? `${suite.name}: no spec file matches` : `0 ${suite.name} suites`);
      continue;
    }
    const result = await runSuite({ node, java, suite, files, patterns });
    for (const key of ['passed', 'failed', 'skipped']) total[key] += result[key];
  }
  if (interrupted !== null) {
    total.failed = Math.max(total.failed, 1);
    say(`interrupted by ${interrupted}`);
  }
  console.log(line(total));
  // Nothing to run is a mistake, except that a repository may hold no extended suite.
  const ranNothing = total.passed === 0 && !(isExtended && patterns.length === 0);
  return total.failed > 0 || ranNothing ? 1 : 0;
}

function jest(node, suite, args, stdio) {
  const flags = ['--experimental-vm-modules', '--disable-warning=ExperimentalWarning'];
  return spawn(
    node,
    [
      ...flags,
      join(projectFolder, 'node_modules/jest/bin/jest.js'),
      '--selectProjects',
      suite.project,
      ...args,
    ],
    { cwd: projectFolder, stdio, detached: true, env: { ...process.env, LOCKSTEP_TEST_RUN: runName } },
  );
}

async function specFiles(node, suite, patterns) {
  const child = jest(
    node,
    suite,
    ['--listTests', '--json', '--passWithNoTests', '--', ...patterns],
    ['ignore', 'pipe', 'pipe'],
  );
  let list = '';
  let complaint = '';
  child.stdout.on('data', (chunk) => (list += chunk));
  child.stderr.on('data', (chunk) => (complaint += chunk));
  const code = await ended(child);
  if (code !== 0)
    throw new Error(`jest could not list the ${suite.name} specs, it ended with ${code}: ${complaint}`);
  return JSON.parse(list).length;
}

async function runSuite({ node, java, suite, files, patterns }) {
  say(`${suite.name}: ${files} spec files, budget ${suite.budgetSeconds} s`);
  const startedMs = Date.now();
  const folder = mkdtempSync(join(tmpdir(), 'lockstep-results-'));
  const resultFile = join(folder, 'results.json');
  process.env.LOCKSTEP_LOCAL_JAVA = java;
  const child = jest(
    node,
    suite,
    ['--json', '--outputFile', resultFile, '--maxWorkers', String(suite.workers), '--', ...patterns],
    // jest prints its report on stderr; stdout would be the same results as JSON.
    ['ignore', 'ignore', 'inherit'],
  );
  running = child;
  const heartbeat = setInterval(
    () => say(`${suite.name}: running for ${secondsSince(startedMs)} s`),
    HEARTBEAT_MS,
  );
  let isOvertime = false;
  const limitSeconds = Math.min(suite.budgetSeconds * BUDGETS_MAX, SUITE_SECONDS_MAX);
  const limit = setTimeout(() => {
    isOvertime = true;
    say(`${suite.name}: ended after ${limitSeconds} s`);
    signalGroup(child.pid, 'SIGKILL');
  }, limitSeconds * 1_000);
  const code = await ended(child);
  clearTimeout(limit);
  clearInterval(heartbeat);
  running = null;

  const result = readResult(resultFile);
  rmSync(folder, { recursive: true, force: true });
  if (isOvertime || (code !== 0 && result.failed === 0)) {
    if (!isOvertime) say(`${suite.name}: jest itself ended with ${code}`);
    result.failed += 1;
  }
  const stragglers = await endStragglers();
  if (stragglers.length > 0) {
    say(`${suite.name}: processes left behind, now ended: ${stragglers.join('; ')}`);
    result.failed += 1;
  }
  const seconds = secondsSince(startedMs);
  const over = seconds > suite.budgetSeconds ? `, OVER its budget of ${suite.budgetSeconds} s` : '';
  say(`${suite.name}: ${line(result)} in ${seconds} s${over}`);
  return result;
}

/** A spec file that could not be run counts as one failure: its tests are not known. */
function readResult(file) {
  if (!existsSync(file)) return { passed: 0, failed: 0, skipped: 0 };
  const report = JSON.parse(readFileSync(file, 'utf8'));
  return {
    passed: report.numPassedTests,
    failed: report.numFailedTests + report.numRuntimeErrorTestSuites,
    skipped: report.numPendingTests + report.numTodoTests,
  };
}

/** Processes that carry this run's name: in the environment, or servers in the path of their data. */
function carriers() {
  if (!existsSync('/proc')) return [];
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .flatMap((pid) => {
      try {
        const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim();
        if (command === '') return []; // A zombie; there is nothing to end.
        const isOurs =
          command.includes(runName) || readFileSync(`/proc/${pid}/environ`, 'utf8').includes(runName);
        return isOurs ? [{ pid: Number(pid), command: command.slice(0, 120) }] : [];
      } catch {
        return []; // It ended, or belongs to someone else.
      }
    });
}

/** Ends what the suite left running, removes its data, and says what it was. */
async function endStragglers() {
  const untilMs = Date.now() + GRACE_MS;
  while (carriers().length > 0 && Date.now() < untilMs) await sleep(100);
  const found = carriers();
  for (const [signal, waitMs] of [
    ['SIGTERM', 15_000],
    ['SIGKILL', 5_000],
  ]) {
    const deadlineMs = Date.now() + waitMs;
    for (const { pid } of carriers()) signalProcess(pid, signal);
    while (carriers().length > 0 && Date.now() < deadlineMs) await sleep(100);
  }
  for (const name of readdirSync(tmpdir()).filter((each) => each.startsWith(runName))) {
    rmSync(join(tmpdir(), name), { recursive: true, force: true });
  }
  return found.map(({ pid, command }) => `${pid} ${command}`);
}

function signalGroup(pid, signal) {
  signalProcess(-pid, signal);
}

function signalProcess(pid, signal) {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if (error.code !== 'ESRCH') throw error;
  }
}

const ended = (child) =>
  new Promise((settle, fail) => {
    child.on('error', fail);
    child.on('close', (code, signal) => settle(code ?? signal));
  });

try {
  process.exitCode = await main();
} catch (error) {
  console.error(error.name === 'SetUpError' ? `\n${error.message}` : error);
  console.log('0 passed, 1 failed');
  process.exitCode = 1;
}
