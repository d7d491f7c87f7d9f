/**
 * Every step of a switchover and of a failover, with a crash just before and just after it, of those that carry it out by turns
 * (I5, I13, I19). A few of them for every change: ownership-faults.e2e.spec.ts. With LOCKSTEP_TEST_WHOLE=1 each victim at every step,
 * and evacuations too.
 */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { LocalCluster } from '../e2e/local-cluster.js';
import { attendedOrdersOpenFirst } from '../e2e/sample-catalogue.js';
import { expectAgreement, expectDecisionsReplay } from './agreement.js';
import { BackgroundLoad } from './background-load.js';
import { startFailing } from './failpoints.js';
import { ENTRIES, MoveCrashes, type Crash, type CrashEnd, type Kind, type Victim } from './move-crashes.js';

let cluster: LocalCluster;
let crashes: MoveCrashes;
let load: BackgroundLoad | undefined;

beforeAll(async () => {
  cluster = await startFailing(attendedOrdersOpenFirst);
  crashes = new MoveCrashes(cluster);
}, 180_000);

afterAll(async () => {
  await load?.stop();
  await cluster?.stop();
}, 60_000);

/** The candidate loses its gateway and its replicator by turns. */
const VICTIMS: readonly (readonly Victim[])[] = [
  ['leader', 'candidate-gateway', 'home-gateway'],
  ['leader', 'candidate-replicator', 'home-gateway'],
];
const isWhole = process.env['LOCKSTEP_TEST_WHOLE'] === '1';
const table = (kind: Kind): readonly Crash[] =>
  ENTRIES[kind].flatMap((entry, step) =>
    (['before', 'after'] as const).flatMap((moment, side) =>
      VICTIMS[(step + side) % 2]!.filter((_, turn) => isWhole || turn === (step + side) % 3).map(
        (victim) => ({
          kind,
          entry,
          moment,
          victim,
        }),
      ),
    ),
  );
const KINDS: readonly Kind[] = isWhole
  ? ['switchover', 'failover', 'evacuation']
  : ['switchover', 'failover'];

describe.each(KINDS)('a %s', (kind) => {
  const ends: CrashEnd[] = [];

  beforeAll(() => {
    load = new BackgroundLoad(cluster, { clients: 6, rate: 30 });
  });

  test.each(table(kind))(
    'has one end when the $victim is killed $moment "$entry"',
    async (crash) => {
      ends.push(await crashes.expectOneHome(crash));
    },
    180_000,
  );

  test('is carried through by whoever is left, and what was told while it was disturbed is so', async () => {
    await load!.expectTold();
    await expectAgreement(cluster);
    // A move that ended otherwise is an honest end; if many did, nobody would be carrying them on.
    expect(ends.filter((end) => end === 'done').length).toBeGreaterThanOrEqual(ends.length * 0.8);
    expect(await expectDecisionsReplay(cluster)).toBeGreaterThan(0);
  }, 180_000);
});
