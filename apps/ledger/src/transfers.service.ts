/**
 * Transfers between accounts of any two shards: taken first, given last, and given back when the other account refuses.
 * Who asked for a transfer brings it to its end by asking again under its key, here or in another region.
 */
import { Injectable } from '@nestjs/common';
import { Dataset, InjectDataset, runSaga, sagaStep, type SagaEnd } from '@lockstep/nest';
import type { Accounts, TransferOrder } from './account-input.js';

@Injectable()
export class TransfersService {
  constructor(@InjectDataset('accounts') private readonly accounts: Dataset<Accounts>) {}

  transfer(id: string, { amount, from, to }: TransferOrder): Promise<SagaEnd> {
    const data = { amount };
    return runSaga(id, [
      sagaStep(
        'debit',
        this.accounts,
        { key: from, type: 'debited', data },
        { key: from, type: 'credited', data },
      ),
      sagaStep('credit', this.accounts, { key: to, type: 'credited', data }),
    ]);
  }
}
