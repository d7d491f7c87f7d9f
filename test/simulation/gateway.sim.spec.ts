/**
 * What a gateway answers when attempts go wrong, in a simulated world: unknown is never told as failed (I9), a
 * publisher leaves a session that can accept nothing any more (I8, I20), and a busy gateway takes less (I17).
 */
import { expect, test } from '@jest/globals';
import type { GatewayDataset } from '@lockstep/engine';
import {
  compileConfiguration,
  decodeToken,
  encodeToken,
  type Answer,
  type DatasetName,
  type Hash128,
  type RegionName,
  type Sequence,
  type ShardName,
} from '@lockstep/protocol';
import { SimulatedCluster, World, type SimulatedClusterOptions } from '@lockstep/testing';
import { answeredWithin } from './answered.js';
import { sampleDatasets } from './sample-datasets.js';

const REGIONS = ['eu', 'us', 'ap'] as RegionName[];
const ORDERS = 'orders' as DatasetName;
const datasets = await sampleDatasets();

async function cluster(options: Partial<SimulatedClusterOptions> = {}): Promise<SimulatedCluster> {
  const made = new SimulatedCluster({ world: new World(5), regions: REGIONS, datasets, ...options });
  await made.start();
  return made;
}

const answered = answeredWithin(120_000);

const CALLER = {
  principal: 'anonymous',
  trace: { traceId: '1', spanId: '1', parentSpanId: null, sampled: false },
  forwarded: null,
  neverForward: false,
};

const placed = (key: string): object => ({
  events: [{ key, type: 'placed', data: { customer: 'c', total: 1 } }],
  timeoutMs: 5_000,
});

test('a forward whose answer was lost is unknown, whatever later attempts are told', async () => {
  let forwards = 0;
  const made = await cluster({
    forwardFault: () => {
      forwards += 1;
      return forwards === 1 ? 'answer-lost' : 'refused';
    },
  });
  const answer = await answered(made, made.write('us', 'orders', placed('eu:lost')));
  expect(answer.status).toBe(202);
  expect(JSON.parse(answer.body)).toMatchObject({ outcome: 'unknown' });
  expect(forwards).toBeGreaterThan(1);
  // It stands in the log all the same: asked again, the key answers.
  const { Location } = answer.headers as { Location: string };
  const key = decodeURIComponent(/receipts\/([^?]+)/.exec(Location)![1]!);
  const again = await answered(
    made,
    made.region('ap').gateway.receipt({
      dataset: 'orders',
      idempotencyKey: key,
      query: { wait: 'accepted' },
      caller: CALLER,
    }),
  );
  expect(JSON.parse(again.body)).toMatchObject({ outcome: 'accepted' });
});

test('a forward that certainly was not taken is told as failed, with the time to wait', async () => {
  const made = await cluster({ forwardFault: () => 'refused' });
  const answer = await answered(made, made.write('us', 'orders', placed('eu:refused')));
  expect(answer).toMatchObject({ status: 503, code: 'home-unavailable', headers: { 'Retry-After': '1' } });
});

test('a key whose settling was not answered is still unknown, not told as a write that never was', async () => {
  let unanswered = true;
  const made = await cluster({
    logFaults: {
      append: ({ records }) =>
        unanswered && records.some(({ key }) => key === 'settle') ? 'appended-unanswered' : 'appended',
    },
  });
  const ask = (): Promise<Answer> =>
    made.region('eu').gateway.receipt({
      dataset: 'orders',
      idempotencyKey: 'never written',
      query: { shard: 'orders/0', deadline: String(made.options.world.nowMs() - 1), timeoutMs: '1000' },
      caller: CALLER,
    });
  const open = await answered(made, ask());
  expect(open).toMatchObject({ status: 404, code: 'not-seen' });
  expect(open.body).not.toContain('othing was written');
  unanswered = false;
  // It stood in the log all the same, and bound the key.
  const definite = await answered(made, ask());
  expect(JSON.parse(definite.body)).toMatchObject({ outcome: 'rejected', code: 'expired' });
});

test('a strong read whose barrier was not answered is told as one that did not get through in time', async () => {
  const made = await cluster({
    logFaults: {
      append: ({ records }) =>
        records.some(({ key }) => key === 'probe') ? 'appended-unanswered' : 'appended',
    },
  });
  const read = made.region('eu').gateway.row({
    dataset: 'orders',
    key: 'eu:any',
    query: { consistency: 'strong', timeoutMs: '1000' },
    token: null,
    caller: CALLER,
  });
  expect(await answered(made, read)).toMatchObject({ status: 412, code: 'token-unreachable' });
});

test('after a rest longer than sessions are remembered the next write is accepted in a new session', async () => {
  const orders = datasets.get(ORDERS)!;
  const { content, hash } = orders.configuration;
  const short = { ...content, retention: { ...content.retention, sessionsMs: 10_000 } };
  const forgetful: GatewayDataset = { ...orders, configuration: compileConfiguration(hash, short, null) };
  const made = await cluster({ datasets: new Map([...datasets, [ORDERS, forgetful]]) });
  const { world } = made.options;
  for (const key of ['eu:first', 'eu:first'])
    expect((await answered(made, made.write('eu', 'orders', placed(key)))).status).toBe(200);
  const fromMs = world.nowMs();
  await world.runUntil(() => world.nowMs() > fromMs + 20_000, 60_000);
  expect((await answered(made, made.write('eu', 'orders', placed('eu:first')))).status).toBe(200);
  const resubmitted = made.region('eu').facts.filter((fact) => fact.kind === 'entry-resubmitted');
  expect(resubmitted).toMatchObject([{ verdict: 'hole' }]);
  expect((await answered(made, made.write('eu', 'orders', placed('eu:first')))).status).toBe(200);
});

/** A cluster whose orders no region can fold once such a write stands in their log; its shard is halted. */
async function haltedOrders(
  key: string,
): Promise<{ readonly made: SimulatedCluster; readonly shard: ShardName }> {
  const orders = datasets.get(ORDERS)!;
  const { content, hash } = orders.configuration;
  const { projection } = content;
  if (projection.kind !== 'rows') throw new Error('orders are rows');
  // The catalogue refuses such a reducer: operations of two kinds on one column cannot be combined.
  const reducer = { placed: { max: { total: '$.total' } }, paid: { min: { total: 1 } } };
  const defective: GatewayDataset = {
    ...orders,
    configuration: compileConfiguration(hash, { ...content, projection: { ...projection, reducer } }, null),
  };
  const made = await cluster({ datasets: new Map([...datasets, [ORDERS, defective]]) });
  const events = [
    { key, type: 'placed', data: { customer: 'c', total: 1 } },
    { key, type: 'paid', data: {} },
  ];
  const unknown = await answered(made, made.write('eu', 'orders', { events, timeoutMs: 2_000 }));
  expect(JSON.parse(unknown.body)).toMatchObject({ outcome: 'unknown', stage: 'logged' });
  const { shard } = JSON.parse(unknown.body) as { shard: ShardName };
  for (const region of REGIONS) {
    expect(made.region(region).feed.own(shard)?.halted).toMatchObject({ code: 'fold-failed' });
  }
  return { made, shard };
}

test('a defect in a projection halts its shard by name in every region, and the others go on', async () => {
  const { made } = await haltedOrders('eu:bad');
  expect(await answered(made, made.write('eu', 'orders', placed('eu:bad')))).toMatchObject({
    status: 503,
    code: 'shard-halted',
  });
  const account = { key: 'eu:ada', type: 'opened', data: { owner: 'Ada', currency: 'EUR' } };
  expect((await answered(made, made.write('eu', 'accounts', { events: [account] }))).status).toBe(200);
});

test('callers that are refused together are sent back in turns, each once, whichever gateway refused', async () => {
  const { made } = await haltedOrders('eu:turn');
  // Too short for a gateway to ask the home twice.
  const write = { ...placed('eu:turn'), timeoutMs: 90 };
  const turnBy = async (region: string): Promise<string> => {
    const { code, headers, status } = await answered(made, made.write(region, 'orders', write));
    expect([status, code ?? 'shard-halted']).toEqual([503, 'shard-halted']);
    const turns = Object.entries(headers).filter(([name]) => name.toLowerCase() === 'retry-after');
    expect(turns).toHaveLength(1);
    return turns[0]![1];
  };
  // The third is told by another gateway, which would begin with 1: the home's word stands.
  expect([await turnBy('eu'), await turnBy('eu'), await turnBy('us')]).toEqual(['1', '2', '3']);
});

test.each(['session', 'strong'])(
  'a %s read of a store that has just gone back waits until it has folded again what was told',
  async (consistency) => {
    let strike = (): void => undefined;
    const made = await cluster({
      storeFault: (region, { method }) => {
        if (region === 'us' && method === 'rows') strike();
        return null;
      },
    });
    const key = 'eu:back';
    const { database, gateway } = made.region('us');
    const everywhere = { ...placed(key), ack: 'everywhere' };
    await answered(made, made.write('eu', 'orders', everywhere));
    const copy = database.snapshot();
    const paid = { events: [{ key, type: 'paid', data: {} }], ack: 'everywhere' };
    const told = await answered(made, made.write('eu', 'orders', paid));
    const { sequence, token } = JSON.parse(told.body) as { sequence: number; token: string };
    strike = () => {
      strike = () => undefined;
      database.restore(copy);
    };
    const read = (timeoutMs: string): Promise<Answer> =>
      answered(
        made,
        gateway.row({ dataset: 'orders', key, query: { consistency, timeoutMs }, token, caller: CALLER }),
      );
    const seen = await read('20000');
    expect(seen).toMatchObject({ status: 200 });
    expect(JSON.parse(seen.body)).toMatchObject({ version: sequence, row: { status: 'paid' } });
  },
);

test('a session read of a store that went back is refused where it does not catch up in time', async () => {
  const made = await cluster();
  const key = 'eu:back';
  const { database, gateway } = made.region('us');
  const copy = database.snapshot();
  const written = await answered(made, made.write('eu', 'orders', { ...placed(key), ack: 'everywhere' }));
  const { token } = JSON.parse(written.body) as { token: string };
  database.restore(copy);
  const query = { consistency: 'session', timeoutMs: '50' };
  const refused = await answered(made, gateway.row({ dataset: 'orders', key, query, token, caller: CALLER }));
  expect(refused).toMatchObject({ status: 412, code: 'token-unreachable' });
});

test('a gateway that is held up takes less at a time, bulk first, and as much as before when it is no more', async () => {
  const made = await cluster();
  const { world } = made.options;
  const eu = made.region('eu');
  const { process } = eu.served('gateway')!;
  const passing = async (ms: number): Promise<void> => {
    const fromMs = world.nowMs();
    await world.runUntil(() => world.nowMs() >= fromMs + ms, ms + 1_000);
  };
  const { admission } = eu.gateway;
  /** Of each dataset in turn: how many writes it takes beside those that it has taken. All are released again. */
  const taken = (datasets: readonly string[], forwarded = false): readonly number[] => {
    const releases: (() => void)[] = [];
    const counts = datasets.map((dataset) => {
      for (let count = 0; ; count += 1) {
        const admitted = admission.enter({ dataset, forwarded });
        if ('refused' in admitted) return count;
        releases.push(admitted.release);
      }
    });
    for (const release of releases) release();
    return counts;
  };
  const ALL = ['orders', 'readings', 'accounts'];
  const wideOpen = [256, 64, 2_048];
  expect(taken(ALL)).toEqual(wideOpen);
  for (let times = 0; times < 20; times += 1) {
    process.pause();
    await passing(80);
    process.goOn();
    await passing(1);
  }
  expect(taken(ALL)).toEqual([16, 4, 128]);
  expect(taken(ALL, true)).toEqual([32, 8, 256]);
  expect(taken(['readings'])).toEqual([16]);
  // What nobody knows is no way past the door.
  expect(taken(['orders', 'nothing'])).toEqual([16, 4]);
  const held = Array.from({ length: 16 }, () => admission.enter({ dataset: 'orders', forwarded: false }));
  const refusals = Array.from({ length: 4 }, () =>
    admission.refusal({ dataset: 'orders', forwarded: false }),
  );
  for (const each of refusals) expect(each).toMatchObject({ status: 429, code: 'too-many-requests' });
  expect(new Set(refusals.map((each) => each!.headers['Retry-After']))).toEqual(new Set(['1', '2', '3']));
  for (const each of held) if ('release' in each) each.release();
  await passing(15_000);
  expect(taken(ALL)).toEqual(wideOpen);
});

test('a region that contradicts the others answers nothing from its store', async () => {
  const made = await cluster();
  const key = 'eu:differs';
  const written = await answered(
    made,
    made.write('eu', 'orders', { ...placed(key), ack: 'everywhere' }, 'k'),
  );
  const { shard } = JSON.parse(written.body) as { shard: ShardName };
  const row = (region: string): Promise<Answer> =>
    made.region(region).gateway.row({ dataset: 'orders', key, query: {}, token: null, caller: CALLER });
  const receipt = (region: string): Promise<Answer> =>
    made
      .region(region)
      .gateway.receipt({ dataset: 'orders', idempotencyKey: 'k', query: {}, caller: CALLER });
  for (const ask of [row, receipt]) expect(await answered(made, ask('ap'))).toMatchObject({ status: 200 });

  const hash = (word: number): Hash128 => ({ a: word, b: 0, c: 0, d: 0 });
  for (const region of REGIONS) {
    const { hub } = made.region(region).replicator()!;
    const inputHash = hash(region === 'ap' ? 2 : 1);
    hub.tell(
      { ...hub.newest(shard)!, marks: [{ sequence: 256n as Sequence, inputHash, effectsHash: hash(1) }] },
      [],
    );
  }
  await made.options.world.runUntil(
    () =>
      REGIONS.every((region) =>
        made
          .region(region)
          .feed.differing(shard)
          .has('ap' as RegionName),
      ),
    10_000,
  );
  for (const ask of [row, receipt]) {
    expect(await answered(made, ask('ap'))).toMatchObject({ status: 503, code: 'region-differs' });
    expect(await answered(made, ask('us'))).toMatchObject({ status: 200 });
  }
});

test('rows of several shards are read together: what one snapshot held, with positions and a token for all of them', async () => {
  const made = await cluster();
  const { gateway } = made.region('ap');
  const account = (key: string): object => ({ key, type: 'opened', data: { owner: 'Ada', currency: 'EUR' } });
  const opened = await answered(
    made,
    made.write('eu', 'accounts', { events: [account('eu:ada')], ack: 'accepted' }),
  );
  await answered(made, made.write('us', 'orders', { ...placed('us:order'), ack: 'everywhere' }));
  const rows = [
    { dataset: 'accounts', key: 'eu:ada' },
    { dataset: 'orders', key: 'us:order' },
    { dataset: 'orders', key: 'us:none' },
  ];
  const ask = (body: object, token: string | null = null): Promise<Answer> =>
    answered(made, gateway.rowsTogether({ body: JSON.stringify(body), token, caller: CALLER }));
  const read = await ask({ rows, consistency: 'strong' });
  const { shard } = JSON.parse(opened.body) as { shard: ShardName };
  expect(read.status).toBe(200);
  const told = JSON.parse(read.body) as { positions: Record<string, { sequence: number }> };
  expect(told).toMatchObject({
    rows: [
      { ...rows[0], shard, row: { owner: 'Ada' } },
      { ...rows[1], version: expect.any(Number), row: { total: 1 } },
      { ...rows[2], version: null, row: null },
    ],
  });
  const token = decodeToken(read.headers['Lockstep-Token']!)!;
  expect([...token.keys()].sort()).toEqual(Object.keys(told.positions).sort());
  expect(token.get(shard)!.sequence).toBe(BigInt(told.positions[shard]!.sequence));
  // The token is reached where it came from, and by whoever waits for it elsewhere.
  expect((await ask({ rows, consistency: 'session' }, read.headers['Lockstep-Token']!)).status).toBe(200);
  let reached: boolean | null = null;
  void made
    .region('us')
    .gateway.waitFor(token, 5_000)
    .then((is) => (reached = is));
  await made.options.world.runUntil(() => reached !== null, 10_000);
  expect(reached).toBe(true);
  const ahead = new Map([[shard, { ...token.get(shard)!, sequence: 999n as Sequence }]]);
  const late = await ask({ rows, consistency: 'session', timeoutMs: 500 }, encodeToken(ahead));
  expect(late).toMatchObject({ status: 412, code: 'token-unreachable' });
  expect((await ask({ rows: [{ dataset: 'none', key: 'eu:ada' }] })).status).toBe(404);
  expect((await ask({ rows: [] })).status).toBe(400);
});
