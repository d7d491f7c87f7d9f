/**
 * Where the leaders are: asks the brokers, keeps no answer.
 *
 * Every look-up is fresh, because it happens only when a link is opened, and a link is opened anew only after a failure.
 * One connection is kept for the questions. A broker that does not answer at once costs `STAGGER_MS` before the next one is
 * asked beside it; the first good answer wins and the other attempts end with the call.
 */
import type { PlacedBroker } from '@lockstep/protocol';
import type { LinkOptions } from './broker-link.js';
import { BrokerLink, sameAddress } from './broker-link.js';
import type { BrokerAddress, BrokerCall, KafkaClient } from './kafka-client.js';
import { brokerError, unsupportedCalls, versionsCall } from './kafkajs-internals.js';
import { LinkError } from './log-failure.js';
import type { MetadataAnswer, TopicId } from './topic-calls.js';
import { metadataCall } from './topic-calls.js';

const STAGGER_MS = 200;
export const CONNECT_MS_MAX = 2_000;

export interface TopicPlaces {
  readonly id: TopicId;
  /** All partitions, by number. */
  readonly partitions: readonly PartitionPlace[];
  /** All brokers that are there now. */
  readonly brokers: readonly PlacedBroker[];
}

export interface PartitionPlace {
  readonly partition: number;
  /** Null while there is no leader, or none that is known. */
  readonly leader: BrokerAddress | null;
  /** Grows with each change of the leader. */
  readonly leaderEpoch: number;
  readonly replicas: readonly number[];
}

export interface DirectoryOptions extends LinkOptions {
  /** Told of a batch that no publisher can have appended, whenever a reader steps over it. */
  readonly onForeignBatch: ((story: string) => void) | null;
}

export class BrokerDirectory {
  readonly #options: DirectoryOptions;
  readonly #bootstrap: readonly BrokerAddress[];
  /** Those to ask, in this order; a broker that failed us stands last. */
  #candidates: readonly BrokerAddress[];
  #link: BrokerLink | null = null;
  readonly #attempts = new Set<BrokerLink>();
  #closed = false;

  constructor(brokers: readonly string[], options: DirectoryOptions) {
    this.#options = options;
    this.#bootstrap = brokers.map(parseAddress);
    this.#candidates = this.#bootstrap;
  }

  get client(): KafkaClient {
    return this.#options.client;
  }

  tellForeign(story: string): void {
    this.#options.onForeignBatch?.(story);
  }

  /** Throws the broker's error when the topic is unknown. */
  async places(topic: string, timeoutMs: number): Promise<TopicPlaces> {
    const answer = await this.ask(metadataCall(topic), timeoutMs);
    this.#learn(answer);
    const found = answer.topics.find((candidate) => candidate.topic === topic);
    if (found === undefined) throw brokerError(UNKNOWN_TOPIC_OR_PARTITION);
    if (found.errorCode !== 0) throw brokerError(found.errorCode);
    const addresses = new Map(answer.brokers.map(({ nodeId, host, port }) => [nodeId, { host, port }]));
    const partitions = found.partitions
      .map(({ partition, leader, leaderEpoch, replicas }) => ({
        partition,
        leader: addresses.get(leader) ?? null,
        leaderEpoch,
        replicas,
      }))
      .sort((x, y) => x.partition - y.partition);
    return { id: found.id, partitions, brokers: answer.brokers.map(placedBroker) };
  }

  /** A connected link to the leader of a partition; the caller owns it. */
  async linkToLeader(topic: string, partition: number, timeoutMs: number): Promise<BrokerLink> {
    const deadlineMs = performance.now() + timeoutMs;
    const { partitions } = await this.places(topic, timeoutMs);
    const place = partitions.find((candidate) => candidate.partition === partition);
    if (place === undefined) throw brokerError(UNKNOWN_TOPIC_OR_PARTITION);
    if (place.leader === null) throw brokerError(LEADER_NOT_AVAILABLE);
    const link = this.newLink(place.leader);
    try {
      await link.open(Math.max(1, Math.min(deadlineMs - performance.now(), CONNECT_MS_MAX)));
      return link;
    } catch (error) {
      this.suspect(place.leader);
      throw error;
    }
  }

  /** Not connected yet; the caller owns it, opens it and closes it. */
  newLink(address: BrokerAddress): BrokerLink {
    return new BrokerLink(address, this.#options);
  }

  /** Asks any broker. */
  async ask<Answer>(call: BrokerCall<Answer>, timeoutMs: number): Promise<Answer> {
    if (this.#closed) throw new LinkError('link-closed', 'the log was closed');
    const deadlineMs = performance.now() + timeoutMs;
    const kept = this.#link?.usable === true ? this.#link : null;
    const attempts = this.#inOrder(kept).map((address) => this.newLink(address));
    for (const link of attempts) this.#attempts.add(link);
    try {
      const { winner, answer } = await firstGood(
        kept === null ? attempts : [kept, ...attempts],
        async (link) => {
          const left = (): number => Math.max(1, deadlineMs - performance.now());
          if (link !== kept) await this.#introduce(link, left());
          return link.send(call, { timeoutMs: left(), prolongTimesMax: 0 });
        },
      );
      // Another question may have found a link to keep meanwhile; one is enough.
      if (winner !== kept && (this.#link === kept || this.#link?.usable !== true)) {
        this.#link?.close();
        this.#link = winner;
      }
      return answer;
    } finally {
      for (const link of attempts) {
        this.#attempts.delete(link);
        if (link !== this.#link || this.#closed) link.close();
      }
    }
  }

  /** This broker failed somebody: the next question goes to another one first. */
  suspect(address: BrokerAddress): void {
    const isSuspect = (candidate: BrokerAddress): boolean => sameAddress(candidate, address);
    this.#candidates = [
      ...this.#candidates.filter((candidate) => !isSuspect(candidate)),
      ...this.#candidates.filter(isSuspect),
    ];
    if (this.#link !== null && isSuspect(this.#link.address)) {
      this.#link.close();
      this.#link = null;
    }
  }

  close(): void {
    this.#closed = true;
    this.#link?.close();
    for (const link of this.#attempts) link.close();
  }

  /** The broker of the kept link last: it is asked through that link first, and anew only when all else fails. */
  #inOrder(kept: BrokerLink | null): readonly BrokerAddress[] {
    if (kept === null) return this.#candidates;
    const isKept = (address: BrokerAddress): boolean => sameAddress(address, kept.address);
    return [...this.#candidates.filter((address) => !isKept(address)), ...this.#candidates.filter(isKept)];
  }

  async #introduce(link: BrokerLink, timeoutMs: number): Promise<void> {
    await link.open(Math.min(timeoutMs, CONNECT_MS_MAX));
    const versions = await link.send(versionsCall(), { timeoutMs, prolongTimesMax: 0 });
    const unsupported = unsupportedCalls(versions);
    if (unsupported.length > 0)
      throw new LinkError(
        'versions-unsupported',
        `the broker lacks our version of ${unsupported.join(', ')}`,
      );
  }

  /** Bounded by the size of the cluster: brokers that left it are forgotten, the configured ones never. */
  #learn({ brokers }: MetadataAnswer): void {
    const known = [...brokers.map(({ host, port }) => ({ host, port })), ...this.#bootstrap];
    const isKnown = (address: BrokerAddress): boolean => known.some((other) => sameAddress(other, address));
    const kept = this.#candidates.filter(isKnown);
    const added = known.filter((address, index) => {
      const first = known.findIndex((other) => sameAddress(other, address)) === index;
      return first && !kept.some((other) => sameAddress(other, address));
    });
    this.#candidates = [...kept, ...added];
  }
}

export const placedBroker = ({ nodeId, rack }: MetadataAnswer['brokers'][number]): PlacedBroker => ({
  id: nodeId,
  rack: rack === '' ? null : rack,
});

export const UNKNOWN_TOPIC_OR_PARTITION = 3;
export const LEADER_NOT_AVAILABLE = 5;
export const NOT_LEADER = 6;

/** Tries one after the other, not waiting longer than the stagger for an answer before the next one starts too. */
function firstGood<Answer>(
  links: readonly BrokerLink[],
  attempt: (link: BrokerLink) => Promise<Answer>,
): Promise<{ readonly winner: BrokerLink; readonly answer: Answer }> {
  return new Promise((resolve, reject) => {
    let next = 0;
    let running = 0;
    let timer: NodeJS.Timeout | undefined;
    const start = (): void => {
      clearTimeout(timer);
      const link = links[next];
      if (link === undefined) return;
      next += 1;
      running += 1;
      timer = setTimeout(start, STAGGER_MS);
      attempt(link).then(
        (answer) => {
          clearTimeout(timer);
          next = links.length;
          resolve({ winner: link, answer });
        },
        (error: unknown) => {
          running -= 1;
          if (next < links.length) start();
          else if (running === 0) {
            clearTimeout(timer);
            reject(error);
          }
        },
      );
    };
    start();
  });
}

function parseAddress(broker: string): BrokerAddress {
  const colon = broker.lastIndexOf(':');
  const port = Number(broker.slice(colon + 1));
  if (colon < 1 || !Number.isInteger(port) || port < 1 || port > 65_535)
    throw new TypeError(`not host:port: ${broker}`);
  return { host: broker.slice(0, colon).replace(/^\[|\]$/g, ''), port };
}
