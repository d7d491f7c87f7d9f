/**
 * Every place in which a leader can stand still between its decision and its fence, until another term has ended the move or until
 * a pause of the shard was confirmed (I5, I14). Two of them for every change: ownership-faults.e2e.spec.ts.
 */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { Log } from '@lockstep/engine';
import { kafkaLog } from '@lockstep/kafka';
import type { LocalCluster } from '../e2e/local-cluster.js';
import { expectAgreement, expectDecisionsReplay } from './agreement.js';
import { startFailing } from './failpoints.js';
import { ENTRIES } from './move-crashes.js';
import { StoppedLeader, type Stop } from './stopped-leader.js';

let cluster: LocalCluster;
let log: Log;

beforeAll(async () => {
  cluster = await startFailing();
  log = kafkaLog({ brokers: cluster.file.kafka.brokers, clientId: 'reader' });
}, 180_000);

afterAll(async () => {
  await log?.close();
  await cluster?.stop();
}, 60_000);

const STOPS: readonly Stop[] = (['switchover', 'failover'] as const).flatMap((kind) =>
  ENTRIES[kind]
    .slice(0, ENTRIES[kind].indexOf('fence') + 1)
    .flatMap((entry) => [
      { kind, entry, moment: 'before' as const },
      { kind, entry, moment: 'after' as const },
    ])
    // Before the decision there is none; behind it the answer of its fence is the last thing to wait for.
    .slice(1)
    .flatMap((stop) => [
      { ...stop, until: 'another-term' as const },
      { ...stop, until: 'pause-confirmed' as const },
    ]),
);

test.each(STOPS)(
  'a leader of a $kind that stands still $moment "$entry" until $until changes nothing when it goes on',
  async (stop) => {
    await new StoppedLeader(cluster, log).expectNoEffect(stop);
    await expectAgreement(cluster);
  },
  180_000,
);

test('every decision of all that is judged again from the log, and none differs', async () => {
  expect(await expectDecisionsReplay(cluster)).toBeGreaterThanOrEqual(STOPS.length);
}, 30_000);
