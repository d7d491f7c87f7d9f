import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { identityOf, isAlive } from './process-table.js';
import { RESTART_AFTER_MS, SupervisedProcess } from './supervised-process.js';

let folder: string;
let started: SupervisedProcess[] = [];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'lockstep-process-'));
});
afterEach(async () => {
  await Promise.all(started.map((process) => process.end()));
  started = [];
  rmSync(folder, { recursive: true, force: true });
});

/** A shell script as a process, and the changes that it goes through. */
function supervise(
  script: string,
  options: { readonly beforeStart?: () => Promise<void>; readonly endMsMax?: number } = {},
) {
  let wake: () => void = () => undefined;
  const notes: string[] = [];
  const process = new SupervisedProcess(
    {
      name: 'worker',
      log: join(folder, 'worker.log'),
      launch: { command: 'sh', args: ['-c', script], environment: { PATH: '/usr/bin:/bin' } },
      isReady: () => Promise.resolve(true),
      endSignal: 'SIGTERM',
      endMsMax: options.endMsMax ?? 5_000,
      ...(options.beforeStart === undefined ? {} : { beforeStart: options.beforeStart }),
    },
    { changed: () => wake(), note: (line) => notes.push(line) },
  );
  started.push(process);
  const until = async (holds: () => boolean) => {
    while (!holds()) await new Promise<void>((settle) => (wake = settle));
  };
  return { process, notes, until };
}

describe('a supervised process', () => {
  test('that is killed is started again after a second, with another pid', async () => {
    const { process, notes, until } = supervise('exec sleep 60');
    await process.start();
    const first = process.pid;
    const killedMs = performance.now();
    await process.kill({ stayDown: false });
    expect(process.pid).toBe(first);
    await until(() => process.state.kind === 'running');
    expect(performance.now() - killedMs).toBeGreaterThanOrEqual(RESTART_AFTER_MS - 5);
    expect(process.pid).not.toBe(first);
    expect(notes[0]).toContain('SIGKILL');
  });

  test('that is killed to stay down stays down until it is started', async () => {
    const { process, until } = supervise('exec sleep 60');
    await process.start();
    await process.kill({ stayDown: true });
    expect(process.state.kind).toBe('down');
    expect(process.pid).toBeNull();
    await expect(process.kill({ stayDown: false })).rejects.toMatchObject({ code: 'not-possible-now' });
    await process.start();
    await until(() => process.state.kind === 'running');
  });

  test('that ignores its signal is killed after the bound', async () => {
    const { process } = supervise('trap "" TERM; echo armed; while :; do sleep 0.05; done', {
      endMsMax: 200,
    });
    await process.start();
    const { identity } = process;
    while (!readFileSync(process.recipe.log, 'utf8').includes('armed')) await new Promise(setImmediate);
    await process.end();
    expect(isAlive(identity!)).toBe(false);
  });

  test('that is paused can be ended', async () => {
    const { process } = supervise('exec sleep 60');
    await process.start();
    const { identity } = process;
    process.pause();
    expect(await process.isReady()).toBe(false);
    await process.end();
    expect(isAlive(identity!)).toBe(false);
  });

  test('does not start before what its last life left behind is gone', async () => {
    let allow: () => void = () => undefined;
    const gate = new Promise<void>((settle) => (allow = settle));
    const { process } = supervise('exec sleep 60', { beforeStart: () => gate });
    const starting = process.start();
    expect(process.state.kind).toBe('down');
    allow();
    await starting;
    expect(process.state.kind).toBe('running');
  });

  test('is told to end while it waits for its restart, and never comes back', async () => {
    const { process } = supervise('exec sleep 60');
    await process.start();
    await process.kill({ stayDown: false });
    expect(process.state.kind).toBe('restarting');
    await process.end();
    expect(process.state.kind).toBe('down');
  });

  test('is started once by two orders at the same time', async () => {
    const { process } = supervise('echo begun; exec sleep 60');
    await Promise.all([process.start(), process.start()]);
    const log = (): string => readFileSync(process.recipe.log, 'utf8');
    while (!log().includes('begun')) await new Promise(setImmediate);
    await process.end();
    expect(log().match(/begun/g)).toHaveLength(1);
  });
});

test('a process is its pid and its start time: the same pid with another start is not alive', () => {
  const own = identityOf(globalThis.process.pid);
  expect(isAlive(own!)).toBe(true);
  expect(isAlive({ ...own!, startTime: '1' })).toBe(false);
});
