/**
 * Answers of Kafka that are lost after the append was carried out. First the whole path: whatever is swallowed, an
 * acknowledged write is in every region, once (I1, I4, I8, I9). Then why broker idempotence is off: the same publisher
 * through the same link loses an acknowledged entry with it and none without it.
 */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import {
  ShardPublisher,
  type Clock,
  type Log,
  type LogWriter,
  type Published,
  type Submission,
} from '@lockstep/engine';
import { kafkaLog } from '@lockstep/kafka';
import { Link, ResponseSwallower, type LinkAddress } from '@lockstep/local';
import {
  decodeHeader,
  epoch,
  offset,
  RECORD_HEADER,
  shardName,
  topicOf,
  type ConfigurationHash,
  type DatasetName,
  type RegionName,
} from '@lockstep/protocol';
import { Chance, World } from '@lockstep/testing';
import { Kafka, logLevel, type Producer } from 'kafkajs';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  eventually,
  LocalCluster,
  REGIONS,
  write,
  type Answered,
  type Region,
} from '../e2e/local-cluster.js';
import { readRecords } from './log-records.js';

const SEED = 20_260;
const ROUNDS = 6;
/** Of the sample's datasets. */
const PARTITIONS = new Map([
  ['accounts', 6],
  ['orders', 6],
  ['readings', 12],
]);

let cluster: LocalCluster;
let log: Log;

beforeAll(async () => {
  cluster = await LocalCluster.startAttended(['--wan', '0']);
  log = kafkaLog({ brokers: cluster.file.kafka.brokers, clientId: 'reader' });
}, 180_000);

afterAll(async () => {
  await log?.close();
  await cluster?.stop();
}, 60_000);

test('an acknowledged write is in all three regions once, however many produce responses are swallowed', async () => {
  const chance = new Chance(SEED);
  const account = (home: Region): string => `${home}:swallowed`;
  for (const home of REGIONS)
    expect(
      await write(cluster, home, 'accounts', {
        events: [{ key: account(home), type: 'opened', data: { owner: 'Ada', currency: 'EUR' } }],
        ack: 'everywhere',
      }),
    ).toMatchObject({ status: 200 });

  const acknowledged: { readonly dataset: string; readonly key: string; readonly answer: Answered }[] = [];
  const ask = async (dataset: string, key: string, event: object): Promise<void> => {
    const answer = await write(cluster, chance.pick(REGIONS), dataset, {
      events: [{ key, ...event }],
      ack: 'accepted',
      timeoutMs: 60_000,
    });
    expect(answer).toMatchObject({ status: 200, body: { outcome: 'accepted' } });
    acknowledged.push({ dataset, key, answer });
  };
  let number = 0;
  const wave = (): Promise<unknown> =>
    Promise.all(
      REGIONS.flatMap((home) => {
        number += 1;
        const at = new Date().toISOString();
        return [
          ask('accounts', account(home), { type: 'credited', data: { amount: 1 } }),
          ask('orders', `${home}:o-${number}`, { type: 'placed', data: { customer: 'c', total: number } }),
          ask('readings', `${home}:r-${number}`, {
            type: 'recorded',
            data: { sensor: 's', value: number, at },
          }),
        ];
      }),
    );
  for (let round = 0; round < ROUNDS; round += 1) {
    const responses = 1 + chance.below(4);
    await cluster.lockstep(['local', 'swallow', REGIONS[round % 3]!, '--responses', String(responses)]);
    for (let i = 0; i < 4; i += 1) await wave();
  }
  const status = JSON.parse(await cluster.lockstep(['local', 'status', '--json'])) as {
    wideArea: { swallowing: readonly { swallowed: number }[] };
  };
  for (const { swallowed } of status.wideArea.swallowing) expect(swallowed).toBeGreaterThan(0);
  for (const region of REGIONS) await cluster.lockstep(['local', 'swallow', region, '--responses', '0']);

  for (const region of REGIONS) {
    for (const dataset of ['orders', 'readings'] as const) {
      const expected = acknowledged
        .filter((one) => one.dataset === dataset)
        .map(({ key, answer }) => ({ id: key, version: String(answer.body.versions[key]) }));
      const rows = await eventually(
        () => cluster.sql(region, `select id, lockstep_version::text as version from ${dataset}`),
        (found) => found.length >= expected.length,
      );
      // A copy that took effect would have moved its row's version on.
      expect(new Map(rows.map(({ id, version }) => [id, version]))).toEqual(
        new Map(expected.map(({ id, version }) => [id, version])),
      );
    }
    // A credit that took effect twice would have been paid twice.
    const balances = await eventually(
      () => cluster.sql(region, 'select id, balance::int as balance from accounts order by id'),
      (found) => found.every(({ balance }) => balance === ROUNDS * 4),
    );
    expect(balances).toHaveLength(REGIONS.length);
  }

  // Every copy in the log met the verdict that removes it; a write may be answered before its last copy is appended.
  const counts = await eventually(
    async () => ({ log: await copies(), regions: await Promise.all(REGIONS.map(duplicates)) }),
    (found) => found.regions.every((region) => JSON.stringify(region) === JSON.stringify(found.log)),
  );
  expect(counts.log.reduce((sum, one) => sum + one)).toBeGreaterThan(0);
}, 300_000);

/** Per dataset, data entries that stand in the log again: copies of a (publisher, number) that stood there before. */
async function copies(): Promise<readonly number[]> {
  const inDataset = async (dataset: string, partitions: number): Promise<number> => {
    const topic = topicOf(dataset as DatasetName);
    const records = await Promise.all(
      Array.from({ length: partitions }, (_, partition) => readRecords(log, topic, partition)),
    );
    const entries = records.flat().flatMap(({ header }) => {
      const decoded = header === null ? null : decodeHeader(header);
      return decoded?.kind === 'data' ? [`${decoded.publisher}:${decoded.number}`] : [];
    });
    return entries.length - new Set(entries).size;
  };
  return Promise.all([...PARTITIONS].map(([dataset, partitions]) => inDataset(dataset, partitions)));
}

/** Per dataset, the entries that a region's fold removed as copies. */
async function duplicates(region: Region): Promise<readonly number[]> {
  const metrics = await (await fetch(`${cluster.file.regions[region]!.replicator}/metrics`)).text();
  const lines = metrics
    .split('\n')
    .filter((line) => line.startsWith('lockstep_verdicts_total{') && line.includes('verdict="duplicate"'));
  return [...PARTITIONS.keys()].map((dataset) =>
    Number(
      lines
        .find((line) => line.includes(`dataset="${dataset}"`))
        ?.split(' ')
        .at(-1) ?? 0,
    ),
  );
}

/** One broker behind a link that swallows on demand. */
async function swallowingLink(): Promise<{
  readonly swallower: ResponseSwallower;
  readonly here: LinkAddress;
  close(): Promise<void>;
}> {
  const [host, port] = cluster.file.kafka.brokers[0]!.split(':') as [string, string];
  const swallower = new ResponseSwallower();
  const link = new Link({ from: 'test', to: 'kafka', delayMs: 0, swallower });
  const here = await link.open({ host: '127.0.0.1', port: 0 }, { host, port: Number(port) });
  return { swallower, here, close: () => link.close() };
}

const clock: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  sleep: (ms) => ({ done: sleep(ms), wake: () => undefined }),
};

/**
 * Publishes numbered entries one after the other; all answers to `lost` are swallowed until its caller has given up.
 * @returns what was told, and what the log holds.
 */
async function publishThroughLosses(
  way: Log,
  dataset: DatasetName,
  swallower: ResponseSwallower,
  lostPatienceMs: number,
): Promise<{ readonly told: ReadonlyMap<string, Published>; readonly held: readonly string[] }> {
  const topic = topicOf(dataset);
  const findings = await log.admin.ensure({
    topic,
    partitions: 1,
    replicationFactor: 1,
    minInsyncReplicas: 1,
    compression: 'none',
    retentionMs: 3_600_000,
    replicas: null,
  });
  expect(findings).toEqual([]);
  const publisher = new ShardPublisher({
    region: 'eu' as RegionName,
    dataset,
    shard: shardName(dataset, 0),
    partition: 0,
    log: way,
    clock,
    identities: new World(SEED).identities(dataset),
    observer: { report: () => undefined },
  });
  const publish = async (value: string, patienceMs: number): Promise<Published> => {
    const submission: Submission = {
      publication: {
        kind: 'data',
        key: 'eu:k',
        value,
        idempotency: null,
        configuration: '0'.repeat(64) as ConfigurationHash,
        epoch: epoch(1n),
      },
      bytes: 100,
      notAfterMs: Date.now() + 120_000,
      giveUpAtMs: clock.monotonicMs() + patienceMs,
      span: null,
    };
    return publisher.submit(submission)!.settled;
  };
  const told = new Map<string, Published>();
  for (const value of ['first', 'lost', 'next', 'last']) {
    if (value === 'lost') swallower.swallowNext(1_000);
    told.set(value, await publish(value, value === 'lost' ? lostPatienceMs : 60_000));
    swallower.swallowNext(0);
  }
  await publisher.close();
  const held = await readRecords(log, topic, 0);
  return { told, held: held.map(({ valueText }) => valueText ?? '') };
}

const missing = (run: Awaited<ReturnType<typeof publishThroughLosses>>): readonly string[] =>
  [...run.told].flatMap(([value, { kind }]) =>
    kind === 'logged' && !run.held.includes(value) ? [value] : [],
  );

test('our own publisher: a lost answer is unknown, its entry stands more than once, and nothing acknowledged is missing', async () => {
  const { close, here, swallower } = await swallowingLink();
  const way = kafkaLog({
    brokers: cluster.file.kafka.brokers,
    clientId: 'ours',
    socketFactory: () => connect(here),
  });
  try {
    const run = await publishThroughLosses(way, 'swallow-ours' as DatasetName, swallower, 5_000);
    expect(swallower.swallowed).toBeGreaterThan(1);
    expect([...run.told].map(([value, { kind }]) => [value, kind])).toEqual([
      ['first', 'logged'],
      ['lost', 'unknown'],
      ['next', 'logged'],
      ['last', 'logged'],
    ]);
    expect(missing(run)).toEqual([]);
    expect(run.held).toEqual(['first', ...Array<string>(swallower.swallowed).fill('lost'), 'next', 'last']);
  } finally {
    await way.close();
    await close();
  }
});

/** As our adapter, but on the client's own producer, one for the process, with its idempotence on. */
class IdempotentWriter implements LogWriter {
  constructor(private readonly producer: Producer) {}

  async append({ topic, partition, records, timeoutMs }: Parameters<LogWriter['append']>[0]) {
    const [answer] = await this.producer.send({
      topic,
      acks: -1,
      timeout: timeoutMs,
      messages: records.map(({ header, key, value }) => ({
        partition,
        key,
        value,
        headers: { [RECORD_HEADER]: Buffer.from(header) },
      })),
    });
    return { baseOffset: offset(BigInt(answer!.baseOffset!)), appendTimeMs: Number(answer!.logAppendTime) };
  }

  async close(): Promise<void> {
    // The producer is shared: closing a writer keeps its id, as in every service that has one producer.
  }
}

test('the client’s idempotent producer: an acknowledged entry is not in the log', async () => {
  const { close, here, swallower } = await swallowingLink();
  const producer = new Kafka({
    brokers: [...cluster.file.kafka.brokers],
    clientId: 'idempotent',
    logLevel: logLevel.NOTHING,
    socketFactory: ({ onConnect }) => connect(here, onConnect),
    retry: { retries: 1, initialRetryTime: 20 },
  }).producer({ idempotent: true, maxInFlightRequests: 1, allowAutoTopicCreation: false });
  await producer.connect();
  const way: Log = { ...log, openWriter: async () => new IdempotentWriter(producer) };
  try {
    const run = await publishThroughLosses(way, 'swallow-idempotent' as DatasetName, swallower, 300);
    // Its own number went to `next`, so the broker took that for a copy and answered with the offset of `lost`.
    expect(run.told.get('lost')).toMatchObject({ kind: 'unknown' });
    expect(run.told.get('next')).toMatchObject({ kind: 'logged', offset: 1n });
    expect(run.held).toEqual(['first', 'lost', 'last']);
    expect(missing(run)).toEqual(['next']);
  } finally {
    await producer.disconnect();
    await close();
  }
});
