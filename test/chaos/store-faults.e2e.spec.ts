/**
 * A region's store that is not what its replicator takes it for: a table that refuses what the fold gives it, for a
 * while, and a database that somebody restored from an older copy. A halt does not outlive its cause (I20), and a store
 * that went back has another life and no vote until it has proved itself (I12).
 */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { kafkaLog } from '@lockstep/kafka';
import { offset, readRecordedWatermark, WATERMARK_TOPIC } from '@lockstep/protocol';
import { execFileSync } from 'node:child_process';
import { readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import { call, eventually, LocalCluster, write, type Answered, type Region } from '../e2e/local-cluster.js';
import { cursorOf, expectAgreement } from './agreement.js';
import { ownReplicator } from './replicator-process.js';

let cluster: LocalCluster;
/** Of each shard of the group, the beginning of keys that belong there. */
const beginnings = new Map<string, string>();

beforeAll(async () => {
  cluster = await LocalCluster.startAttended();
  for (let i = 0; beginnings.size < 2; i += 1) {
    const { body } = await order(`us:a${i}`);
    beginnings.set(body.shard as string, `us:a${i}`);
  }
}, 180_000);

afterAll(() => cluster?.stop(), 60_000);

/** Its key is its idempotency key too. */
const order = (key: string, ack = 'everywhere'): Promise<Answered> =>
  write(
    cluster,
    'us',
    'orders',
    { events: [{ key, type: 'placed', data: { customer: key, total: 1 } }], ack, timeoutMs: 20_000 },
    key,
  );

interface SeenShard {
  readonly sequence: number;
  readonly storeIncarnation: string;
  readonly halted: { readonly code: string } | null;
  readonly withheld: { readonly code: string } | null;
}

/** What the gateway in `us` has heard of the shard in a region; null while it has heard nothing, or is down. */
const seenIn = async (region: Region, shard: string): Promise<SeenShard | null> =>
  call(`${cluster.gateway('us')}/v1/shards/${shard}`).then(
    ({ body }) => body.regions[region] as SeenShard | null,
    () => null,
  );

/** A transaction that nobody ends before we do. */
async function strangersTransaction(statement: string): Promise<() => Promise<void>> {
  const client = new pg.Client({ connectionString: cluster.file.regions['ap']!.postgres });
  client.on('error', () => undefined);
  await client.connect();
  await client.query('begin');
  await client.query(statement);
  return async () => {
    await client.query('rollback');
    await client.end();
  };
}

/** Resolves when the slow copy tells that `ap` has the sequence. */
async function untilRecorded(shard: string, sequence: number): Promise<void> {
  const log = kafkaLog({ brokers: cluster.file.kafka.brokers, clientId: 'store-faults' });
  const reader = await log.openReader(WATERMARK_TOPIC);
  try {
    let next = offset(0n);
    let recorded = 0;
    await eventually(
      async () => {
        const [part] = await reader.fetch({
          positions: [{ partition: 0, offset: next }],
          waitMsMax: 200,
          bytesMax: 1024 * 1024,
        });
        next = part!.nextOffset;
        for (const record of part!.records) {
          const told = readRecordedWatermark(record.valueText);
          if (told?.region === 'ap' && told.shard === shard) recorded = Number(told.sequence);
        }
        return recorded;
      },
      (highest) => highest >= sequence,
    );
  } finally {
    await log.close();
  }
}

test('a table that refuses effects stops its shard by name, and the shard goes on by itself when it does not', async () => {
  const replicator = ownReplicator(cluster, 'ap');
  const pid = replicator.pid();
  await cluster.sql('ap', `alter table orders add constraint strange check (customer not like '%/refused')`);
  const [shard, other] = [...beginnings.keys()] as [string, string];
  const refusedKey = `${beginnings.get(shard)}/refused`;
  const refused = await order(refusedKey, 'quorum');
  expect(refused).toMatchObject({
    status: 200,
    body: { shard, stages: { quorum: { regions: ['eu', 'us'] } } },
  });
  const halted = await eventually(
    () => call(`${cluster.gateway('ap')}/v1/shards/${shard}`),
    ({ body }) => body.state === 'halted',
  );
  expect(halted.body.regions.ap.halted).toMatchObject({ code: 'effects-refused' });
  const before = await cursorOf(cluster, 'ap', shard);
  // It is judged again, refused again, and nothing is skipped.
  const refusals = (): Promise<number> =>
    Promise.resolve(
      readFileSync(join(cluster.data, 'logs/ap-postgres.log'), 'utf8').split('check constraint "strange"')
        .length - 1,
    );
  const already = await refusals();
  await eventually(refusals, (count) => count > already);
  expect(await cursorOf(cluster, 'ap', shard)).toEqual(before);
  expect(await seenIn('ap', shard)).toMatchObject({ halted: { code: 'effects-refused' } });
  expect(await seenIn('ap', other)).toMatchObject({ halted: null });
  await cluster.sql('ap', 'alter table orders drop constraint strange');
  await eventually(
    () => call(`${cluster.gateway('ap')}/v1/shards/${shard}`),
    ({ body }) => body.state === 'open',
  );
  expect(await cluster.sql('ap', `select id from orders where id = $1`, [refusedKey])).toHaveLength(1);
  expect(await order(`${beginnings.get(shard)}/after`)).toMatchObject({
    status: 200,
    body: { shard, stage: 'everywhere' },
  });
  expect(replicator.pid()).toBe(pid);
  await eventually(
    () => call(`${replicator.url()}/readyz`),
    ({ status }) => status === 200,
  );
  const lines = replicator.log().filter((line) => line.shard === shard);
  expect(lines.map((line) => line.event)).toEqual(expect.arrayContaining(['shard-halted', 'shard-resumed']));
  await expectAgreement(cluster);
}, 90_000);

test('a database restored from an older copy has another life, and no vote until it has proved itself', async () => {
  const replicator = ownReplicator(cluster, 'ap');
  const pid = replicator.pid();
  const [{ data_directory: folder }] = (await cluster.sql('ap', 'show data_directory')) as [
    { data_directory: string },
  ];
  const [shard, tampered] = [...beginnings.keys()] as [string, string];
  const first = await order(`${beginnings.get(shard)}/first`);
  const { sequence } = first.body as { sequence: number };
  const before = await seenIn('ap', shard);

  await cluster.lockstep(['local', 'stop', 'ap', 'postgres']);
  execFileSync('cp', ['-a', folder, `${folder}.copy`]);
  await cluster.lockstep(['local', 'start', 'ap', 'postgres']);
  for (const [each, beginning] of beginnings) {
    const { body } = await order(`${beginning}/later`);
    await untilRecorded(each, body.sequence as number);
  }

  // Its replicator sleeps through the exchange: what it remembers is not what it finds.
  process.kill(pid, 'SIGSTOP');
  let letGo: () => Promise<void>;
  try {
    await cluster.lockstep(['local', 'stop', 'ap', 'postgres']);
    rmSync(folder, { recursive: true });
    renameSync(`${folder}.copy`, folder);
    await cluster.lockstep(['local', 'start', 'ap', 'postgres']);
    // What comes next in the shard is held back, so that what is told before the proof can be seen.
    letGo = await strangersTransaction(
      `insert into orders (id, lockstep_version) values ('${beginnings.get(shard)}/later', 0)`,
    );
    await cluster.sql('ap', `update lockstep.cursor set effects_hash = repeat('1', 32) where shard = $1`, [
      tampered,
    ]);
  } finally {
    process.kill(pid, 'SIGCONT');
  }
  const back = await eventually(
    () => seenIn('ap', shard),
    (seen) => seen!.storeIncarnation !== before!.storeIncarnation,
  );
  expect(back).toMatchObject({ sequence, withheld: { code: 'unverified' }, halted: null });
  expect(replicator.log().some((line) => line.event === 'store-went-back')).toBe(true);

  // It holds the first entry. A gateway that has just begun does not count it now, and knows from what was written down
  // that the entry was everywhere once (I7).
  await cluster.lockstep(['local', 'kill', 'us', 'gateway']);
  const receipt = (): Promise<Answered> =>
    call(
      `${cluster.gateway('us')}/v1/datasets/orders/receipts/${encodeURIComponent(`${beginnings.get(shard)}/first`)}` +
        `?wait=everywhere&timeoutMs=300`,
    );
  await eventually(
    () => seenIn('ap', shard),
    (seen) => seen !== null,
  );
  const uncounted = await eventually(
    receipt,
    ({ body }) => body.stages?.everywhere !== undefined && body.holders?.length === 2,
  );
  expect(await seenIn('ap', shard)).toMatchObject({ sequence, withheld: { code: 'unverified' } });
  expect(uncounted).toMatchObject({
    status: 200,
    body: { sequence, stage: 'everywhere', holders: ['eu', 'us'] },
  });

  await letGo();
  expect(await eventually(receipt, ({ body }) => body.holders?.length === 3)).toMatchObject({
    status: 200,
    body: { sequence, stage: 'everywhere', holders: ['ap', 'eu', 'us'] },
  });
  expect(await seenIn('ap', shard)).toMatchObject({
    withheld: null,
    storeIncarnation: back!.storeIncarnation,
  });
  // Where it finds other hashes than it told before, it stays without a vote.
  const diverged = await eventually(
    () => seenIn('ap', tampered),
    (seen) => seen?.withheld?.code === 'diverged',
  );
  expect(diverged).toMatchObject({ storeIncarnation: back!.storeIncarnation });
  const late = await order(`${beginnings.get(tampered)}/last`, 'quorum');
  expect(late).toMatchObject({ status: 200, body: { stages: { quorum: { regions: ['eu', 'us'] } } } });
  expect(await order(`${beginnings.get(shard)}/last`)).toMatchObject({
    status: 200,
    body: { stage: 'everywhere' },
  });
  expect(replicator.pid()).toBe(pid);
}, 120_000);
