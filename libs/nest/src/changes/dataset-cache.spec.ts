import { beforeAll, expect, test } from '@jest/globals';
import { PortError, Signal } from '@lockstep/engine';
import { accountsOn, credited, opened, openSample } from '../dataset/accounts.fixture.js';
import type { DatasetPort, PortFeed } from '../dataset/dataset-port.js';
import type { MemoryWorld } from '../testing/memory-world.js';
import { datasetCache } from './dataset-cache.js';

let sample: MemoryWorld;
beforeAll(async () => {
  sample = await openSample();
});

/** A port whose reads are counted and may be held back, and whose feeds may be broken off. */
function watched(port: DatasetPort) {
  const told = new Signal();
  const state = {
    reads: 0,
    hold: null as Promise<void> | null,
    breakOff: (): void => undefined,
    /** From where each feed was opened. */
    from: [] as (string | null)[],
  };
  const watching: DatasetPort = {
    ...port,
    row: async (call) => {
      state.reads += 1;
      const answer = await port.row(call);
      await state.hold;
      return answer;
    },
    changes: async (call) => {
      state.from.push(call.from);
      const feed = (await port.changes(call)) as PortFeed;
      let isBroken = false;
      state.breakOff = () => {
        isBroken = true;
        feed.close();
      };
      return {
        next: async () => {
          // Whoever asks for more has taken what was told.
          told.raise();
          const events = await feed.next();
          if (isBroken) throw new PortError('feed-broken', 'retryable', 'broken off');
          return events;
        },
        close: () => feed.close(),
      };
    },
  };
  return { port: watching, state, taken: () => told.next().opened() };
}

async function cached(keysMax: number) {
  const world = sample.empty();
  const { port, state, taken } = watched(world.port());
  const begun = taken().then(taken);
  const cache = datasetCache(accountsOn(port), { keysMax });
  await begun;
  return { accounts: accountsOn(world.port()), cache, state, taken };
}

test('a row is read once and brought up to date by the feed; one without a row too', async () => {
  const { accounts, cache, state, taken } = await cached(10);
  expect(await cache.get('eu:ada')).toMatchObject({ row: null, version: 0 });
  let news = taken();
  await accounts.append([opened(), credited(5)]);
  await news;
  expect(await cache.get('eu:ada')).toMatchObject({ row: { balance: 5 } });
  news = taken();
  const { versions } = await accounts.append(credited(1));
  await news;
  expect(await cache.get('eu:ada')).toMatchObject({ row: { balance: 6 }, version: versions['eu:ada'] });
  expect(state.reads).toBe(1);
  cache.close();
});

test('what changes while a row is being read is not lost, and those who ask at once share the reading', async () => {
  const { accounts, cache, state, taken } = await cached(10);
  let goOn!: () => void;
  state.hold = new Promise((resolve) => (goOn = resolve));
  const both = [cache.get('eu:ada'), cache.get('eu:ada')];
  await Promise.resolve();
  const news = taken();
  await accounts.append([opened(), credited(7)]);
  await news;
  goOn();
  for (const one of await Promise.all(both)) expect(one).toMatchObject({ row: { balance: 7 } });
  expect(state.reads).toBe(1);
  cache.close();
});

test('keeps as many rows as it may, forgetting what was not asked for longest', async () => {
  const { cache, state } = await cached(2);
  for (const key of ['eu:a', 'eu:b', 'eu:a', 'eu:c', 'eu:a'] as const) await cache.get(key);
  expect(state.reads).toBe(3);
  await cache.get('eu:b');
  expect(state.reads).toBe(4);
  cache.close();
});

test('forgets everything when the feed is interrupted, and keeps rows again when one has begun anew', async () => {
  const { cache, state, taken } = await cached(10);
  await cache.get('eu:a');
  const back = taken().then(taken);
  state.breakOff();
  await back;
  expect(state.from).toEqual([null, null]);
  await cache.get('eu:a');
  expect(state.reads).toBe(2);
  await cache.get('eu:a');
  expect(state.reads).toBe(2);
  cache.close();
  await cache.get('eu:a');
  expect(state.reads).toBe(3);
});
