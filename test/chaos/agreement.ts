/**
 * What the databases of all regions must agree on when nothing is under way: cursors with both hashes, sessions,
 * outcomes, late writes, and every row with its version. Read from the stores themselves, not from what a role says of them.
 * And what was decided, which must follow from what was recorded with it.
 */
import { expect } from '@jest/globals';
import { eventually, REGIONS, type LocalCluster, type Region } from '../e2e/local-cluster.js';

const CURSORS = `
  select shard, sequence, log_offset, log_incarnation, epoch, home, input_hash, effects_hash, configuration
  from lockstep.cursor order by shard`;
const CONTENTS = [
  'select * from accounts order by id',
  'select * from orders order by id',
  'select * from readings order by id',
  'select shard, publisher, last, holed from lockstep.session order by shard, publisher',
  'select shard, key, verdict, sequence, epoch from lockstep.outcome order by shard, key',
  'select * from lockstep.quarantine order by shard, sequence',
];

/** Waits until all cursors are equal; then everything that was folded must be. */
export async function expectAgreement(cluster: LocalCluster, withinMs = 60_000): Promise<void> {
  const everywhere = (statement: string): Promise<readonly string[]> =>
    Promise.all(REGIONS.map(async (region) => JSON.stringify(await cluster.sql(region, statement))));
  await eventually(
    () => everywhere(CURSORS),
    (cursors) => new Set(cursors).size === 1,
    withinMs,
  );
  for (const statement of CONTENTS) {
    const [first, ...others] = await everywhere(statement);
    for (const other of others) expect(other).toBe(first);
  }
}

export interface StoredCursor {
  readonly sequence: bigint;
  readonly offset: bigint;
  readonly lease: bigint;
}

export async function cursorOf(cluster: LocalCluster, region: Region, shard: string): Promise<StoredCursor> {
  const [row] = await cluster.sql(
    region,
    'select sequence, log_offset, lease_number from lockstep.cursor where shard = $1',
    [shard],
  );
  return {
    sequence: BigInt(row!['sequence'] as string),
    offset: BigInt(row!['log_offset'] as string),
    lease: BigInt(row!['lease_number'] as string),
  };
}

/** Every decision of the control log is judged again from what was recorded with it: none differs. Answers how many there are. */
export async function expectDecisionsReplay(cluster: LocalCluster): Promise<number> {
  const replayed = await cluster.lockstep(['decisions', 'replay', '--json', '--region', 'us']);
  // What it says of its progress through a long log stands before it.
  const report = JSON.parse(replayed.slice(replayed.indexOf('{'))) as {
    readonly decisions: number;
    readonly compared: number;
  };
  expect(report).toMatchObject({ fromOffset: '0', unfolded: 0, differences: [] });
  expect(report.compared).toBe(report.decisions);
  return report.decisions;
}
