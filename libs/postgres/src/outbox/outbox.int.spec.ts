import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { routeKey } from '@lockstep/protocol';
import { Chance } from '@lockstep/testing';
import type { QueryRunner } from 'typeorm';
import {
  ANN,
  Customer,
  customer,
  EU,
  OTHER_SHARD,
  SHARDS,
  TwoRegions,
  US,
  type RunningReplicator,
} from './outbox.fixture.js';

let regions: TwoRegions;
let running: RunningReplicator[];

const start = (...which: Parameters<TwoRegions['replicate']>): RunningReplicator => {
  const replicator = regions.replicate(...which);
  running.push(replicator);
  return replicator;
};

beforeEach(async () => {
  running = [];
  regions = await TwoRegions.open();
});

afterEach(async () => {
  await Promise.all(running.map((replicator) => replicator.stop()));
  await regions?.close();
});

const people = () => regions.source.getRepository(Customer);

test('the two keys of these tests live in different shards', () => {
  const groups = [{ name: 'eu', home: EU, firstShard: 0, shards: 2, regions: [EU, US] }] as never;
  const of = (key: string) => (routeKey(groups, key) as { partition: number }).partition;
  expect([of(ANN), of(OTHER_SHARD)].toSorted()).toEqual([0, 1]);
});

describe('a transaction that changes entities', () => {
  test('is one entry, which every region applies once and at the same position', async () => {
    start(EU);
    start(US);
    await regions.folded(EU);
    const ann = customer(ANN, 'Ann');
    await people().save(ann);
    expect(regions.outbox.receiptOf(ann)).toMatchObject({ dataset: 'customers', stage: 'stored' });
    await regions.source.transaction(async (manager) => {
      ann.name = 'Anne';
      await manager.save(ann);
      await manager.save(customer(`${ANN}/child`, 'Kim'));
      ann.visits = '3';
      await manager.save(ann);
    });
    await regions.settled();
    expect(await regions.rows(EU)).toEqual(await regions.rows(US));
    const [anne, kim] = await regions.rows(US);
    expect([anne, kim]).toMatchObject([
      { id: ANN, name: 'Anne', visits: '3' },
      { id: `${ANN}/child`, name: 'Kim', visits: '1' },
    ]);
    expect(anne!['lockstep_version']).toBe(kim!['lockstep_version']);
    expect(await regions.quarantined()).toEqual([]);
    expect(await regions.count(EU, 'outbox_change')).toBe(0);

    await people().remove(ann);
    await regions.settled();
    expect(await regions.rows(EU)).toEqual([kim]);
    expect(await regions.rows(US)).toEqual([kim]);
  });

  test('leaves nothing behind when it is rolled back, or when its savepoint is', async () => {
    start(EU);
    await regions.folded(EU);
    const refuses = regions.source.transaction(async (manager) => {
      await manager.save(customer(ANN, 'Ann'));
      throw new Error('no');
    });
    await expect(refuses).rejects.toThrow('no');
    await regions.source.transaction(async (manager) => {
      await manager.save(customer(`${ANN}/kept`, 'Kept'));
      await manager.transaction((inner) => inner.save(customer(`${ANN}/inner`, 'Inner')));
      await manager
        .transaction(async (inner) => {
          await inner.save(customer(`${ANN}/lost`, 'Lost'));
          throw new Error('no');
        })
        .catch(() => undefined);
    });
    start(US);
    await regions.settled();
    expect((await regions.rows(US)).map(({ name }) => name as string)).toEqual(['Inner', 'Kept']);
    expect(await regions.rows(EU)).toEqual(await regions.rows(US));
  });

  test.each([
    [
      'rows of several shards',
      'several-shards',
      async () => {
        await regions.source.transaction(async (manager) => {
          await manager.save(customer(ANN, 'Ann'));
          await manager.save(customer(OTHER_SHARD, 'Bob'));
        });
      },
    ],
    ['an update by criteria', 'bulk-change', () => people().update({ name: 'Old' }, { name: 'New' })],
    ['a deletion by criteria', 'bulk-change', () => people().delete({ name: 'Old' })],
    [
      'a change past the entity beside one by it',
      'bulk-change',
      async () => {
        await regions.source.transaction(async (manager) => {
          await manager.save(customer(ANN, 'Ann'));
          await manager.query(`update public.customers set name = 'Sly' where id = '${ANN}/old'`);
        });
      },
    ],
    ['what does not fit the schema', 'schema', () => people().save(customer(ANN, 'x'.repeat(101)))],
    ['a key without a group of the dataset', 'bad-key', () => people().save(customer('de:ann', 'Ann'))],
  ] as const)('is refused with %s, as a whole', async (_what, code, change) => {
    start(EU);
    await regions.folded(EU);
    await people().save(customer(`${ANN}/old`, 'Old'));
    await expect(change()).rejects.toMatchObject({ code });
    start(US);
    await regions.settled();
    for (const region of [EU, US])
      expect((await regions.rows(region)).map(({ name }) => name as string)).toEqual(['Old']);
  });

  test('is refused by the database where it goes past the library', async () => {
    start(EU);
    await regions.folded(EU);
    const insert = `insert into public.customers (id, name, visits) values ('${ANN}', 'Sly', 1)`;
    await expect(regions.query(EU, insert)).rejects.toMatchObject({ code: 'LS002' });
    await expect(regions.query(EU, 'truncate public.customers')).rejects.toMatchObject({ code: 'LS002' });
    expect(await regions.rows(EU)).toEqual([]);
  });

  test('is refused where this region is not the home, or not known to be', async () => {
    await expect(people().save(customer(ANN, 'Ann'))).rejects.toMatchObject({ code: 'not-ready' });
    start(EU);
    await regions.fence(0, 1, US);
    await regions.fence(1, 1, US);
    await regions.folded(EU);
    await expect(people().save(customer(ANN, 'Ann'))).rejects.toMatchObject({
      code: 'not-owner',
      home: 'us',
      message: expect.stringContaining('its home is us'),
    });
    expect(await regions.rows(EU)).toEqual([]);
  });

  test('asks nothing more of the database once one of its entities was refused', async () => {
    start(EU);
    await regions.fence(0, 1, US);
    await regions.fence(1, 1, US);
    await regions.folded(EU);
    const asked: string[] = [];
    const listener = { beforeQuery: ({ query }: { readonly query: string }) => void asked.push(query) };
    regions.source.subscribers.push(listener);
    try {
      const both = [customer(ANN, 'Ann'), customer(`${ANN}/kim`, 'Kim')];
      await expect(people().save(both)).rejects.toMatchObject({ code: 'not-owner' });
      await regions.source.query('select 1');
    } finally {
      regions.source.subscribers.splice(regions.source.subscribers.indexOf(listener), 1);
    }
    const entering = asked.filter((query) => query.includes('enter_outbox'));
    expect(entering).toHaveLength(1);
    expect(asked.slice(asked.indexOf(entering[0]!) + 1)).toEqual(['ROLLBACK', 'select 1']);
  });

  test('is told the home where this region has never been it', async () => {
    start(EU);
    start(US);
    await regions.folded(EU);
    await regions.folded(US);
    await expect(regions.query(US, `select lockstep.enter_outbox('${SHARDS[0]}')`)).rejects.toMatchObject({
      code: 'LS003',
      detail: 'eu',
      message: expect.stringContaining('its home is eu'),
    });
  });
});

describe('what a service relies on besides', () => {
  test('a transaction whose snapshot is older than a fence stores nothing behind it', async () => {
    start(EU);
    await regions.folded(EU);
    const queryRunner = regions.source.createQueryRunner();
    await queryRunner.startTransaction('REPEATABLE READ');
    await queryRunner.query('select count(*) from lockstep.ownership');
    await regions.fence(0, 1, US);
    await regions.fence(1, 1, US);
    await regions.folded(EU);
    const late = queryRunner.manager.save(customer(ANN, 'Late'));
    // Not "not-owner": the old snapshot still says that the region owns it, and repeating finds out.
    await expect(late).rejects.toMatchObject({ driverError: { code: '40001' } });
    await queryRunner.rollbackTransaction();
    await queryRunner.release();
    expect(await regions.count(EU, 'outbox')).toBe(0);
    expect(await regions.rows(EU)).toEqual([]);
  });

  test('beyond the backlog that a shard may have, nothing more is stored', async () => {
    start(EU, { relays: false });
    await regions.folded(EU);
    const ann = customer(ANN, 'Ann');
    await people().save(ann);
    await regions.query(
      EU,
      `insert into lockstep.outbox (shard, key, fingerprint, idempotency_key, first_key, body)
       select shard, lpad(n::text, 32, '0'), fingerprint, n::text, first_key, body
       from lockstep.outbox, generate_series(1, 9998) as n`,
    );
    ann.name = 'The last';
    await people().save(ann);
    ann.name = 'Too much';
    await expect(people().save(ann)).rejects.toMatchObject({ code: 'backlog-full' });
    expect(await regions.rows(EU)).toMatchObject([{ name: 'The last' }]);
  });

  test('the key of a row cannot be changed, and an update to the same values is no change', async () => {
    start(EU, { relays: false });
    await regions.folded(EU);
    await people().save(customer(ANN, 'Ann'));
    const rename = `update public.customers set id = '${ANN}/other'`;
    await expect(regions.query(EU, rename)).rejects.toMatchObject({ code: 'LS002' });
    await regions.query(EU, `update public.customers set name = name`);
    expect(await regions.count(EU, 'outbox_change')).toBe(1);
  });

  test('a row that the log does not know is not there for what the log says of it meanwhile', async () => {
    const alone = start(EU, { relays: false });
    start(US);
    await regions.folded(EU);
    await people().save(customer(ANN, 'Ann'));
    await regions.append({ key: ANN, type: 'left', data: {} });
    await regions.folded(EU);
    expect(await regions.rows(EU)).toMatchObject([{ name: 'Ann', visits: '1', lockstep_version: '0' }]);
    await alone.stop();
    start(EU);
    await regions.settled();
    expect(await regions.rows(EU)).toEqual(await regions.rows(US));
    expect(await regions.rows(US)).toMatchObject([{ name: 'Ann', visits: '1' }]);
  });
});

describe('what the log does not take', () => {
  test('a rejected entry takes later ones of its rows along; every row is then the log’s', async () => {
    const alone = start(EU, { relays: false });
    await regions.folded(EU);
    const ann = customer(ANN, 'Ann');
    const kim = customer(`${ANN}/kim`, 'Kim');
    const lee = customer(`${ANN}/lee`, 'Lee');
    await people().save([ann, kim, lee]);
    ann.name = 'Rejected';
    await people().save(ann);
    await regions.query(EU, `update lockstep.outbox set not_after_ms = 1 where body like '%Rejected%'`);
    ann.visits = '2';
    kim.visits = '2';
    await people().save([ann, kim]);
    await people().remove(kim);
    lee.visits = '5';
    await people().save(lee);
    await alone.stop();
    start(EU);
    start(US);
    await regions.settled();
    expect(await regions.rows(EU)).toEqual(await regions.rows(US));
    expect(await regions.quarantined()).toEqual([
      { reason: 'expired', rows: [ANN] },
      { reason: 'undone-before', rows: [ANN, `${ANN}/kim`] },
      { reason: 'undone-before', rows: [`${ANN}/kim`] },
    ]);
    expect(await regions.query(US, `select visits from public.customers where id = '${ANN}/lee'`)).toEqual([
      { visits: '5' },
    ]);
  });

  test('a fence away undoes all that is pending and keeps it; rows are the log’s, new saves are refused', async () => {
    const relaying = start(EU);
    start(US);
    await regions.folded(EU);
    const ann = customer(ANN, 'Ann');
    const kim = customer(`${ANN}/kim`, 'Kim');
    const bob = customer(OTHER_SHARD, 'Bob');
    await people().save([ann, kim]);
    await people().save(bob);
    await regions.settled();
    const before = await regions.rows(EU);
    await relaying.stop();
    start(EU, { relays: false });
    await regions.folded(EU);

    ann.name = 'Once';
    await people().save(ann);
    ann.name = 'Twice';
    await people().save(ann);
    await people().remove(ann);
    await people().save(customer(ANN, 'Again'));
    await people().remove(kim);
    await people().save(customer(`${ANN}/new`, 'New'));
    bob.name = 'Stays';
    await people().save(bob);
    const shard = regions.outbox.receiptOf(kim)!.shard;
    await regions.fence(Number(shard.split('/')[1]), 1, US);
    await regions.folded(EU);

    const after = await regions.rows(EU);
    expect(after.filter(({ id }) => id !== OTHER_SHARD)).toEqual(
      before.filter(({ id }) => id !== OTHER_SHARD),
    );
    expect(after.find(({ id }) => id === OTHER_SHARD)).toMatchObject({ name: 'Stays' });
    expect((await regions.quarantined()).map(({ reason, rows }) => [reason, ...rows])).toEqual([
      ['fenced', ANN],
      ['fenced', ANN],
      ['fenced', ANN],
      ['fenced', ANN],
      ['fenced', `${ANN}/kim`],
      ['fenced', `${ANN}/new`],
    ]);
    expect(await regions.count(EU, 'outbox')).toBe(1);
    await expect(people().save(customer(`${ANN}/late`, 'Late'))).rejects.toMatchObject({ code: 'not-owner' });
  });

  test('a fence waits for a transaction that holds the shard, and undoes what it stored', async () => {
    start(EU, { relays: false });
    await regions.folded(EU);
    const queryRunner = regions.source.createQueryRunner();
    await queryRunner.startTransaction();
    await queryRunner.manager.save(customer(ANN, 'Ann'));
    await regions.fence(0, 1, US);
    await regions.fence(1, 1, US);
    await queryRunner.commitTransaction();
    await queryRunner.release();
    await regions.folded(EU);
    expect(await regions.rows(EU)).toEqual([]);
    expect(await regions.quarantined()).toEqual([{ reason: 'fenced', rows: [ANN] }]);
  });
});

describe('a fold that only confirms, beside services that have a transaction open', () => {
  let service: QueryRunner;

  beforeEach(async () => {
    start(EU);
    await regions.folded(EU);
    service = regions.source.createQueryRunner();
    await service.startTransaction();
  });

  afterEach(async () => {
    if (service.isTransactionActive) await service.rollbackTransaction();
    await service.release();
  });

  const eventually = async (holds: () => Promise<boolean>): Promise<void> => {
    for (const untilMs = Date.now() + 30_000; !(await holds()); await delay(5))
      if (Date.now() > untilMs) throw new Error('not within 30 s');
  };
  const waiting = async (): Promise<number> => {
    const [found] = await regions.query(
      EU,
      `select count(*)::int as waiting from pg_stat_activity
       where datname = current_database() and wait_event_type = 'Lock'`,
    );
    return found!['waiting'] as number;
  };
  const waits = async (): Promise<boolean> => (await waiting()) > 0;
  const expectEqualRegions = async (): Promise<void> => {
    start(US);
    await regions.settled();
    expect(await regions.rows(EU)).toEqual(await regions.rows(US));
    expect(await regions.quarantined()).toEqual([]);
    expect(regions.halts).toEqual([]);
  };

  test('goes on where they have changed other rows', async () => {
    await service.manager.save(customer(`${ANN}/kim`, 'Kim'));
    await people().save(customer(ANN, 'Ann'));
    await eventually(async () => (await regions.count(EU, 'outbox')) === 0);
    await service.commitTransaction();
    await expectEqualRegions();
    expect((await regions.rows(EU)).map(({ name }) => name as string)).toEqual(['Ann', 'Kim']);
  });

  test('waits for one that has changed its row, and puts that change aside', async () => {
    await service.rollbackTransaction();
    const ann = customer(ANN, 'Ann');
    await people().save(ann);
    await eventually(async () => (await regions.count(EU, 'outbox')) === 0);
    await service.startTransaction();
    await service.manager.save(Object.assign(ann, { name: 'Anne', visits: '2' }));
    await regions.append({ key: ANN, type: 'visited', data: { by: 3 } });
    await eventually(waits);
    await service.commitTransaction();
    await expectEqualRegions();
    expect(await regions.rows(EU)).toMatchObject([{ name: 'Anne', visits: '5' }]);
  });

  test('takes the gate alone where one has put a row that the log brings', async () => {
    await service.manager.save(customer(ANN, 'Ann'));
    await regions.append({ key: ANN, type: 'named', data: { name: 'Log' } });
    await eventually(waits);
    await service.commitTransaction();
    await expectEqualRegions();
    expect(await regions.rows(EU)).toMatchObject([{ name: 'Ann' }]);
  });

  test('keeps what one changes in a row that was new while the fold writes it', async () => {
    await service.rollbackTransaction();
    const ann = customer(ANN, 'Ann');
    await service.startTransaction();
    await service.query('select 1 from lockstep.cursor for update');
    await people().save(ann);
    await eventually(waits);
    const saving = people().save(Object.assign(ann, { visits: '2' }));
    await eventually(async () => (await waiting()) === 2);
    await service.commitTransaction();
    await saving;
    await expectEqualRegions();
    expect(await regions.rows(EU)).toMatchObject([{ name: 'Ann', visits: '2' }]);
  });

  test('leaves rows alone that refer to those it writes, or that were put again since', async () => {
    await service.rollbackTransaction();
    await regions.query(
      EU,
      'create table visit (customer text collate "C" references customers on delete cascade)',
    );
    const visit = (): Promise<void> =>
      regions.source.transaction(async (manager) => {
        await manager.save(customer(ANN, 'Ann'));
        await manager.query('insert into visit values ($1)', [ANN]);
      });
    await visit();
    await eventually(async () => (await regions.count(EU, 'outbox')) === 0);
    expect(await regions.query(EU, 'select * from visit')).toEqual([{ customer: ANN }]);
    await service.startTransaction();
    await service.query('select 1 from lockstep.cursor for update');
    await people().remove(customer(ANN, 'Ann'));
    await eventually(waits);
    await visit();
    await service.commitTransaction();
    await expectEqualRegions();
    expect(await regions.query(EU, 'select * from visit')).toEqual([{ customer: ANN }]);
  });

  test('ends as the log says, whoever changes, deletes and puts the same few rows', async () => {
    await service.rollbackTransaction();
    const keys = Array.from({ length: 3 }, (_, index) => `${ANN}/${index}`);
    const chance = new Chance(7);
    const saves = async (): Promise<void> => {
      for (let round = 0; round < 60; round += 1) {
        const chosen = keys.filter(() => chance.next() < 0.5);
        const removes = chance.next() < 0.3;
        // Others hold the rows, have put or removed them: the transaction changed nothing then.
        await regions.source
          .transaction(async (manager) => {
            for (const key of chance.next() < 0.5 ? chosen : chosen.toReversed()) {
              const known = await manager.findOneBy(Customer, { id: key });
              if (removes && known !== null) await manager.remove(known);
              else if (known === null) await manager.save(customer(key, `round ${round}`));
              else await manager.save(Object.assign(known, { visits: String(Number(known.visits) + 1) }));
            }
          })
          .catch(() => undefined);
      }
    };
    const appends = async (): Promise<void> => {
      for (let round = 0; round < 60; round += 1) {
        const key = chance.pick(keys);
        if (chance.next() < 0.3) await regions.append({ key, type: 'left', data: {} });
        else await regions.append({ key, type: 'visited', data: { by: 1 } });
      }
    };
    await Promise.all([saves(), saves(), saves(), appends()]);
    await expectEqualRegions();
  });
});

describe('a shard that is about to move', () => {
  const shardOf = (entity: Customer) => regions.outbox.receiptOf(entity)!.shard;

  test('takes nothing new, while what it holds goes on, and takes all again when it is let go', async () => {
    const relaying = start(EU, { relays: false });
    await regions.folded(EU);
    const ann = customer(ANN, 'Ann');
    await people().save(ann);
    const store = await regions.openStore();
    await store.parkOutbox(shardOf(ann), '7 0', 60_000);
    expect(await store.outboxStanding(shardOf(ann))).toEqual({ parkedFor: '7 0', pending: 1 });
    await expect(people().save(customer(ANN, 'Anne'))).rejects.toMatchObject({ code: 'moving' });
    await people().save(customer(OTHER_SHARD, 'Bob'));
    await relaying.stop();
    start(EU);
    start(US);
    await regions.settled();
    expect(await store.outboxStanding(shardOf(ann))).toEqual({ parkedFor: '7 0', pending: 0 });
    // Of another try.
    await store.unparkOutbox(shardOf(ann), '6 0');
    await expect(people().save(customer(ANN, 'Anne'))).rejects.toMatchObject({ code: 'moving' });
    await store.unparkOutbox(shardOf(ann), '7 0');
    await people().save(customer(ANN, 'Anne'));
    await regions.settled();
    expect(await regions.rows(US)).toMatchObject([{ name: 'Anne' }, { name: 'Bob' }]);
  });

  test('is let go by itself, and parked once for each try', async () => {
    start(EU);
    start(US);
    await regions.folded(EU);
    const ann = customer(ANN, 'Ann');
    await people().save(ann);
    const store = await regions.openStore();
    await store.parkOutbox(shardOf(ann), '7 0', 0);
    await store.parkOutbox(shardOf(ann), '7 0', 60_000);
    expect(await store.outboxStanding(shardOf(ann))).toMatchObject({ parkedFor: null });
    await people().save(customer(ANN, 'Anne'));
    await regions.settled();
    await store.parkOutbox(shardOf(ann), '7 1', 60_000);
    await expect(people().save(customer(ANN, 'Anna'))).rejects.toMatchObject({ code: 'moving' });
    const [, partition] = shardOf(ann).split('/');
    await regions.fence(Number(partition), 1, US);
    await regions.folded(EU);
    await expect(people().save(customer(ANN, 'Anna'))).rejects.toMatchObject({ code: 'not-owner' });
    await regions.fence(Number(partition), 2, EU);
    await regions.folded(EU);
    await people().save(customer(ANN, 'Anna'));
    await regions.settled();
    expect(await regions.quarantined()).toEqual([]);
  });

  test('is parked only when no transaction can store an entry any more', async () => {
    start(EU, { relays: false });
    await regions.folded(EU);
    const queryRunner = regions.source.createQueryRunner();
    await queryRunner.startTransaction();
    const ann = customer(ANN, 'Ann');
    await queryRunner.manager.save(ann);
    const store = await regions.openStore();
    const [holding] = await regions.query(EU, 'select shard from lockstep.ownership order by shard limit 1');
    const shards = [String(holding!['shard']), String(holding!['shard']).replace(/.$/, '1')];
    const parked = await Promise.allSettled(
      shards.map((shard) => store.parkOutbox(shard as never, '7 0', 60_000)),
    );
    expect(parked.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected']);
    await queryRunner.commitTransaction();
    await queryRunner.release();
    await store.parkOutbox(shardOf(ann), '7 0', 60_000);
    expect(await store.outboxStanding(shardOf(ann))).toEqual({ parkedFor: '7 0', pending: 1 });
  });
});

test('whatever replicators of the home end in between, every transaction has one effect, in order', async () => {
  start(US);
  const home = { running: regions.replicate(EU) };
  await regions.folded(EU);
  const keys = [ANN, `${ANN}/a`, `${ANN}/b`, OTHER_SHARD];
  const saved = new Map(keys.map((key) => [key, customer(key, 'new')]));
  for (const each of saved.values()) await people().save(each);
  let rolledBack = 0;
  const rounds = 200;
  const restarts = (async () => {
    for (let restart = 0; restart < 8; restart += 1) {
      await home.running.stop();
      home.running = regions.replicate(EU);
      await regions.folded(EU);
    }
  })();
  const ends = Promise.all(
    keys.map(async (key) => {
      for (let round = 1; round <= rounds; round += 1) {
        const changed = await regions.source
          .transaction(async (manager) => {
            const one = await manager.findOneByOrFail(Customer, { id: key });
            one.name = `round ${round}`;
            one.visits = String(Number(one.visits) + 1);
            await manager.save(one);
            if (round % 7 === 0 && rolledBack < 40) {
              rolledBack += 1;
              return manager.queryRunner!.query('select 1 / 0').catch(() => null);
            }
            return one;
          })
          .catch(() => null);
        if (changed !== null) saved.set(key, changed as Customer);
      }
    }),
  );
  await Promise.all([restarts, ends]);
  running.push({ stop: () => home.running.stop() });
  await regions.settled();
  const rows = await regions.rows(US);
  expect(await regions.rows(EU)).toEqual(rows);
  expect(await regions.quarantined()).toEqual([]);
  expect(rolledBack).toBeGreaterThan(0);
  for (const { id, name, visits } of [...saved.values()])
    expect(rows.find((row) => row['id'] === id)).toMatchObject({ name, visits });
});
