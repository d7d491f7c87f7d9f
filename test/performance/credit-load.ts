/**
 * Callers who credit accounts, each the next one a moment after the answer, whatever the answer was; and whether the balances
 * are what they were told.
 */
import { setTimeout as pause } from 'node:timers/promises';

const CALLERS = 4;
const PAUSE_MS = 20;
/** Who is told to go away does not come back at once. */
const REFUSED_PAUSE_MS = 50;

/** Unknown: it may have been done. */
export type Credited = 'accepted' | 'refused' | 'unknown';

export interface Bank {
  readonly accounts: readonly string[];
  credit(account: string): Promise<Credited>;
  /** In each database. */
  balances(): Promise<readonly ReadonlyMap<string, number>[]>;
}

export class CreditLoad {
  readonly #bank: Bank;
  readonly #told = new Map<string, Record<Credited, number>>();
  readonly #running: Promise<unknown>;
  #isOver = false;

  constructor(bank: Bank) {
    this.#bank = bank;
    for (const account of bank.accounts) this.#told.set(account, { accepted: 0, refused: 0, unknown: 0 });
    this.#running = Promise.all(Array.from({ length: CALLERS }, (_, caller) => this.#call(caller)));
  }

  count(answer: Credited): number {
    return [...this.#told.values()].reduce((sum, told) => sum + told[answer], 0);
  }

  async stop(): Promise<void> {
    this.#isOver = true;
    await this.#running;
  }

  /** Accounts that hold less than was accepted, more than that and all that is unknown, or not the same in every database. */
  async wrong(): Promise<readonly string[]> {
    const databases = await this.#bank.balances();
    return [...this.#told].flatMap(([account, { accepted, unknown }]) => {
      const balances = databases.map((balanceOf) => balanceOf.get(account) ?? Number.NaN);
      const isRight = balances.every(
        (balance) => balance === balances[0] && balance >= accepted && balance <= accepted + unknown,
      );
      return isRight ? [] : [`${account}: ${balances.join(', ')}, told ${accepted} and ${unknown} unknown`];
    });
  }

  async #call(caller: number): Promise<void> {
    const { accounts } = this.#bank;
    for (let count = caller; !this.#isOver; count += 1) {
      const account = accounts[(count * 7) % accounts.length]!;
      const answer = await this.#bank.credit(account);
      this.#told.get(account)![answer] += 1;
      await pause(answer === 'refused' ? REFUSED_PAUSE_MS : PAUSE_MS);
    }
  }
}
