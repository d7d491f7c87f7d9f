/** Services as processes that save orders; one that is killed is started again and goes on. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';

const MAIN = join(import.meta.dirname, 'saving-service.ts');

export class SavingService {
  private child: ChildProcess | null = null;
  private isOver = false;

  /** @param transactions of each writer. */
  constructor(
    private readonly postgres: string,
    private readonly writers: readonly number[],
    private readonly transactions: number,
  ) {}

  /** Resolves when it has saved all; rejects when it ends in another way than by `kill`. */
  async run(): Promise<void> {
    for (;;) {
      this.child = spawn(
        process.execPath,
        [
          '--disable-warning=ExperimentalWarning',
          MAIN,
          this.postgres,
          this.writers.join(','),
          String(this.transactions),
        ],
        { stdio: ['ignore', 'ignore', 'inherit'] },
      );
      const [code, signal] = (await once(this.child, 'exit')) as [number | null, NodeJS.Signals | null];
      if (code === 0 || this.isOver) return;
      if (signal !== 'SIGKILL') throw new Error(`a saving service ended with ${code ?? signal}`);
    }
  }

  kill(): void {
    this.child?.kill('SIGKILL');
  }

  /** Kills it for good, whatever it has saved. */
  end(): void {
    this.isOver = true;
    this.kill();
  }
}
