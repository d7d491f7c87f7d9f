import { describe, expect, test } from '@jest/globals';
import { partitionCount, routeKey, type GroupContent, type Receipt } from '@lockstep/protocol';
import fc from 'fast-check';
import { Chance } from '../world/chance.js';
import { endedUnanswered, type Ending } from './answer.js';
import { writeBody, type Call, type Operation } from './operation.js';
import { runName, Workload, type WorkloadOptions } from './workload.js';

const GROUPS = ['eu', 'us', 'ap'].map((name, index) => ({
  name,
  home: name,
  firstShard: index * 4,
  shards: 4,
  regions: ['eu', 'us', 'ap'],
})) as readonly object[] as readonly GroupContent[];

const COUNTED = {
  kind: 'counted',
  accountEntries: 200,
  orderEvents: 300,
  readingEvents: 800,
} as const;

const options = (seed: number, more: Partial<WorkloadOptions> = {}): WorkloadOptions => ({
  seed,
  run: runName(seed, 1),
  groups: GROUPS.map(({ name }) => name),
  amount: COUNTED,
  repeatedPercent: 5,
  wrongVersionsPercent: 10,
  shortDeadlinesPercent: 2,
  ...more,
});

/** A cluster in a few lines: versions by key, and now and then no answer, a refusal, or an answer of much later. */
function play(
  more: WorkloadOptions,
  answers: Chance,
): { calls: readonly Call[]; operations: readonly Operation[] } {
  const workload = new Workload(more);
  const versions = new Map<string, number>();
  const calls: Call[] = [];
  const underWay: Operation[] = [];
  let sequence = 0;
  const answer = (operation: Operation): Ending => {
    const kind = answers.next();
    if (kind < 0.03) return endedUnanswered('ECONNRESET', false);
    if (kind < 0.06) return endedUnanswered('ECONNREFUSED', true);
    const isRight = operation.events.every(
      ({ expectedVersion, key }) =>
        expectedVersion === undefined || expectedVersion === (versions.get(key) ?? 0),
    );
    if (!isRight) return told(operation, 'rejected', 0);
    sequence += 1;
    for (const { key } of operation.events) versions.set(key, sequence);
    return told(operation, 'accepted', sequence);
  };
  for (let call = workload.next(); call !== null; call = workload.next()) {
    calls.push(call);
    underWay.push(...call.operations);
    while (underWay.length > 24) {
      const [operation] = underWay.splice(answers.below(underWay.length), 1) as [Operation];
      workload.settle(operation.op, answer(operation));
    }
  }
  return { calls, operations: calls.flatMap(({ operations }) => operations) };
}

function told(operation: Operation, outcome: 'accepted' | 'rejected', sequence: number): Ending {
  const versions = Object.fromEntries(operation.events.map(({ key }) => [key, sequence]));
  const receipt: Receipt = {
    id: operation.key ?? `p:${operation.op}`,
    dataset: operation.dataset,
    shard: `${operation.dataset}/0`,
    outcome,
    stage: 'accepted',
    stages: {},
    traceId: '',
    ...(outcome === 'accepted' ? { versions } : { code: 'version-conflict' }),
  };
  const type = outcome === 'accepted' ? 'ok' : 'fail';
  return {
    type,
    status: outcome === 'accepted' ? 200 : 409,
    code: null,
    replayed: false,
    receipt,
    location: null,
  };
}

function partitionOf(key: string): number {
  const route = routeKey(GROUPS, key);
  if (route.kind !== 'shard') throw new Error(`${key}: ${route.kind}`);
  return route.partition;
}

const percent = (part: readonly unknown[], whole: readonly unknown[]): number =>
  (100 * part.length) / whole.length;

const seeds = (property: (seed: number) => void): void =>
  fc.assert(fc.property(fc.integer({ min: 0, max: 2 ** 32 - 1 }), property), { numRuns: 10 });

describe('a workload', () => {
  test('gives the same operations for the same seed and the same answers', () => {
    seeds((seed) => {
      const textOf = (other: number): string => JSON.stringify(play(options(other), new Chance(seed)));
      expect(textOf(seed)).toBe(textOf(seed));
      expect(textOf(seed + 1)).not.toBe(textOf(seed));
    });
  });

  test('writes as much as was asked for and then ends', () => {
    seeds((seed) => {
      const fresh = play(options(seed), new Chance(seed)).operations.filter(
        ({ repeats }) => repeats === null,
      );
      const of = (dataset: string): readonly Operation[] =>
        fresh.filter((operation) => operation.dataset === dataset);
      expect(of('accounts')).toHaveLength(COUNTED.accountEntries);
      expect(of('orders').flatMap(({ events }) => events)).toHaveLength(COUNTED.orderEvents);
      expect(of('readings').flatMap(({ events }) => events)).toHaveLength(COUNTED.readingEvents);
    });
  });

  test('keeps each entry in one shard and uses every shard', () => {
    const used = new Set<number>();
    seeds((seed) => {
      const { operations } = play(options(seed), new Chance(seed));
      const partitions = operations.map(({ events }) => [
        ...new Set(events.map(({ key }) => partitionOf(key))),
      ]);
      expect(partitions.filter((several) => several.length !== 1)).toEqual([]);
      for (const partition of partitions.flat()) used.add(partition);
    });
    expect(used.size).toBe(partitionCount(GROUPS));
  });

  test('moves money within a pair: what one side loses the other gains, in one entry', () => {
    seeds((seed) => {
      const transfers = play(options(seed), new Chance(seed)).operations.filter(
        ({ dataset, events }) =>
          dataset === 'accounts' && events.length === 2 && events[0]!.type !== 'opened',
      );
      expect(transfers.length).toBeGreaterThan(20);
      for (const { events } of transfers) {
        const [from, to] = events;
        expect([from!.type, to!.type]).toEqual(['debited', 'credited']);
        expect(from!.data['amount']).toBe(to!.data['amount']);
        expect(from!.key.slice(0, -1)).toBe(to!.key.slice(0, -1));
        expect(from!.key).not.toBe(to!.key);
      }
    });
  });

  test('never uses a key, or the row of a reading, for two intents', () => {
    seeds((seed) => {
      const fresh = play(options(seed), new Chance(seed)).operations.filter(
        ({ repeats }) => repeats === null,
      );
      const keys = fresh.flatMap(({ key }) => (key === null ? [] : [key]));
      const rows = fresh
        .filter(({ dataset }) => dataset === 'readings')
        .flatMap(({ events }) => events.map(({ key }) => key));
      expect(new Set(keys).size).toBe(keys.length);
      expect(new Set(rows).size).toBe(rows.length);
    });
  });

  test('repeats what ended under a key, byte for byte, and only what may have been written', () => {
    seeds((seed) => {
      const refused = new Set<number>();
      const workload = new Workload(options(seed, { repeatedPercent: 30 }));
      const originals = new Map<number, Operation>();
      const answers = new Chance(seed);
      const wrong: Operation[] = [];
      let repeats = 0;
      for (let call = workload.next(); call !== null; call = workload.next()) {
        for (const operation of call.operations) {
          if (operation.repeats === null) originals.set(operation.op, operation);
          else {
            repeats += 1;
            const original = originals.get(operation.repeats)!;
            const isSame = operation.key === original.key && writeBody(operation) === writeBody(original);
            if (operation.key === null || !isSame || refused.has(operation.repeats)) wrong.push(operation);
          }
          const isRefused = answers.next() < 0.2;
          if (isRefused) refused.add(operation.op);
          workload.settle(
            operation.op,
            isRefused ? endedUnanswered('ECONNREFUSED', true) : told(operation, 'accepted', operation.op + 1),
          );
        }
      }
      expect(wrong).toEqual([]);
      expect(repeats).toBeGreaterThan(100);
    });
  });

  test('expects the version that was told last, except where it says that it does not', () => {
    seeds((seed) => {
      const workload = new Workload(options(seed));
      const versions = new Map<string, number>();
      const wrong: Operation[] = [];
      for (let call = workload.next(); call !== null; call = workload.next()) {
        for (const operation of call.operations) {
          const [event] = operation.events as [Operation['events'][0]];
          if (operation.dataset === 'orders' && operation.repeats === null) {
            const isTold = event.expectedVersion === (versions.get(event.key) ?? 0);
            if (isTold === operation.wrongVersion) wrong.push(operation);
          }
          const isRight = !operation.wrongVersion && operation.repeats === null;
          if (isRight) versions.set(event.key, operation.op + 1);
          workload.settle(operation.op, told(operation, isRight ? 'accepted' : 'rejected', operation.op + 1));
        }
      }
      expect(wrong).toEqual([]);
    });
  });

  test('leaves an order alone whose version became unknown', () => {
    const amount = { kind: 'counted', accountEntries: 0, orderEvents: 200, readingEvents: 0 } as const;
    const workload = new Workload(options(3, { amount, repeatedPercent: 0 }));
    const seen = new Set<string>();
    for (let call = workload.next(); call !== null; call = workload.next()) {
      const [{ events, op }] = call.operations;
      expect(seen.has(events[0]!.key)).toBe(false);
      seen.add(events[0]!.key);
      workload.settle(op, endedUnanswered('ECONNRESET', false));
    }
    expect(seen.size).toBe(200);
  });

  test('meets the shares that were asked for', () => {
    const amount = {
      kind: 'counted',
      accountEntries: 2_000,
      orderEvents: 4_000,
      readingEvents: 20_000,
    } as const;
    const { calls, operations } = play(
      options(11, { amount, repeatedPercent: 8, wrongVersionsPercent: 20, shortDeadlinesPercent: 5 }),
      new Chance(1),
    );
    const orders = operations.filter(({ dataset, repeats }) => dataset === 'orders' && repeats === null);
    const isShort = ({ timeoutMs }: Operation): boolean => timeoutMs >= 1 && timeoutMs <= 50;
    expect(
      Math.abs(
        percent(
          operations.filter(({ repeats }) => repeats !== null),
          operations,
        ) - 8,
      ),
    ).toBeLessThan(1);
    expect(
      Math.abs(
        percent(
          orders.filter(({ wrongVersion }) => wrongVersion),
          orders,
        ) - 20,
      ),
    ).toBeLessThan(3);
    expect(
      Math.abs(
        percent(
          calls.filter((call) => isShort(call.operations[0])),
          calls,
        ) - 5,
      ),
    ).toBeLessThan(2);
    const sizes = operations
      .filter(({ dataset }) => dataset === 'readings')
      .map(({ events }) => events.length);
    expect([Math.min(...sizes), Math.max(...sizes)]).toEqual([1, expect.any(Number)]);
    expect(Math.max(...sizes)).toBeGreaterThan(90);
    expect(Math.max(...sizes)).toBeLessThanOrEqual(100);
  });

  test('without shares neither repeats, nor expects wrong versions, nor hurries', () => {
    const none = { repeatedPercent: 0, wrongVersionsPercent: 0, shortDeadlinesPercent: 0 };
    const { operations } = play(options(5, none), new Chance(5));
    const odd = operations.filter(
      ({ repeats, timeoutMs, wrongVersion }) => repeats !== null || wrongVersion || timeoutMs <= 50,
    );
    expect(odd).toEqual([]);
  });
});

test('runs of one seed have names of their own', () => {
  const names = Array.from({ length: 1_000 }, (_, ms) => runName(7, ms));
  expect(new Set(names).size).toBe(1_000);
  expect(names.every((name) => /^[a-z0-9]{8}$/.test(name))).toBe(true);
});
