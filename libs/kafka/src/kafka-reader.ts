/**
 * Reads partitions of one topic from exactly the offsets asked for, without a consumer group.
 *
 * One connection per leader, used by this reader alone, so a long poll delays nobody else. With several leaders, the first
 * one that has something ends a fetch; the polls at the others stay open and serve the next fetch if it still asks for the
 * same offsets, and are cut off otherwise. So at most one poll per leader outlives a fetch, for at most the wait that the
 * fetch allowed, and never the reader.
 *
 * It reads the topic by the id that it had when the reader was opened. A topic that was made anew ends it.
 *
 * The reader decides no position. Any failure ends it: what failed is told once, then the owner opens another one.
 */
import assert from 'node:assert/strict';
import { PortError } from '@lockstep/engine';
import type { FetchRequest, FetchedPartition, LogReader } from '@lockstep/engine';
import type { Offset } from '@lockstep/protocol';
import { offset } from '@lockstep/protocol';
import type { BrokerDirectory, TopicPlaces } from './broker-directory.js';
import { CONNECT_MS_MAX, LEADER_NOT_AVAILABLE, UNKNOWN_TOPIC_OR_PARTITION } from './broker-directory.js';
import type { BrokerAddress, BrokerLink } from './broker-link.js';
import type { BatchContents, FetchAnswer, PartitionAnswer } from './fetch-answer.js';
import { readBatches } from './fetch-answer.js';
import type { BrokerCall, OffsetsAnswer } from './kafkajs-internals.js';
import { brokerError, offsetsCall } from './kafkajs-internals.js';
import { LinkError, logFailure } from './log-failure.js';
import type { TopicId } from './topic-calls.js';
import { fetchCall } from './topic-calls.js';

type Position = FetchRequest['positions'][number];

/**
 * Beyond the wait that was asked for: the network, and a broker that is busy. Too short is worse than too long: a reader
 * that always gives up a moment early never gets on, one that gives up late loses seconds when a broker freezes.
 */
const ANSWER_MS_MAX = 2_000;
/** While bytes of an answer arrive it may take this many times longer. */
const PROLONG_TIMES_MAX = 15;
const OFFSET_OUT_OF_RANGE = 1;
const UNKNOWN_TOPIC_ID = 100;
const INCONSISTENT_TOPIC_ID = 103;

export class KafkaReader implements LogReader {
  readonly topicId: TopicId;
  readonly #topic: string;
  readonly #directory: BrokerDirectory;
  readonly #onClose: () => void;
  readonly #leaders: ReadonlyMap<number, BrokerAddress | null>;
  readonly #polls = new Map<string, LeaderPoll>();
  #fetching = false;
  #end: 'open' | 'failed' | 'closed' = 'open';
  #turn = 0;

  constructor(topic: string, places: TopicPlaces, directory: BrokerDirectory, onClose: () => void) {
    this.topicId = places.id;
    this.#topic = topic;
    this.#directory = directory;
    this.#onClose = onClose;
    this.#leaders = new Map(places.partitions.map(({ partition, leader }) => [partition, leader]));
  }

  async fetch(request: FetchRequest): Promise<readonly FetchedPartition[]> {
    assert(request.positions.length > 0, 'a fetch asks for at least one partition');
    assert(!this.#fetching, 'one fetch at a time');
    if (this.#end !== 'open')
      throw new PortError('log-closed', 'retryable', `the reader of ${this.#topic} has ended (${this.#end})`);
    this.#fetching = true;
    try {
      return await this.#fetch(request);
    } catch (error) {
      if (this.#end === 'open') this.#end = 'failed';
      this.#closePolls();
      throw logFailure(error, 'unsent', `reading ${this.#topic}`);
    } finally {
      this.#fetching = false;
    }
  }

  async close(): Promise<void> {
    this.#end = 'closed';
    this.#closePolls();
    this.#onClose();
  }

  async #fetch({ positions, waitMsMax, bytesMax }: FetchRequest): Promise<readonly FetchedPartition[]> {
    const groups = this.#byLeader(positions);
    const leaderBytesMax = Math.max(1, Math.floor(bytesMax / groups.size));
    const polls: LeaderPoll[] = [];
    for (const [name, group] of groups) {
      const poll =
        this.#polls.get(name) ?? new LeaderPoll(this.#topic, this.topicId, group.leader, this.#directory);
      this.#polls.set(name, poll);
      poll.ask(group.positions, { waitMsMax, bytesMax: leaderBytesMax, boundsFirst: groups.size > 1 });
      polls.push(poll);
    }
    await enough(polls);
    const told = new Map(polls.flatMap((poll) => poll.tell()).map((fetched) => [fetched.partition, fetched]));
    return positions.map(({ partition }) => told.get(partition)!);
  }

  /** Each call begins with another partition, so that one with large records cannot keep the others from being served. */
  #byLeader(
    positions: readonly Position[],
  ): Map<string, { readonly leader: BrokerAddress; readonly positions: Position[] }> {
    this.#turn += 1;
    const groups = new Map<string, { readonly leader: BrokerAddress; readonly positions: Position[] }>();
    for (let index = 0; index < positions.length; index += 1) {
      const position = positions[(index + this.#turn) % positions.length]!;
      const leader = this.#leaders.get(position.partition);
      if (leader === undefined) throw brokerError(UNKNOWN_TOPIC_OR_PARTITION);
      if (leader === null) throw brokerError(LEADER_NOT_AVAILABLE);
      const name = `${leader.host}:${leader.port}`;
      const group = groups.get(name) ?? { leader, positions: [] };
      groups.set(name, group);
      group.positions.push(position);
    }
    return groups;
  }

  #closePolls(): void {
    for (const poll of this.#polls.values()) poll.close();
  }
}

/** Resolves when one poll has news and every other one knows its bounds, or when all have ended; rejects with a failure. */
function enough(polls: readonly LeaderPoll[]): Promise<void> {
  return new Promise((resolve, reject) => {
    const look = (): void => {
      const failed = polls.find((poll) => poll.state.kind === 'failed');
      if (failed?.state.kind === 'failed') reject(failed.state.reason as Error);
      else if (polls.every((poll) => poll.state.kind === 'answered')) resolve();
      else if (polls.some((poll) => poll.hasNews) && polls.every((poll) => poll.knowsBounds)) resolve();
    };
    for (const poll of polls) poll.onChange = look;
    look();
  });
}

type PollState =
  | { readonly kind: 'idle' }
  | { readonly kind: 'polling' }
  | { readonly kind: 'answered'; readonly partitions: ReadonlyMap<number, FetchedPartition> }
  | { readonly kind: 'failed'; readonly reason: unknown };

interface PollTerms {
  readonly waitMsMax: number;
  readonly bytesMax: number;
  /** Ask once without waiting where bounds are not known yet: they are told even while this leader has nothing. */
  readonly boundsFirst: boolean;
}

/** The fetches at one leader, one at a time. */
class LeaderPoll {
  readonly #topic: string;
  readonly #topicId: TopicId;
  readonly #leader: BrokerAddress;
  readonly #directory: BrokerDirectory;
  readonly #bounds = new Map<number, { readonly startOffset: Offset; readonly endOffset: Offset }>();
  #link: BrokerLink | null = null;
  /** What the present fetch() of the reader asks for, and what the request under way asked for (at least as much). */
  #wanted: readonly Position[] = [];
  #asked: ReadonlyMap<number, Offset> = new Map();
  /** Answers of an abandoned request are recognised by its number. */
  #request = 0;
  state: PollState = { kind: 'idle' };
  onChange: () => void = () => {};

  constructor(topic: string, topicId: TopicId, leader: BrokerAddress, directory: BrokerDirectory) {
    this.#topic = topic;
    this.#topicId = topicId;
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

  get knowsBounds(): boolean {
    return this.#wanted.every(({ partition }) => this.#bounds.has(partition));
  }

  ask(positions: readonly Position[], terms: PollTerms): void {
    this.#wanted = positions;
    const covered = positions.every(({ partition, offset: at }) => this.#asked.get(partition) === at);
    if (covered && (this.state.kind === 'polling' || this.hasNews)) return;
    if (this.state.kind === 'polling') this.#dropLink();
    this.#asked = new Map(positions.map(({ partition, offset: at }) => [partition, at]));
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

  /** What is known now for what is wanted now; an answer is told once. */
  tell(): readonly FetchedPartition[] {
    const { state } = this;
    if (state.kind === 'answered') this.state = { kind: 'idle' };
    return this.#wanted.map(
      (position) =>
        (state.kind === 'answered' && state.partitions.get(position.partition)) || this.#nothing(position),
    );
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
  ): Promise<ReadonlyMap<number, FetchedPartition>> {
    const link = await this.#connected();
    if (terms.boundsFirst && !this.knowsBounds) {
      const partitions = await this.#fetch(link, positions, 0, terms.bytesMax);
      if (positions.some((position) => isNews(position, partitions.get(position.partition))))
        return partitions;
      if (request === this.#request) this.onChange();
    }
    return this.#fetch(link, positions, terms.waitMsMax, terms.bytesMax);
  }

  async #fetch(
    link: BrokerLink,
    positions: readonly Position[],
    waitMsMax: number,
    bytesMax: number,
  ): Promise<ReadonlyMap<number, FetchedPartition>> {
    const call = fetchCall({ topicId: this.#topicId, positions, waitMsMax, bytesMax });
    const answer: FetchAnswer = await link.send(call, {
      timeoutMs: waitMsMax + ANSWER_MS_MAX,
      prolongTimesMax: PROLONG_TIMES_MAX,
    });
    if (answer.errorCode !== 0) throw this.#failure(answer.errorCode);
    const failed = answer.partitions.find(
      ({ errorCode }) => errorCode !== 0 && errorCode !== OFFSET_OUT_OF_RANGE,
    );
    if (failed !== undefined) throw this.#failure(failed.errorCode);
    const outside = answer.partitions
      .filter(({ errorCode }) => errorCode === OFFSET_OUT_OF_RANGE)
      .map(({ partition }) => partition);
    const bounds =
      outside.length === 0 ? new Map<number, Bounds>() : await readBounds(link, this.#topic, outside);
    const partitions = new Map<number, FetchedPartition>();
    for (const position of positions) {
      const found = answer.partitions.find(({ partition }) => partition === position.partition);
      if (found === undefined)
        throw new LinkError('answer-suspicious', `no answer for partition ${position.partition}`);
      const fetched = describe(position, found, bounds.get(position.partition) ?? null);
      this.#bounds.set(position.partition, fetched);
      partitions.set(position.partition, fetched);
    }
    return partitions;
  }

  /** kafkajs has no name for these: the id is gone, or stands for another topic than the broker's log of it. */
  #failure(errorCode: number): Error {
    return errorCode === UNKNOWN_TOPIC_ID || errorCode === INCONSISTENT_TOPIC_ID
      ? new LinkError('topic-replaced', `${this.#topic} has no longer the id ${this.#topicId}`)
      : brokerError(errorCode);
  }

  #nothing({ partition, offset: at }: Position): FetchedPartition {
    const bounds = this.#bounds.get(partition);
    assert(bounds !== undefined, 'bounds are known before a fetch is answered');
    return {
      partition,
      outOfRange: false,
      records: [],
      startOffset: bounds.startOffset,
      endOffset: later(bounds.endOffset, at),
      nextOffset: at,
    };
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

export interface Bounds {
  readonly startOffset: Offset;
  readonly endOffset: Offset;
}

const later = (x: Offset, y: Offset): Offset => (x > y ? x : y);

/** Records, a position outside the log, or a gap that was stepped over. */
const isNews = (position: Position, fetched: FetchedPartition | undefined): boolean =>
  fetched !== undefined && (fetched.outOfRange || fetched.nextOffset > position.offset);

function describe(position: Position, answer: PartitionAnswer, bounds: Bounds | null): FetchedPartition {
  const { partition, offset: asked } = position;
  if (bounds !== null) {
    // The log may have moved between the two answers; then it is only a fetch that found nothing.
    const outOfRange = asked < bounds.startOffset || asked > bounds.endOffset;
    return { partition, outOfRange, records: [], ...bounds, nextOffset: asked };
  }
  const { records, nextOffset }: BatchContents = readBatches(answer.batches, asked);
  return {
    partition,
    outOfRange: false,
    records,
    startOffset: offset(answer.logStartOffset),
    // A new leader may for a moment call less committed than what was read from the old one; what was read stays.
    endOffset: later(offset(answer.highWatermark), offset(nextOffset)),
    nextOffset: offset(nextOffset),
  };
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
