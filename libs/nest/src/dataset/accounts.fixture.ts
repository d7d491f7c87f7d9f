/** The types of the sample's accounts, a world to write them to, and a handle on it. */
import { join } from 'node:path';
import type { Datasets } from '@lockstep/testing/sample';
import { LockstepClient } from './lockstep-client.js';
import { Dataset } from './dataset.js';
import { readLockstepConfiguration, type LockstepOptions } from '../module/lockstep-configuration.js';
import { MemoryWorld } from '../testing/memory-world.js';
import { nodeClock, nodeIdentities } from '../world/node-world.js';
import type { DatasetPort } from './dataset-port.js';
import { refuse, type Decider } from './decision.js';

export type Accounts = Datasets['accounts'];
type AccountKey = Accounts['key'];

export const opened = (key: AccountKey = 'eu:ada'): Accounts['event'] => ({
  key,
  type: 'opened',
  data: { owner: 'Ada', currency: 'EUR' },
});
export const credited = (amount: number, key: AccountKey = 'eu:ada'): Accounts['event'] => ({
  key,
  type: 'credited',
  data: { amount },
});
export const debited = (amount: number, key: AccountKey = 'eu:ada'): Accounts['event'] => ({
  key,
  type: 'debited',
  data: { amount },
});

export const withdraw =
  (amount: number): Decider<Accounts> =>
  ({ key, row }) =>
    (row?.balance ?? 0) < amount
      ? refuse(`${row?.balance ?? 0} is less than ${amount}`)
      : [debited(amount, key)];

export const openSample = (): Promise<MemoryWorld> =>
  MemoryWorld.open(join(import.meta.dirname, '../../../../infra/catalogue/sample'));

export function accountsOn(
  port: DatasetPort,
  options: Omit<LockstepOptions, 'gateway'> = {},
): Dataset<Accounts> {
  const configuration = readLockstepConfiguration({ ...options, gateway: 'http://in.memory' });
  const world = { clock: nodeClock(), identities: nodeIdentities() };
  return new Dataset<Accounts>('accounts', new LockstepClient(port, configuration, world));
}
