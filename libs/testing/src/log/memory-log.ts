/**
 * In-memory twin of the log port: topics and partitions that many processes share, each through a view of its own.
 *
 * It keeps the promises of `engine/ports/log` and, where its faults say so, breaks what Kafka may break and nothing else:
 * answers of appends get lost, appends happen late or never, readers fail, offsets have gaps, retention moves the start.
 * It never resolves a promise by itself; every effect takes place inside a completion, so a world decides the order.
 * Unlike in Kafka, a closed view ends its calls only when their completions run.
 */
import { PortError } from '@lockstep/engine';
import type {
  AppendRequest,
  Appended,
  FetchedPartition,
  FetchRequest,
  Log,
  LogAdmin,
  LogReader,
  LogWriter,
  TopicDescription,
  TopicFinding,
} from '@lockstep/engine';
import { RECORD_HEADER, TRACE_HEADER, offset, recordDigest } from '@lockstep/protocol';
import type { LogRecord, Offset } from '@lockstep/protocol';
import type { Completions } from '../world/completions.js';

/** What becomes of one append. `refused` rejects `retryable`, everything but that and `appended` rejects `unknown`. */
export type AppendFate =
  'appended' | 'refused' | 'appended-unanswered' | 'late-unanswered' | 'lost-unanswered';

export type FetchFate = 'answered' | 'failed';

/** Asked once per call, at the moment that the world picks for it. */
export interface LogFaults {
  readonly append?: (request: AppendRequest) => AppendFate;
  readonly fetch?: (topic: string, request: FetchRequest) => FetchFate;
  /** Offsets to leave out behind an append, as a control batch does. */
  readonly gapAfterAppend?: (topic: string, partition: number) => number;
}

export interface MemoryLogOptions {
  readonly faults?: LogFaults;
}

/** A record as any producer might write it. */
export interface ForeignRecord {
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  readonly headers: readonly (readonly [name: string, content: Uint8Array | null])[];
}

export interface MemoryLog {
  /** The log as one process sees it. */
  open(): Log;
  /** All records that stand, retention not counted; for checkers. */
  records(topic: string, partition: number): readonly LogRecord[];
  /** Appended at once, by somebody else. Answers its offset. */
  appendForeign(topic: string, partition: number, record: ForeignRecord): Offset;
  /** The next record gets an offset that is higher by `count`. */
  skipOffsets(topic: string, partition: number, count: number): void;
  /** Retention: nothing before `startOffset` can be read any more. */
  truncateBefore(topic: string, partition: number, startOffset: Offset): void;
  /** Deletes the topic; one that is made under its name is another one. */
  remove(topic: string): void;
}

/** As the adapter on Kafka: bytes of one append call. */
const APPEND_BYTES_MAX = 4 * 1024 * 1024;
/** Roughly what a record costs beside its parts. */
const RECORD_OVERHEAD_BYTES = 20;

interface Partition {
  readonly records: LogRecord[];
  startOffset: bigint;
  endOffset: bigint;
}

interface Topic {
  readonly id: string;
  readonly description: TopicDescription;
  readonly partitions: readonly Partition[];
}

export function memoryLog(completions: Completions, options: MemoryLogOptions = {}): MemoryLog {
  const topics = new Map<string, Topic>();
  let topicsMade = 0;
  const faults = options.faults ?? {};

  const partitionOf = (topic: string, partition: number): Partition => {
    const found = topics.get(topic)?.partitions[partition];
    if (found === undefined)
      throw new PortError('log-topic-missing', 'retryable', `there is no ${topic}/${partition}`);
    return found;
  };

  const stand = (target: Partition, record: ForeignRecord, appendTimeMs: number): Offset => {
    const at = offset(target.endOffset);
    target.records.push(logRecord(record, at, appendTimeMs));
    target.endOffset += 1n;
    return at;
  };

  const append = (request: AppendRequest): Appended => {
    const { topic, partition, records } = request;
    const target = partitionOf(topic, partition);
    const foreign = records.map(asForeign);
    if (foreign.reduce((sum, record) => sum + recordBytes(record), 0) > APPEND_BYTES_MAX) {
      throw new PortError(
        'log-record-too-large',
        'fatal',
        `more than ${APPEND_BYTES_MAX} bytes in one append to ${topic}/${partition}`,
      );
    }
    const appendTimeMs = completions.nowMs();
    const [baseOffset] = foreign.map((record) => stand(target, record, appendTimeMs));
    target.endOffset += BigInt(faults.gapAfterAppend?.(topic, partition) ?? 0);
    return { baseOffset: baseOffset!, appendTimeMs };
  };

  const appendWithFate = (request: AppendRequest): Appended => {
    const name = `${request.topic}/${request.partition}`;
    const fate = faults.append?.(request) ?? 'appended';
    switch (fate) {
      case 'appended':
        return append(request);
      case 'refused':
        throw new PortError('log-leader-moved', 'retryable', `the append to ${name} was refused`);
      case 'appended-unanswered':
        append(request);
        throw unanswered(name);
      case 'late-unanswered':
        // Nobody waits for it: that is the point. A topic that has vanished meanwhile takes it along.
        void completions.complete(`late append ${name}`, () => topics.has(request.topic) && append(request));
        throw unanswered(name);
      case 'lost-unanswered':
        throw unanswered(name);
    }
  };

  const openWriter = (isClosed: () => boolean): LogWriter => {
    const appending = new Set<string>();
    let closed = false;
    return {
      async append(request) {
        const name = `${request.topic}/${request.partition}`;
        if (request.records.length === 0) throw new Error('an append has at least one record');
        if (appending.has(name)) throw new Error(`one append at a time: ${name} has one in flight`);
        if (closed || isClosed()) throw closedError('the writer');
        appending.add(name);
        try {
          return await completions.complete(`append ${name}`, () => {
            const answer = appendWithFate(request);
            if (closed || isClosed()) throw unanswered(name);
            return answer;
          });
        } finally {
          appending.delete(name);
        }
      },
      async close() {
        closed = true;
      },
    };
  };

  const openReader = (topic: string, opened: Topic, isLogClosed: () => boolean): LogReader => {
    let end: 'open' | 'failed' | 'closed' = 'open';
    let fetching = false;
    let turn = 0;
    const hasEnded = (): boolean => end !== 'open' || isLogClosed();
    const isReplaced = (): boolean => topics.has(topic) && topics.get(topic) !== opened;
    return {
      topicId: opened.id,
      async fetch(request) {
        if (request.positions.length === 0) throw new Error('a fetch asks for at least one partition');
        if (fetching) throw new Error('one fetch at a time');
        if (hasEnded()) throw closedError(`the reader of ${topic}`);
        fetching = true;
        turn += 1;
        const ready = (): boolean =>
          hasEnded() ||
          isReplaced() ||
          request.positions.some((position) =>
            hasNews(topics.get(topic)?.partitions[position.partition], position.offset),
          );
        try {
          return await completions.when(`fetch ${topic}`, ready, request.waitMsMax, () => {
            if (hasEnded()) throw closedError(`the reader of ${topic}`);
            if (isReplaced())
              throw new PortError('log-topic-replaced', 'retryable', `${topic} was made anew`);
            if (faults.fetch?.(topic, request) === 'failed')
              throw new PortError('log-unreachable', 'retryable', `the fetch from ${topic} failed`);
            return fetched(request, turn, (partition) => partitionOf(topic, partition));
          });
        } catch (error) {
          if (end === 'open') end = 'failed';
          throw error;
        } finally {
          fetching = false;
        }
      },
      async close() {
        end = 'closed';
      },
    };
  };

  const check = (description: TopicDescription): readonly TopicFinding[] => {
    const found = topics.get(description.topic)?.description;
    if (found === undefined) return [{ setting: 'topic', expected: description.topic, found: 'missing' }];
    return [
      { setting: 'partitions', expected: description.partitions, found: found.partitions },
      { setting: 'replication', expected: description.replicationFactor, found: found.replicationFactor },
      { setting: 'retention.ms', expected: description.retentionMs, found: found.retentionMs },
      {
        setting: 'min.insync.replicas',
        expected: description.minInsyncReplicas,
        found: found.minInsyncReplicas,
      },
    ]
      .filter((finding) => finding.expected !== finding.found)
      .map(({ setting, expected, found: value }) => ({
        setting,
        expected: String(expected),
        found: String(value),
      }));
  };

  const admin: LogAdmin = {
    ensure: (description) =>
      completions.complete(`ensure ${description.topic}`, () => {
        if (!topics.has(description.topic)) {
          topicsMade += 1;
          topics.set(description.topic, newTopic(String(topicsMade), description));
        }
        return check(description);
      }),
    check: (description) => completions.complete(`check ${description.topic}`, () => check(description)),
    brokers: () => completions.complete('brokers', () => [{ id: 1, rack: null }]),
    bounds: (topic, partition) =>
      completions.complete(`bounds ${topic}/${partition}`, () => boundsOf(partitionOf(topic, partition))),
  };

  return {
    open() {
      let closed = false;
      const isClosed = (): boolean => closed;
      return {
        async openWriter() {
          if (closed) throw closedError('the log');
          return openWriter(isClosed);
        },
        async openReader(topic) {
          if (closed) throw closedError('the log');
          return completions.complete(`open reader ${topic}`, () => {
            const found = topics.get(topic);
            if (found === undefined)
              throw new PortError('log-topic-missing', 'retryable', `there is no topic ${topic}`);
            return openReader(topic, found, isClosed);
          });
        },
        admin,
        async close() {
          closed = true;
        },
      };
    },
    records: (topic, partition) => partitionOf(topic, partition).records,
    appendForeign: (topic, partition, record) =>
      stand(partitionOf(topic, partition), record, completions.nowMs()),
    skipOffsets(topic, partition, count) {
      partitionOf(topic, partition).endOffset += BigInt(count);
    },
    truncateBefore(topic, partition, startOffset) {
      const target = partitionOf(topic, partition);
      if (startOffset > target.endOffset)
        throw new RangeError(`${startOffset} lies behind the end of ${topic}/${partition}`);
      if (startOffset > target.startOffset) target.startOffset = startOffset;
    },
    remove(topic) {
      topics.delete(topic);
    },
  };
}

const closedError = (what: string): PortError =>
  new PortError('log-closed', 'retryable', `${what} has ended`);

const unanswered = (name: string): PortError =>
  new PortError('log-timed-out', 'unknown', `the append to ${name} was not answered`);

const newTopic = (id: string, description: TopicDescription): Topic => ({
  id,
  description,
  partitions: Array.from({ length: description.partitions }, () => ({
    records: [],
    startOffset: 0n,
    endOffset: 0n,
  })),
});

const boundsOf = ({
  startOffset,
  endOffset,
}: Partition): { readonly startOffset: Offset; readonly endOffset: Offset } => ({
  startOffset: offset(startOffset),
  endOffset: offset(endOffset),
});

const isOutside = ({ startOffset, endOffset }: Partition, at: Offset): boolean =>
  at < startOffset || at > endOffset;

/** Also true for a partition that is missing: the fetch is to say so at once. */
const hasNews = (partition: Partition | undefined, at: Offset): boolean =>
  partition === undefined || isOutside(partition, at) || at < partition.endOffset;

function fetched(
  request: FetchRequest,
  turn: number,
  partitionOf: (partition: number) => Partition,
): readonly FetchedPartition[] {
  const { positions } = request;
  const answers = new Map<number, FetchedPartition>();
  let bytesLeft = request.bytesMax;
  // Another partition is first each time, so that none starves behind one with much to read.
  for (let index = 0; index < positions.length; index += 1) {
    const position = positions[(index + turn) % positions.length]!;
    const partition = partitionOf(position.partition);
    const outOfRange = isOutside(partition, position.offset);
    const records: LogRecord[] = [];
    let nextOffset: bigint = position.offset;
    if (!outOfRange) {
      let at = firstAtOrBehind(partition.records, position.offset);
      for (; at < partition.records.length; at += 1) {
        const record = partition.records[at]!;
        const bytes = readBytes(record);
        if (bytes > bytesLeft && bytesLeft < request.bytesMax) break;
        bytesLeft -= bytes;
        records.push(record);
        nextOffset = record.offset + 1n;
      }
      if (at === partition.records.length) nextOffset = partition.endOffset;
    }
    answers.set(position.partition, {
      partition: position.partition,
      outOfRange,
      records,
      ...boundsOf(partition),
      nextOffset: offset(nextOffset),
    });
  }
  return positions.map(({ partition }) => answers.get(partition)!);
}

/** Index of the first record at `from` or behind it; records are in offset order. */
function firstAtOrBehind(records: readonly LogRecord[], from: Offset): number {
  let low = 0;
  let high = records.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (records[middle]!.offset < from) low = middle + 1;
    else high = middle;
  }
  return low;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function asForeign(record: AppendRequest['records'][number]): ForeignRecord {
  return {
    key: encoder.encode(record.key),
    value: encoder.encode(record.value),
    headers: [
      [RECORD_HEADER, record.header],
      ...(record.traceparent === null ? [] : [[TRACE_HEADER, encoder.encode(record.traceparent)] as const]),
    ],
  };
}

function logRecord(record: ForeignRecord, at: Offset, appendTimeMs: number): LogRecord {
  const header = onlyHeader(record, RECORD_HEADER);
  const trace = onlyHeader(record, TRACE_HEADER);
  return {
    offset: at,
    appendTimeMs,
    key: record.key,
    valueText: record.value === null ? null : textOf(record.value),
    valueBytes: record.value?.length ?? 0,
    header,
    traceparent: trace === null ? null : new TextDecoder().decode(trace),
    digest: recordDigest({ key: record.key, value: record.value, header, appendTimeMs }),
  };
}

function onlyHeader(record: ForeignRecord, wanted: string): Uint8Array | null {
  const found = record.headers.filter(([name]) => name === wanted);
  return found.length === 1 ? found[0]![1] : null;
}

function textOf(bytes: Uint8Array): string | null {
  if (bytes.includes(0)) return null;
  try {
    return decoder.decode(bytes);
  } catch {
    return null;
  }
}

const recordBytes = (record: ForeignRecord): number =>
  RECORD_OVERHEAD_BYTES +
  (record.key?.length ?? 0) +
  (record.value?.length ?? 0) +
  record.headers.reduce((sum, [name, content]) => sum + name.length + (content?.length ?? 0), 0);

const readBytes = (record: LogRecord): number =>
  RECORD_OVERHEAD_BYTES + (record.key?.length ?? 0) + record.valueBytes + (record.header?.length ?? 0);
