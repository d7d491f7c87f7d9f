/**
 * The whole path on real Kafka, real Postgres and separate processes: the sample catalogue through all three gateways,
 * one trace per write, keys that answer the same everywhere (I8, I10), and regions that end equal (I11).
 */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { OtlpSink } from './otlp-sink.js';
import { expectFailoverTrace, expectWriteTrace, isWholeMove, WRITE_SPANS } from './trace-shape.js';
import {
  call,
  eventually,
  LocalCluster,
  REGIONS,
  write,
  type Answered,
  type Region,
} from './local-cluster.js';

let cluster: LocalCluster;
let sink: OtlpSink;

beforeAll(async () => {
  sink = await OtlpSink.open();
  cluster = await LocalCluster.startAttended(['--otlp', sink.url]);
}, 180_000);

afterAll(async () => {
  await cluster?.stop();
  await sink?.close();
}, 60_000);

const opened = (key: string): object => ({
  events: [{ key, type: 'opened', data: { owner: 'Ada', currency: 'EUR' } }],
  ack: 'everywhere',
});
const credited = (key: string, amount: number, expectedVersion?: number): object => ({
  events: [
    {
      key,
      type: 'credited',
      data: { amount },
      ...(expectedVersion === undefined ? {} : { expectedVersion }),
    },
  ],
});
const debited = (key: string, amount: number): object => ({
  events: [{ key, type: 'debited', data: { amount } }],
});

const rowOf = (region: Region, dataset: string, key: string): Promise<Answered> =>
  call(`${cluster.gateway(region)}/v1/datasets/${dataset}/rows/${encodeURIComponent(key)}`);

/** The same rows by SQL in all three databases. */
async function expectEqualRows(table: string): Promise<readonly Record<string, unknown>[]> {
  const read = (region: Region): Promise<readonly Record<string, unknown>[]> =>
    cluster.sql(region, `select * from ${table} order by id`);
  const rows = await eventually(
    () => Promise.all(REGIONS.map(read)),
    ([eu, us, ap]) => JSON.stringify(us) === JSON.stringify(eu) && JSON.stringify(ap) === JSON.stringify(eu),
  );
  return rows[0]!;
}

describe.each(REGIONS)('through the gateway in %s', (region) => {
  test.each(REGIONS)(
    'accounts of %s: opened, credited, debited, an overdraft refused, a stale version refused',
    async (home) => {
      const key = `${home}:via-${region}`;
      const first = await write(cluster, region, 'accounts', opened(key));
      expect(first).toMatchObject({
        status: 200,
        body: {
          outcome: 'accepted',
          stage: 'everywhere',
          dataset: 'accounts',
          epoch: 1,
          versions: { [key]: first.body.sequence },
        },
      });
      expect(first.body.stages.quorum.regions.length).toBeGreaterThanOrEqual(2);
      for (const there of REGIONS) {
        expect(await rowOf(there, 'accounts', key)).toMatchObject({
          status: 200,
          body: { row: { owner: 'Ada', balance: 0 } },
        });
      }
      expect((await write(cluster, region, 'accounts', opened(key))).body).toMatchObject({
        code: 'guard',
        status: 409,
      });
      expect((await write(cluster, region, 'accounts', credited(key, 70, first.body.sequence))).status).toBe(
        200,
      );
      const conflict = await write(cluster, region, 'accounts', credited(key, 5, first.body.sequence));
      expect(conflict).toMatchObject({ status: 409, body: { code: 'version-conflict' } });
      expect(conflict.headers.get('content-type')).toContain('application/problem+json');
      expect((await write(cluster, region, 'accounts', debited(key, 71))).body).toMatchObject({
        code: 'guard',
      });
      const last = await write(cluster, region, 'accounts', { ...debited(key, 20), ack: 'everywhere' });
      expect(last).toMatchObject({ status: 200, body: { stage: 'everywhere' } });
      const [row] = await cluster.sql(
        region,
        'select balance, lockstep_version from accounts where id = $1',
        [key],
      );
      expect(row).toEqual({ balance: '50', lockstep_version: String(last.body.sequence) });
    },
  );

  test('an order through its life', async () => {
    const key = `us:order-${region}`;
    const steps = [
      { type: 'placed', data: { customer: 'Grace', total: 1_250 } },
      { type: 'paid', data: {} },
      { type: 'shipped', data: { carrier: 'Post' } },
    ];
    for (const step of steps) {
      const answer = await write(cluster, region, 'orders', {
        events: [{ key, ...step }],
        ack: 'everywhere',
      });
      expect(answer).toMatchObject({ status: 200, body: { outcome: 'accepted' } });
    }
    const [row] = await cluster.sql('ap', 'select * from orders where id = $1', [key]);
    expect(row).toMatchObject({
      customer: 'Grace',
      total: '1250',
      status: 'shipped',
      carrier: 'Post',
      reason: null,
    });
  });

  test('readings in entries of 100', async () => {
    const events = Array.from({ length: 100 }, (_, i) => ({
      key: `ap:${region}/${i}`,
      type: 'recorded',
      data: { sensor: `s${i}`, value: i / 8, at: '2026-11-21T08:56:38.250001Z' },
    }));
    const answer = await write(cluster, region, 'readings', { events, ack: 'everywhere' });
    expect(answer).toMatchObject({ status: 200, body: { stage: 'everywhere' } });
    const rows = await cluster.sql(
      'eu',
      `select value, at at time zone 'UTC' as at from readings where id like $1`,
      [`ap:${region}/%`],
    );
    expect(rows.length).toBe(100);
  });
});

test('rows are equal in three databases, and hashes at equal sequence', async () => {
  for (const table of ['accounts', 'orders', 'readings']) {
    expect((await expectEqualRows(table)).length).toBeGreaterThan(0);
  }
  const shards = await eventually(
    () => call(`${cluster.gateway('eu')}/v1/shards`),
    ({ body }) =>
      (body.shards as { regions: Record<string, { sequence: number }> }[]).every(
        ({ regions }) => new Set(Object.values(regions).map((one) => one?.sequence)).size === 1,
      ),
  );
  for (const { regions } of shards.body.shards as {
    regions: Record<string, { inputHash: string; effectsHash: string }>;
  }[]) {
    expect(new Set(Object.values(regions).map((one) => one.inputHash + one.effectsHash)).size).toBe(1);
  }
});

test('a client that asks where writes are taken needs no forwarding', async () => {
  const shards = (await call(`${cluster.gateway('us')}/v1/status?dataset=accounts`)).body.shards as {
    shard: string;
    home: Region;
    gateway: string;
    writes: string;
  }[];
  expect(new Set(shards.map(({ home }) => home))).toEqual(new Set(REGIONS));
  for (const { gateway, home, shard, writes } of shards) {
    expect(gateway).toBe(cluster.gateway(home));
    expect(writes).toBe(home === 'us' ? 'here' : 'forwarded');
    const key = `${home}:direct-${shard.replace('/', '-')}-${Date.now()}`;
    const written = await call(`${gateway}/v1/datasets/accounts/entries`, {
      method: 'POST',
      headers: { 'Lockstep-Forward': 'never' },
      body: JSON.stringify(opened(key)),
    });
    expect(written.status).toBe(200);
  }
});

describe('idempotency keys', () => {
  test('the same key at once through three gateways: one effect, one answer; another payload is refused', async () => {
    const key = `eu:once-${Date.now()}`;
    await write(cluster, 'eu', 'accounts', opened(key));
    const body = { ...credited(key, 9), ack: 'everywhere' };
    const answers = await Promise.all(
      REGIONS.map((region) => write(cluster, region, 'accounts', body, `once-${key}`)),
    );
    expect(answers.map((answer) => answer.status)).toEqual([200, 200, 200]);
    expect(new Set(answers.map((answer) => answer.body.sequence)).size).toBe(1);
    expect(answers.filter((answer) => answer.headers.get('idempotent-replayed') === 'true').length).toBe(2);
    expect((await rowOf('ap', 'accounts', key)).body.row.balance).toBe(9);
    const reused = await write(cluster, 'us', 'accounts', credited(key, 10), `once-${key}`);
    expect(reused).toMatchObject({ status: 422, body: { code: 'key-reused' } });
  });

  test('a receipt asked again through another region is the same', async () => {
    const key = `ap:receipt-${Date.now()}`;
    const first = await write(cluster, 'ap', 'accounts', opened(key), `receipt-${key}`);
    const again = await call(
      `${cluster.gateway('us')}/v1/datasets/accounts/receipts/${encodeURIComponent(`receipt-${key}`)}?wait=everywhere`,
    );
    expect(again.status).toBe(200);
    for (const part of ['id', 'shard', 'sequence', 'epoch', 'outcome', 'stage', 'versions', 'token']) {
      expect(again.body[part]).toEqual(first.body[part]);
    }
  });

  test('a rejection is a receipt when asked again, and the same key answers with it', async () => {
    const key = `eu:missing-${Date.now()}`;
    const refused = await write(cluster, 'us', 'accounts', debited(key, 1), `refused-${key}`);
    expect(refused).toMatchObject({
      status: 409,
      body: { code: 'guard', receipt: { outcome: 'rejected', code: 'guard' } },
    });
    const again = await call(
      `${cluster.gateway('ap')}/v1/datasets/accounts/receipts/${encodeURIComponent(`refused-${key}`)}?wait=accepted`,
    );
    expect(again).toMatchObject({ status: 200, body: { outcome: 'rejected', code: 'guard' } });
    const repeated = await write(cluster, 'eu', 'accounts', debited(key, 1), `refused-${key}`);
    expect(repeated.headers.get('idempotent-replayed')).toBe('true');
  });

  test('unknown becomes definite: after the deadline a key that was never seen is settled, for good', async () => {
    const shard = 'accounts/0';
    const at = `${cluster.gateway('us')}/v1/datasets/accounts/receipts/never-written`;
    expect(await call(at)).toMatchObject({ status: 404, body: { code: 'not-seen' } });
    const settled = await call(`${at}?shard=${encodeURIComponent(shard)}&deadline=${Date.now() - 1}`);
    expect(settled).toMatchObject({ status: 200, body: { outcome: 'rejected', code: 'expired' } });
    const key = await keyOfShard(shard);
    expect(await write(cluster, 'eu', 'accounts', opened(key), 'never-written')).toMatchObject({
      status: 409,
      body: { code: 'expired' },
    });
  });
});

/** A key that lives in the shard: receipts tell where each one went. */
async function keyOfShard(shard: string): Promise<string> {
  for (let i = 0; ; i += 1) {
    const key = `eu:probe-${Date.now()}-${i}`;
    if ((await write(cluster, 'eu', 'accounts', opened(key))).body.shard === shard) return `${key}/other`;
  }
}

describe('reads', () => {
  test('a token makes a write readable in another region; a damaged one is refused', async () => {
    const key = `eu:session-${Date.now()}`;
    const { body } = await write(cluster, 'eu', 'accounts', { ...opened(key), ack: 'accepted' });
    const at = `${cluster.gateway('ap')}/v1/datasets/accounts/rows/${encodeURIComponent(key)}?consistency=session`;
    const read = await call(at, { headers: { 'lockstep-token': body.token as string } });
    expect(read).toMatchObject({ status: 200, body: { key, version: body.sequence } });
    expect(read.headers.get('etag')).toBe(`"${body.sequence}"`);
    expect(read.headers.get('lockstep-position')).toContain(body.shard);
    expect(Number(read.headers.get('age'))).toBeLessThan(10);
    expect((await call(at, { headers: { 'lockstep-token': 'x' } })).body.code).toBe('bad-token');
  });

  test('a strong read in any region sees what was acknowledged before it began', async () => {
    const key = `us:strong-${Date.now()}`;
    const { body } = await write(cluster, 'us', 'accounts', { ...opened(key), ack: 'accepted' });
    const read = await call(
      `${cluster.gateway('ap')}/v1/datasets/accounts/rows/${encodeURIComponent(key)}?consistency=strong`,
    );
    expect(read).toMatchObject({ status: 200, body: { version: body.sequence } });
  });

  test('a batch answers per entry, in order', async () => {
    const key = `eu:batch-${Date.now()}`;
    const entries = [
      { events: [{ key, type: 'opened', data: { owner: 'B', currency: 'EUR' } }] },
      { events: [{ key, type: 'renamed', data: {} }] },
      { events: [{ key, type: 'credited', data: { amount: 3 } }], idempotencyKey: `batch-${key}` },
    ];
    const answer = await call(`${cluster.gateway('us')}/v1/datasets/accounts/entries:batch`, {
      method: 'POST',
      body: JSON.stringify({ entries }),
    });
    expect(answer.status).toBe(207);
    expect(answer.body.entries).toMatchObject([
      { outcome: 'accepted' },
      { code: 'schema' },
      { outcome: 'accepted', id: `batch-${key}` },
    ]);
  });

  test('a gateway that may not forward names the home', async () => {
    const answer = await call(`${cluster.gateway('us')}/v1/datasets/accounts/entries`, {
      method: 'POST',
      headers: { 'lockstep-forward': 'never' },
      body: JSON.stringify(opened('eu:nowhere')),
    });
    expect(answer).toMatchObject({ status: 421, body: { code: 'not-owner' } });
    expect(answer.body.detail).toContain('eu');
  });
});

test('one write is one trace, from the gateway that took it to the read that saw it; each apply links to its batch', async () => {
  const traceId = '4bf92f3577b34da6a3ce929d0e0e4736';
  const root = '00f067aa0ba902b7';
  const headers = { traceparent: `00-${traceId}-${root}-01` };
  const key = `eu:traced-${Date.now()}`;
  const answer = await call(`${cluster.gateway('us')}/v1/datasets/accounts/entries`, {
    method: 'POST',
    headers,
    body: JSON.stringify(opened(key)),
  });
  expect(answer.body.traceId).toBe(traceId);
  const row = `${cluster.gateway('ap')}/v1/datasets/accounts/rows/${encodeURIComponent(key)}`;
  const read = await call(`${row}?consistency=session`, {
    headers: { ...headers, 'lockstep-token': answer.body.token as string },
  });
  expect(read.status).toBe(200);
  const spans = await eventually(
    () => Promise.resolve(sink.spans.filter((span) => span.traceId === traceId)),
    (found) => found.length >= WRITE_SPANS,
  );
  expectWriteTrace(spans, root);
  for (const { links, name } of spans.filter((span) => span.name.startsWith('apply '))) {
    expect({ name, links: links.length }).toEqual({ name, links: 1 });
    expect(links[0]!.traceId).not.toBe(traceId);
  }
});

test('metrics tell lag, verdicts, batch sizes, commit times and stage latencies; health and readiness answer', async () => {
  const { regions } = cluster.file;
  const replicator = await (await fetch(`${regions['eu']!.replicator}/metrics`)).text();
  for (const name of [
    'lockstep_lag_records',
    'lockstep_lag_seconds',
    'lockstep_verdicts_total',
    'lockstep_batch_events',
    'lockstep_batch_commit_seconds',
  ]) {
    expect(replicator).toContain(name);
  }
  expect(await (await fetch(`${regions['eu']!.gateway}/metrics`)).text()).toContain(
    'lockstep_write_stage_seconds',
  );
  for (const role of ['gateway', 'replicator', 'coordinator'] as const) {
    for (const path of ['/healthz', '/readyz'])
      await eventually(
        () => call(`${regions['ap']![role]}${path}`),
        ({ status }) => status === 200,
      );
  }
  await eventually(
    () => call(`${regions['ap']!.coordinator}/v1/cluster`),
    ({ body }) =>
      body.regions.map((one: { stream: string }) => one.stream).join() === 'connected,connected,connected',
  );
});

test('a failover is one trace: every stage with term, epoch and evidence, and its fence in every region', async () => {
  const path = '/v1/shards/readings/0/failover';
  const answer = await call(`${cluster.file.regions['ap']!.coordinator}${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ to: 'us', reason: 'a test', timeoutMs: 20_000 }),
  });
  expect({ status: answer.status, body: answer.body }).toMatchObject({
    status: 200,
    body: { outcome: 'done' },
  });
  const move = await eventually(
    () => Promise.resolve(sink.spans.find(({ name }) => name === 'failover readings')),
    (found) => found !== undefined,
  );
  const spans = await eventually(
    () => Promise.resolve(sink.spans.filter(({ traceId }) => traceId === move!.traceId)),
    (found) => isWholeMove(found, REGIONS),
  );
  expectFailoverTrace(spans, { appliedIn: REGIONS, before: [] });
});
