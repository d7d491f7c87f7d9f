/** Undone entries on real Postgres and the real engine: one effect however often they are applied again, one settlement. */
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import type { Caller, Quarantine } from '@lockstep/engine';
import type { Answer } from '@lockstep/protocol';
import {
  ANN,
  Customer,
  customer,
  EU,
  TwoRegions,
  US,
  type Reapplying,
  type RunningReplicator,
} from './outbox.fixture.js';

interface Told {
  readonly code?: string;
  readonly id: string;
  readonly would?: string;
  readonly asked: object | null;
  readonly settled: { readonly as: string; readonly why: string; readonly by: string } | null;
  readonly undone: readonly Told[];
}

const CALLER: Caller = {
  principal: 'anonymous',
  trace: { traceId: '0'.repeat(32), spanId: '0'.repeat(16), parentSpanId: null, sampled: false },
  forwarded: null,
  neverForward: false,
};

let regions: TwoRegions;
let running: RunningReplicator[];
let quarantine: Quarantine;
let reapplying: Reapplying & { home: typeof EU; epoch: bigint };
/** Of the entries undone, in the order in which they were stored. */
let ids: readonly string[];

beforeEach(async () => {
  regions = await TwoRegions.open();
  running = [regions.replicate(EU, { relays: false }), regions.replicate(US)];
  reapplying = { home: US, epoch: 2n, unheard: 0 };
  quarantine = await regions.openQuarantine(reapplying);
  await regions.folded(EU);
  const people = regions.source.getRepository(Customer);
  const stored = [customer(ANN, 'Ann', 3), customer(`${ANN}/kim`, 'Kim', 1)];
  for (const each of stored) await people.save(each);
  ids = stored.map((each) => regions.outbox.receiptOf(each)!.id);
  const { shard } = regions.outbox.receiptOf(stored[0]!)!;
  await regions.fence(Number(shard.split('/')[1]), 1, US);
  await regions.folded(EU);
  await regions.folded(US);
});

afterEach(async () => {
  await Promise.all(running.map((replicator) => replicator.stop()));
  await regions?.close();
});

const read = ({ body, status }: Answer): Told & { readonly status: number } => ({
  ...(JSON.parse(body) as Told),
  status,
});
const call = (id: string, body: object) => ({ id, body: JSON.stringify(body), caller: CALLER });
const reapply = async (id: string, body: object = {}) => read(await quarantine.reapply(call(id, body)));
const discard = async (id: string, body: object) => read(await quarantine.discard(call(id, body)));
const rows = async () => {
  await regions.folded(EU);
  await regions.folded(US);
  const [eu, us] = [await regions.rows(EU), await regions.rows(US)];
  expect(eu).toEqual(us);
  return us.map(({ id, visits }) => [id, visits]);
};

test('exactly what a fence undid is listed, and waits for a person', async () => {
  const { undone } = read(await quarantine.list({}));
  expect(undone.map(({ id }) => id)).toEqual(ids.toReversed());
  expect(undone).toMatchObject([
    { reason: 'fenced', settled: null, asked: null, outcome: null },
    { reason: 'fenced', settled: null, asked: null, outcome: null },
  ]);
  expect(read(await quarantine.show(ids[0]!))).toMatchObject({
    status: 200,
    key: ANN,
    events: [{ type: 'named' }, { type: 'visited' }],
    changes: [{ table: 'customers', key: ANN, before: null, after: { name: 'Ann' } }],
  });
  expect(read(await quarantine.show('of nobody'))).toMatchObject({ status: 404, code: 'not-found' });
});

test('applied again twice at once, and once more, it has one effect, told alike', async () => {
  expect(await reapply(ids[0]!, { dryRun: true })).toMatchObject({ status: 200, would: 'reapply' });
  expect(await rows()).toEqual([]);
  const told = await Promise.all([reapply(ids[0]!, { actor: 'anna' }), reapply(ids[0]!, { actor: 'bert' })]);
  told.push(await reapply(ids[0]!));
  for (const { settled, status } of told) {
    expect(status).toBe(200);
    expect(settled).toEqual(told[0]!.settled);
  }
  expect(told[0]!.settled).toMatchObject({ as: 'accepted', why: 'accepted', sequence: expect.any(Number) });
  expect(['anna', 'bert']).toContain(told[0]!.settled!.by);
  expect(await rows()).toEqual([[ANN, '3']]);
  expect(await discard(ids[0]!, { reason: 'too late' })).toMatchObject({
    status: 409,
    code: 'entry-settled',
  });
});

test('what is not known stays open, cannot be discarded, and is told when it is asked for again', async () => {
  reapplying.unheard = 1;
  await running[0]!.stop();
  expect(await reapply(ids[0]!, { actor: 'anna' })).toMatchObject({
    status: 202,
    settled: null,
    asked: { by: 'anna' },
  });
  expect(await discard(ids[0]!, { reason: 'not needed' })).toMatchObject({
    status: 409,
    code: 'entry-may-stand',
  });
  running.push(regions.replicate(EU, { relays: false }));
  await regions.folded(EU);
  // The region has folded the outcome meanwhile: it is told, and nothing more is sent.
  reapplying.unheard = 1;
  expect(await discard(ids[0]!, { reason: 'x' })).toMatchObject({ status: 409, code: 'entry-may-stand' });
  expect(await reapply(ids[0]!)).toMatchObject({ status: 200, settled: { as: 'accepted' } });
  expect(reapplying.unheard).toBe(1);
  expect(await rows()).toEqual([[ANN, '3']]);
});

test('what is discarded has no effect and is not applied again', async () => {
  expect(await discard(ids[1]!, {})).toMatchObject({ status: 400, code: 'malformed' });
  expect(await discard(ids[1]!, { reason: 'saved anew', dryRun: true })).toMatchObject({
    would: 'discarded',
  });
  expect(await discard(ids[1]!, { reason: 'saved anew', actor: 'anna' })).toMatchObject({
    status: 200,
    settled: { as: 'discarded', why: 'saved anew', by: 'anna' },
  });
  expect(await reapply(ids[1]!)).toMatchObject({ status: 409, code: 'entry-settled' });
  expect(read(await quarantine.list({})).undone.map(({ id }) => id)).toEqual([ids[0], ids[1]]);
  expect(await rows()).toEqual([]);
});

test('what is settled is forgotten with sessions, what waits for a person never', async () => {
  await discard(ids[1]!, { reason: 'saved anew' });
  await regions.clean();
  expect(read(await quarantine.list({})).undone).toHaveLength(2);
  await regions.query(
    EU,
    'update lockstep.outbox_quarantine set stored_at_ms = 1, settled_at_ms = settled_at_ms - settled_at_ms',
  );
  await regions.clean();
  expect(read(await quarantine.list({})).undone.map(({ id }) => id)).toEqual([ids[0]]);
});

test('back at its first home it is laid below what a service has pending there', async () => {
  const [partition] = (await regions.query(EU, 'select shard from lockstep.outbox_quarantine limit 1')).map(
    ({ shard }) => Number(String(shard).split('/')[1]),
  );
  await regions.fence(partition!, 2, EU);
  await regions.folded(EU);
  reapplying.home = EU;
  reapplying.epoch = 3n;
  await regions.source.getRepository(Customer).save(customer(ANN, 'Anne', 1));
  expect(await reapply(ids[0]!)).toMatchObject({ settled: { as: 'accepted' } });
  // As the service left it; the log does not know of that yet.
  expect(await regions.rows(EU)).toMatchObject([{ id: ANN, name: 'Anne', visits: '1' }]);
  await running[0]!.stop();
  running.push(regions.replicate(EU));
  await regions.settled();
  expect(await rows()).toEqual([[ANN, '4']]);
});
