/** A reader with two leaders that the test plays itself, and leaders that change: what a single real broker cannot show. */
import { describe, expect, test } from '@jest/globals';
import { offset } from '@lockstep/protocol';
import type { BrokerDirectory, TopicPlaces } from './broker-directory.js';
import type { FetchAnswer } from './fetch-answer.js';
import type { BrokerCall } from './kafka-client.js';
import { KafkaReader } from './kafka-reader.js';
import { kafkajsClient } from './kafkajs-client.js';
import { batchBytes, ZSTD } from './record-batch.fixture.js';
import { BATCH_BYTES_MAX } from './unpacked-batch.js';

const EAST = { host: 'east', port: 1 };
const WEST = { host: 'west', port: 1 };
/** Partition 0 is led by east, 1 and 2 by west. */
const PLACES = {
  id: '0'.repeat(32),
  partitions: [EAST, WEST, WEST].map((leader, partition) => ({
    partition,
    leader,
    leaderEpoch: 1,
    replicas: [1],
  })),
  brokers: [],
};

interface Sent {
  readonly name: string;
  readonly waitMs: number;
  readonly bytesMax: number;
  /** Of the first partition: offset, epoch of its leader, epoch of the record before. */
  readonly asked: readonly [offset: number, leaderEpoch: number, lastEpoch: number];
  readonly closed: boolean;
  answer(partitions: readonly PlayedAnswer[]): void;
  /** What another call than a fetch is answered. */
  tell(answer: object): void;
  fail(error: Error): void;
}

interface PlayedAnswer {
  readonly partition: number;
  readonly texts?: readonly string[];
  readonly from?: bigint;
  readonly errorCode?: number;
  readonly divergesAt?: bigint;
  readonly attributes?: number;
}

/** Plays the brokers: requests wait in `sent` until the test answers them. */
function stage() {
  const sent: Sent[] = [];
  const suspects: string[] = [];
  const foreign: string[] = [];
  /** Answers to whoever looks for leaders, the last one again and again. */
  const places: TopicPlaces[] = [];
  const directory = {
    client: kafkajsClient,
    places: async () => {
      const found = places.length > 1 ? places.shift() : places[0];
      if (found === undefined) throw new Error('nobody was expected to look for leaders');
      return found;
    },
    tellForeign: (story: string) => void foreign.push(story),
    suspect: ({ host }: { host: string }) => void suspects.push(host),
    newLink: ({ host }: { host: string }) => {
      const failures = new Set<(error: Error) => void>();
      let open = false;
      let closed = false;
      return {
        get usable() {
          return open && !closed;
        },
        open: async () => void (open = true),
        send: async (call: BrokerCall<FetchAnswer>) => {
          const { asked, bytesMax, waitMs } = await requestOf(call);
          return new Promise<FetchAnswer>((resolve, reject) => {
            failures.add(reject);
            sent.push({
              name: host,
              waitMs,
              bytesMax,
              asked,
              get closed() {
                return closed;
              },
              answer: (partitions) =>
                resolve({
                  clientSideThrottleTime: 0,
                  errorCode: 0,
                  partitions: partitions.map(partitionAnswer),
                }),
              tell: (answer) => resolve(answer as FetchAnswer),
              fail: reject,
            });
            if (closed) reject(new Error('closed'));
          });
        },
        close: () => {
          closed = true;
          for (const fail of failures) fail(new Error('closed'));
        },
      };
    },
  } as unknown as BrokerDirectory;
  const reader = new KafkaReader('t', PLACES, directory, () => {});
  const next = async (name: string): Promise<Sent> => {
    for (let turns = 0; turns < 50; turns += 1) {
      const index = sent.findIndex((request) => request.name === name);
      if (index >= 0) return sent.splice(index, 1)[0]!;
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    throw new Error(`${name} was not asked`);
  };
  return { reader, next, sent, suspects, places, foreign };
}

/** From the bytes of the request: the tags of its header, replica id, the wait, ... one topic, its partitions. */
async function requestOf(call: BrokerCall<unknown>): Promise<Pick<Sent, 'asked' | 'bytesMax' | 'waitMs'>> {
  const { buffer } = await (call.request as { encode(): Promise<{ buffer: Buffer }> }).encode();
  if (call.name !== 'Fetch') return { waitMs: 0, bytesMax: 0, asked: [-1, -1, -1] };
  const first = 1 + 17 + 8 + 1 + 16 + 1 + 4;
  return {
    waitMs: buffer.readInt32BE(1 + 4),
    bytesMax: buffer.readInt32BE(1 + 12),
    asked: [
      Number(buffer.readBigInt64BE(first + 4)),
      buffer.readInt32BE(first),
      buffer.readInt32BE(first + 12),
    ],
  };
}

function partitionAnswer(played: PlayedAnswer) {
  const { attributes = 0, divergesAt, errorCode = 0, from = 0n, partition, texts = [] } = played;
  const records = texts.map((text) => ({ key: null, value: Buffer.from(text), headers: [] }));
  const batches =
    texts.length === 0 ? Buffer.alloc(0) : batchBytes({ baseOffset: from, attributes, records });
  return {
    partition,
    errorCode,
    highWatermark: from + BigInt(texts.length),
    logStartOffset: 0n,
    divergesAt: divergesAt ?? null,
    batches,
  };
}

const fetchOf = (
  reader: KafkaReader,
  ...positions: readonly (readonly [partition: number, from: number])[]
) =>
  reader.fetch({
    positions: positions.map(([partition, from]) => ({ partition, offset: offset(BigInt(from)) })),
    waitMsMax: 500,
    bytesMax: 1_000,
  });

type Fetched = Awaited<ReturnType<KafkaReader['fetch']>>;
const textsOf = (answer: Fetched): readonly (readonly (string | null)[])[] =>
  answer.map(({ records }) => records.map(({ valueText }) => valueText));

/** Both leaders have told their bounds and wait: east for offset 0 of partition 0, west for offset 0 of partition 1. */
async function bothWaiting() {
  const played = stage();
  const fetching = fetchOf(played.reader, [0, 0], [1, 0]);
  for (const [name, partition] of [
    ['east', 0],
    ['west', 1],
  ] as const)
    (await played.next(name)).answer([{ partition }]);
  return { ...played, fetching, east: await played.next('east'), west: await played.next('west') };
}

describe('a reader of two leaders', () => {
  test('asks each for its bounds without waiting before it waits', async () => {
    const { reader, next } = stage();
    void fetchOf(reader, [0, 0], [1, 0]).catch(() => {});
    expect((await next('east')).waitMs).toBe(0);
    const west = await next('west');
    expect(west.waitMs).toBe(0);
    west.answer([{ partition: 1 }]);
    expect((await next('west')).waitMs).toBe(500);
    await reader.close();
  });

  test('delivers what one has while the other still waits, and keeps the other waiting for the next fetch', async () => {
    const { reader, fetching, east, west, next, sent } = await bothWaiting();
    west.answer([{ partition: 1, texts: ['w0'] }]);
    const first = await fetching;
    expect(textsOf(first)).toEqual([[], ['w0']]);
    expect(first[0]).toMatchObject({ startOffset: 0n, endOffset: 0n, nextOffset: 0n });

    const second = fetchOf(reader, [0, 0], [1, 1]);
    await next('west');
    expect(sent).toEqual([]);
    east.answer([{ partition: 0, texts: ['e0'] }]);
    expect(textsOf(await second)).toEqual([['e0'], []]);
    await reader.close();
  });

  test('asks a leader whose batches are compressed for as much less as unpacking made of the answer before', async () => {
    const { reader, next } = stage();
    const text = 'x'.repeat(5_000);
    const first = fetchOf(reader, [1, 0], [2, 0]);
    const asked = await next('west');
    asked.answer([1, 2].map((partition) => ({ partition, texts: [text], attributes: ZSTD })));
    expect(textsOf(await first)).toEqual([[text], [text]]);
    const second = fetchOf(reader, [1, 1], [2, 1]);
    const askedPacked = await next('west');
    askedPacked.answer([{ partition: 1, texts: ['a'], from: 1n }, { partition: 2 }]);
    expect(textsOf(await second)).toEqual([['a'], []]);
    const third = fetchOf(reader, [1, 2]);
    third.catch(() => {});
    expect([asked.bytesMax, (await next('west')).bytesMax]).toEqual([1_000, 1_000]);
    expect(askedPacked.bytesMax).toBeLessThan(50);
    await reader.close();
  });

  test('tells of a batch that was stepped over', async () => {
    const { foreign, next, reader } = stage();
    const fetching = fetchOf(reader, [1, 0]);
    const bomb = ['x'.repeat(BATCH_BYTES_MAX)];
    (await next('west')).answer([{ partition: 1, texts: bomb, attributes: ZSTD }]);
    expect((await fetching)[0]).toMatchObject({ records: [], nextOffset: 1n });
    expect(foreign).toEqual([expect.stringContaining('the batch at offset 0 of t/1 unpacks to more than')]);
    await reader.close();
  });

  test('delivers an answer that came between two fetches, once', async () => {
    const { reader, fetching, east, west, next } = await bothWaiting();
    west.answer([{ partition: 1, texts: ['w0'] }]);
    await fetching;
    east.answer([{ partition: 0, texts: ['e0'] }]);
    expect(textsOf(await fetchOf(reader, [0, 0], [1, 1]))).toEqual([['e0'], []]);
    const third = fetchOf(reader, [0, 1], [1, 1]);
    (await next('east')).answer([{ partition: 0, from: 1n }]);
    (await next('west')).answer([{ partition: 1, from: 1n }]);
    expect(textsOf(await third)).toEqual([[], []]);
    await reader.close();
  });

  test('cuts a waiting request off when other offsets are asked for, and never tells its answer', async () => {
    const { reader, fetching, east, west, next } = await bothWaiting();
    west.answer([{ partition: 1, texts: ['w0', 'w1'] }]);
    await fetching;
    const second = fetchOf(reader, [0, 5]);
    expect(east.closed).toBe(true);
    east.answer([{ partition: 0, texts: ['stale'] }]);
    (await next('east')).answer([{ partition: 0, texts: ['fresh'], from: 5n }]);
    expect(textsOf(await second)).toEqual([['fresh']]);
    await reader.close();
  });

  test('asks anew when a partition is added to those that a leader was asked for', async () => {
    const { reader, fetching, east, west, next } = await bothWaiting();
    east.answer([{ partition: 0, texts: ['e0'] }]);
    await fetching;
    const second = fetchOf(reader, [1, 0], [2, 0]);
    expect(west.closed).toBe(true);
    (await next('west')).answer([{ partition: 1 }, { partition: 2, texts: ['new'] }]);
    expect(textsOf(await second)).toEqual([[], ['new']]);
    await reader.close();
  });

  test('keeps waiting when fewer partitions are asked for, and drops what nobody asks for any more', async () => {
    const { reader, next } = stage();
    const first = fetchOf(reader, [0, 0], [1, 0], [2, 0]);
    (await next('east')).answer([{ partition: 0, texts: ['e0'] }]);
    (await next('west')).answer([{ partition: 1 }, { partition: 2 }]);
    expect(textsOf(await first)).toEqual([['e0'], [], []]);
    const west = await next('west');
    const second = fetchOf(reader, [2, 0]);
    west.answer([
      { partition: 1, texts: ['dropped'] },
      { partition: 2, texts: ['wanted'] },
    ]);
    expect(textsOf(await second)).toEqual([['wanted']]);
    expect(west.closed).toBe(false);
    await reader.close();
  });

  test('ends with the failure of one: the other is cut off and the leader that failed is suspected', async () => {
    const { reader, fetching, east, west, suspects } = await bothWaiting();
    west.fail(Object.assign(new Error('reset'), { name: 'KafkaJSConnectionError' }));
    await expect(fetching).rejects.toMatchObject({ code: 'log-unreachable', disposition: 'retryable' });
    expect(east.closed).toBe(true);
    expect(suspects).toEqual(['west']);
    await expect(fetchOf(reader, [0, 0])).rejects.toMatchObject({ code: 'log-closed' });
  });

  test('ends its fetch at once when it is closed, whatever its leaders do', async () => {
    const { reader, fetching, east, west, suspects } = await bothWaiting();
    await reader.close();
    await expect(fetching).rejects.toMatchObject({ code: 'log-closed', disposition: 'retryable' });
    expect([east.closed, west.closed]).toEqual([true, true]);
    expect(suspects).toEqual([]);
  });

  test('cannot read a partition that has no leader now', async () => {
    const { suspect, newLink } = { suspect: () => {}, newLink: () => {} };
    const reader = new KafkaReader(
      't',
      {
        id: '0'.repeat(32),
        partitions: [{ partition: 0, leader: null, leaderEpoch: 1, replicas: [1] }],
        brokers: [],
      },
      { client: kafkajsClient, suspect, newLink } as unknown as BrokerDirectory,
      () => {},
    );
    await expect(fetchOf(reader, [0, 0])).rejects.toMatchObject({
      code: 'log-leader-moved',
      disposition: 'retryable',
    });
  });
});

/** Partition 0, led by one of them in its epoch; 1 and 2 as before. */
const ledBy = (leader: typeof EAST, leaderEpoch: number): TopicPlaces => ({
  ...PLACES,
  partitions: PLACES.partitions.map((place) =>
    place.partition === 0 ? { ...place, leader, leaderEpoch } : place,
  ),
});

const NOT_LEADER = 6;
const FENCED = 74;

/** Partition 0 was read up to offset 2 from east, in epoch 0 of the records, and is asked for again. */
async function readFromEast() {
  const played = stage();
  const first = fetchOf(played.reader, [0, 0]);
  (await played.next('east')).answer([{ partition: 0, texts: ['a', 'b'] }]);
  await first;
  const fetching = fetchOf(played.reader, [0, 2]);
  fetching.catch(() => undefined);
  return { ...played, fetching, east: await played.next('east') };
}

describe('a reader whose leader changes', () => {
  test('goes on at the next leader, which is told the epoch of the last record', async () => {
    const { reader, fetching, east, next, places, suspects } = await readFromEast();
    expect(east.asked).toEqual([2, 1, 0]);
    places.push(ledBy(WEST, 2));
    east.answer([{ partition: 0, errorCode: FENCED }]);
    const west = await next('west');
    expect(west.asked).toEqual([2, 2, 0]);
    west.answer([{ partition: 0, from: 2n, texts: ['c'] }]);
    expect(textsOf(await fetching)).toEqual([['c']]);
    expect(suspects).toEqual([]);
    await reader.close();
  });

  test('fails when the next leader has another record there, or knows no such epoch', async () => {
    for (const answer of [{ divergesAt: 1n }, { errorCode: 1 }]) {
      const { fetching, east, next, places } = await readFromEast();
      places.push(ledBy(WEST, 2));
      east.answer([{ partition: 0, errorCode: NOT_LEADER }]);
      (await next('west')).answer([{ partition: 0, ...answer }]);
      if ('errorCode' in answer) {
        const bounds = (at: string): object => ({
          responses: [{ partitions: [{ partition: 0, errorCode: 0, offset: at }] }],
        });
        (await next('west')).tell(bounds('0'));
        (await next('west')).tell(bounds('9'));
      }
      await expect(fetching).rejects.toMatchObject({ code: 'log-diverged', disposition: 'retryable' });
    }
  });

  test('looks again while brokers know of no newer leader, and asks the same one at the second look', async () => {
    const { reader, fetching, east, next, places } = await readFromEast();
    places.push(ledBy(EAST, 1), ledBy(EAST, 1), ledBy(WEST, 2));
    east.answer([{ partition: 0, errorCode: NOT_LEADER }]);
    (await next('east')).answer([{ partition: 0, errorCode: NOT_LEADER }]);
    (await next('west')).answer([{ partition: 0, from: 2n, texts: ['c'] }]);
    expect(textsOf(await fetching)).toEqual([['c']]);
    await reader.close();
  });

  test('answers other partitions meanwhile, without the one that is looked for', async () => {
    const { reader, fetching, east, west, next, places } = await bothWaiting();
    let found!: (places: TopicPlaces) => void;
    places.push(new Promise((resolve) => (found = resolve)) as unknown as TopicPlaces);
    east.answer([{ partition: 0, errorCode: NOT_LEADER }]);
    west.answer([{ partition: 1, texts: ['w0'] }]);
    expect((await fetching).map(({ partition }) => partition)).toEqual([1]);
    const second = fetchOf(reader, [0, 0], [1, 1]);
    await next('west');
    found(ledBy(WEST, 2));
    (await next('west')).answer([
      { partition: 0, texts: ['e0'] },
      { partition: 1, from: 1n },
    ]);
    expect(textsOf(await second)).toEqual([['e0'], []]);
    await reader.close();
  });

  test('learns the epoch of the record before with the first fetch, and fails where it cannot be known', async () => {
    const { reader, next } = stage();
    const fetching = fetchOf(reader, [0, 5]);
    const learning = await next('east');
    expect([learning.asked, learning.waitMs]).toEqual([[4, 1, -1], 0]);
    learning.answer([{ partition: 0, from: 4n, texts: ['before'] }]);
    expect((await next('east')).asked).toEqual([5, 1, 0]);
    await reader.close();
    await expect(fetching).rejects.toMatchObject({ code: 'log-closed' });

    const other = stage();
    const blind = fetchOf(other.reader, [0, 5]);
    (await other.next('east')).answer([{ partition: 0 }]);
    (await other.next('east')).answer([{ partition: 0, errorCode: NOT_LEADER }]);
    await expect(blind).rejects.toMatchObject({ code: 'log-leader-moved', disposition: 'retryable' });
  });

  test('fails when the topic was made anew', async () => {
    const { fetching, east, places } = await readFromEast();
    places.push({ ...ledBy(WEST, 2), id: '1'.repeat(32) });
    east.answer([{ partition: 0, errorCode: NOT_LEADER }]);
    await expect(fetching).rejects.toMatchObject({ code: 'log-topic-replaced' });
  });

  test('ends its fetch at once when it is closed while it looks', async () => {
    const { reader, fetching, east, next, places } = await readFromEast();
    places.push(new Promise(() => undefined) as unknown as TopicPlaces);
    east.answer([{ partition: 0, errorCode: NOT_LEADER }]);
    await expect(next('west')).rejects.toThrow('west was not asked');
    await reader.close();
    await expect(fetching).rejects.toMatchObject({ code: 'log-closed', disposition: 'retryable' });
  });
});
