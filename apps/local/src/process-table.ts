/**
 * What /proc knows about processes. A pid alone names nothing for long, so a process is (pid, start time), and only a
 * process that still has its recorded start time is ever signalled.
 */
import { readFileSync, readdirSync, readlinkSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';

export interface ProcessIdentity {
  readonly pid: number;
  /** Field 22 of /proc/<pid>/stat: clock ticks since boot. */
  readonly startTime: string;
}

export function identityOf(pid: number): ProcessIdentity | undefined {
  const fields = statFields(pid);
  const startTime = fields?.[19];
  return startTime === undefined ? undefined : { pid, startTime };
}

/** A zombie has ended; it only waits for its parent to ask. */
export function isAlive(identity: ProcessIdentity): boolean {
  const fields = statFields(identity.pid);
  return fields !== undefined && fields[19] === identity.startTime && fields[0] !== 'Z' && fields[0] !== 'X';
}

/** @returns whether the signal was sent. */
export function signal(identity: ProcessIdentity, name: NodeJS.Signals): boolean {
  if (!isAlive(identity)) return false;
  try {
    process.kill(identity.pid, name);
    return true;
  } catch {
    return false;
  }
}

/** Processes whose working folder is this one: every process of a Postgres server, whoever its parent is by now. */
export function processesIn(folder: string): readonly ProcessIdentity[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((name) => workingFolder(name) === folder)
    .map((name) => identityOf(Number(name)))
    .filter((identity) => identity !== undefined && isAlive(identity)) as ProcessIdentity[];
}

/** Asks with one signal, waits, insists with SIGKILL; a stopped process is woken, else it could not answer. */
export async function endProcess(
  identity: ProcessIdentity,
  ask: NodeJS.Signals,
  waitMsMax: number,
): Promise<void> {
  signal(identity, ask);
  signal(identity, 'SIGCONT');
  if (await gone([identity], waitMsMax)) return;
  signal(identity, 'SIGKILL');
  await gone([identity], KILL_WAIT_MS_MAX);
}

/** Waits for processes that are no children of ours, so there is no event to wait for. */
export async function gone(identities: readonly ProcessIdentity[], waitMsMax: number): Promise<boolean> {
  const until = performance.now() + waitMsMax;
  while (identities.some(isAlive)) {
    if (performance.now() > until) return false;
    await sleep(20);
  }
  return true;
}

export async function readIdentities(
  path: string,
): Promise<readonly (ProcessIdentity & { readonly name: string })[]> {
  try {
    return JSON.parse(await readFile(path, 'utf8')) as (ProcessIdentity & { name: string })[];
  } catch {
    return [];
  }
}

const KILL_WAIT_MS_MAX = 5_000;

/** Fields from the third on; the second is the command in brackets and may itself hold spaces and brackets. */
function statFields(pid: number): readonly string[] | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return text.slice(text.lastIndexOf(')') + 2).split(' ');
  } catch {
    return undefined;
  }
}

function workingFolder(pid: string): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/cwd`);
  } catch {
    return undefined;
  }
}
