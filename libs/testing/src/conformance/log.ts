/**
 * What every adapter of the log port must do, whatever stands behind it. A spec hands over a maker; each test gets a fresh
 * topic name, so adapters on real servers can share one server.
 *
 * It runs under jest and takes `describe` and `test` from its globals, so that this library can be imported anywhere.
 */
import assert from 'node:assert/strict';
import { isPortError } from '@lockstep/engine';
import type {
  Compression,
  Disposition,
  FetchedPartition,
  Log,
  LogReader,
  LogWriter,
  TopicDescription,
} from '@lockstep/engine';
import { offset, recordDigest } from '@lockstep/protocol';
import type { LogRecord, Offset, OutgoingRecord, RegionName } from '@lockstep/protocol';
import type { ForeignRecord } from '../log/memory-log.js';

export interface LogUnderTest {
  /** The log as one process sees it; a suite opens several. */
  open(): Log;
  /** Writes as somebody who does not keep to our format. */
  appendForeign(topic: string, partition: number, record: ForeignRecord): Promise<void>;
  /** Uses up at least one offset without a record, behind any number of records whose value is `aside`. */
  leaveGap(topic: string, partition: number): Promise<void>;
  truncateBefore(topic: string, partition: number, startOffset: Offset): Promise<void>;
  /** Deletes the topic. */
  remove(topic: string): Promise<void>;
  close(): Promise<void>;
}

interface TestGlobals {
  describe(name: string, body: () => void): void;
  test(name: string, body: () => Promise<void>): void;
}

const WAIT_MS = 100;
/** Longer than any test may take: a fetch that is not woken fails its test. */
const WAIT_MS_FOREVER = 120_000;
const TIMEOUT_MS = 10_000;
const BYTES_MAX = 4 * 1024 * 1024;
const RETENTION_MS = 86_400_000;
const APPEND_MAY_BE_LARGE = 1024 * 1024;

let topicsMade = 0;

export function logConformance(
  name: string,
  makeLog: () => Promise<LogUnderTest>,
  compression: Compression = 'none',
): void {
  const { describe, test } = globalThis as unknown as TestGlobals;

  const describeTopic = (partitions: number): TopicDescription => ({ ...newTopic(partitions), compression });

  /** A log with one topic, closed after the test whatever happens. */
  const withTopic =
    (body: (stage: Stage) => Promise<void>, partitions = 2) =>
    async (): Promise<void> => {
      const made = await makeLog();
      const log = made.open();
      try {
        const description = describeTopic(partitions);
        assert.deepEqual(await log.admin.ensure(description), []);
        await body({ made, log, description, topic: description.topic });
      } finally {
        await log.close();
        await made.close();
      }
    };

  describe(`log port: ${name}`, () => {
    describe('topics', () => {
      test(
        'a topic that exists is left as it is and found right',
        withTopic(async ({ log, description }) => {
          assert.deepEqual(await log.admin.ensure(description), []);
          assert.deepEqual(await log.admin.check(description), []);
        }),
      );

      test(
        'processes that create the same topic at the same time all succeed',
        withTopic(async ({ made, log }) => {
          const other = made.open();
          const description = describeTopic(3);
          const findings = await Promise.all([log, other, log].map((view) => view.admin.ensure(description)));
          assert.deepEqual(findings, [[], [], []]);
          await other.close();
        }),
      );

      test(
        'differences between a topic and its description are named and left alone',
        withTopic(async ({ log, description }) => {
          const wanted = { ...description, partitions: 5, retentionMs: RETENTION_MS + 1 };
          const expected = [
            { setting: 'partitions', expected: '5', found: '2' },
            {
              setting: 'retention.ms',
              expected: String(wanted.retentionMs),
              found: String(RETENTION_MS),
            },
          ];
          assert.deepEqual(await log.admin.ensure(wanted), expected);
          assert.deepEqual(await log.admin.check(wanted), expected);
        }),
      );

      test(
        'a topic may keep the last record of each key instead of the newest records',
        withTopic(async ({ log, description }) => {
          const compacted = { ...describeTopic(1), retentionMs: 'compacted' as const };
          assert.deepEqual(await log.admin.ensure(compacted), []);
          assert.deepEqual(await log.admin.check(compacted), []);
          const wanted = { ...description, retentionMs: 'compacted' as const };
          assert.notDeepEqual(await log.admin.check(wanted), []);
        }),
      );

      test(
        'a missing topic is a finding of a check',
        withTopic(async ({ log }) => {
          const description = describeTopic(1);
          assert.deepEqual(await log.admin.check(description), [
            { setting: 'topic', expected: description.topic, found: 'missing' },
          ]);
        }),
      );

      test(
        'the brokers are told, each with an id of its own',
        withTopic(async ({ log }) => {
          const ids = (await log.admin.brokers()).map(({ id }) => id);
          assert.ok(ids.length >= 1);
          assert.equal(new Set(ids).size, ids.length);
        }),
      );

      test(
        'bounds are told of an empty, a written and a truncated partition',
        withTopic(async ({ made, log, topic }) => {
          assert.deepEqual(await log.admin.bounds(topic, 1), { startOffset: 0n, endOffset: 0n });
          await append(await log.openWriter(), topic, 1, texts('a', 'b', 'c'));
          assert.deepEqual(await log.admin.bounds(topic, 1), { startOffset: 0n, endOffset: 3n });
          await made.truncateBefore(topic, 1, offset(2n));
          assert.deepEqual(await log.admin.bounds(topic, 1), { startOffset: 2n, endOffset: 3n });
        }),
      );
    });

    describe('the leader of a partition', () => {
      test(
        'is placed where it is wanted, again and again, and a reader goes on behind each change',
        withTopic(async ({ log }) => {
          const brokers = (await log.admin.brokers()).filter(({ rack }) => rack !== null);
          assert.ok(brokers.length > 0, 'brokers name the regions that they stand in');
          const all = brokers.map(({ id }) => id);
          const description = { ...describeTopic(1), replicationFactor: all.length, replicas: [all] };
          assert.deepEqual(await log.admin.ensure(description), []);
          const { topic } = description;
          const wanted = brokers.toReversed().flatMap((broker) => [broker, broker]);
          // One reader for all: it goes on at each leader, and waits where one calls less committed than what was read.
          const reader = await log.openReader(topic);
          const read: string[] = [];
          let next = offset(0n);
          for (const [index, { id, rack }] of wanted.entries()) {
            const placed = await log.admin.placeLeader(topic, 0, rack as RegionName);
            assert.deepEqual(placed, { kind: 'placed', broker: id });
            await appendAtLast(log, topic, 0, texts(String(index)));
            const untilMs = performance.now() + TIMEOUT_MS;
            while (!read.includes(String(index))) {
              assert.ok(performance.now() < untilMs, `only ${read.join(', ')} was read`);
              const [answer] = await reader.fetch({
                positions: [{ partition: 0, offset: next }],
                waitMsMax: WAIT_MS,
                bytesMax: BYTES_MAX,
              });
              read.push(...textsOf(answer?.records ?? []));
              next = answer?.nextOffset ?? next;
            }
          }
          assert.deepEqual(await log.admin.check(description), []);
          const values = wanted.map((_broker, index) => String(index));
          assert.deepEqual([...new Set(read)], values);
        }),
      );

      test(
        'stays where no broker of the region holds a replica',
        withTopic(async ({ log, topic }) => {
          assert.deepEqual(await log.admin.placeLeader(topic, 0, 'nowhere' as RegionName), {
            kind: 'no-replica',
          });
        }),
      );

      test(
        'of a partition that is missing cannot be placed',
        withTopic(async ({ log, topic }) => {
          const missing = ['retryable', 'log-topic-missing'] as const;
          await rejects(log.admin.placeLeader(topic, 99, 'eu' as RegionName), ...missing);
          await rejects(log.admin.placeLeader(`${topic}-not`, 0, 'eu' as RegionName), ...missing);
        }),
      );
    });

    describe('appending', () => {
      test(
        'records come back as they were appended, in order, with the offsets and the append time that the append told',
        withTopic(async ({ log, topic }) => {
          const writer = await log.openWriter();
          const sent = [outgoing('one', { traceparent: TRACEPARENT }), outgoing('zwei ✓ 𝕫'), outgoing('')];
          const first = await append(writer, topic, 0, sent);
          const second = await append(writer, topic, 0, texts('four'));
          assert.equal(first.baseOffset, 0n);
          assert.equal(second.baseOffset, 3n);
          const records = await readAll(await log.openReader(topic), 0, 4);
          for (const [index, record] of sent.entries()) {
            const found = records[index]!;
            const parts = {
              key: utf8(record.key),
              value: utf8(record.value),
              header: record.header,
              appendTimeMs: first.appendTimeMs,
            };
            assert.deepEqual(
              { ...found, key: bytes(found.key), header: bytes(found.header) },
              {
                offset: BigInt(index),
                appendTimeMs: first.appendTimeMs,
                key: bytes(parts.key),
                valueText: record.value,
                valueBytes: parts.value.length,
                header: bytes(record.header),
                traceparent: record.traceparent,
                digest: recordDigest(parts),
              },
            );
          }
          assert.equal(records[3]!.valueText, 'four');
          assert.equal(records[3]!.appendTimeMs, second.appendTimeMs);
        }),
      );

      test(
        'appends to different partitions may be in flight together',
        withTopic(async ({ log, topic }) => {
          const writer = await log.openWriter();
          const answers = await Promise.all(
            [0, 1, 2].map((partition) => append(writer, topic, partition, texts(`p${partition}`))),
          );
          assert.deepEqual(
            answers.map(({ baseOffset }) => baseOffset),
            [0n, 0n, 0n],
          );
          for (const partition of [0, 1, 2]) {
            assert.deepEqual(textsOf(await readAll(await log.openReader(topic), partition, 1)), [
              `p${partition}`,
            ]);
          }
        }, 3),
      );

      test(
        'a second append to a partition that has one in flight is a defect and reaches nothing',
        withTopic(async ({ log, topic }) => {
          const writer = await log.openWriter();
          const first = append(writer, topic, 0, texts('first'));
          await assert.rejects(append(writer, topic, 0, texts('second')), (error) => !isPortError(error));
          await first;
          await append(writer, topic, 0, texts('third'));
          assert.deepEqual(textsOf(await readAll(await log.openReader(topic), 0, 2)), ['first', 'third']);
        }),
      );

      test(
        'an append without records is a defect',
        withTopic(async ({ log, topic }) => {
          await assert.rejects(append(await log.openWriter(), topic, 0, []), (error) => !isPortError(error));
        }),
      );

      test(
        'the records of one call stand together though two processes append at once',
        withTopic(async ({ made, log, topic }) => {
          const other = made.open();
          const writeAll = async (view: Log, who: string): Promise<void> => {
            const writer = await view.openWriter();
            for (let call = 0; call < 10; call += 1) {
              await append(writer, topic, 0, texts(`${who}${call}a`, `${who}${call}b`, `${who}${call}c`));
            }
          };
          await Promise.all([writeAll(log, 'x'), writeAll(other, 'y')]);
          const found = textsOf(await readAll(await log.openReader(topic), 0, 60));
          for (let at = 0; at < found.length; at += 3) {
            const call = found[at]!.slice(0, -1);
            assert.deepEqual(found.slice(at, at + 3), [`${call}a`, `${call}b`, `${call}c`]);
          }
          const calls = (who: string): readonly string[] =>
            found.filter((text) => text.startsWith(who) && text.endsWith('a'));
          assert.deepEqual(
            calls('x'),
            Array.from({ length: 10 }, (_, call) => `x${call}a`),
          );
          assert.deepEqual(
            calls('y'),
            Array.from({ length: 10 }, (_, call) => `y${call}a`),
          );
          await other.close();
        }),
      );

      test(
        'an append to a topic or partition that is not there has certainly not happened and may be repeated',
        withTopic(async ({ log, topic }) => {
          const writer = await log.openWriter();
          await rejects(append(writer, `${topic}-missing`, 0, texts('x')), 'retryable', 'log-topic-missing');
          await rejects(append(writer, topic, 7, texts('x')), 'retryable', 'log-topic-missing');
        }),
      );

      test(
        'a record of one mebibyte is appended, one that is larger than any bound is refused for good and the writer goes on',
        withTopic(async ({ log, topic }) => {
          const writer = await log.openWriter();
          await append(writer, topic, 0, texts('m'.repeat(APPEND_MAY_BE_LARGE)));
          await rejects(
            append(writer, topic, 0, texts('x'.repeat(8 * APPEND_MAY_BE_LARGE))),
            'fatal',
            'log-record-too-large',
          );
          assert.equal((await append(writer, topic, 0, texts('after'))).baseOffset, 1n);
        }),
      );

      test(
        'a closed writer appends nothing and says so',
        withTopic(async ({ log, topic }) => {
          const writer = await log.openWriter();
          await writer.close();
          await rejects(append(writer, topic, 0, texts('x')), 'retryable', 'log-closed');
          assert.equal((await log.admin.bounds(topic, 0)).endOffset, 0n);
        }),
      );
    });

    describe('reading', () => {
      test(
        'a fetch answers exactly the partitions asked for, from exactly the offsets asked for, every time',
        withTopic(async ({ log, topic }) => {
          const writer = await log.openWriter();
          await append(writer, topic, 0, texts('a', 'b', 'c'));
          await append(writer, topic, 1, texts('d', 'e'));
          await append(writer, topic, 2, texts('f'));
          const reader = await log.openReader(topic);
          for (let time = 0; time < 3; time += 1) {
            const seen = new Map<number, readonly LogRecord[]>();
            // Two brokers need not answer at once; each position stays until it was answered.
            while (seen.size < 2) {
              const positions = [at(2, 0), at(0, 1)].filter(({ partition }) => !seen.has(partition));
              const answer = await reader.fetch({ positions, waitMsMax: WAIT_MS, bytesMax: BYTES_MAX });
              assert.deepEqual(
                answer.map(({ partition }) => partition),
                positions.map(({ partition }) => partition),
              );
              for (const { partition, records } of answer)
                if (records.length > 0) seen.set(partition, records);
            }
            assert.deepEqual(textsOf(seen.get(0)!), ['b', 'c']);
            assert.deepEqual(textsOf(seen.get(2)!), ['f']);
          }
          assert.deepEqual(textsOf(await readAll(reader, 1, 2)), ['d', 'e']);
        }, 3),
      );

      test(
        'partitions without records are answered empty after the wait, with their bounds and the offset asked for',
        withTopic(async ({ log, topic }) => {
          await append(await log.openWriter(), topic, 1, texts('a', 'b'));
          const reader = await log.openReader(topic);
          const answer = await reader.fetch({
            positions: [at(0, 0), at(1, 2)],
            waitMsMax: WAIT_MS,
            bytesMax: BYTES_MAX,
          });
          assert.deepEqual(answer, [
            { partition: 0, outOfRange: false, records: [], startOffset: 0n, endOffset: 0n, nextOffset: 0n },
            { partition: 1, outOfRange: false, records: [], startOffset: 0n, endOffset: 2n, nextOffset: 2n },
          ]);
        }),
      );

      test(
        'a partition with nothing new is answered beside one that has records',
        withTopic(async ({ log, topic }) => {
          await append(await log.openWriter(), topic, 1, texts('a'));
          const reader = await log.openReader(topic);
          const [idle, busy] = await reader.fetch({
            positions: [at(0, 0), at(1, 0)],
            waitMsMax: WAIT_MS_FOREVER,
            bytesMax: BYTES_MAX,
          });
          assert.deepEqual(idle, {
            partition: 0,
            outOfRange: false,
            records: [],
            startOffset: 0n,
            endOffset: 0n,
            nextOffset: 0n,
          });
          assert.deepEqual(textsOf(busy!.records), ['a']);
          assert.deepEqual([busy!.endOffset, busy!.nextOffset], [1n, 1n]);
        }),
      );

      test(
        'a waiting fetch ends as soon as another process appends',
        withTopic(async ({ made, log, topic }) => {
          const reader = await log.openReader(topic);
          await reader.fetch({ positions: [at(0, 0), at(1, 0)], waitMsMax: WAIT_MS, bytesMax: BYTES_MAX });
          const waiting = reader.fetch({
            positions: [at(0, 0), at(1, 0)],
            waitMsMax: WAIT_MS_FOREVER,
            bytesMax: BYTES_MAX,
          });
          const other = made.open();
          await append(await other.openWriter(), topic, 1, texts('news'));
          assert.deepEqual(
            (await waiting).map(({ records }) => textsOf(records)),
            [[], ['news']],
          );
          await other.close();
        }),
      );

      test(
        'a fetch may ask for other offsets and partitions than the one before',
        withTopic(async ({ log, topic }) => {
          const writer = await log.openWriter();
          await append(writer, topic, 0, texts('a', 'b', 'c'));
          const reader = await log.openReader(topic);
          const read = async (...positions: Position[]): Promise<readonly (readonly string[])[]> =>
            (await reader.fetch({ positions, waitMsMax: WAIT_MS, bytesMax: BYTES_MAX })).map(({ records }) =>
              textsOf(records),
            );
          assert.deepEqual(await read(at(0, 3)), [[]]);
          assert.deepEqual(await read(at(0, 1)), [['b', 'c']]);
          assert.deepEqual(await read(at(1, 0)), [[]]);
          assert.deepEqual(await read(at(1, 0), at(0, 0)), [[], ['a', 'b', 'c']]);
        }),
      );

      test(
        'an offset outside the log is told with the bounds, and nothing moves it',
        withTopic(async ({ made, log, topic }) => {
          await append(await log.openWriter(), topic, 0, texts('a', 'b', 'c'));
          await made.truncateBefore(topic, 0, offset(2n));
          const reader = await log.openReader(topic);
          for (const asked of [0n, 1n, 4n, 9n]) {
            const [answer] = await reader.fetch({
              positions: [at(0, asked)],
              waitMsMax: WAIT_MS_FOREVER,
              bytesMax: BYTES_MAX,
            });
            assert.deepEqual(answer, {
              partition: 0,
              outOfRange: true,
              records: [],
              startOffset: 2n,
              endOffset: 3n,
              nextOffset: asked,
            });
          }
          const [inside] = await reader.fetch({
            positions: [at(0, 2)],
            waitMsMax: WAIT_MS_FOREVER,
            bytesMax: BYTES_MAX,
          });
          assert.deepEqual(
            [inside!.outOfRange, textsOf(inside!.records), inside!.startOffset],
            [false, ['c'], 2n],
          );
          const [end] = await reader.fetch({
            positions: [at(0, 3)],
            waitMsMax: WAIT_MS,
            bytesMax: BYTES_MAX,
          });
          assert.deepEqual([end!.outOfRange, end!.nextOffset], [false, 3n]);
        }),
      );

      test(
        'offsets without records are stepped over, in the middle of the log and at its end',
        withTopic(async ({ made, log, topic }) => {
          const writer = await log.openWriter();
          await append(writer, topic, 0, texts('before'));
          await made.leaveGap(topic, 0);
          await append(writer, topic, 0, texts('after'));
          await made.leaveGap(topic, 0);
          const { endOffset } = await log.admin.bounds(topic, 0);
          assert.ok(endOffset >= 4n);
          const reader = await log.openReader(topic);
          const found: string[] = [];
          let next = offset(0n);
          while (next < endOffset) {
            const answer = await fetchOne(reader, 0, next);
            assert.ok(answer.nextOffset > next, `stuck at ${next} of ${endOffset}`);
            found.push(...textsOf(answer.records));
            next = answer.nextOffset;
          }
          assert.deepEqual(
            found.filter((text) => text !== 'aside'),
            ['before', 'after'],
          );
          assert.equal(next, endOffset);
          const lastOfGap = await fetchOne(reader, 0, offset(2n));
          assert.deepEqual(
            [lastOfGap.outOfRange, textsOf(lastOfGap.records)[0] ?? 'after'],
            [false, 'after'],
          );
          assert.ok(lastOfGap.nextOffset > 2n);
        }),
      );

      test(
        'everything is read once and in order though the answers are kept small, and a record larger than that comes too',
        withTopic(async ({ log, topic }) => {
          const writer = await log.openWriter();
          const sent = [...Array(20).keys()].map(
            (index) => `${index}-${'x'.repeat(index === 10 ? 50_000 : 300)}`,
          );
          for (const text of sent) await append(writer, topic, 0, texts(text));
          await append(writer, topic, 1, texts('beside'));
          const reader = await log.openReader(topic);
          const found: string[] = [];
          const beside: string[] = [];
          const next = [offset(0n), offset(0n)];
          for (let fetches = 0; found.length < 20 || beside.length < 1; fetches += 1) {
            assert.ok(fetches < 100, 'a fetch makes progress');
            const answer = await reader.fetch({
              positions: [at(0, next[0]!), at(1, next[1]!)],
              waitMsMax: WAIT_MS,
              bytesMax: 1_000,
            });
            found.push(...textsOf(answer[0]!.records));
            beside.push(...textsOf(answer[1]!.records));
            assert.ok(answer[0]!.records.length <= 3 || found.length < 12, 'an answer is bounded');
            for (const { partition, nextOffset } of answer) next[partition] = nextOffset;
          }
          assert.deepEqual(found, sent);
          assert.deepEqual(beside, ['beside']);
        }),
      );

      test(
        'a missing topic or partition cannot be read, and may come',
        withTopic(async ({ log, topic }) => {
          await rejects(log.openReader(`${topic}-missing`), 'retryable', 'log-topic-missing');
          const reader = await log.openReader(topic);
          await rejects(
            reader.fetch({ positions: [at(7, 0)], waitMsMax: WAIT_MS, bytesMax: BYTES_MAX }),
            'retryable',
            'log-topic-missing',
          );
        }),
      );

      test(
        'a topic that was made anew is another log: what reads the former one is told so, however long the new one is',
        withTopic(async ({ made, log, description, topic }) => {
          await append(await log.openWriter(), topic, 0, texts('a', 'b'));
          const reader = await log.openReader(topic);
          assert.deepEqual(textsOf((await fetchOne(reader, 0, offset(0n))).records), ['a', 'b']);
          await made.remove(topic);
          assert.deepEqual(await log.admin.ensure(description), []);
          await append(await log.openWriter(), topic, 0, texts('x', 'y', 'z'));
          await rejects(
            reader.fetch({ positions: [at(0, 2)], waitMsMax: WAIT_MS_FOREVER, bytesMax: BYTES_MAX }),
            'retryable',
            'log-topic-replaced',
          );
          const another = await log.openReader(topic);
          assert.notEqual(another.topicId, reader.topicId);
          assert.equal((await log.openReader(topic)).topicId, another.topicId);
          assert.deepEqual(textsOf((await fetchOne(another, 0, offset(2n))).records), ['z']);
        }),
      );

      test(
        'a reader that has failed stays so',
        withTopic(async ({ log, topic }) => {
          const reader = await log.openReader(topic);
          await rejects(
            reader.fetch({ positions: [at(7, 0)], waitMsMax: WAIT_MS, bytesMax: BYTES_MAX }),
            'retryable',
          );
          await rejects(
            reader.fetch({ positions: [at(0, 0)], waitMsMax: WAIT_MS, bytesMax: BYTES_MAX }),
            'retryable',
            'log-closed',
          );
        }),
      );

      test(
        'a second fetch while one is under way, and a fetch of nothing, are defects',
        withTopic(async ({ log, topic }) => {
          const reader = await log.openReader(topic);
          const request = { positions: [at(0, 0)], waitMsMax: WAIT_MS, bytesMax: BYTES_MAX };
          const first = reader.fetch(request);
          await assert.rejects(reader.fetch(request), (error) => !isPortError(error));
          await first;
          await assert.rejects(reader.fetch({ ...request, positions: [] }), (error) => !isPortError(error));
        }),
      );

      test(
        'closing a reader ends its fetch',
        withTopic(async ({ log, topic }) => {
          const reader = await log.openReader(topic);
          const waiting = reader.fetch({
            positions: [at(0, 0)],
            waitMsMax: WAIT_MS_FOREVER,
            bytesMax: BYTES_MAX,
          });
          await reader.close();
          await endsQuietly(waiting);
        }),
      );

      test(
        'closing the log ends the fetches of its readers, and those of another process go on',
        withTopic(async ({ made, log, topic }) => {
          const other = made.open();
          const request = { positions: [at(0, 0)], waitMsMax: WAIT_MS_FOREVER, bytesMax: BYTES_MAX };
          const ending = (await log.openReader(topic)).fetch(request);
          const staying = (await other.openReader(topic)).fetch(request);
          await log.close();
          await endsQuietly(ending);
          await append(await other.openWriter(), topic, 0, texts('still here'));
          assert.deepEqual(textsOf((await staying)[0]!.records), ['still here']);
          await rejects(log.openReader(topic), 'retryable', 'log-closed');
          await other.close();
        }),
      );
    });

    describe('records that others wrote', () => {
      const mine = Uint8Array.of(1, 2, 3);

      const read = async (
        { made, log, topic }: Stage,
        record: Partial<ForeignRecord>,
      ): Promise<LogRecord> => {
        const whole = { key: utf8('k'), value: utf8('v'), headers: [], ...record };
        await made.appendForeign(topic, 0, whole);
        const [found] = await readAll(await log.openReader(topic), 0, 1);
        const header = found!.header;
        assert.deepEqual(
          found!.digest,
          recordDigest({ key: whole.key, value: whole.value, header, appendTimeMs: found!.appendTimeMs }),
        );
        return found!;
      };

      for (const [title, headers, expected] of [
        ['none', [], null],
        ['one', [['lockstep', mine]], mine],
        ['one that is empty', [['lockstep', new Uint8Array(0)]], new Uint8Array(0)],
        ['one that is null', [['lockstep', null]], null],
        [
          'the same twice',
          [
            ['lockstep', mine],
            ['lockstep', mine],
          ],
          null,
        ],
        [
          'null and bytes',
          [
            ['lockstep', null],
            ['lockstep', mine],
          ],
          null,
        ],
        [
          'one among strange names',
          [
            ['__proto__', mine],
            ['constructor', mine],
            ['1', mine],
            ['lockstep', mine],
            ['', mine],
            ['toString', mine],
          ],
          mine,
        ],
        [
          'only others with similar names',
          [
            ['Lockstep', mine],
            ['lockstep ', mine],
            ['lockste', mine],
            ['__proto__', mine],
          ],
          null,
        ],
      ] as const) {
        test(
          `the header counts when it stands exactly once: ${title}`,
          withTopic(async (stage) =>
            assert.deepEqual(bytes((await read(stage, { headers })).header), bytes(expected)),
          ),
        );
      }

      for (const [title, value, expected] of [
        ['null has no text', null, null],
        ['an empty value is an empty text', new Uint8Array(0), ''],
        ['ill-formed UTF-8 has no text', Uint8Array.of(0x61, 0xff, 0x62), null],
        ['a lone surrogate has no text', Uint8Array.of(0xed, 0xa0, 0x80), null],
        ['a cut-off sequence has no text', Uint8Array.of(0x61, 0xe2, 0x82), null],
        ['NUL has no text', Uint8Array.of(0x61, 0x00, 0x62), null],
        ['a replacement character that was written stays', utf8('a\ufffdb'), 'a\ufffdb'],
        ['a byte order mark stays', Uint8Array.of(0xef, 0xbb, 0xbf, 0x61), '\ufeffa'],
        ['astral characters stay', utf8('𝕫'), '𝕫'],
      ] as const) {
        test(
          `value: ${title}`,
          withTopic(async (stage) => {
            const found = await read(stage, { value });
            assert.equal(found.valueText, expected);
            assert.equal(found.valueBytes, value?.length ?? 0);
          }),
        );
      }

      test(
        'a null key is told from an empty one',
        withTopic(async (stage) => {
          await stage.made.appendForeign(stage.topic, 1, {
            key: new Uint8Array(0),
            value: utf8('v'),
            headers: [],
          });
          const [empty] = await readAll(await stage.log.openReader(stage.topic), 1, 1);
          assert.equal((await read(stage, { key: null })).key, null);
          assert.equal(empty!.key?.length, 0);
        }),
      );

      test(
        'a trace context that stands twice is none',
        withTopic(async (stage) => {
          const trace = utf8(TRACEPARENT);
          assert.equal(
            (
              await read(stage, {
                headers: [
                  ['traceparent', trace],
                  ['traceparent', trace],
                ],
              })
            ).traceparent,
            null,
          );
        }),
      );
    });
  });
}

interface Stage {
  readonly made: LogUnderTest;
  readonly log: Log;
  readonly description: TopicDescription;
  readonly topic: string;
}

type Position = { readonly partition: number; readonly offset: Offset };

const TRACEPARENT = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';

function newTopic(partitions: number): Omit<TopicDescription, 'compression'> {
  topicsMade += 1;
  return {
    topic: `conformance-${process.pid}-${Math.floor(performance.timeOrigin)}-${topicsMade}`,
    partitions,
    replicationFactor: 1,
    minInsyncReplicas: 1,
    retentionMs: RETENTION_MS,
    replicas: null,
  };
}

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);

/** For comparing: adapters may hand out any kind of Uint8Array. */
const bytes = (part: Uint8Array | null): readonly number[] | null => (part === null ? null : [...part]);

const at = (partition: number, from: number | bigint): Position => ({
  partition,
  offset: offset(BigInt(from)),
});

const outgoing = (value: string, more: Partial<OutgoingRecord> = {}): OutgoingRecord => ({
  key: `eu:${value.length}`,
  value,
  header: Uint8Array.of(7, 0, 255, value.length % 256),
  traceparent: null,
  ...more,
});

const texts = (...values: readonly string[]): readonly OutgoingRecord[] =>
  values.map((value) => outgoing(value));

const textsOf = (records: readonly LogRecord[]): readonly string[] =>
  records.map(({ valueText }) => valueText ?? '(no text)');

const append = (
  writer: LogWriter,
  topic: string,
  partition: number,
  records: readonly OutgoingRecord[],
): ReturnType<LogWriter['append']> => writer.append({ topic, partition, records, timeoutMs: TIMEOUT_MS });

/** As publishers do: the same bytes again while the leader moves. */
async function appendAtLast(
  log: Log,
  topic: string,
  partition: number,
  records: readonly OutgoingRecord[],
): Promise<void> {
  const untilMs = performance.now() + TIMEOUT_MS;
  const writer = await log.openWriter();
  for (;;) {
    try {
      await append(writer, topic, partition, records);
      return;
    } catch (error) {
      assert.ok(isPortError(error) && error.disposition !== 'fatal', String(error));
      assert.ok(performance.now() < untilMs, `no leader takes appends: ${error.message}`);
    }
  }
}

async function fetchOne(reader: LogReader, partition: number, from: Offset): Promise<FetchedPartition> {
  const [answer] = await reader.fetch({
    positions: [at(partition, from)],
    waitMsMax: WAIT_MS,
    bytesMax: BYTES_MAX,
  });
  return answer!;
}

/** Reads a partition from its first offset until `count` records were found. */
async function readAll(reader: LogReader, partition: number, count: number): Promise<readonly LogRecord[]> {
  const found: LogRecord[] = [];
  let next = offset(0n);
  while (found.length < count) {
    const answer = await fetchOne(reader, partition, next);
    assert.ok(
      answer.nextOffset > next,
      `only ${found.length} of ${count} records, the end is ${answer.endOffset}`,
    );
    found.push(...answer.records);
    next = answer.nextOffset;
  }
  assert.equal(found.length, count);
  return found;
}

async function rejects(
  call: Promise<unknown>,
  disposition: Disposition,
  code: string | null = null,
): Promise<void> {
  await assert.rejects(call, (error) => {
    assert.ok(isPortError(error), String(error));
    assert.equal(error.disposition, disposition);
    if (code !== null) assert.equal(error.code, code);
    return true;
  });
}

/** As the port promises for a fetch whose reader is closed: empty, or rejected `retryable`. */
async function endsQuietly(fetch: Promise<readonly FetchedPartition[]>): Promise<void> {
  try {
    for (const { records } of await fetch) assert.deepEqual(records, []);
  } catch (error) {
    assert.ok(isPortError(error), String(error));
    assert.equal(error.disposition, 'retryable');
  }
}
