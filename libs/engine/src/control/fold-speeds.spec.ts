/** Speeds are told of regions that were seen behind, as fast as they folded then. */
import { expect, test } from '@jest/globals';
import type { RegionName, ShardName } from '@lockstep/protocol';
import type { LedgerFeed } from '../gateway/ledger-feed.js';
import { FoldSpeeds } from './fold-speeds.js';

const SHARD = 'orders/0' as ShardName;
const EU = 'eu' as RegionName;

type Place = readonly [number, number, number | null] | null;

/** Looks at each place at its time: [ms, sequence, lag]; null is no watermark. */
function speedAfter(places: readonly Place[]): number | null {
  let told: object | null = null;
  const speeds = new FoldSpeeds({ watermark: () => told } as unknown as LedgerFeed);
  let nowMs = 0;
  for (const place of places) {
    if (place === null) told = null;
    else {
      const [atMs, sequence, lagRecords] = place;
      nowMs = atMs;
      told = { sequence: BigInt(sequence), lagRecords };
    }
    speeds.look(nowMs, [SHARD], [EU]);
  }
  return speeds.of(SHARD, EU);
}

test.each<[string, readonly Place[], number | null]>([
  [
    'a region that was never behind',
    [
      [0, 10, 0],
      [500, 60, 0],
    ],
    null,
  ],
  [
    'one that does not say how far behind it is',
    [
      [0, 10, null],
      [500, 60, 0],
    ],
    null,
  ],
  ['one that has told nothing', [null, null], null],
  [
    'one that catches up',
    [
      [0, 10, 100],
      [500, 60, 50],
    ],
    100,
  ],
  [
    'one that has caught up meanwhile, which could be faster',
    [
      [0, 10, 50],
      [500, 60, 0],
    ],
    100,
  ],
  [
    'one that stands still with something to fold',
    [
      [0, 10, 50],
      [500, 60, 20],
      [1_000, 60, 20],
    ],
    0,
  ],
  [
    'one that goes on resting',
    [
      [0, 10, 50],
      [500, 60, 0],
      [1_000, 60, 0],
    ],
    100,
  ],
  [
    'a spell that is too short to say anything',
    [
      [0, 10, 50],
      [100, 60, 20],
    ],
    null,
  ],
  [
    'a store that went back',
    [
      [0, 60, 50],
      [500, 10, 100],
    ],
    null,
  ],
])('%s', (_, places, speed) => {
  expect(speedAfter(places)).toBe(speed);
});
