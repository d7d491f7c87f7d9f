/** `npx lockstep local load` beside a test, until it is stopped; `local check` judges what it heard. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { expect } from '@jest/globals';
import type { LocalCluster } from '../e2e/local-cluster.js';

const COMMAND = join(import.meta.dirname, '../../apps/cli/bin/lockstep.mjs');
/** Whoever stops it late has been forgotten. */
const SECONDS_MAX = 1_800;

export class BackgroundLoad {
  private readonly child: ChildProcess;
  private readonly ended: Promise<unknown>;

  constructor(
    private readonly cluster: LocalCluster,
    { clients, rate }: { readonly clients: number; readonly rate: number },
  ) {
    const options = ['--seconds', SECONDS_MAX, '--rate', rate, '--clients', clients, '--data', cluster.data];
    this.child = spawn(process.execPath, [COMMAND, 'local', 'load', ...options.map(String)], {
      stdio: 'ignore',
    });
    this.ended = once(this.child, 'exit');
  }

  async stop(): Promise<void> {
    if (this.child.exitCode === null && this.child.signalCode === null) this.child.kill('SIGINT');
    await this.ended;
  }

  /** Stops it; then what it was told must be what the folded log and every database say. */
  async expectTold(): Promise<void> {
    expect(this.child.exitCode).toBeNull();
    await this.stop();
    expect(this.child.exitCode).toBe(0);
    // With a finding it ends with 1, which is refused with everything that it printed.
    expect(await this.cluster.lockstep(['local', 'check'])).toMatch('Nothing was found.');
  }
}
