/**
 * The process behind `npm start` and `npm run stop`.
 *
 * In the foreground this process is the supervisor. With --detach it starts itself once more without a terminal, shows
 * that one's progress until it is ready, and goes. Everything inherited beyond the standard streams is closed first, so
 * that nothing started here holds a caller's pipe or lock.
 */
import { fork } from 'node:child_process';
import { appendFileSync, closeSync, existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { addressLines } from './cluster-file.js';
import { askStatus } from './control.js';
import { dataFolder, defaultDataFolder, type DataFolder } from './data-folder.js';
import { isLocalError } from './local-error.js';
import { parseRequest, type Request } from './options.js';
import { runCluster, stopCluster } from './run-cluster.js';

type ChildMessage =
  { readonly kind: 'line'; readonly line: string } | { readonly kind: 'done'; readonly exitCode: number };

const begunMs = Number(process.env['LOCKSTEP_LOCAL_BEGUN_MS'] ?? Date.now());
const isDetachedChild = process.env['LOCKSTEP_LOCAL_DETACHED'] === 'yes';

closeInherited();
// A reader that went away must not end the cluster.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined);
await main();

async function main(): Promise<void> {
  try {
    const args = process.argv.slice(2);
    const request = parseRequest(args, process.env['INIT_CWD'] ?? process.cwd());
    const data = dataFolder(request.data ?? defaultDataFolder);
    if (request.action === 'stop') await stopCluster(data, show);
    else if (request.detach && !isDetachedChild) process.exitCode = await startDetached(args, data);
    else await superviseHere(request);
  } catch (error) {
    fail(error);
  }
}

async function superviseHere(request: Request): Promise<void> {
  const interrupt = new AbortController();
  process.on('uncaughtException', (error) => {
    noteDefect(request, error);
    process.exitCode = 1;
    interrupt.abort();
  });
  // A second signal changes nothing: the end is bounded already.
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(name, () => interrupt.abort());
  const exitCode = await runCluster({
    data: dataFolder(request.data ?? defaultDataFolder),
    request,
    java: process.env['LOCKSTEP_LOCAL_JAVA'] ?? 'java',
    interrupt: interrupt.signal,
    say,
    show,
    ready: () => tell({ kind: 'done', exitCode: 0 }),
  });
  tell({ kind: 'done', exitCode });
  process.exitCode ||= exitCode;
  if (process.connected) process.disconnect();
}

function startDetached(args: readonly string[], data: DataFolder): Promise<number> {
  const child = fork(fileURLToPath(import.meta.url), args, {
    detached: true,
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    env: { ...process.env, LOCKSTEP_LOCAL_DETACHED: 'yes', LOCKSTEP_LOCAL_BEGUN_MS: String(begunMs) },
  });
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(name, () => child.kill('SIGTERM'));
  return new Promise((settle) => {
    child.on('message', (message: ChildMessage) => {
      if (message.kind === 'line') console.log(message.line);
      else {
        child.off('disconnect', onLost);
        child.disconnect();
        child.unref();
        settle(message.exitCode);
      }
    });
    // The channel can break while the supervisor lives; its socket still knows how it stands.
    const onLost = (): void => {
      child.unref();
      void awaitRunning(data).then(settle);
    };
    child.on('disconnect', onLost);
    child.on('exit', (code) => settle(code ?? 1));
  });
}

/** Until the supervisor runs (0) or is gone (1); it bounds its start itself. */
async function awaitRunning(data: DataFolder): Promise<number> {
  for (;;) {
    try {
      const { state, cluster } = await askStatus(data);
      if (state === 'running') {
        if (cluster !== null) for (const line of addressLines(cluster)) show(line);
        return 0;
      }
    } catch (error) {
      fail(error);
      return 1;
    }
    await sleep(200);
  }
}

/** A defect of the supervisor itself: written where somebody will look, then everything is ended in order. */
function noteDefect(request: Request, error: Error): void {
  const text = `${new Date().toISOString()} the supervisor failed: ${error.stack ?? String(error)}\n`;
  const { logs } = dataFolder(request.data ?? defaultDataFolder);
  if (existsSync(logs)) appendFileSync(join(logs, 'supervisor.log'), text);
  show(text);
}

/** A line with the seconds since the start. */
function say(line: string): void {
  show(`${((Date.now() - begunMs) / 1000).toFixed(1).padStart(6)} s  ${line}`);
}

function show(line: string): void {
  if (isDetachedChild) tell({ kind: 'line', line });
  else console.log(line);
}

function tell(message: ChildMessage): void {
  // With a callback, a launcher that went away is no error here.
  if (isDetachedChild && process.connected) process.send?.(message, undefined, undefined, () => undefined);
}

function fail(error: unknown): void {
  const known = isLocalError(error);
  const text = known ? error.message : String((error as Error).stack ?? error);
  if (isDetachedChild) show(text);
  else console.error(`\n${text}`);
  process.exitCode = known ? error.exitCode : 1;
  tell({ kind: 'done', exitCode: process.exitCode });
}

/** Node marks its own descriptors close-on-exec; those without the mark came from the caller. */
function closeInherited(): void {
  const CLOSE_ON_EXEC = 0o2000000;
  for (const name of readdirSync('/proc/self/fdinfo')) {
    const descriptor = Number(name);
    if (descriptor <= 2) continue;
    try {
      const flags = /^flags:\s*(\d+)$/m.exec(readFileSync(`/proc/self/fdinfo/${name}`, 'utf8'))?.[1];
      if (flags !== undefined && (parseInt(flags, 8) & CLOSE_ON_EXEC) === 0) closeSync(descriptor);
    } catch {
      // It was the descriptor of this very listing.
    }
  }
}
