/**
 * The fetches of a reader at one leader, one at a time, on a connection of their own.
 *
 * Every request names the epoch in which the record before its offset was appended, once that is known: a leader whose
 * log has another record there says so instead of answering, so a reader that goes on at another leader reads on in the log
 * that it read before, or fails. One epoch has one leader, which appends in order; so logs with the same epoch at an offset
 * are the same up to there.
 */
import type { FetchRequest, FetchedPartition } from '@lockstep/engine';
import type { Offset } from '@lockstep/protocol';
import { offset } from '@lockstep/protocol';
import type { BrokerDirectory, PartitionPlace } from './broker-directory.js';
import { CONNECT_MS_MAX, LEADER_NOT_AVAILABLE, NOT_LEADER } from './broker-directory.js';
import type { BrokerLink } from './broker-link.js';
import type { PartitionAnswer } from './fetch-answer.js';
import { readBatches } from './fetch-answer.js';
import type { BrokerAddress, BrokerCall } from './kafka-client.js';
import type { OffsetsAnswer } from './kafkajs-internals.js';
import { brokerError, offsetsCall } from './kafkajs-internals.js';
import { LinkError } from './log-failure.js';
import type { TopicId } from './topic-calls.js';
import { fetchCall } from './topic-calls.js';
import { BATCH_BYTES_MAX } from './unpacked-batch.js';

export type Position = FetchRequest['positions'][number];

/** What a reader knows of its topic, whoever leads the partitions. */
export interface ReadTopic {
  readonly name: string;
  readonly id: TopicId;
  /** Where each partition was found last. */
  readonly places: Map<number, PartitionPlace>;
  /** How far each partition was told, and in which epoch the record before was appended; null when that cannot be known. */
  readonly told: Map<number, { readonly offset: Offset; readonly epoch: number | null }>;
  /** Partitions that lost their leader and were not read from the next one yet. */
  readonly moving: Map<number, Moving>;
}

export interface Moving {
  readonly sinceMs: number;
  /** How often one who was taken for the leader said that it is not. */
  readonly times: number;
  readonly isFound: boolean;
}

export interface PollTerms {
  readonly waitMsMax: number;
  readonly bytesMax: number;
  /** Ask once without waiting where bounds are not known yet: they are told even while this leader has nothing. */
  readonly boundsFirst: boolean;
}

interface Answered {
  readonly fetched: FetchedPartition;
  readonly epoch: number | null;
}

interface ReadTerms {
  readonly lastEpoch: number | null;
  readonly bounds: Bounds | null;
  readonly bytesMax: number;
}

/** What came of a partition's answer, and what was read of it. */
interface Read extends Answered {
  readonly packedBytes: number;
  readonly bytes: number;
}

type PollState =
  | { readonly kind: 'idle' }
  | { readonly kind: 'polling' }
  | { readonly kind: 'answered'; readonly partitions: ReadonlyMap<number, Answered> }
  | { readonly kind: 'failed'; readonly reason: unknown };

/**
 * Beyond the wait that was asked for: the network, and a broker that is busy. Too short is worse than too long: a reader
 * that always gives up a moment early never gets on, one that gives up late loses seconds when a broker freezes.
 */
const ANSWER_MS_MAX = 2_000;
/** While bytes of an answer arrive it may take this many times longer. */
const PROLONG_TIMES_MAX = 15;
const OFFSET_OUT_OF_RANGE = 1;
const FENCED_LEADER_EPOCH = 74;
const UNKNOWN_LEADER_EPOCH = 75;
const UNKNOWN_TOPIC_ID = 100;
const INCONSISTENT_TOPIC_ID = 103;

export class LeaderPoll {
  readonly #topic: ReadTopic;
  readonly #leader: BrokerAddress;
  readonly #directory: BrokerDirectory;
  readonly #bounds = new Map<number, Bounds>();
  #link: BrokerLink | null = null;
  /** What the present fetch() of the reader asks for, and what the request under way asked for (at least as much). */
  #wanted: readonly Position[] = [];
  #asked: ReadonlyMap<number, Offset> = new Map();
  /** Answers of an abandoned request are recognised by its number. */
  #request = 0;
  /** Partitions that are not led here, as the last answer said; the reader has not heard of it yet. */
  #moved: readonly number[] = [];
  /** How many times as long the last answer was once it was unpacked: brokers count packed bytes. */
  #unpackedTimes = 1;
  state: PollState = { kind: 'idle' };
  onChange: () => void = () => {};

  constructor(topic: ReadTopic, leader: BrokerAddress, directory: BrokerDirectory) {
    this.#topic = topic;
    this.#leader = leader;
    this.#directory = directory;
  }

  get hasNews(): boolean {
    const { state } = this;
    return (
      state.kind === 'answered' &&
      this.#wanted.some((position) => isNews(position, state.partitions.get(position.partition)))
    );
  }

  get hasMoved(): boolean {
    return this.#moved.length > 0;
  }

  /** Of all that it can know: a partition that comes from another leader is told when it is known here. */
  get knowsBounds(): boolean {
    return this.#wanted.every(
      ({ partition }) => this.#bounds.has(partition) || this.#topic.moving.has(partition),
    );
  }

  ask(positions: readonly Position[], terms: PollTerms): void {
    this.#wanted = positions;
    const covered = positions.every(({ partition, offset: at }) => this.#asked.get(partition) === at);
    if (covered && (this.state.kind === 'polling' || this.hasNews || this.hasMoved)) return;
    if (this.state.kind === 'polling') this.#dropLink();
    this.#asked = new Map(positions.map(({ partition, offset: at }) => [partition, at]));
    this.#moved = [];
    this.#request += 1;
    const request = this.#request;
    this.state = { kind: 'polling' };
    const settle = (state: PollState): void => {
      if (request !== this.#request) return;
      this.state = state;
      this.onChange();
    };
    this.#run(positions, terms, request).then(
      (partitions) => settle({ kind: 'answered', partitions }),
      (reason: unknown) => {
        if (request === this.#request) this.#directory.suspect(this.#leader);
        settle({ kind: 'failed', reason });
      },
    );
  }

  /** Partitions to be looked for elsewhere, once. */
  takeMoved(): readonly number[] {
    const moved = this.#moved;
    this.#moved = [];
    return moved;
  }

  /** What is known now for what is wanted now; an answer is told once. */
  tell(): readonly FetchedPartition[] {
    const { state } = this;
    if (state.kind === 'answered') this.state = { kind: 'idle' };
    return this.#wanted.flatMap((position) => {
      const { partition } = position;
      const answered = state.kind === 'answered' ? state.partitions.get(partition) : undefined;
      if (answered === undefined) return this.#nothing(position);
      const { epoch, fetched } = answered;
      this.#topic.told.set(partition, { offset: fetched.nextOffset, epoch });
      return [fetched];
    });
  }

  close(): void {
    this.#request += 1;
    this.#dropLink();
    this.state = { kind: 'failed', reason: new LinkError('link-closed', 'the reader was closed') };
    this.onChange();
  }

  async #run(
    positions: readonly Position[],
    terms: PollTerms,
    request: number,
  ): Promise<ReadonlyMap<number, Answered>> {
    const link = await this.#connected();
    const mustLearn = positions.some((position) => this.#epochBefore(position) === 'unknown');
    if (
      mustLearn ||
      (terms.boundsFirst && !positions.every(({ partition }) => this.#bounds.has(partition)))
    ) {
      const partitions = await this.#fetch(link, request, positions, 0, terms.bytesMax);
      const isNew = positions.some((position) => isNews(position, partitions.get(position.partition)));
      if (isNew || request !== this.#request || this.hasMoved) return partitions;
      for (const [partition, { epoch, fetched }] of partitions)
        this.#topic.told.set(partition, { offset: fetched.nextOffset, epoch });
      this.onChange();
    }
    return this.#fetch(link, request, positions, terms.waitMsMax, terms.bytesMax);
  }

  async #fetch(
    link: BrokerLink,
    request: number,
    positions: readonly Position[],
    waitMsMax: number,
    bytesMax: number,
  ): Promise<ReadonlyMap<number, Answered>> {
    const asked = positions.map((position) => {
      const { offset: at, partition } = position;
      const epoch = this.#epochBefore(position);
      const { leaderEpoch } = this.#topic.places.get(partition)!;
      // The batch of the record before comes along, and with it its epoch.
      return epoch === 'unknown'
        ? { partition, offset: at - 1n, leaderEpoch, lastEpoch: null }
        : { partition, offset: at, leaderEpoch, lastEpoch: epoch };
    });
    const call = fetchCall({
      topicId: this.#topic.id,
      positions: asked,
      waitMsMax,
      bytesMax: Math.ceil(bytesMax / this.#unpackedTimes),
    });
    const answer = await link.send(call, {
      timeoutMs: waitMsMax + ANSWER_MS_MAX,
      prolongTimesMax: PROLONG_TIMES_MAX,
    });
    if (answer.errorCode !== 0) throw this.#failure(answer.errorCode);
    const outside = answer.partitions
      .filter(({ errorCode }) => errorCode === OFFSET_OUT_OF_RANGE)
      .map(({ partition }) => partition);
    const bounds =
      outside.length === 0 ? new Map<number, Bounds>() : await readBounds(link, this.#topic.name, outside);
    const partitions = new Map<number, Answered>();
    const moved: number[] = [];
    let packedBytes = 0;
    let bytes = 0;
    for (const [index, position] of positions.entries()) {
      const { partition } = position;
      const found = answer.partitions.find((candidate) => candidate.partition === partition);
      if (found === undefined)
        throw new LinkError('answer-suspicious', `no answer for partition ${partition}`);
      if (LEADS_NO_MORE.has(found.errorCode) && this.#canShowItself(position)) {
        moved.push(partition);
        continue;
      }
      if (found.errorCode !== 0 && found.errorCode !== OFFSET_OUT_OF_RANGE)
        throw this.#failure(found.errorCode);
      const { lastEpoch } = asked[index]!;
      const read = this.#read(position, found, {
        lastEpoch,
        bounds: bounds.get(partition) ?? null,
        bytesMax: bytesMax - bytes,
      });
      packedBytes += read.packedBytes;
      bytes += read.bytes;
      partitions.set(partition, read);
    }
    if (packedBytes > 0) this.#unpackedTimes = Math.max(1, bytes / packedBytes);
    if (request === this.#request) {
      this.#moved = moved;
      for (const partition of moved) this.#bounds.delete(partition);
      for (const [partition, { fetched }] of partitions) {
        this.#bounds.set(partition, fetched);
        this.#topic.moving.delete(partition);
      }
    }
    return partitions;
  }

  /** Of the record before the position: null when there is none, or none that could be read. */
  #epochBefore({ partition, offset: at }: Position): number | null | 'unknown' {
    const told = this.#topic.told.get(partition);
    if (told?.offset === at) return told.epoch;
    return at === 0n ? null : 'unknown';
  }

  /** Another leader can be asked whether its log is the same up to there: its epoch is known, or nothing was read. */
  #canShowItself(position: Position): boolean {
    return position.offset === 0n || typeof this.#epochBefore(position) === 'number';
  }

  /** kafkajs has no name for these: the id is gone, or stands for another topic than the broker's log of it. */
  #failure(errorCode: number): Error {
    return errorCode === UNKNOWN_TOPIC_ID || errorCode === INCONSISTENT_TOPIC_ID
      ? new LinkError('topic-replaced', `${this.#topic.name} has no longer the id ${this.#topic.id}`)
      : brokerError(errorCode);
  }

  #read(position: Position, answer: PartitionAnswer, { bounds, bytesMax, lastEpoch }: ReadTerms): Read {
    const { partition, offset: asked } = position;
    if (answer.divergesAt !== null) throw diverged(position, `diverges at ${answer.divergesAt}`);
    if (bounds !== null) {
      const outOfRange = asked < bounds.startOffset || asked > bounds.endOffset;
      // Not the offset is out of its range, then, but the epoch.
      if (!outOfRange && lastEpoch !== null) throw diverged(position, `knows no epoch ${lastEpoch}`);
      const fetched = { partition, outOfRange, records: [], ...bounds, nextOffset: asked };
      return { fetched, epoch: null, packedBytes: 0, bytes: 0 };
    }
    const { readBatch } = this.#directory.client;
    const { bytes, foreign, leaderEpoch, nextOffset, packedBytes, records } = readBatches(
      answer.batches,
      asked,
      readBatch,
      bytesMax,
    );
    for (const at of foreign)
      this.#directory.tellForeign(
        `the batch at offset ${at} of ${this.#topic.name}/${partition} unpacks to more than ${BATCH_BYTES_MAX} bytes, which no publisher appends, and was stepped over; find out who writes to the topic`,
      );
    const fetched: FetchedPartition = {
      partition,
      outOfRange: false,
      records,
      startOffset: offset(answer.logStartOffset),
      // A new leader may for a moment call less committed than what was read from the old one; what was read stays.
      endOffset: later(offset(answer.highWatermark), offset(nextOffset)),
      nextOffset: offset(nextOffset),
    };
    return { fetched, epoch: leaderEpoch ?? lastEpoch, packedBytes, bytes };
  }

  #nothing({ partition, offset: at }: Position): readonly FetchedPartition[] {
    const bounds = this.#bounds.get(partition);
    if (bounds === undefined) return [];
    const { startOffset, endOffset } = bounds;
    return [
      {
        partition,
        outOfRange: false,
        records: [],
        startOffset,
        endOffset: later(endOffset, at),
        nextOffset: at,
      },
    ];
  }

  async #connected(): Promise<BrokerLink> {
    if (this.#link?.usable === true) return this.#link;
    const link = this.#directory.newLink(this.#leader);
    this.#link = link;
    await link.open(CONNECT_MS_MAX);
    return link;
  }

  #dropLink(): void {
    this.#link?.close();
    this.#link = null;
  }
}

/**
 * A follower would answer too, with what it knows to be committed, which is less. It does not know the epoch of the new leader
 * either, or knows that the one that we name is over.
 */
const LEADS_NO_MORE: ReadonlySet<number> = new Set([
  LEADER_NOT_AVAILABLE,
  NOT_LEADER,
  FENCED_LEADER_EPOCH,
  UNKNOWN_LEADER_EPOCH,
]);

const later = (x: Offset, y: Offset): Offset => (x > y ? x : y);

/** Records, a position outside the log, or a gap that was stepped over. */
const isNews = (position: Position, answered: Answered | undefined): boolean =>
  answered !== undefined && (answered.fetched.outOfRange || answered.fetched.nextOffset > position.offset);

const diverged = ({ partition, offset: at }: Position, story: string): LinkError =>
  new LinkError(
    'log-diverged',
    `partition ${partition} was read up to ${at}, and the log of its leader ${story}`,
  );

export interface Bounds {
  readonly startOffset: Offset;
  readonly endOffset: Offset;
}

/** First and next offset of partitions that this broker leads. */
export async function readBounds(
  link: BrokerLink,
  topic: string,
  partitions: readonly number[],
): Promise<ReadonlyMap<number, Bounds>> {
  const read = async (call: BrokerCall<OffsetsAnswer>): Promise<ReadonlyMap<number, Offset>> => {
    const answer = await link.send(call, { timeoutMs: ANSWER_MS_MAX, prolongTimesMax: 0 });
    const found = answer.responses.flatMap((response) => response.partitions);
    const failed = found.find(({ errorCode }) => errorCode !== 0);
    if (failed !== undefined) throw brokerError(failed.errorCode);
    return new Map(found.map(({ partition, offset: at }) => [partition, offset(BigInt(at))]));
  };
  const starts = await read(offsetsCall(topic, partitions, 'start'));
  const ends = await read(offsetsCall(topic, partitions, 'end'));
  return new Map(
    partitions.map((partition) => {
      const startOffset = starts.get(partition);
      const endOffset = ends.get(partition);
      if (startOffset === undefined || endOffset === undefined)
        throw new LinkError('answer-suspicious', `no bounds of partition ${partition}`);
      return [partition, { startOffset, endOffset }];
    }),
  );
}
