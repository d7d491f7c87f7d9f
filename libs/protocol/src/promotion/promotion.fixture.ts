/** What a leader sees of a shard, for specs: both regions told the same, nothing in the way. */
import { EU, SHARD, US } from '../control/control.fixture.js';
import { epoch, sequence } from '../identity/identity.js';
import type { MoveView } from './decide-move.js';
import type { SeenRegion, SeenShard } from './seen-shard.js';

export type Told = NonNullable<SeenRegion['told']>;

export const TOLD: Told = {
  sequence: sequence(10n),
  epoch: epoch(1n),
  home: EU,
  term: 0n,
  decision: 0n,
  lagRecords: 0,
  halted: null,
  withheld: null,
};

export const seenShard = (eu: Partial<Told> = {}, us: Partial<Told> = eu): SeenShard => ({
  shard: SHARD,
  legal: [EU, US],
  rule: 'majority',
  regions: [
    { region: EU, isConnected: true, differs: false, told: { ...TOLD, ...eu } },
    { region: US, isConnected: true, differs: false, told: { ...TOLD, ...us } },
  ],
});

export const view = (change: Partial<MoveView> = {}): MoveView => ({
  nowMs: 0,
  stageSinceMs: 0,
  actedAtMs: null,
  seen: seenShard(),
  heldSinceMs: null,
  outbox: 'none',
  canary: null,
  leader: null,
  isAutomatic: false,
  openFirst: null,
  ...change,
});
