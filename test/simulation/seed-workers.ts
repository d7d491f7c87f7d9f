/** Processes that run seeds, each one at a time. A process that dies takes the run with it: no seed is ever left out. */
import { fork, type ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Profile } from '@lockstep/testing/simulation';
import type { SeedSummary } from './seed-worker.ts';

/** A run leaves much behind that nobody needs after it: with a nursery of this size seeds take a twentieth less. */
const NURSERY_MIB = 64;

const LOAD_SPOILT = pathToFileURL(join(import.meta.dirname, 'planted/load-spoilt.ts')).href;

export class SeedWorkers {
  private readonly idle: ChildProcess[] = [];
  private readonly all: readonly ChildProcess[];
  private readonly waiting: ((worker: ChildProcess) => void)[] = [];

  /** @param planted name of the bug that is planted in them. */
  constructor(count: number, planted: string | null = null) {
    const spoil = planted === null ? [] : ['--import', LOAD_SPOILT];
    this.all = Array.from({ length: count }, () => {
      const worker = fork(join(import.meta.dirname, 'seed-worker.ts'), planted === null ? [] : [planted], {
        execArgv: ['--disable-warning=ExperimentalWarning', `--max-semi-space-size=${NURSERY_MIB}`, ...spoil],
      });
      worker.once('message', () => this.release(worker));
      return worker;
    });
  }

  async run(profile: Profile): Promise<SeedSummary> {
    const worker = this.idle.pop() ?? (await new Promise<ChildProcess>((take) => this.waiting.push(take)));
    const summary = await new Promise<SeedSummary>((resolve, reject) => {
      const died = (code: number | null): void =>
        reject(new Error(`seed ${profile.seed}: its process ended with ${code}`));
      worker.once('exit', died);
      worker.once('message', (result) => {
        worker.off('exit', died);
        resolve(result as SeedSummary);
      });
      worker.send(profile);
    });
    this.release(worker);
    return summary;
  }

  close(): void {
    for (const worker of this.all) if (worker.connected) worker.disconnect();
  }

  private release(worker: ChildProcess): void {
    const take = this.waiting.shift();
    if (take === undefined) this.idle.push(worker);
    else take(worker);
  }
}
