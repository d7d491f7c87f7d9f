/**
 * A service that saves entities while the processes under it are killed, on real Kafka, Postgres and separate processes: every
 * committed transaction has one effect in all regions and none that was rolled back has, order per row is kept; a planned move
 * leaves nothing behind; and when its region loses its shards, what the log has not is kept in quarantine, nothing of it stays in
 * the rows, and what is applied again has one effect.
 *
 * With LOCKSTEP_TEST_WHOLE=1 services save 50,000 times.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { attachOutbox, type Outbox } from '@lockstep/nest';
import { Chance } from '@lockstep/testing';
import type { DataSource } from 'typeorm';
import { call, eventually, LocalCluster, REGIONS, write } from '../e2e/local-cluster.js';
import { attended } from '../e2e/sample-catalogue.js';
import { moveHome } from './control-plane.js';
import { Order, ordersIn, placed } from './replicated-order.ts';
import { saved } from './saved-orders.ts';
import { SavingService } from './saving-services.js';

const IS_WHOLE = process.env['LOCKSTEP_TEST_WHOLE'] === '1';
/** Of each service. */
const WRITERS = [
  [0, 1],
  [2, 3],
  [4, 5],
];
/** Of a writer; 8 of 9 are committed, with 3 saves on the average. */
const TRANSACTIONS = IS_WHOLE ? 3_130 : 90;
const SAVES_MIN = IS_WHOLE ? 50_000 : 1_400;
const KILL_PAUSE_MS = 1_500;
const SEED = 5;

let cluster: LocalCluster;
let source: DataSource;
let outbox: Outbox;

beforeAll(async () => {
  cluster = await LocalCluster.startWith({
    ...attended,
    'datasets/orders.yaml': (text) =>
      attended['datasets/orders.yaml'](text).replace('writers: log', 'writers: outbox'),
  });
  source = ordersIn(cluster.file.regions['eu']!.postgres);
  await source.initialize();
  outbox = attachOutbox(source);
}, 180_000);

afterAll(async () => {
  await source?.destroy();
  await cluster?.stop();
}, 60_000);

const rows = (region: (typeof REGIONS)[number]) =>
  cluster.sql(region, 'select * from public.orders order by id');

async function expectSettled(): Promise<readonly Record<string, unknown>[]> {
  await eventually(
    () => cluster.sql('eu', 'select count(*)::int as count from lockstep.outbox'),
    ([left]) => left!['count'] === 0,
  );
  const [eu] = await eventually(
    () => Promise.all(REGIONS.map(rows)),
    (all) => all.every((one) => JSON.stringify(one) === JSON.stringify(all[0])),
  );
  return eu!;
}

/** Kills at random until it is told to end; answers how often whom. */
async function killUntil(
  isOver: () => boolean,
  services: readonly SavingService[],
): Promise<ReadonlyMap<string, number>> {
  const chance = new Chance(SEED);
  const killed = new Map<string, number>();
  while (!isOver()) {
    const { kafka, regions } = cluster.file;
    const { postgres, replicator } = regions['eu']!.pids;
    const victim = chance.pick(['replicator', 'replicator', 'postgres', 'kafka', 'service', 'service']);
    killed.set(victim, (killed.get(victim) ?? 0) + 1);
    if (victim === 'service') chance.pick(services).kill();
    else killIfRunning({ replicator, postgres, kafka: kafka.pids[0] }[victim]!);
    await delay(KILL_PAUSE_MS);
  }
  return killed;
}

/** It may be being started again. */
function killIfRunning(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

test('every committed transaction has one effect everywhere, whatever is killed meanwhile', async () => {
  await eventually(
    () => source.getRepository(Order).save(placed('eu:first', 1)),
    () => true,
  );
  const refused = await write(cluster, 'us', 'orders', {
    events: [{ key: 'eu:first', type: 'paid', data: {} }],
  });
  expect(refused).toMatchObject({ status: 409, body: { code: 'outbox-only' } });

  const { postgres } = cluster.file.regions['eu']!;
  const services = WRITERS.map((writers) => new SavingService(postgres, writers, TRANSACTIONS));
  let isOver = false;
  const kills = killUntil(() => isOver, services);
  try {
    await Promise.all(services.map((service) => service.run()));
  } finally {
    isOver = true;
    for (const service of services) service.end();
  }
  const killed = await kills;
  const folded = await expectSettled();
  const stands = WRITERS.flat().map((writer) => saved(writer, TRANSACTIONS));
  const saves = stands.reduce((sum, each) => sum + each.saves, 0);
  console.log(`${saves} saves, killed: ${[...killed].map((each) => each.join(' ')).join(', ')}`);
  const totals = new Map(folded.map(({ id, total }) => [id, Number(total)]));
  expect(totals).toEqual(new Map([['eu:first', 1], ...stands.flatMap((each) => [...each.totals])]));
  expect(saves).toBeGreaterThanOrEqual(SAVES_MIN);
  expect(await cluster.sql('eu', 'select id from lockstep.outbox_quarantine')).toEqual([]);
}, 1_800_000);

/** Saves one row again and again, as a service does that is told to come back; ends where the shard is lost. */
async function saveUntilMoved(
  id: string,
): Promise<{ readonly saved: number; readonly told: readonly string[] }> {
  const told = new Set<string>();
  for (let number = 1; ; number += 1) {
    for (;;) {
      const refused = await source
        .getRepository(Order)
        .save(placed(id, number))
        .then(
          () => null,
          (error: { readonly code: string }) => error.code,
        );
      if (refused === null) break;
      told.add(refused);
      if (refused !== 'moving') return { saved: number - 1, told: [...told] };
      await delay(20);
    }
  }
}

test('a planned move under saves leaves nothing behind: the outbox is emptied before the fence', async () => {
  const repository = source.getRepository(Order);
  const shardOf = async (id: string): Promise<string> => {
    const order = placed(id, 1);
    await repository.save(order);
    return outbox.receiptOf(order)!.shard;
  };
  // Of another shard than the failover below.
  const other = await shardOf('eu:lost/0');
  let prefix = 'eu:planned';
  let shard = await shardOf(`${prefix}/0`);
  while (shard === other) {
    prefix += '-';
    shard = await shardOf(`${prefix}/0`);
  }
  const ids = Array.from({ length: 4 }, (_, row) => `${prefix}/row-${row}`);
  const saving = Promise.all(ids.map(saveUntilMoved));
  await eventually(
    () =>
      source.query<{ count: number }[]>(
        'select count(*)::int as count from public.orders where id = any($1)',
        [ids],
      ),
    ([begun]) => begun!.count === ids.length,
  );
  await moveHome(cluster, 'us', { shard, to: 'us' });
  const ended = await saving;
  const { records } = (await call(`${cluster.file.regions['us']!.coordinator}/v1/history/records`)).body as {
    readonly records: readonly { readonly valueText: string }[];
  };
  const drained = records.map(
    ({ valueText }) => /the fence quarantines|the outbox of eu is empty/.exec(valueText)?.[0],
  );
  expect(drained.findLast((words) => words !== undefined)).toBe('the outbox of eu is empty');
  expect(await cluster.sql('eu', 'select id from lockstep.outbox_quarantine')).toEqual([]);
  const totals = new Map((await expectSettled()).map(({ id, total }) => [id, Number(total)]));
  ended.forEach(({ saved, told }, row) => {
    expect(told.at(-1)).toBe('not-owner');
    expect(saved).toBeGreaterThan(0);
    expect(totals.get(ids[row])).toBe(saved);
  });
}, 240_000);

interface Undone {
  readonly id: string;
  readonly reason: string;
  readonly settled: { readonly as: string; readonly sequence: number } | null;
}

async function quarantineOf(region: (typeof REGIONS)[number]): Promise<readonly Undone[]> {
  const printed = await cluster.lockstep(['quarantine', 'list', 'orders', '--json', '--region', region]);
  return (JSON.parse(printed) as { readonly undone: readonly Undone[] }).undone;
}

const reapply = async (id: string): Promise<Undone> => {
  const printed = await cluster.lockstep(['quarantine', 'reapply', id, '--yes', '--json', '--region', 'eu']);
  return JSON.parse(printed) as Undone;
};

test('a home that fails over with pending entries keeps exactly these; applied again, each has one effect', async () => {
  const repository = source.getRepository(Order);
  await repository.save([placed('eu:lost/kept', 1), placed('eu:lost/changed', 1)]);
  await expectSettled();
  await cluster.orderProcess('kill', 'eu', 'replicator');
  const changed = placed('eu:lost/changed', 2);
  const created = placed('eu:lost/created', 3);
  await repository.save(changed);
  await repository.save([created, placed('eu:lost/changed', 4)]);
  const ids = [changed, created].map((entity) => outbox.receiptOf(entity)!.id);
  const { shard } = outbox.receiptOf(created)!;
  await moveHome(cluster, 'us', { move: 'failover', shard, to: 'us' });
  await cluster.orderProcess('start', 'eu', 'replicator');
  const quarantined = await eventually(
    () => quarantineOf('eu'),
    ({ length }) => length >= ids.length,
  );
  expect(quarantined.map(({ id, reason, settled }) => [id, reason, settled])).toEqual(
    ids.toReversed().map((id) => [id, 'fenced', null]),
  );
  expect(await quarantineOf('us')).toEqual([]);
  const folded = await expectSettled();
  expect(folded.filter(({ id }) => /^eu:lost.[a-z]/.test(String(id)))).toMatchObject([
    { id: 'eu:lost/changed', total: '1' },
    { id: 'eu:lost/kept', total: '1' },
  ]);
  await expect(repository.save(placed('eu:lost/late', 5))).rejects.toMatchObject({ code: 'not-owner' });

  const told = await Promise.all([reapply(ids[0]!), reapply(ids[0]!)]);
  told.push(await reapply(ids[0]!));
  for (const { settled } of told) expect(settled).toEqual(told[0]!.settled);
  expect(told[0]!.settled).toMatchObject({ as: 'accepted', sequence: expect.any(Number) });
  expect((await reapply(ids[1]!)).settled).toMatchObject({ as: 'accepted' });
  const again = await expectSettled();
  expect(again.filter(({ id }) => /^eu:lost.[a-z]/.test(String(id)))).toMatchObject([
    { id: 'eu:lost/changed', total: '4' },
    { id: 'eu:lost/created', total: '3' },
    { id: 'eu:lost/kept', total: '1' },
  ]);
  const discarding = ['quarantine', 'discard', ids[0]!, '--reason', 'a test', '--yes', '--region', 'eu'];
  expect(await cluster.lockstep(discarding, 1)).toContain('entry-settled');
}, 240_000);
