/**
 * The local cluster as its users treat it: killed, paused, stopped, continued, started again on kept data, and given
 * another catalogue. Nothing acknowledged is lost, nothing takes effect twice, regions end equal (I4, I8, I11, I20).
 */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ChangeReader } from './change-reader.js';
import { call, eventually, LocalCluster, REGIONS, write, type Answered } from './local-cluster.js';
import { sampleCatalogue } from './sample-catalogue.js';

let cluster: LocalCluster;
let catalogue: string;

beforeAll(async () => {
  catalogue = sampleCatalogue({});
  cluster = await LocalCluster.start(['--catalogue', catalogue]);
}, 180_000);

afterAll(async () => {
  await cluster?.stop();
  rmSync(catalogue, { recursive: true, force: true });
}, 60_000);

const opened = (key: string, ack: string, timeoutMs = 10_000): object => ({
  events: [{ key, type: 'opened', data: { owner: 'Ada', currency: 'EUR' } }],
  ack,
  timeoutMs,
});

const receipt = (answer: Answered, wait: string): Promise<Answered> =>
  call(`${cluster.gateway('us')}${answer.headers.get('location')!}&wait=${wait}&timeoutMs=20000`);

const isAlive = (pid: number): boolean =>
  existsSync(`/proc/${pid}`) && !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));

test('cluster.json has the promised shape, and a second start only prints the addresses', async () => {
  const { file } = cluster;
  const page = `${file.regions['eu']!.coordinator}/console/`;
  expect(file).toMatchObject({ ready: true, console: page, jaeger: null });
  expect(file.kafka.brokers[0]).toMatch(/^127\.0\.0\.1:\d+$/);
  for (const region of REGIONS) {
    const { coordinator, gateway, pids, postgres, replicator } = file.regions[region]!;
    for (const url of [gateway, coordinator, replicator]) expect(url).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
    expect(postgres).toMatch(/^postgres:\/\//);
    for (const pid of Object.values(pids)) expect(isAlive(pid!)).toBe(true);
  }
  expect(await cluster.startScript([])).toContain(file.regions['eu']!.gateway);
});

test('a replicator that is killed is started again and its region catches up', async () => {
  const before = cluster.file.regions['us']!.pids.replicator!;
  await cluster.lockstep(['local', 'kill', 'us', 'replicator']);
  const answer = await write(cluster, 'eu', 'accounts', opened('eu:killed', 'everywhere', 20_000));
  expect(answer).toMatchObject({ status: 200, body: { stage: 'everywhere' } });
  const after = await eventually(
    () => Promise.resolve(cluster.file.regions['us']!.pids.replicator),
    (pid) => pid !== before && pid !== null,
  );
  expect(isAlive(before)).toBe(false);
  expect(isAlive(after!)).toBe(true);
});

test('a reader of changes in us is told every write that eu accepts, also when its gateway is killed and it resumes', async () => {
  const reader = new ChangeReader();
  const accepted = new Map<string, number>();
  const write20 = async (round: string): Promise<void> => {
    const keys = Array.from({ length: 20 }, (_, i) => `${REGIONS[i % 3]}:changes-${round}-${i}`);
    for (const { body } of await Promise.all(
      keys.map((key) => write(cluster, 'eu', 'accounts', opened(key, 'accepted', 20_000))),
    ))
      for (const [key, version] of Object.entries(body.versions as object))
        accepted.set(key, version as number);
  };
  const isTold = (): Promise<unknown> =>
    eventually(
      () => Promise.resolve(reader.has(accepted)),
      (told) => told,
    );
  const before = await reader.open(cluster.gateway('us'), 'accounts');
  await eventually(
    () => Promise.resolve(reader.position),
    (position) => position !== null,
  );
  await write20('before');
  await isTold();
  const writing = write20('while');
  process.kill(cluster.file.regions['us']!.pids.gateway!, 'SIGKILL');
  await Promise.all([before.ended, writing]);
  await eventually(
    () => reader.open(cluster.gateway('us'), 'accounts'),
    () => true,
  );
  await isTold();
  expect(accepted.size).toBe(40);
  expect(reader.wentBack).toEqual([]);
  reader.close();
  expect(await call(`${cluster.gateway('us')}/v1/datasets/accounts/changes?from=garbage`)).toMatchObject({
    status: 400,
    body: { code: 'bad-token' },
  });
}, 120_000);

test('while one region is paused a quorum answers, and everywhere follows when it continues', async () => {
  await cluster.lockstep(['local', 'pause', 'ap', 'replicator']);
  const quorum = await write(cluster, 'ap', 'accounts', opened('us:paused', 'quorum'));
  expect(quorum).toMatchObject({
    status: 200,
    body: { stage: 'quorum', stages: { quorum: { regions: ['eu', 'us'] } } },
  });
  const everywhere = await write(cluster, 'us', 'accounts', opened('us:paused-too', 'everywhere', 8_000));
  expect(everywhere).toMatchObject({ status: 202, body: { outcome: 'accepted', stage: 'quorum' } });
  await cluster.lockstep(['local', 'continue', 'ap', 'replicator']);
  expect(await receipt(everywhere, 'everywhere')).toMatchObject({
    status: 200,
    body: { stage: 'everywhere' },
  });
});

test('a region without its database holds nobody up, stays down until it is started, and catches up alone', async () => {
  await cluster.lockstep(['local', 'stop', 'ap', 'postgres']);
  for (let i = 0; i < 5; i += 1) {
    expect((await write(cluster, 'eu', 'accounts', opened(`eu:without-${i}`, 'quorum'))).status).toBe(200);
  }
  expect(cluster.file.regions['ap']!.pids.postgres).toBeNull();
  await cluster.lockstep(['local', 'start', 'ap', 'postgres']);
  const rows = await eventually(
    () => cluster.sql('ap', `select count(*)::int as count from accounts where id like 'eu:without-%'`),
    ([row]) => row!['count'] === 5,
    30_000,
  );
  expect(rows).toEqual([{ count: 5 }]);
});

test('a broker that is killed in the middle of writes loses none that was acknowledged', async () => {
  const broker = cluster.file.kafka.pids[0]!;
  const writes = Array.from({ length: 30 }, (_, i) =>
    write(cluster, REGIONS[i % 3]!, 'orders', {
      events: [{ key: `us:broker-${i}`, type: 'placed', data: { customer: 'c', total: i } }],
      ack: 'accepted',
      timeoutMs: 30_000,
    }),
  );
  process.kill(broker, 'SIGKILL');
  const answers = await Promise.all(writes);
  const settled = await Promise.all(
    answers.map(async (answer) =>
      answer.status === 202
        ? eventually(
            () => receipt(answer, 'accepted'),
            ({ status }) => status === 200,
            60_000,
          )
        : answer,
    ),
  );
  const acknowledged = settled.flatMap((answer, i) =>
    answer.body.outcome === 'accepted' ? [`us:broker-${i}`] : [],
  );
  expect(acknowledged.length).toBeGreaterThan(0);
  for (const region of REGIONS) {
    const rows = await eventually(
      () => cluster.sql(region, `select id from orders where id = any($1)`, [acknowledged]),
      (found) => found.length === acknowledged.length,
      30_000,
    );
    expect(rows.length).toBe(acknowledged.length);
  }
}, 120_000);

test('another catalogue is a configuration entry: every region switches at the same sequence, on kept data', async () => {
  const schema = join(catalogue, 'schemas/orders/cancelled.v1.json');
  const before = JSON.parse(readFileSync(schema, 'utf8')) as {
    properties: { reason: { maxLength: number } };
  };
  await cluster.startScript(['--stop']);
  before.properties.reason.maxLength = 5;
  writeFileSync(schema, JSON.stringify(before));
  await cluster.startScript(['--detach']);
  const cancel = (reason: string): Promise<Answered> =>
    write(
      cluster,
      'ap',
      'orders',
      { events: [{ key: 'us:broker-0', type: 'cancelled', data: { reason } }], ack: 'everywhere' },
      `cancel-${reason}`,
    );
  expect(await cancel('too long')).toMatchObject({ status: 422, body: { code: 'schema' } });
  expect(await cancel('short')).toMatchObject({ status: 200, body: { stage: 'everywhere' } });
  await eventually(
    () =>
      Promise.all(
        REGIONS.map((region) =>
          cluster.sql(
            region,
            `select sequence, configuration, input_hash, effects_hash from lockstep.cursor where shard = 'orders/2'`,
          ),
        ),
      ),
    (cursors) => new Set(cursors.map((rows) => JSON.stringify(rows))).size === 1,
  );
}, 120_000);

test('a bad catalogue stops the start with file, line and reason, and what runs stays as it is', async () => {
  const broken = sampleCatalogue({});
  const file = join(broken, 'datasets/orders.yaml');
  writeFileSync(file, readFileSync(file, 'utf8').replace(/class: .*/, 'class: hurried'));
  const data = mkdtempSync(join(tmpdir(), `${process.env['LOCKSTEP_TEST_RUN'] ?? 'lockstep-test'}-`));
  await expect(
    cluster.startOther(data, ['--catalogue', broken, '--ports', 'auto', '--detach']),
  ).resolves.toMatch(/datasets\/orders\.yaml:\d+: .*class/);
  rmSync(broken, { recursive: true });
  rmSync(data, { recursive: true });
});

test('stop leaves no process behind', async () => {
  const { kafka, regions } = cluster.file;
  const pids = [...kafka.pids, ...Object.values(regions).flatMap((region) => Object.values(region.pids))];
  await cluster.startScript(['--stop']);
  expect(existsSync(join(cluster.data, 'cluster.json'))).toBe(false);
  expect(pids.filter((pid) => pid !== null && isAlive(pid))).toEqual([]);
});
