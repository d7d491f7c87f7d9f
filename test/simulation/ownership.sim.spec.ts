/**
 * A shard that moves under its clients, in a simulated world: whoever asks at the old home, at the new one or elsewhere is
 * answered by the owner of the moment, without an error and at once (I6, I9, I13).
 */
import { expect, test } from '@jest/globals';
import { epoch, type Answer, type RegionName, type ShardName } from '@lockstep/protocol';
import { controlRecord, SimulatedCluster, World, type SimulatedClusterOptions } from '@lockstep/testing';
import { answeredWithin } from './answered.js';
import { sampleDatasets } from './sample-datasets.js';

const REGIONS = ['eu', 'us', 'ap'] as RegionName[];
const SHARD = 'orders/0' as ShardName;
const datasets = await sampleDatasets();

async function cluster(options: Partial<SimulatedClusterOptions> = {}): Promise<SimulatedCluster> {
  const made = new SimulatedCluster({
    world: new World(11),
    regions: REGIONS,
    datasets,
    roles: 'apart',
    ...options,
  });
  await made.start();
  return made;
}

const answered = answeredWithin(120_000);

let decisions = 0n;
function fence(made: SimulatedCluster, to: string, expected = 1n): void {
  made.log.appendForeign('lockstep.orders', 0, fenceRecord(made, to, expected));
}

function fenceRecord(made: SimulatedCluster, to: string, expected = 1n): ReturnType<typeof controlRecord> {
  decisions += 1n;
  const nowMs = made.options.world.nowMs();
  const home = to as RegionName;
  const body = {
    kind: 'fence',
    expectedEpoch: epoch(expected),
    epoch: epoch(expected + 1n),
    home,
    term: 1n,
    decision: decisions,
  } as const;
  return controlRecord(body, { region: home, nowMs, notAfterMs: nowMs + 30_000 });
}

/** `eu:` keys of the sample live in the shards of group eu; this one in the first. */
const KEY = 'eu:a';
const placed = (timeoutMs: number): object => ({
  events: [{ key: KEY, type: 'placed', data: { customer: 'c', total: 1 } }],
  timeoutMs,
});

test('a write forwarded to a home that stands still is answered by the next one, long before its time is over', async () => {
  const made = await cluster();
  const { world } = made.options;
  made.region('eu').process('gateway')!.pause();
  const startedAtMs = world.nowMs();
  const answer = made.write('us', 'orders', placed(30_000), 'moved');
  world.after(100, null, () => fence(made, 'ap'));
  const { body, status } = await answered(made, answer);
  expect({ status, ...(JSON.parse(body) as object) }).toMatchObject({
    status: 200,
    shard: SHARD,
    epoch: 2,
    outcome: 'accepted',
  });
  expect(world.nowMs() - startedAtMs).toBeLessThan(2_000);
});

test('what the old home appends late is fenced in every region, and its caller gets the answer of the new home', async () => {
  const made = await cluster();
  const { world } = made.options;
  // The home stands still with a write under way: what it knows of the shard is over when it goes on.
  const late = made.write('eu', 'orders', placed(30_000), 'once');
  const home = made.region('eu').process('gateway')!;
  home.pause();
  fence(made, 'us');
  const first = await answered(made, made.write('us', 'orders', placed(30_000), 'once'));
  expect(JSON.parse(first.body)).toMatchObject({ outcome: 'accepted', epoch: 2 });
  home.goOn();
  const second = await answered(made, late);
  expect(second.status).toBe(200);
  const { sequence } = JSON.parse(first.body) as { sequence: number };
  expect(JSON.parse(second.body)).toMatchObject({ outcome: 'accepted', epoch: 2, sequence });
  expect(second.headers).toMatchObject({ 'Idempotent-Replayed': 'true' });
  await world.runUntil(
    () => REGIONS.every((region) => made.region(region).database.cursor(SHARD)?.epoch === 2n),
    9_000,
  );
});

test('a write without a key that is left open names no entry that was fenced', async () => {
  const made = await cluster();
  const { world } = made.options;
  // The home's region has not folded the fence yet, so its gateway appends once more; the new home does not answer then.
  const replicator = made.region('eu').process('replicator-0')!;
  replicator.pause();
  made.log.appendForeign('lockstep.readings', 0, fenceRecord(made, 'us'));
  made.region('us').process('gateway')!.pause();
  const events = [
    { key: 'eu:r1/0', type: 'recorded', data: { sensor: 's', value: 1, at: '2026-11-21T08:00:00Z' } },
  ];
  const answer = made.write('eu', 'readings', { events, ack: 'accepted', timeoutMs: 3_000 }, null);
  world.after(500, null, () => replicator.goOn());
  const { body, status } = await answered(made, answer);
  expect(status).toBe(202);
  const { id, outcome, traceId } = JSON.parse(body) as { id: string; outcome: string; traceId: string };
  expect(outcome).toBe('unknown');
  expect(id).toBe(traceId);
});

test('a shard that moves again and again while it is written loses no write and refuses none', async () => {
  const made = await cluster();
  const { world } = made.options;
  const answers: Answer[] = [];
  const writes = 60;
  for (let write = 0; write < writes; write += 1) {
    world.after(write * 40, null, () => {
      const region = REGIONS[write % REGIONS.length]!;
      const events = [{ key: `eu:a/${write}`, type: 'placed', data: { customer: 'c', total: write } }];
      void made
        .write(region, 'orders', { events, timeoutMs: 10_000 }, `write-${write}`)
        .then((answer) => answers.push(answer));
    });
  }
  for (let move = 0; move < 12; move += 1)
    world.after(100 + move * 190, null, () => fence(made, REGIONS[(move + 1) % 3]!, BigInt(move + 1)));
  await world.runUntil(() => answers.length === writes, 60_000);
  expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200));
  const sequences = answers.map(({ body }) => (JSON.parse(body) as { sequence: number }).sequence);
  expect(new Set(sequences).size).toBe(writes);
  expect(made.region('eu').database.cursor(SHARD)?.epoch).toBe(13n);
});

test('who asks for no forwarding is told the epoch of whom to ask', async () => {
  const made = await cluster();
  fence(made, 'us');
  await made.options.world.runUntil(() => made.region('eu').feed.own(SHARD)?.epoch === 2n, 9_000);
  const trace = { traceId: '1', spanId: '1', parentSpanId: null, sampled: false };
  const answer = await answered(
    made,
    made.region('eu').gateway.write({
      dataset: 'orders',
      body: JSON.stringify(placed(1_000)),
      idempotencyKey: null,
      caller: { principal: 'anonymous', trace, forwarded: null, neverForward: true },
    }),
  );
  expect(answer).toMatchObject({ status: 421, code: 'not-owner', headers: { 'Lockstep-Epoch': '2' } });
});
