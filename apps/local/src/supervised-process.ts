/**
 * One process that shall run: started, watched, started again one second after it died, unless it was told to stay down.
 *
 * The child is the process itself, never a wrapper, and leads its own process group, so that a Ctrl-C of the terminal
 * reaches the supervisor alone. At most one generation lives at a time: the next starts only when the last one has
 * ended and everything it left behind (`beforeStart`) has gone.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { closeLog, logLength, openForAppend } from './bounded-log.js';
import { LocalError } from './local-error.js';
import { endProcess, gone, identityOf, isAlive, signal, type ProcessIdentity } from './process-table.js';

export interface Launch {
  readonly command: string;
  readonly args: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  readonly folder?: string;
  /** The user to run as; none: the caller's. */
  readonly user?: { readonly uid: number; readonly gid: number };
}

export interface ProcessRecipe {
  /** For people and for the record, for example `eu-gateway`. */
  readonly name: string;
  readonly log: string;
  readonly launch: Launch;
  /** Resolves when nothing of an earlier generation is in the way. */
  beforeStart?(): Promise<void>;
  /** One look, cheap: does it serve? `logFrom` is where this generation's lines begin in its log. */
  isReady(identity: ProcessIdentity, logFrom: number): Promise<boolean>;
  /** What a pause stops: the process, and the ones that work for it. */
  group?(identity: ProcessIdentity): readonly ProcessIdentity[];
  /** How it is asked to end, and how long it may take before it is killed. */
  readonly endSignal: NodeJS.Signals;
  readonly endMsMax: number;
}

export type ProcessState =
  | {
      readonly kind: 'running';
      readonly identity: ProcessIdentity;
      readonly logFrom: number;
      readonly paused: boolean;
    }
  /** Died by itself or was killed; will be started again. */
  | { readonly kind: 'restarting'; readonly last: ProcessIdentity | undefined }
  /** Stays down until somebody starts it. */
  | { readonly kind: 'down' };

export interface ProcessEvents {
  /** A generation has begun or ended. */
  changed(): void;
  note(line: string): void;
}

export const RESTART_AFTER_MS = 1_000;
const READY_LOOK_EVERY_MS = 50;

export class SupervisedProcess {
  readonly recipe: ProcessRecipe;
  readonly #events: ProcessEvents;
  #state: ProcessState = { kind: 'down' };
  /** Whether a death is followed by another start. */
  #wanted = false;
  /** The running generation's end, as told by the system. */
  #ended: Promise<void> = Promise.resolve();
  /** Starts wait for each other, so that two orders never make two generations. */
  #starting: Promise<void> | undefined;
  #cancelRestart: AbortController | undefined;

  constructor(recipe: ProcessRecipe, events: ProcessEvents) {
    this.recipe = recipe;
    this.#events = events;
  }

  get state(): ProcessState {
    return this.#state;
  }

  /** The pid to show: the running one, the last one while a restart is due, `null` when it is held down. */
  get pid(): number | null {
    switch (this.#state.kind) {
      case 'running':
        return this.#state.identity.pid;
      case 'restarting':
        return this.#state.last?.pid ?? null;
      case 'down':
        return null;
    }
  }

  get identity(): ProcessIdentity | undefined {
    return this.#state.kind === 'running' ? this.#state.identity : undefined;
  }

  async start(): Promise<void> {
    this.#wanted = true;
    if (this.#state.kind === 'running') return;
    this.#starting ??= this.#begin().finally(() => {
      this.#starting = undefined;
    });
    await this.#starting;
  }

  /** Resolves when it serves; throws `not-ready` after the bound, or at once when it is no longer wanted. */
  async ready(msMax: number): Promise<void> {
    const until = performance.now() + msMax;
    while (!(await this.isReady())) {
      if (!this.#wanted)
        throw new LocalError('interrupted', `${this.recipe.name} was told to end before it was ready.`);
      if (performance.now() > until) {
        throw new LocalError(
          'not-ready',
          `${this.recipe.name} was not ready after ${Math.round(msMax / 1000)} s. Its log: ${this.recipe.log}`,
        );
      }
      await sleep(READY_LOOK_EVERY_MS);
    }
  }

  async isReady(): Promise<boolean> {
    const state = this.#state;
    if (state.kind !== 'running' || state.paused) return false;
    return this.recipe.isReady(state.identity, state.logFrom);
  }

  /** As a crash: SIGKILL. */
  async kill(options: { readonly stayDown: boolean }): Promise<void> {
    const identity = this.#mustRun('killed');
    if (options.stayDown) this.#wanted = false;
    signal(identity, 'SIGKILL');
    await this.#ended;
  }

  pause(): void {
    const identity = this.#mustRun('paused');
    // The parent first, so that it starts no worker that would run on.
    for (const member of [identity, ...this.#workersOf(identity)]) signal(member, 'SIGSTOP');
    this.#setPaused(true);
  }

  continue(): void {
    const identity = this.#mustRun('continued');
    for (const member of [...this.#workersOf(identity), identity]) signal(member, 'SIGCONT');
    this.#setPaused(false);
  }

  /** Ends it and keeps it down; harmless when it is down already. */
  async end(): Promise<void> {
    this.#wanted = false;
    this.#cancelRestart?.abort();
    await this.#starting?.catch(() => undefined);
    const identity = this.identity;
    if (identity === undefined) {
      this.#state = { kind: 'down' };
      return;
    }
    const workers = this.#workersOf(identity);
    for (const worker of workers) signal(worker, 'SIGCONT');
    await endProcess(identity, this.recipe.endSignal, this.recipe.endMsMax);
    await this.#ended;
    await gone(workers, this.recipe.endMsMax);
  }

  async #begin(): Promise<void> {
    this.#cancelRestart?.abort();
    await this.recipe.beforeStart?.();
    if (!this.#wanted) return;
    const { launch, log, name } = this.recipe;
    const descriptor = openForAppend(log);
    const logFrom = logLength(log);
    let child: ChildProcess;
    try {
      child = spawn(launch.command, launch.args, {
        env: { ...launch.environment },
        stdio: ['ignore', descriptor, descriptor],
        detached: true,
        ...(launch.folder === undefined ? {} : { cwd: launch.folder }),
        ...(launch.user ?? {}),
      });
      await spawned(child);
    } catch (error) {
      throw new LocalError('process-failed', `${name} cannot be started: ${(error as Error).message}`);
    } finally {
      closeLog(descriptor);
    }
    // A child that is not reaped yet keeps its entry, so a process that ended at once still has an identity.
    const identity = identityOf(child.pid!) ?? { pid: child.pid!, startTime: 'ended' };
    this.#state = { kind: 'running', identity, logFrom, paused: false };
    this.#ended = new Promise((settle) => {
      const over = (code: number | null, cause: NodeJS.Signals | null) => {
        this.#onEnd(identity, cause ?? `code ${code}`);
        settle();
      };
      if (child.exitCode !== null || child.signalCode !== null) over(child.exitCode, child.signalCode);
      else child.once('exit', over);
    });
    this.#events.changed();
  }

  #onEnd(last: ProcessIdentity, cause: string): void {
    this.#state = this.#wanted ? { kind: 'restarting', last } : { kind: 'down' };
    if (this.#wanted) {
      this.#events.note(
        `${this.recipe.name} (pid ${last.pid}) ended with ${cause}, starting again in ${RESTART_AFTER_MS / 1000} s`,
      );
      void this.#restartSoon();
    }
    this.#events.changed();
  }

  async #restartSoon(): Promise<void> {
    const cancel = new AbortController();
    this.#cancelRestart = cancel;
    try {
      await sleep(RESTART_AFTER_MS, undefined, { signal: cancel.signal });
    } catch {
      return;
    }
    if (!this.#wanted) return;
    try {
      await this.start();
      this.#events.note(`${this.recipe.name} runs again (pid ${this.pid})`);
    } catch (error) {
      this.#events.note((error as Error).message);
      void this.#restartSoon();
    }
  }

  #mustRun(what: string): ProcessIdentity {
    const identity = this.identity;
    if (identity === undefined || !isAlive(identity)) {
      throw new LocalError(
        'not-possible-now',
        `${this.recipe.name} is not running, so it cannot be ${what}.`,
      );
    }
    return identity;
  }

  #workersOf(identity: ProcessIdentity): readonly ProcessIdentity[] {
    return (this.recipe.group?.(identity) ?? []).filter((member) => member.pid !== identity.pid);
  }

  #setPaused(paused: boolean): void {
    if (this.#state.kind === 'running') this.#state = { ...this.#state, paused };
    this.#events.changed();
  }
}

function spawned(child: ChildProcess): Promise<void> {
  return new Promise((settle, fail) => {
    child.once('spawn', settle);
    child.once('error', fail);
  });
}
