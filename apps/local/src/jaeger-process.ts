/**
 * Jaeger beside the cluster: built from `infra/jaeger` when it is first asked for, then a process like the others.
 */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { projectFolder } from './data-folder.js';
import { answersWell } from './http-probe.js';
import { LocalError } from './local-error.js';
import type { JaegerPorts } from './port-plan.js';
import type { ProcessRecipe } from './supervised-process.js';

const END_MS_MAX = 5_000;
const WORDS_MAX = 20_000;

/** Resolves when the binary is there; at once when it was built before. An interrupt ends the build with all its helpers. */
export async function buildJaeger(options: {
  readonly interrupt: AbortSignal;
  say(line: string): void;
}): Promise<void> {
  const { interrupt, say } = options;
  // In a group of its own, because the compiler works through processes of its own.
  const child = spawn(process.execPath, [join(projectFolder, 'apps/local/build-jaeger.mjs')], {
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  const end = (): void => {
    const isGone = child.exitCode !== null || child.signalCode !== null;
    if (child.pid !== undefined && !isGone) process.kill(-child.pid, 'SIGTERM');
  };
  interrupt.addEventListener('abort', end, { once: true });
  let rest = '';
  let words = '';
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) say(line);
  });
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => (words = (words + chunk).slice(-WORDS_MAX)));
  try {
    const code = await new Promise((settle, fail) => {
      child.on('error', fail);
      child.on('close', settle);
      if (interrupt.aborted) end();
    });
    if (interrupt.aborted) throw new LocalError('interrupted', 'The start was interrupted.');
    if (code !== 0) throw new LocalError('process-failed', words.trimEnd());
  } finally {
    interrupt.removeEventListener('abort', end);
  }
}

export function jaegerRecipe(ports: JaegerPorts, log: string): ProcessRecipe {
  return {
    name: 'jaeger',
    log,
    launch: {
      command: join(projectFolder, '.lockstep/jaeger/jaeger'),
      args: ['--config', join(projectFolder, 'infra/jaeger/jaeger.yaml')],
      environment: {
        LOCKSTEP_JAEGER_OTLP: `127.0.0.1:${ports.otlp}`,
        LOCKSTEP_JAEGER_QUERY: `127.0.0.1:${ports.query}`,
      },
    },
    isReady: () => answersWell(ports.query, '/api/services'),
    endSignal: 'SIGTERM',
    endMsMax: END_MS_MAX,
  };
}
