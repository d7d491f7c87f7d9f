/** Accounts: opened and paid into as they come, emptied by a decision on the row. */
import { Injectable, NotFoundException } from '@nestjs/common';
import { Dataset, InjectDataset, type WriteReceipt } from '@lockstep/nest';
import { withdraw } from './account-decisions.js';
import type { AccountKey, Accounts, AccountToOpen } from './account-input.js';

/** Many may want the same account at once; each has its turn within this time, or is told that it was in vain. */
const CONTENDED_MS_MAX = 30_000;

export interface Account {
  readonly account: string;
  readonly owner: string | null;
  readonly currency: string | null;
  readonly balance: number;
}

@Injectable()
export class AccountsService {
  constructor(@InjectDataset('accounts') private readonly accounts: Dataset<Accounts>) {}

  open({ account, currency, owner }: AccountToOpen): Promise<WriteReceipt> {
    return this.accounts.append({ key: account, type: 'opened', data: { owner, currency } });
  }

  deposit(account: AccountKey, amount: number): Promise<WriteReceipt> {
    return this.accounts.append({ key: account, type: 'credited', data: { amount } });
  }

  async withdraw(account: AccountKey, amount: number): Promise<WriteReceipt> {
    const receipt = await this.accounts.decide(account, withdraw(amount), { timeoutMs: CONTENDED_MS_MAX });
    // This decider refuses or writes.
    return receipt!;
  }

  async read(account: AccountKey): Promise<Account> {
    const { row } = await this.accounts.read(account);
    if (row === null) throw new NotFoundException(`There is no account ${account}.`);
    const { balance, currency, owner } = row;
    return { account, owner, currency, balance: balance ?? 0 };
  }
}
