import { describe, expect, test } from '@jest/globals';
import type { AppendRequest, FetchRequest } from '@lockstep/engine';
import { offset, type RegionName } from '@lockstep/protocol';
import { logConformance } from '../conformance/log.js';
import type { Completions, Unanswered } from '../world/completions.js';
import { realTimeCompletions } from '../world/completions.js';
import type { AppendFate, FetchFate, MemoryLog } from './memory-log.js';
import { memoryLog } from './memory-log.js';

const realTime = realTimeCompletions({
  nowMs: () => Date.now(),
  after: (ms, call) => void setTimeout(call, ms),
});

logConformance('in memory', async () => {
  const log = memoryLog(realTime, { brokers: ['eu', 'us', 'ap'] });
  return {
    open: () => log.open(),
    appendForeign: async (topic, partition, record) => void log.appendForeign(topic, partition, record),
    leaveGap: async (topic, partition) => log.skipOffsets(topic, partition, 2),
    truncateBefore: async (topic, partition, startOffset) =>
      log.truncateBefore(topic, partition, startOffset),
    remove: async (topic) => log.remove(topic),
    close: async () => {},
  };
});

const TOPIC = {
  topic: 't',
  partitions: 1,
  replicationFactor: 1,
  minInsyncReplicas: 1,
  compression: 'none',
  retentionMs: 1,
  replicas: null,
} as const;

const request = (value: string): AppendRequest => ({
  topic: 't',
  partition: 0,
  records: [{ key: 'eu:a', value, header: Uint8Array.of(1), traceparent: null }],
  timeoutMs: 1_000,
});

const fetchFrom = (at: bigint): FetchRequest => ({
  positions: [{ partition: 0, offset: offset(at) }],
  waitMsMax: 0,
  bytesMax: 1_000,
});

const standing = (log: MemoryLog): readonly (string | null)[] =>
  log.records('t', 0).map(({ valueText }) => valueText);

/** Fates in the order of the calls, then everything goes well. */
const inTurn = <Fate>(fates: readonly Fate[], otherwise: Fate): (() => Fate) => {
  const left = [...fates];
  return () => left.shift() ?? otherwise;
};

describe('faults of the in-memory log', () => {
  for (const [fate, disposition, stands] of [
    ['refused', 'retryable', ['after']],
    ['appended-unanswered', 'unknown', ['struck', 'after']],
    ['lost-unanswered', 'unknown', ['after']],
  ] as const) {
    test(`an append that is ${fate} rejects ${disposition}`, async () => {
      const log = memoryLog(realTime, { faults: { append: inTurn<AppendFate>([fate], 'appended') } });
      const view = log.open();
      await view.admin.ensure(TOPIC);
      const writer = await view.openWriter();
      await expect(writer.append(request('struck'))).rejects.toMatchObject({ disposition });
      await writer.append(request('after'));
      expect(standing(log)).toEqual(stands);
    });
  }

  test('an append that is late stands behind what was appended after it had been given up', async () => {
    const held: (() => void)[] = [];
    const holdingLate: Completions = {
      ...realTime,
      when: (label, ready, withinMs, work, unanswered) =>
        label.startsWith('late')
          ? new Promise((resolve) => held.push(() => resolve(work())))
          : realTime.when(label, ready, withinMs, work, unanswered),
    };
    const log = memoryLog(holdingLate, {
      faults: { append: inTurn<AppendFate>(['late-unanswered'], 'appended') },
    });
    const view = log.open();
    await view.admin.ensure(TOPIC);
    const writer = await view.openWriter();
    await expect(writer.append(request('late'))).rejects.toMatchObject({ disposition: 'unknown' });
    await writer.append(request('early'));
    expect(standing(log)).toEqual(['early']);
    for (const release of held) release();
    expect(standing(log)).toEqual(['early', 'late']);
  });

  test('an append that nobody answers stands, and its caller hears of it only at its bound', async () => {
    const log = memoryLog(realTime, {
      faults: { append: inTurn<AppendFate>(['appended-silently'], 'appended') },
    });
    const view = log.open();
    await view.admin.ensure(TOPIC);
    const writer = await view.openWriter();
    const timeoutMs = 50;
    const begunMs = performance.now();
    const asked = { ...request('silent'), timeoutMs };
    await expect(writer.append(asked)).rejects.toMatchObject({ disposition: 'unknown' });
    expect(performance.now() - begunMs).toBeGreaterThan(timeoutMs - 5);
    expect(standing(log)).toEqual(['silent']);
  });

  test('an append that was in flight when its writer closed is unknown', async () => {
    const log = memoryLog(realTime);
    const view = log.open();
    await view.admin.ensure(TOPIC);
    const writer = await view.openWriter();
    const inFlight = writer.append(request('in flight'));
    await writer.close();
    await expect(inFlight).rejects.toMatchObject({ disposition: 'unknown' });
    expect(standing(log)).toEqual(['in flight']);
  });

  test('a client that reuses sequences is told that a batch stands which does not (B1)', async () => {
    const log = memoryLog(realTime, {
      clientDefect: 'reuses-sequences',
      faults: { append: inTurn<AppendFate>(['appended-unanswered'], 'appended') },
    });
    const view = log.open();
    await view.admin.ensure(TOPIC);
    const writer = await view.openWriter();
    await expect(writer.append(request('a'))).rejects.toMatchObject({ disposition: 'unknown' });
    expect(await writer.append(request('b'))).toMatchObject({ baseOffset: 0n });
    await writer.append(request('c'));
    expect(standing(log)).toEqual(['a', 'c']);
  });

  test('each partition needs the broker that leads it, and a fetch of several needs all of theirs', async () => {
    const needed: (readonly [label: string, parts: readonly string[]])[] = [];
    const seen = (label: string, { parts }: Unanswered): void => void needed.push([label, parts?.() ?? []]);
    const watched: Completions = {
      ...realTime,
      complete: (label, work, unanswered) => {
        seen(label, unanswered);
        return realTime.complete(label, work, unanswered);
      },
      when: (label, ready, withinMs, work, unanswered) => {
        seen(label, unanswered);
        return realTime.when(label, ready, withinMs, work, unanswered);
      },
    };
    const log = memoryLog(realTime, { brokers: [null, null, null] });
    const view = log.open(watched);
    await view.admin.ensure({ ...TOPIC, partitions: 3, replicationFactor: 3, minInsyncReplicas: 2 });
    const writer = await view.openWriter();
    const reader = await view.openReader('t');
    needed.length = 0;
    await writer.append({ ...request('a'), partition: 1 });
    const at = (partition: number) => ({ partition, offset: offset(0n) });
    const positions = [at(0), at(1)];
    await reader.fetch({ positions, waitMsMax: 10, bytesMax: 1_000 });
    expect(needed).toEqual([
      ['append t/1', ['2']],
      ['fetch t', ['1', '2']],
    ]);
    log.stopBroker(2);
    log.elect(0);
    needed.length = 0;
    await writer.append({ ...request('b'), partition: 1 });
    expect(needed).toEqual([['append t/1', ['3']]]);
  });

  test('what only the leader has is gone with it, and what replicas have is not', async () => {
    const log = memoryLog(realTime, {
      brokers: [null, null, null],
      faults: { append: inTurn<AppendFate>(['appended', 'unreplicated-unanswered'], 'appended') },
    });
    const view = log.open();
    await view.admin.ensure({ ...TOPIC, replicationFactor: 3, minInsyncReplicas: 2 });
    const writer = await view.openWriter();
    await writer.append(request('a'));
    await expect(writer.append(request('b'))).rejects.toMatchObject({ disposition: 'unknown' });
    expect(standing(log)).toEqual(['a']);
    log.stopBroker(1);
    await expect(writer.append(request('c'))).rejects.toMatchObject({ code: 'log-leader-moved' });
    log.elect(0);
    await writer.append(request('c'));
    expect(standing(log)).toEqual(['a', 'c']);
    log.setInSync(3, false);
    await expect(writer.append(request('d'))).rejects.toMatchObject({ disposition: 'retryable' });
    log.startBroker(1);
    await writer.append(request('e'));
    expect(standing(log)).toEqual(['a', 'c', 'e']);
  });

  test('what only the leader has is committed before what is appended next', async () => {
    const log = memoryLog(realTime, {
      faults: { append: inTurn<AppendFate>(['unreplicated-unanswered'], 'appended') },
    });
    const view = log.open();
    await view.admin.ensure(TOPIC);
    const writer = await view.openWriter();
    await expect(writer.append(request('a'))).rejects.toMatchObject({ disposition: 'unknown' });
    await writer.append(request('b'));
    expect(standing(log)).toEqual(['a', 'b']);
    expect(log.records('t', 0).map((record) => record.offset)).toEqual([0n, 1n]);
  });

  test('a reader goes on at the next leader, which calls less committed for a while; one that knows nothing is told so', async () => {
    let nowMs = 0;
    const log = memoryLog({ ...realTime, nowMs: () => nowMs }, { brokers: [null, null, null] });
    const view = log.open();
    await view.admin.ensure({ ...TOPIC, replicationFactor: 3, minInsyncReplicas: 2 });
    const writer = await view.openWriter();
    for (const value of ['a', 'b']) await writer.append(request(value));
    const [reader, jumping] = [await view.openReader('t'), await view.openReader('t')];
    await reader.fetch(fetchFrom(0n));
    log.stopBroker(1);
    log.elect(500);
    const [goingOn] = await reader.fetch(fetchFrom(2n));
    expect(goingOn).toMatchObject({ outOfRange: false, records: [], endOffset: 2n, nextOffset: 2n });
    await expect(jumping.fetch(fetchFrom(2n))).rejects.toMatchObject({ code: 'log-leader-moved' });
    const [behind] = await (await view.openReader('t')).fetch(fetchFrom(2n));
    expect(behind).toMatchObject({ outOfRange: true, endOffset: 1n });
    nowMs = 600;
    const [caughtUp] = await (await view.openReader('t')).fetch(fetchFrom(2n));
    expect(caughtUp).toMatchObject({ outOfRange: false, endOffset: 2n });
    await writer.append(request('c'));
    expect((await reader.fetch(fetchFrom(2n)))[0]).toMatchObject({ nextOffset: 3n });
  });

  test('a reader of what an unclean election lost is told so, however long the log is by then', async () => {
    const log = memoryLog(realTime);
    const view = log.open();
    await view.admin.ensure(TOPIC);
    const writer = await view.openWriter();
    for (const value of ['a', 'b', 'c']) await writer.append(request(value));
    const readers = [await view.openReader('t'), await view.openReader('t'), await view.openReader('t')];
    for (const [index, reader] of readers.entries())
      for (let at = 0n; at <= index; at += 1n)
        expect(await reader.fetch({ ...fetchFrom(at), bytesMax: 1 })).toMatchObject([
          { nextOffset: at + 1n },
        ]);
    log.electUncleanly('t', 0, offset(2n));
    await writer.append(request('other'));
    expect(await readers[0]!.fetch(fetchFrom(1n))).toMatchObject([{ nextOffset: 3n }]);
    expect(await readers[1]!.fetch(fetchFrom(2n))).toMatchObject([{ nextOffset: 3n }]);
    await expect(readers[2]!.fetch(fetchFrom(3n))).rejects.toMatchObject({ code: 'log-diverged' });
  });

  test('a partition whose leader changed is left out of one answer beside others', async () => {
    const log = memoryLog(realTime, { brokers: ['eu', 'us', 'ap'] });
    const view = log.open();
    await view.admin.ensure({ ...TOPIC, partitions: 2, replicationFactor: 3 });
    const reader = await view.openReader('t');
    const both = {
      ...fetchFrom(0n),
      positions: [0, 1].map((partition) => ({ partition, offset: offset(0n) })),
    };
    const answered = async (): Promise<readonly number[]> =>
      (await reader.fetch(both)).map(({ partition }) => partition);
    expect(await answered()).toEqual([0, 1]);
    await view.admin.placeLeader('t', 0, 'ap' as RegionName);
    expect(await answered()).toEqual([1]);
    expect(await answered()).toEqual([0, 1]);
  });

  test('a broker that is not in sync is preferred, and leads when it is elected later', async () => {
    const [eu, us] = ['eu', 'us'] as RegionName[];
    const log = memoryLog(realTime, { brokers: ['eu', 'us', 'ap'] });
    const view = log.open();
    await view.admin.ensure({ ...TOPIC, replicationFactor: 3, minInsyncReplicas: 2, replicas: [[1, 2, 3]] });
    log.setInSync(2, false);
    expect(await view.admin.placeLeader('t', 0, us!)).toEqual({ kind: 'preferred', broker: 2 });
    log.setInSync(2, true);
    expect(await view.admin.placeLeader('t', 0, us!)).toEqual({ kind: 'placed', broker: 2 });
    log.stopBroker(2);
    expect(await view.admin.placeLeader('t', 0, us!)).toEqual({ kind: 'no-replica' });
    expect(await view.admin.placeLeader('t', 0, eu!)).toEqual({ kind: 'preferred', broker: 1 });
    log.elect(0);
    expect(await view.admin.placeLeader('t', 0, eu!)).toEqual({ kind: 'placed', broker: 1 });
  });

  test('what only the leader has is gone when another one is placed', async () => {
    const log = memoryLog(realTime, {
      brokers: ['eu', 'us', 'ap'],
      faults: { append: inTurn<AppendFate>(['unreplicated-unanswered'], 'appended') },
    });
    const view = log.open();
    await view.admin.ensure({ ...TOPIC, replicationFactor: 3, minInsyncReplicas: 2, replicas: [[1, 2, 3]] });
    const writer = await view.openWriter();
    const reader = await view.openReader('t');
    await expect(writer.append(request('a'))).rejects.toMatchObject({ disposition: 'unknown' });
    await view.admin.placeLeader('t', 0, 'us' as RegionName);
    await writer.append(request('b'));
    expect(standing(log)).toEqual(['b']);
    expect((await reader.fetch(fetchFrom(0n)))[0]!.records.map(({ valueText }) => valueText)).toEqual(['b']);
  });

  test('a reader whose fetch fails is dead, another one reads on', async () => {
    const log = memoryLog(realTime, { faults: { fetch: inTurn<FetchFate>(['failed'], 'answered') } });
    const view = log.open();
    await view.admin.ensure(TOPIC);
    await (await view.openWriter()).append(request('a'));
    const fetch = { positions: [{ partition: 0, offset: offset(0n) }], waitMsMax: 0, bytesMax: 1_000 };
    const reader = await view.openReader('t');
    await expect(reader.fetch(fetch)).rejects.toMatchObject({
      disposition: 'retryable',
      code: 'log-unreachable',
    });
    await expect(reader.fetch(fetch)).rejects.toMatchObject({ code: 'log-closed' });
    const [answer] = await (await view.openReader('t')).fetch(fetch);
    expect(answer!.records.map(({ valueText }) => valueText)).toEqual(['a']);
  });

  test('gaps behind appends are left as the fault says', async () => {
    const log = memoryLog(realTime, { faults: { gapAfterAppend: inTurn([3, 0], 0) } });
    const view = log.open();
    await view.admin.ensure(TOPIC);
    const writer = await view.openWriter();
    for (const value of ['a', 'b', 'c']) await writer.append(request(value));
    expect(log.records('t', 0).map((record) => record.offset)).toEqual([0n, 4n, 5n]);
  });

  test('records are stamped with the time of the world', async () => {
    const log = memoryLog({ ...realTime, nowMs: () => 1_234 });
    const view = log.open();
    await view.admin.ensure(TOPIC);
    expect(await (await view.openWriter()).append(request('a'))).toEqual({
      baseOffset: 0n,
      appendTimeMs: 1_234,
    });
    expect(log.records('t', 0)[0]!.appendTimeMs).toBe(1_234);
  });
});
