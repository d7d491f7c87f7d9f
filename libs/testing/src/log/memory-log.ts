/**
 * In-memory twin of the log port: topics and partitions that many processes share, each through a view of its own.
 *
 * It keeps the promises of `engine/ports/log` and, where its faults say so, breaks what Kafka may break and nothing else:
 * answers of appends get lost, appends happen late or never, readers fail, offsets have gaps, retention moves the start.
 * It never resolves a promise by itself; every effect takes place inside a completion, so a world decides the order.
 * Each partition is asked of the broker that leads it, so that a way to one broker can be cut and the others left. A fetch
 * of several partitions needs all who lead them. A reader whose leader changed leaves the partition out of one answer, if it has any other, and asks the
 * next leader then, which must have the record that it read last. Unlike in Kafka, a closed view ends its calls only when their completions run.
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
import type { Completions, Unanswered } from '../world/completions.js';
import { Partition, type Broker } from './memory-partition.js';

/**
 * What becomes of one append. `refused` rejects `retryable`, everything but that and `appended` rejects `unknown`:
 * it stands, and its caller hears at once or only at its bound that nobody answers; comes to stand later; never stands; or stands at
 * the leader alone (replicas left while it was written).
 */
export type AppendFate =
  | 'appended'
  | 'refused'
  | 'appended-unanswered'
  | 'appended-silently'
  | 'late-unanswered'
  | 'lost-unanswered'
  | 'unreplicated-unanswered';

/** `slow` answers after seconds, `stuck` fails only at its bound. */
export type FetchFate = 'answered' | 'failed' | 'slow' | 'stuck';

/** `refused` rejects `retryable`; `placed-unanswered` takes effect and rejects `unknown`. */
export type PlacingFate = 'placed' | 'refused' | 'placed-unanswered';

/** Asked once per call, at the moment that the world picks for it. */
export interface LogFaults {
  readonly append?: (request: AppendRequest) => AppendFate;
  readonly fetch?: (topic: string, request: FetchRequest) => FetchFate;
  /** Offsets to leave out behind an append, as a control batch does. */
  readonly gapAfterAppend?: (topic: string, partition: number) => number;
  readonly placeLeader?: () => PlacingFate;
}

export interface MemoryLogOptions {
  readonly faults?: LogFaults;
  /** By how much an append is late that comes to stand after it was given up; hardly unless said otherwise. */
  readonly lateMs?: () => number;
  /** Told of each record of a writer at the moment at which it comes to stand, be it at the leader alone; for checkers. */
  readonly stands?: (record: LogRecord) => void;
  /** The region that each broker stands in; one broker without a region unless said otherwise. */
  readonly brokers?: readonly (string | null)[];
  /**
   * A defect of clients that a harness must find (B1): the client numbers its batches for the brokers, which suppress a
   * number that they know, and after a failed append it gives the number of the failed batch to the next one.
   */
  readonly clientDefect?: 'reuses-sequences';
}

/** A record as any producer might write it. */
export interface ForeignRecord {
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  readonly headers: readonly (readonly [name: string, content: Uint8Array | null])[];
}

export interface MemoryLog {
  /** The log as one process sees it, by what lies between them; nothing does unless said otherwise. */
  open(through?: Completions): Log;
  /** All records that stand, retention not counted; for checkers. */
  records(topic: string, partition: number): readonly LogRecord[];
  /** Id of the broker that leads; null while there is none. */
  leader(topic: string, partition: number): number | null;
  /** Appended at once, by somebody else. Answers its offset. */
  appendForeign(topic: string, partition: number, record: ForeignRecord): Offset;
  /** The next record gets an offset that is higher by `count`. */
  skipOffsets(topic: string, partition: number, count: number): void;
  /** Retention: nothing before `startOffset` can be read any more. */
  truncateBefore(topic: string, partition: number, startOffset: Offset): void;
  /** Deletes the topic; one that is made under its name is another one. */
  remove(topic: string): void;
  /** Deletes the topic and makes it anew, empty, as somebody does who mends it by hand. */
  replace(topic: string): void;
  /** A broker is gone: it leads nothing, what only it had is lost. Others lead after `elect`. */
  stopBroker(id: number): void;
  /** It is back; what leads it catches up with at once. */
  startBroker(id: number): void;
  /** Partitions without a leader get one, which for `behindMs` shows less than what is committed. */
  elect(behindMs: number): void;
  /** Replicas on this broker leave the sets in sync, or come back to them. */
  setInSync(broker: number, isInSync: boolean): void;
  setBrokerClock(id: number, offsetMs: number): void;
  /** Unclean election: what stands from `fromOffset` on is lost, though it was committed. */
  electUncleanly(topic: string, partition: number, fromOffset: Offset): void;
}

/** As the adapter on Kafka: bytes of one append call. */
const APPEND_BYTES_MAX = 4 * 1024 * 1024;
/** Roughly what a record costs beside its parts. */
const RECORD_OVERHEAD_BYTES = 20;

/** A reader's answer must come in this time after what it waited for. */
const FETCH_GRACE_MS = 2_000;
const SLOW_FETCH_MS = 1_500;
const CALL_MS_MAX = 3_000;
/** A follower hears with its next fetch what is committed; one that leads before it does shows less. */
const PLACED_BEHIND_MS = 50;

type Position = FetchRequest['positions'][number];

interface Topic {
  readonly id: string;
  readonly description: TopicDescription;
  readonly partitions: readonly Partition[];
}

export function memoryLog(completions: Completions, options: MemoryLogOptions = {}): MemoryLog {
  const topics = new Map<string, Topic>();
  let topicsMade = 0;
  const faults = options.faults ?? {};
  const brokers = new Map<number, Broker>(
    (options.brokers ?? [null]).map((rack, index) => [
      index + 1,
      { id: index + 1, rack, isUp: true, clockOffsetMs: 0 },
    ]),
  );
  /** Grows with whatever a reader may wait for, so that one that waits looks again only then. */
  let changes = 0;
  /** Until then partitions show more by themselves, as time goes by. */
  let settledFromMs = -Infinity;
  const allPartitions = (): readonly Partition[] =>
    [...topics.values()].flatMap(({ partitions }) => partitions);

  const partitionOf = (topic: string, partition: number): Partition => {
    const found = topics.get(topic)?.partitions[partition];
    if (found === undefined)
      throw new PortError('log-topic-missing', 'retryable', `there is no ${topic}/${partition}`);
    return found;
  };

  const newTopic = (id: string, description: TopicDescription): Topic => {
    const ids = [...brokers.keys()];
    return {
      id,
      description,
      partitions: Array.from({ length: description.partitions }, (_, partition) => {
        const given = description.replicas?.[partition]?.filter((broker) => brokers.has(broker)) ?? [];
        const turned = ids.map((_id, index) => ids[(index + partition) % ids.length]!);
        const replicas = given.length > 0 ? given : turned.slice(0, description.replicationFactor);
        return new Partition(replicas, Math.min(description.minInsyncReplicas, replicas.length), brokers);
      }),
    };
  };

  /** Names of the brokers that lead these partitions, each once. */
  const leaders = (topic: string, partitions: readonly number[]): readonly string[] => {
    const found = topics.get(topic)?.partitions;
    const ids = partitions.map((partition) => found?.[partition]?.leadingBroker()?.id);
    return [...new Set(ids)].flatMap((id) => (id === undefined ? [] : [String(id)]));
  };

  const append = (request: AppendRequest, isReplicated = true): Appended => {
    const { topic, partition, records } = request;
    changes += 1;
    const target = partitionOf(topic, partition);
    const leader = target.leadingBroker();
    if (leader === null || !target.takesAppends()) throw leaderMoved(`${topic}/${partition}`);
    const foreign = records.map(asForeign);
    if (foreign.reduce((sum, record) => sum + recordBytes(record), 0) > APPEND_BYTES_MAX) {
      throw new PortError(
        'log-record-too-large',
        'fatal',
        `more than ${APPEND_BYTES_MAX} bytes in one append to ${topic}/${partition}`,
      );
    }
    const appendTimeMs = Math.floor(completions.nowMs() + leader.clockOffsetMs);
    const baseOffset = target.nextOffset();
    const standing = foreign.map((record, index) =>
      logRecord(record, offset(baseOffset + BigInt(index)), appendTimeMs),
    );
    for (const record of standing) options.stands?.(record);
    if (isReplicated) {
      target.commit(standing);
      target.endOffset += BigInt(faults.gapAfterAppend?.(topic, partition) ?? 0);
    } else target.appendToTail(standing);
    return { baseOffset: offset(baseOffset), appendTimeMs };
  };

  /** By producer and partition: what the brokers know of its batches. */
  const known = new Map<string, { readonly next: number; readonly answer: Appended }>();
  let producersMade = 0;

  /** The append, or the answer to an earlier one where a broker takes this one for its copy. */
  const suppressingCopies = (
    producer: string,
    sequence: number,
    request: AppendRequest,
  ): Appended | typeof SILENT => {
    const before = known.get(producer);
    if (before !== undefined && sequence < before.next) return before.answer;
    const stands = (answer: Appended): void =>
      void known.set(producer, { next: sequence + request.records.length, answer });
    return appendWithFate(request, stands);
  };

  const appendWithFate = (
    request: AppendRequest,
    stands: (answer: Appended) => void = () => undefined,
  ): Appended | typeof SILENT => {
    const name = `${request.topic}/${request.partition}`;
    const fate = faults.append?.(request) ?? 'appended';
    switch (fate) {
      case 'appended': {
        const answer = append(request);
        stands(answer);
        return answer;
      }
      case 'refused':
        throw leaderMoved(name);
      case 'appended-unanswered':
        stands(append(request));
        throw unanswered(name);
      case 'appended-silently':
        stands(append(request));
        return SILENT;
      case 'late-unanswered': {
        // Nobody waits for it: that is the point. A topic that has vanished meanwhile takes it along.
        const late = (): unknown => topics.has(request.topic) && append(request);
        const lateMs = options.lateMs?.() ?? 0;
        void completions.when(`late append ${name}`, never, lateMs, late, NEVER_LOST).catch(() => undefined);
        throw unanswered(name);
      }
      case 'unreplicated-unanswered':
        append(request, false);
        throw unanswered(name);
      case 'lost-unanswered':
        throw unanswered(name);
    }
  };

  const openWriter = (through: Completions, isClosed: () => boolean): LogWriter => {
    const appending = new Set<string>();
    const sequences = new Map<string, number>();
    producersMade += 1;
    const producer = producersMade;
    let closed = false;
    return {
      async append(request) {
        const name = `${request.topic}/${request.partition}`;
        if (request.records.length === 0) throw new Error('an append has at least one record');
        if (appending.has(name)) throw new Error(`one append at a time: ${name} has one in flight`);
        if (closed || isClosed()) throw closedError('the writer');
        appending.add(name);
        const sequence = sequences.get(name) ?? 0;
        const lost = {
          afterMs: request.timeoutMs,
          error: () => unanswered(name),
          parts: () => leaders(request.topic, [request.partition]),
        };
        try {
          const appended = await through.complete(
            `append ${name}`,
            () => {
              const answer =
                options.clientDefect === undefined
                  ? appendWithFate(request)
                  : suppressingCopies(`${producer} ${name}`, sequence, request);
              if (closed || isClosed()) throw unanswered(name);
              return answer;
            },
            lost,
          );
          if (appended === SILENT) {
            const giveUp = (): never => {
              throw unanswered(name);
            };
            return await through.when(`append ${name} (silent)`, never, request.timeoutMs, giveUp, lost);
          }
          sequences.set(name, sequence + request.records.length);
          return appended;
        } finally {
          appending.delete(name);
        }
      },
      async close() {
        closed = true;
      },
    };
  };

  const openReader = (
    through: Completions,
    topic: string,
    opened: Topic,
    isLogClosed: () => boolean,
  ): LogReader => {
    let end: 'open' | 'failed' | 'closed' = 'open';
    let fetching = false;
    let turn = 0;
    const hasEnded = (): boolean => end !== 'open' || isLogClosed();
    const isReplaced = (): boolean => topics.has(topic) && topics.get(topic) !== opened;
    const epochs = opened.partitions.map(({ leaderEpoch }) => leaderEpoch);
    /** How far each partition was told, and the epoch of the record before: what a next leader must have too. */
    const told = new Map<number, { readonly offset: Offset; readonly epoch: number | null }>();
    const epochRead = ({ offset: at, partition }: Position): number | null => {
      const found = told.get(partition);
      return found?.offset === at ? found.epoch : null;
    };
    const isMoved = ({ partition }: Position): boolean =>
      opened.partitions[partition]?.leaderEpoch !== epochs[partition];
    /** From now on asked of the next leader. */
    const follow = (position: Position): void => {
      if (position.offset > 0n && epochRead(position) === null) throw leaderMoved(topic);
      epochs[position.partition] = opened.partitions[position.partition]!.leaderEpoch;
    };
    const compare = (position: Position): void => {
      const epoch = epochRead(position);
      if (epoch !== null && partitionOf(topic, position.partition).epochBefore(position.offset) !== epoch)
        throw new PortError(
          'log-diverged',
          'retryable',
          `${topic}/${position.partition} was read up to ${position.offset}, and its leader has another record there`,
        );
    };
    const tell = (parts: readonly FetchedPartition[]): readonly FetchedPartition[] => {
      for (const { nextOffset: at, outOfRange, partition, startOffset } of parts) {
        const isReadable = !outOfRange && at > startOffset;
        const epoch = isReadable ? partitionOf(topic, partition).epochBefore(at) : null;
        told.set(partition, { offset: at, epoch: epoch ?? epochRead({ partition, offset: at }) });
      }
      return parts;
    };
    return {
      topicId: opened.id,
      async fetch(request) {
        if (request.positions.length === 0) throw new Error('a fetch asks for at least one partition');
        if (fetching) throw new Error('one fetch at a time');
        if (hasEnded()) throw closedError(`the reader of ${topic}`);
        fetching = true;
        turn += 1;
        let seenChanges = -1;
        const ready = (): boolean => {
          if (seenChanges === changes) return false;
          const nowMs = completions.nowMs();
          const isReady =
            hasEnded() ||
            isReplaced() ||
            request.positions.some(
              (position) =>
                isMoved(position) ||
                hasNews(
                  topics.get(topic)?.partitions[position.partition],
                  position,
                  nowMs,
                  epochRead(position) !== null,
                ),
            );
          if (!isReady && nowMs >= settledFromMs) seenChanges = changes;
          return isReady;
        };
        const answer = (): readonly FetchedPartition[] | 'moved' => {
          if (hasEnded()) throw closedError(`the reader of ${topic}`);
          if (isReplaced()) throw new PortError('log-topic-replaced', 'retryable', `${topic} was made anew`);
          const moved = request.positions.filter(isMoved);
          for (const position of moved) follow(position);
          const positions = request.positions.filter((position) => !moved.includes(position));
          if (positions.length === 0) return 'moved';
          for (const position of positions) compare(position);
          return tell(
            fetched(
              { ...request, positions },
              turn,
              (partition) => partitionOf(topic, partition),
              completions.nowMs(),
              (position) => epochRead(position) !== null,
            ),
          );
        };
        const lost = {
          afterMs: request.waitMsMax + FETCH_GRACE_MS,
          error: () => unreachable(topic),
          parts: () =>
            leaders(
              topic,
              request.positions.map(({ partition }) => partition),
            ),
        };
        try {
          const first = await through.when(
            `fetch ${topic}`,
            ready,
            request.waitMsMax,
            () => {
              const fate = faults.fetch?.(topic, request) ?? 'answered';
              if (fate === 'failed') throw unreachable(topic);
              return fate === 'answered' ? answer() : fate;
            },
            lost,
          );
          if (typeof first !== 'string') return first;
          const laterMs = { moved: 0, slow: SLOW_FETCH_MS, stuck: lost.afterMs }[first];
          return await through.when(
            `fetch ${topic} (${first})`,
            hasEnded,
            laterMs,
            () => {
              if (first === 'stuck') throw unreachable(topic);
              const found = answer();
              if (found === 'moved') throw leaderMoved(topic);
              return found;
            },
            lost,
          );
        } catch (error) {
          if (end === 'open') end = 'failed';
          throw error;
        } finally {
          fetching = false;
        }
      },
      async close() {
        changes += 1;
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
      { setting: 'compression.type', expected: description.compression, found: found.compression },
    ]
      .filter((finding) => finding.expected !== finding.found)
      .map(({ setting, expected, found: value }) => ({
        setting,
        expected: String(expected),
        found: String(value),
      }));
  };

  const adminThrough = (through: Completions): LogAdmin => {
    const ask = <T>(what: string, work: () => T): Promise<T> =>
      through.complete(`admin ${what}`, work, { afterMs: CALL_MS_MAX, error: () => unreachable(what) });
    return {
      ensure: (description) =>
        ask(`ensure ${description.topic}`, () => {
          if (!topics.has(description.topic)) {
            changes += 1;
            topicsMade += 1;
            topics.set(description.topic, newTopic(String(topicsMade), description));
          }
          return check(description);
        }),
      check: (description) => ask(`check ${description.topic}`, () => check(description)),
      brokers: () =>
        ask('brokers', () =>
          [...brokers.values()].filter(({ isUp }) => isUp).map(({ id, rack }) => ({ id, rack })),
        ),
      bounds: (topic, partition) =>
        ask(`bounds ${topic}/${partition}`, () =>
          boundsOf(partitionOf(topic, partition), completions.nowMs()),
        ),
      placeLeader: (topic, partition, region) =>
        ask(`place leader ${topic}/${partition}`, () => {
          const fate = faults.placeLeader?.() ?? 'placed';
          if (fate === 'refused') throw leaderMoved(`${topic}/${partition}`);
          changes += 1;
          const nowMs = completions.nowMs();
          settledFromMs = Math.max(settledFromMs, nowMs + PLACED_BEHIND_MS);
          const placed = partitionOf(topic, partition).place(region, nowMs, PLACED_BEHIND_MS);
          if (fate === 'placed-unanswered')
            throw new PortError('log-timed-out', 'unknown', `nobody answered for ${topic}/${partition}`);
          return placed;
        }),
    };
  };

  return {
    open(through = completions) {
      let closed = false;
      const isClosed = (): boolean => closed;
      return {
        async openWriter() {
          if (closed) throw closedError('the log');
          return openWriter(through, isClosed);
        },
        async openReader(topic) {
          if (closed) throw closedError('the log');
          return through.complete(
            `open reader ${topic}`,
            () => {
              const found = topics.get(topic);
              if (found === undefined)
                throw new PortError('log-topic-missing', 'retryable', `there is no topic ${topic}`);
              return openReader(through, topic, found, isClosed);
            },
            { afterMs: CALL_MS_MAX, error: () => unreachable(topic) },
          );
        },
        admin: adminThrough(through),
        async close() {
          changes += 1;
          closed = true;
        },
      };
    },
    records: (topic, partition) => partitionOf(topic, partition).records,
    leader: (topic, partition) => partitionOf(topic, partition).leadingBroker()?.id ?? null,
    appendForeign(topic, partition, record) {
      changes += 1;
      const target = partitionOf(topic, partition);
      const at = offset(target.nextOffset());
      target.commit([logRecord(record, at, Math.floor(completions.nowMs()))]);
      return at;
    },
    skipOffsets(topic, partition, count) {
      changes += 1;
      partitionOf(topic, partition).endOffset += BigInt(count);
    },
    truncateBefore(topic, partition, startOffset) {
      changes += 1;
      const target = partitionOf(topic, partition);
      if (startOffset > target.endOffset)
        throw new RangeError(`${startOffset} lies behind the end of ${topic}/${partition}`);
      if (startOffset > target.startOffset) target.startOffset = startOffset;
    },
    remove(topic) {
      changes += 1;
      topics.delete(topic);
    },
    replace(topic) {
      changes += 1;
      const found = topics.get(topic);
      if (found === undefined) return;
      topicsMade += 1;
      topics.set(topic, newTopic(String(topicsMade), found.description));
    },
    stopBroker(id) {
      changes += 1;
      brokers.get(id)!.isUp = false;
      for (const partition of allPartitions()) partition.leave(id);
    },
    startBroker(id) {
      changes += 1;
      brokers.get(id)!.isUp = true;
      for (const partition of allPartitions()) partition.join(id);
    },
    elect(behindMs) {
      changes += 1;
      const nowMs = completions.nowMs();
      settledFromMs = Math.max(settledFromMs, nowMs + behindMs);
      for (const partition of allPartitions()) partition.elect(nowMs, behindMs);
    },
    setInSync(broker, isInSync) {
      changes += 1;
      for (const partition of allPartitions())
        if (isInSync) partition.join(broker);
        else partition.lag(broker);
    },
    setBrokerClock(id, offsetMs) {
      brokers.get(id)!.clockOffsetMs = offsetMs;
    },
    electUncleanly(topic, partition, fromOffset) {
      changes += 1;
      partitionOf(topic, partition).electUncleanly(fromOffset);
    },
  };
}

/** The append stands, and no answer to it ever comes. */
const SILENT = Symbol('silent');
const never = (): boolean => false;

/** The caller has its answer already; nothing on the way concerns it. */
const NEVER_LOST: Unanswered = { afterMs: 0, error: () => undefined };

const leaderMoved = (what: string): PortError =>
  new PortError('log-leader-moved', 'retryable', `${what} has no leader here now`);

const unreachable = (what: string): PortError =>
  new PortError('log-unreachable', 'retryable', `the log did not answer for ${what}`);

const closedError = (what: string): PortError =>
  new PortError('log-closed', 'retryable', `${what} has ended`);

const unanswered = (name: string): PortError =>
  new PortError('log-timed-out', 'unknown', `the append to ${name} was not answered`);

const boundsOf = (
  partition: Partition,
  nowMs: number,
): { readonly startOffset: Offset; readonly endOffset: Offset } => ({
  startOffset: offset(partition.startOffset),
  endOffset: offset(partition.visibleEnd(nowMs)),
});

/** A leader knows that what was shown to be of its log stands there, though it may not call it committed yet. */
const isOutside = (partition: Partition, at: Offset, nowMs: number, isShown: boolean): boolean =>
  at < partition.startOffset || (at > partition.visibleEnd(nowMs) && !isShown);

/** Also true for a partition that is missing: the fetch is to say so at once. Nothing is heard without a leader. */
const hasNews = (
  partition: Partition | undefined,
  { offset: at }: Position,
  nowMs: number,
  isShown: boolean,
): boolean =>
  partition === undefined ||
  (partition.leadingBroker() !== null &&
    (isOutside(partition, at, nowMs, isShown) || at < partition.visibleEnd(nowMs)));

function fetched(
  request: FetchRequest,
  turn: number,
  partitionOf: (partition: number) => Partition,
  nowMs: number,
  isShown: (position: Position) => boolean,
): readonly FetchedPartition[] {
  const { positions } = request;
  const answers = new Map<number, FetchedPartition>();
  let bytesLeft = request.bytesMax;
  // Another partition is first each time, so that none starves behind one with much to read.
  for (let index = 0; index < positions.length; index += 1) {
    const position = positions[(index + turn) % positions.length]!;
    const partition = partitionOf(position.partition);
    if (partition.leadingBroker() === null) throw leaderMoved(`partition ${position.partition}`);
    const outOfRange = isOutside(partition, position.offset, nowMs, isShown(position));
    const end = partition.visibleEnd(nowMs);
    const records: LogRecord[] = [];
    let nextOffset: bigint = position.offset;
    if (!outOfRange) {
      let at = firstAtOrBehind(partition.records, position.offset);
      let isCut = false;
      for (; at < partition.records.length; at += 1) {
        const record = partition.records[at]!;
        if (record.offset >= end) break;
        const bytes = readBytes(record);
        isCut = bytes > bytesLeft && bytesLeft < request.bytesMax;
        if (isCut) break;
        bytesLeft -= bytes;
        records.push(record);
        nextOffset = record.offset + 1n;
      }
      if (!isCut && end > nextOffset) nextOffset = end;
    }
    const { endOffset, startOffset } = boundsOf(partition, nowMs);
    answers.set(position.partition, {
      partition: position.partition,
      outOfRange,
      records,
      startOffset,
      endOffset: outOfRange || endOffset > nextOffset ? endOffset : offset(nextOffset),
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
