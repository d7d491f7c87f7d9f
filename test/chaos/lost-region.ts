/**
 * A region whose roles and database are all stopped: its shards are moved away by an operator's word while its accounts are
 * written through the others, and go back when it is there again, equal.
 */
import { eventually, REGIONS, type LocalCluster, type Region } from '../e2e/local-cluster.js';
import { AccountWriter } from './account-writer.js';
import { expectAgreement } from './agreement.js';
import { evacuationsOf, moveHome, ownerOf, seenBy } from './control-plane.js';

const EVACUATED_MS_MAX = 120_000;

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

  const known = new Set((await evacuationsOf(cluster, others[0]!)).map(({ evacuation }) => evacuation));
  const commandMs = Date.now();
  // What was refused or cancelled is asked for again, whatever the command made of it.
  const moved = await eventually(
    async () => {
      await evacuate(others[0]!).catch(() => null);
      const evacuations = await evacuationsOf(cluster, others[0]!);
      const asked = evacuations
        .filter(({ evacuation }) => !known.has(evacuation))
        .flatMap((one) => one.shards);
      return [...new Set(asked.filter(({ outcome }) => outcome === 'done').map(({ shard }) => shard))];
    },
    (done) => [...shards].every((shard) => done.includes(shard)),
    EVACUATED_MS_MAX,
  );
  const movedMs = Date.now() - commandMs;
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
  for (const shard of moved) await moveHome(cluster, others[0]!, { shard, to: region });
  return { acceptedMs: Math.max(...acceptedMs), movedMs };
}
