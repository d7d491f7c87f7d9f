/**
 * What all commands that change something have in common: a reason, which is kept in the log; a question before they act,
 * or --yes where nobody can be asked; and a bounded wait until what they asked for has come about.
 */
import { InvalidArgumentError, Option, type Command } from 'commander';
import { once } from 'node:events';
import { createInterface } from 'node:readline/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { CliError } from './cli-error.js';
import { Unavailable, withAddress, type AddressOptions } from './role-call.js';

export interface ActingOptions extends AddressOptions {
  readonly reason: string;
  readonly yes?: boolean;
}

export interface AwaitingOptions extends ActingOptions {
  /** Seconds. */
  readonly timeout: number;
}

const TIMEOUT_S_DEFAULT = 60;
const TIMEOUT_S_MAX = 3_600;
const POLL_MS = 250;

export function withReason(command: Command): Command {
  return withAddress(command)
    .requiredOption('--reason <text>', 'why; kept in the log')
    .option('--yes', 'act without asking');
}

export interface ActorOption {
  readonly as?: string;
}

/** Whoever asks is named by the call while authentication is off. */
export const withActor = (command: Command): Command =>
  command.option('--as <name>', 'who asks; believed while authentication is off');

export function withTimeout(command: Command): Command {
  return command.addOption(
    new Option('--timeout <seconds>', 'how long to wait until it has come about')
      .default(TIMEOUT_S_DEFAULT)
      .argParser((text) => {
        const seconds = /^\d{1,4}$/.test(text) ? Number(text) : 0;
        if (seconds >= 1 && seconds <= TIMEOUT_S_MAX) return seconds;
        throw new InvalidArgumentError(`Expected whole seconds from 1 to ${TIMEOUT_S_MAX}.`);
      }),
  );
}

/** Returns when it may be done. @param question made only when somebody can be asked. */
export async function confirm(
  { yes }: ActingOptions,
  question: () => string | Promise<string>,
): Promise<void> {
  if (yes === true) return;
  if (!process.stdin.isTTY)
    throw new CliError(2, 'Say --yes: stdin is no terminal, so nobody can be asked whether it is meant.');
  const asked = await question();
  // On stderr: stdout carries the answer only.
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  try {
    const gone = once(terminal, 'close').then(() => '');
    const answer = await Promise.race([terminal.question(`${asked} [y/N] `).catch(() => ''), gone]);
    if (!/^y(es)?$/i.test(answer.trim())) throw new CliError(1, 'Nothing was done.');
  } finally {
    terminal.close();
  }
}

/**
 * Looks again and again until it is over or the time is. @returns what was seen last. A coordinator that is away for a
 * while is asked again; one that is still away at the end is told.
 */
export async function awaitEnd<Seen>(
  { timeout }: AwaitingOptions,
  look: () => Promise<Seen>,
  isOver: (seen: Seen) => boolean,
): Promise<Seen> {
  const untilMs = performance.now() + timeout * 1_000;
  for (;;) {
    const isLast = performance.now() >= untilMs;
    try {
      const seen = await look();
      if (isLast || isOver(seen)) return seen;
    } catch (error) {
      if (isLast || !(error instanceof Unavailable)) throw error;
    }
    await sleep(POLL_MS);
  }
}
