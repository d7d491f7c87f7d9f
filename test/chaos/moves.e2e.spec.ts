/**
 * Homes that move by an operator's word while accounts are written through every gateway, on real processes: no write is refused,
 * lost or done twice, whoever is killed or stands still on the way, and a region that was stopped comes back equal (I5, I6,
 * I9, I13, I20). Every decision follows again from the control log (I15). Three brokers, one in each region: the log's leader goes
 * along.
 */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { connect } from 'node:net';
import { kafkaLog } from '@lockstep/kafka';
import { isPortError } from '@lockstep/engine';
import type { Offset, RegionName } from '@lockstep/protocol';
import { eventually, LocalCluster, REGIONS, write } from '../e2e/local-cluster.js';
import { partitionsOf } from '../e2e/topic-partitions.js';
import { AccountWriter } from './account-writer.js';
import { expectAgreement, expectDecisionsReplay } from './agreement.js';
import { decisionsOf, historyOf, metricsOf, moveHome, ownerOf, post, seenBy } from './control-plane.js';
import { loseAndRegain } from './lost-region.js';
import { Operators } from './operators.js';

/** Of twelve moves, those whose log's leader may stay because Kafka did not move it in time. */
const UNPLACED_MAX = 3;
/** Of four moves of a log's leader, those in which readers may find none for so long that they begin anew. */
const LEADERLESS_MAX = 2;

let cluster: LocalCluster;
let operators: Operators;

beforeAll(async () => {
  cluster = await LocalCluster.startAttended(['--brokers', '3']);
  operators = new Operators(cluster);
}, 180_000);

afterAll(async () => {
  await cluster?.stop();
}, 60_000);

interface Attempt {
  readonly epoch: number;
  readonly shardEpoch: number;
  readonly outcome: { readonly verdict: string } | null;
}

test('a shard goes round all regions under load, asked of any coordinator: every write is answered, once', async () => {
  const writer = await AccountWriter.open(cluster, {
    name: 'round',
    ack: 'quorum',
    inFlight: 6,
    timeoutMs: 30_000,
    homes: ['eu'],
    pauseMs: 5,
  });
  await eventually(
    () => seenBy(cluster, 'ap'),
    ({ leader }) => leader !== null,
  );
  writer.start();
  const rounds = ['us', 'ap', 'eu', 'ap', 'us', 'eu'] as const;
  const unplaced: string[] = [];
  for (const [index, to] of rounds.entries()) {
    for (const [partition, shard] of ['accounts/0', 'accounts/1'].entries()) {
      const { detail, epoch } = await moveHome(cluster, rounds[(index + 1) % rounds.length]!, { shard, to });
      expect(epoch).toBe(index + 2);
      const broker = REGIONS.indexOf(to) + 1;
      const leads = `${to} is home; broker ${broker} in ${to} leads its log`;
      if (!detail.startsWith(leads)) {
        // The log goes on wherever its leader is.
        expect(detail).toMatch(
          new RegExp(
            `^${to} is home; (the leader of its log stays|where the leader of its log is, is not known): log-`,
          ),
        );
        unplaced.push(detail);
        continue;
      }
      await eventually(
        async () => (await partitionsOf(cluster, 'lockstep.accounts'))[partition]!,
        ({ leader, replicas }) => leader === broker && replicas[0] === broker && replicas.length === 3,
      );
    }
  }
  expect(unplaced.length).toBeLessThanOrEqual(UNPLACED_MAX);
  await writer.stop();
  expect(Object.keys(writer.statuses())).toEqual(['200']);
  expect(writer.told.length).toBeGreaterThan(100);
  await writer.expectEffectsOnce();
  await expectAgreement(cluster);
}, 240_000);

test('what those moves cost was said before, and is told by every coordinator, in words and as metrics', async () => {
  const scores = await eventually(
    async () => (await historyOf(cluster, 'ap')).scores.filter(({ outcome }) => outcome === 'done'),
    (done) => done.length >= 12,
  );
  for (const { predicted, real, score } of scores) {
    expect(predicted).toMatchObject({ entriesLost: 0 });
    expect(real.gapMs).toBeGreaterThan(0);
    expect({ real, score }).toMatchObject({ real: { entriesLost: 0 }, score: { lossCovered: true } });
  }
  // The first had none to go by.
  const errors = scores.flatMap(({ score }) => score.gapErrorMs ?? []);
  expect(errors.length).toBeGreaterThanOrEqual(10);
  const middle = errors.map(Math.abs).sort((x, y) => x - y)[errors.length >> 1];
  expect(middle).toBeLessThan(1_000);
  for (const region of REGIONS) {
    const metrics = await metricsOf(cluster, region);
    const of = (name: string): RegExp => new RegExp(`^${name}\\{.*shard="accounts/0".*\\} [0-9.]+$`, 'm');
    expect(metrics).toMatch(of('lockstep_failover_gap_seconds'));
    expect(metrics).toMatch(of('lockstep_failover_at_risk_entries'));
    expect(metrics).toMatch(/^lockstep_failover_lost_entries\{.*shard="accounts\/0".*\} 0$/m);
  }
  const words = await cluster.lockstep(['decisions', 'accounts/0', '--region', 'us']);
  // One that was cancelled is among them too.
  for (const said of [
    /said before: nothing is lost; /g,
    /came: nothing is lost; nobody took writes for \d+ ms/g,
  ])
    expect((words.match(said) ?? []).length).toBeGreaterThanOrEqual(6);
}, 90_000);

test("readers go on at each broker that leads next, and not where it has another leader's record before", async () => {
  const topic = 'readers-of-leaders';
  /** Fetches name the epoch of the record before their offset, 21 bytes before their end: then this one, which is over. */
  let epochNamed: number | null = null;
  const log = kafkaLog({
    brokers: [...cluster.file.kafka.brokers],
    clientId: 'reader',
    socketFactory: ({ host, port }) => {
      const socket = connect(port, host);
      const write = socket.write.bind(socket) as (bytes: Buffer, ...rest: unknown[]) => boolean;
      socket.write = (bytes: unknown, ...rest: unknown[]) => {
        const isFetch = Buffer.isBuffer(bytes) && bytes.readInt16BE(4) === 1;
        if (isFetch && epochNamed !== null) bytes.writeInt32BE(epochNamed, bytes.length - 21);
        return write(bytes as Buffer, ...rest);
      };
      return socket;
    },
  });
  try {
    const description = {
      topic,
      partitions: 1,
      replicationFactor: 3,
      minInsyncReplicas: 2,
      compression: 'none',
      retentionMs: 86_400_000,
      replicas: [[1, 2, 3]],
    } as const;
    await eventually(
      () => log.admin.ensure(description),
      (findings) => findings.length === 0,
    );
    let reader = await log.openReader(topic);
    const writer = await log.openWriter();
    const read: (string | null)[] = [];
    const header = Uint8Array.of(1);
    let next = 0n as Offset;
    const fetchNext = async (): Promise<void> => {
      const positions = [{ partition: 0, offset: next }];
      const [answer] = await reader.fetch({ positions, waitMsMax: 5_000, bytesMax: 1_000_000 });
      read.push(...answer!.records.map(({ valueText }) => valueText));
      next = answer!.nextOffset;
    };
    const leaderless = new Set<number>();
    const fetchNextIn = (round: number): Promise<void> =>
      fetchNext().catch(async (error: unknown) => {
        if (!isPortError(error) || error.disposition !== 'retryable' || error.code === 'log-diverged')
          throw error;
        leaderless.add(round);
        await reader.close();
        reader = await log.openReader(topic);
      });
    const regions = ['us', 'ap', 'eu', 'us'] as const;
    for (const [index, region] of regions.entries()) {
      // Under way at the broker that leads no more.
      const waiting = fetchNextIn(index);
      await eventually(
        () => log.admin.placeLeader(topic, 0, region as RegionName),
        ({ kind }) => kind === 'placed',
      );
      const records = [{ key: 'eu:a', value: `${index}`, header, traceparent: null }];
      // The leader before may take it and lead no more when it is to answer: whether it stands is unknown then.
      await eventually(
        () => writer.append({ topic, partition: 0, records, timeoutMs: 5_000 }).catch(() => null),
        (appended) => appended !== null,
      );
      await waiting;
      while (!read.includes(`${index}`)) await fetchNextIn(index);
    }
    expect(leaderless.size).toBeLessThanOrEqual(LEADERLESS_MAX);
    expect([...new Set(read)]).toEqual(['0', '1', '2', '3']);
    epochNamed = 0;
    await expect(fetchNext()).rejects.toMatchObject({ code: 'log-diverged', disposition: 'retryable' });
  } finally {
    await log.close();
  }
}, 240_000);

test('a leader that is killed right after it decided leaves a move that another one ends', async () => {
  for (const to of ['us', 'eu'] as const) {
    const { leader, term } = await operators.leader('us');
    const { epoch } = await ownerOf(cluster, 'accounts/0', 'ap');
    const asked = post(cluster, leader, '/v1/shards/accounts/0/switchover', { to, timeoutMs: 20_000 }).catch(
      () => null,
    );
    const observer = (['ap', 'us', 'eu'] as const).find((region) => region !== leader)!;
    await eventually(
      () => decisionsOf(cluster, observer, 'accounts/0'),
      ([newest]) => newest?.epoch === epoch + 1,
    );
    await cluster.lockstep(['local', 'kill', leader, 'coordinator']);
    await asked;
    const [ended] = await eventually(
      () => decisionsOf(cluster, observer, 'accounts/0'),
      ([newest]) => newest!.outcome !== null,
    );
    const { outcome } = ended!;
    expect(outcome).toMatch(/^(done|cancelled)$/);
    await eventually(
      () => operators.leader(observer),
      (seen) => seen.term !== term,
    );
    await eventually(
      () => ownerOf(cluster, 'accounts/0', 'ap'),
      (owner) =>
        outcome === 'done' ? owner.home === to && owner.epoch === epoch + 1 : owner.epoch === epoch,
    );
    // The next round asks every coordinator.
    await operators.leader(leader);
  }
}, 240_000);

test('a home that stands still with writes under way is fenced; its callers and all others get one answer', async () => {
  const { home: from } = await ownerOf(cluster, 'accounts/0', 'us');
  const to = (['us', 'ap', 'eu'] as const).find((region) => region !== from)!;
  const writer = await AccountWriter.open(cluster, {
    name: 'still',
    ack: 'quorum',
    inFlight: 8,
    timeoutMs: 60_000,
    homes: ['eu'],
  });
  writer.start();
  await eventually(
    () => Promise.resolve(writer.told.length),
    (answered) => answered > 50,
  );
  await cluster.lockstep(['local', 'pause', from, 'gateway']);
  await operators.leader(to);
  for (const shard of ['accounts/0', 'accounts/1'])
    await moveHome(cluster, to, { move: 'failover', shard, to });
  // All of the writer's calls may wait at the gateway that stands still.
  const events = [{ key: 'eu:beside', type: 'opened', data: { owner: 'Ada', currency: 'EUR' } }];
  expect(await write(cluster, to, 'accounts', { events, timeoutMs: 60_000 })).toMatchObject({ status: 200 });
  await cluster.lockstep(['local', 'continue', from, 'gateway']);
  const { length } = writer.told;
  await eventually(
    () => Promise.resolve(writer.told.length),
    (now) => now > length + 50,
  );
  await writer.stop();
  expect(Object.keys(writer.statuses())).toEqual(['200']);
  await writer.expectEffectsOnce();
  await expectAgreement(cluster);
  // What came too late is kept alike in every region, each with the epoch that it came too late for.
  const kept = await Promise.all(
    REGIONS.map(async (region) => {
      const printed = await cluster.lockstep(['quarantine', 'accounts', '--json', '--region', region]);
      return (JSON.parse(printed) as { attempts: readonly Attempt[] }).attempts;
    }),
  );
  expect(kept[1]).toEqual(kept[0]);
  expect(kept[2]).toEqual(kept[0]);
  for (const { epoch, outcome, shardEpoch } of kept[0]!) {
    expect(epoch).toBeLessThan(shardEpoch);
    // Its gateway asked the next home under the same key.
    expect(outcome).toMatchObject({ verdict: 'accepted' });
  }
}, 240_000);

test('a region that is stopped is evacuated without it, comes back equal, and takes its shards again', async () => {
  await post(cluster, 'us', '/v1/regions/us/evacuate', { timeoutMs: 60_000 });
  for (const shard of ['accounts/0', 'accounts/1']) {
    if ((await ownerOf(cluster, shard, 'us')).home !== 'eu')
      await moveHome(cluster, 'us', { shard, to: 'eu' });
  }
  const said = ['--failover', '--reason', 'eu is stopped', '--yes'];
  await loseAndRegain(cluster, 'eu', {
    evacuate: (asked) => cluster.lockstep(['evacuate', 'eu', ...said, '--region', asked]),
    trial: 0,
  });
}, 300_000);

test('every decision of all that is judged again from the log, and none differs', async () => {
  // Two shards in six rounds, then the others.
  expect(await expectDecisionsReplay(cluster)).toBeGreaterThan(12);
}, 30_000);
