/**
 * A region whose roles and database are all stopped: its shards are moved away by an operator's word while its accounts are
 * written through the others, and go back when it is there again, equal.
 */
import { expect } from '@jest/globals';
import { eventually, REGIONS, type LocalCluster, type Region } from '../e2e/local-cluster.js';
import { AccountWriter } from './account-writer.js';
import { expectAgreement } from './agreement.js';
import { evacuationsOf, ownerOf, post, seenBy } from './control-plane.js';

export interface Failover {
  /** From the command until writes of all shards of the accounts were accepted under their next homes. */
  readonly acceptedMs: number;
  /** From the command until every shard of the region was told as moved. */
  readonly movedMs: number;
}

export async function loseAndRegain(
  cluster: LocalCluster,
  region: Region,
  {
    evacuate,
    trial,
  }: {
    /** Asks one of the others to move everything away, and waits until it has. */
    readonly evacuate: (asked: Region) => Promise<unknown>;
    /** Makes the names of its accounts. */
    readonly trial: number;
  },
): Promise<Failover> {
  const others = REGIONS.filter((one) => one !== region);
  const writer = await AccountWriter.open(cluster, {
    name: `lost-${trial}`,
    ack: 'accepted',
    inFlight: 6,
    timeoutMs: 10_000,
    homes: [region],
    via: others,
    pauseMs: 20,
  });
  writer.start();
  await eventually(
    () => Promise.resolve(new Set(writer.told.map(({ account }) => account)).size),
    (written) => written === writer.accounts.length,
  );
  const shards = new Set(writer.told.map(({ answer }) => answer.body.shard as string));
  const epochs = new Map<string, number>();
  for (const shard of shards) epochs.set(shard, (await ownerOf(cluster, shard, others[0]!)).epoch);
  await cluster.lockstep(['local', 'stop', region]);
  await eventually(
    () => Promise.all(others.map((one) => seenBy(cluster, one))),
    ([one, other]) => one!.leader !== null && one!.leader !== region && one!.leader === other!.leader,
  );

  const commandMs = Date.now();
  await evacuate(others[0]!);
  const movedMs = Date.now() - commandMs;
  const moved = (await evacuationsOf(cluster, others[0]!)).at(-1)!.shards;
  for (const { outcome, shard } of moved) expect({ shard, outcome }).toEqual({ shard, outcome: 'done' });
  expect(moved.map(({ shard }) => shard)).toEqual(expect.arrayContaining([...shards]));
  const acceptedMs = await Promise.all(
    [...epochs].map(async ([shard, epoch]) => {
      const first = await eventually(
        () =>
          Promise.resolve(
            writer.told.find(
              ({ answer: { body, status } }) => status === 200 && body.shard === shard && body.epoch > epoch,
            ),
          ),
        (told) => told !== undefined,
      );
      return first!.answeredMs - commandMs;
    }),
  );
  await writer.stop();

  await cluster.lockstep(['local', 'start', region]);
  await expectAgreement(cluster, 60_000);
  writer.expectHonestAnswers();
  await writer.expectEffectsOnce();
  for (const { shard } of moved) {
    const back = await eventually(
      () => post(cluster, others[0]!, `/v1/shards/${shard}/switchover`, { to: region, timeoutMs: 20_000 }),
      ({ status }) => status === 200,
      30_000,
    );
    expect(back.body).toMatchObject({ outcome: 'done', to: region });
  }
  return { acceptedMs: Math.max(...acceptedMs), movedMs };
}
