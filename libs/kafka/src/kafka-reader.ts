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
 * A partition whose leader says that it leads no more is looked for, and left out of the answers meanwhile; the others
 * go on. The next leader must show that its log is the same up to what was told (`leader-poll.ts`); if nobody does so in time,
 * the reader fails.
 *
 * The reader decides no position. Any failure ends it: what failed is told once, then the owner opens another one.
 */
import assert from 'node:assert/strict';
import { setTimeout as pause } from 'node:timers/promises';
import { PortError } from '@lockstep/engine';
import type { FetchRequest, FetchedPartition, LogReader } from '@lockstep/engine';
import type { BrokerDirectory, TopicPlaces } from './broker-directory.js';
import { LEADER_NOT_AVAILABLE, NOT_LEADER, UNKNOWN_TOPIC_OR_PARTITION } from './broker-directory.js';
import type { BrokerAddress } from './kafka-client.js';
import { brokerError } from './kafkajs-internals.js';
import type { Position, ReadTopic } from './leader-poll.js';
import { LeaderPoll } from './leader-poll.js';
import { LinkError, logFailure } from './log-failure.js';
import type { TopicId } from './topic-calls.js';

/** How long a partition may be without a leader that answers. */
const MOVING_MS_MAX = 2_000;
/** Brokers hear of a new leader one after the other, within milliseconds. */
const LOOK_AGAIN_MS_MIN = 5;
const LOOK_AGAIN_MS_MAX = 100;

export class KafkaReader implements LogReader {
  readonly topicId: TopicId;
  readonly #topic: ReadTopic;
  readonly #directory: BrokerDirectory;
  readonly #onClose: () => void;
  readonly #polls = new Map<string, LeaderPoll>();
  /** Rejects when the reader is closed. */
  readonly #closed: Promise<never>;
  #endWait!: (reason: Error) => void;
  /** Ends when all that moved are found, or rejects. */
  #looking: Promise<void> | null = null;
  #fetching = false;
  #end: 'open' | 'failed' | 'closed' = 'open';
  #turn = 0;

  constructor(topic: string, places: TopicPlaces, directory: BrokerDirectory, onClose: () => void) {
    this.topicId = places.id;
    this.#topic = {
      name: topic,
      id: places.id,
      places: new Map(places.partitions.map((place) => [place.partition, place])),
      told: new Map(),
      moving: new Map(),
    };
    this.#directory = directory;
    this.#onClose = onClose;
    this.#closed = new Promise((_resolve, reject) => (this.#endWait = reject));
    this.#closed.catch(() => undefined);
  }

  async fetch(request: FetchRequest): Promise<readonly FetchedPartition[]> {
    assert(request.positions.length > 0, 'a fetch asks for at least one partition');
    assert(!this.#fetching, 'one fetch at a time');
    if (this.#end !== 'open')
      throw new PortError(
        'log-closed',
        'retryable',
        `the reader of ${this.#topic.name} has ended (${this.#end})`,
      );
    this.#fetching = true;
    try {
      return await this.#fetch(request);
    } catch (error) {
      if (this.#end === 'open') this.#end = 'failed';
      this.#closePolls();
      throw logFailure(error, 'unsent', `reading ${this.#topic.name}`);
    } finally {
      this.#fetching = false;
    }
  }

  async close(): Promise<void> {
    this.#end = 'closed';
    this.#endWait(new LinkError('link-closed', 'the reader was closed'));
    this.#closePolls();
    this.#onClose();
  }

  async #fetch({ positions, waitMsMax, bytesMax }: FetchRequest): Promise<readonly FetchedPartition[]> {
    const untilMs = performance.now() + waitMsMax;
    for (;;) {
      const asked = positions.filter(({ partition }) => this.#topic.moving.get(partition)?.isFound !== false);
      if (asked.length < positions.length) this.#look();
      const leftMs = Math.max(0, Math.round(untilMs - performance.now()));
      const polls = this.#ask(asked, leftMs, bytesMax);
      // Polls end when the reader is closed; without one it is waited for here.
      const waits = [polls.length === 0 ? this.#closed : enough(polls)];
      await Promise.race(this.#looking === null ? waits : [...waits, this.#looking]);
      const moved = polls.flatMap((poll) => poll.takeMoved());
      for (const partition of moved) this.#leave(partition);
      const isNews = polls.some((poll) => poll.hasNews) && polls.every((poll) => poll.knowsBounds);
      const isOver =
        polls.length > 0 && moved.length === 0 && polls.every((poll) => poll.state.kind === 'answered');
      if (!isNews && !isOver) continue;
      const told = new Map(
        polls.flatMap((poll) => poll.tell()).map((fetched) => [fetched.partition, fetched]),
      );
      return positions.flatMap(({ partition }) => told.get(partition) ?? []);
    }
  }

  #ask(positions: readonly Position[], waitMsMax: number, bytesMax: number): readonly LeaderPoll[] {
    const groups = this.#byLeader(positions);
    const leaderBytesMax = Math.max(1, Math.floor(bytesMax / groups.size));
    return [...groups].map(([name, group]) => {
      const poll = this.#polls.get(name) ?? new LeaderPoll(this.#topic, group.leader, this.#directory);
      this.#polls.set(name, poll);
      poll.ask(group.positions, { waitMsMax, bytesMax: leaderBytesMax, boundsFirst: groups.size > 1 });
      return poll;
    });
  }

  /** Each call begins with another partition, so that one with large records cannot keep the others from being served. */
  #byLeader(
    positions: readonly Position[],
  ): Map<string, { readonly leader: BrokerAddress; readonly positions: Position[] }> {
    this.#turn += 1;
    const groups = new Map<string, { readonly leader: BrokerAddress; readonly positions: Position[] }>();
    for (let index = 0; index < positions.length; index += 1) {
      const position = positions[(index + this.#turn) % positions.length]!;
      const place = this.#topic.places.get(position.partition);
      if (place === undefined) throw brokerError(UNKNOWN_TOPIC_OR_PARTITION);
      const { leader } = place;
      if (leader === null) throw brokerError(LEADER_NOT_AVAILABLE);
      const name = `${leader.host}:${leader.port}`;
      const group = groups.get(name) ?? { leader, positions: [] };
      groups.set(name, group);
      group.positions.push(position);
    }
    return groups;
  }

  /** Who was asked leads it no more. */
  #leave(partition: number): void {
    const { sinceMs = performance.now(), times = 0 } = this.#topic.moving.get(partition) ?? {};
    this.#topic.moving.set(partition, { sinceMs, times: times + 1, isFound: false });
    this.#look();
  }

  /** Beside the fetches: those of other partitions go on. */
  #look(): void {
    if (this.#looking !== null) return;
    this.#looking = this.#findLeaders().finally(() => (this.#looking = null));
    // Whoever fetches next finds the partition still missing, and looks again.
    this.#looking.catch(() => undefined);
  }

  async #findLeaders(): Promise<void> {
    const { moving, name, places } = this.#topic;
    const seen = new Set<number>();
    while (this.#end === 'open') {
      const wanted = [...moving].filter(([, { isFound }]) => !isFound);
      if (wanted.length === 0) return;
      if (wanted.some(([, { sinceMs }]) => performance.now() - sinceMs > MOVING_MS_MAX))
        throw brokerError(NOT_LEADER);
      const { id, partitions } = await this.#directory.places(name, MOVING_MS_MAX);
      if (id !== this.topicId)
        throw new LinkError('topic-replaced', `${name} has no longer the id ${this.topicId}`);
      let pauseMs = 0;
      for (const [partition, { sinceMs, times }] of wanted) {
        const place = partitions.find((candidate) => candidate.partition === partition);
        // The same as before is believed at the second look only: this broker may not know of a newer one, or that one of itself.
        const isNewer = (place?.leaderEpoch ?? -1) > places.get(partition)!.leaderEpoch;
        if (place !== undefined && place.leader !== null && (isNewer || seen.has(partition))) {
          places.set(partition, place);
          moving.set(partition, { sinceMs, times, isFound: true });
        } else {
          seen.add(partition);
          pauseMs = Math.max(pauseMs, Math.min(LOOK_AGAIN_MS_MIN * 2 ** (times - 1), LOOK_AGAIN_MS_MAX));
        }
      }
      if (pauseMs > 0) await pause(pauseMs);
    }
  }

  #closePolls(): void {
    for (const poll of this.#polls.values()) poll.close();
  }
}

/**
 * Resolves when one poll has news and every other one knows its bounds, when a partition is to be looked for elsewhere, or when
 * all have ended; rejects with a failure.
 */
function enough(polls: readonly LeaderPoll[]): Promise<void> {
  return new Promise((resolve, reject) => {
    const look = (): void => {
      const failed = polls.find((poll) => poll.state.kind === 'failed');
      if (failed?.state.kind === 'failed') reject(failed.state.reason as Error);
      else if (polls.some((poll) => poll.hasMoved)) resolve();
      else if (polls.every((poll) => poll.state.kind === 'answered')) resolve();
      else if (polls.some((poll) => poll.hasNews) && polls.every((poll) => poll.knowsBounds)) resolve();
    };
    for (const poll of polls) poll.onChange = look;
    look();
  });
}
