/**
 * Appends. Each partition has a lane of its own: one connection to the partition's leader, one request in flight.
 *
 * A broker handles one request of a connection at a time, and an append waits for its replicas there; with a connection
 * per partition no shard waits for another shard's replicas, and nothing has to be gathered. Connections are bounded by the
 * partitions that this writer appends to: the shards that are at home here.
 *
 * After any failure the lane drops its connection and looks its leader up again. Who says for certain that it leads no more
 * and has appended nothing is followed by the next leader within the same append; nothing else is retried here.
 */
import assert from 'node:assert/strict';
import { setTimeout as pause } from 'node:timers/promises';
import { isPortError, PortError } from '@lockstep/engine';
import type { AppendRequest, Appended, LogWriter } from '@lockstep/engine';
import { offset } from '@lockstep/protocol';
import { appendCall, type AppendAnswer } from './append-call.js';
import type { BrokerDirectory } from './broker-directory.js';
import type { BrokerLink } from './broker-link.js';
import { brokerError } from './kafkajs-internals.js';
import { LinkError, logFailure } from './log-failure.js';

/** How long a new leader is looked for; then the caller hears of it. */
const MOVING_MS_MAX = 1_000;
/** Brokers hear of a new leader one after the other, within milliseconds. */
const LOOK_AGAIN_MS_MIN = 5;
const LOOK_AGAIN_MS_MAX = 100;
const LEADER_MOVED = 'log-leader-moved';

export class KafkaWriter implements LogWriter {
  readonly #directory: BrokerDirectory;
  readonly #onClose: () => void;
  readonly #lanes = new Map<string, Lane>();
  #closed = false;

  constructor(directory: BrokerDirectory, onClose: () => void) {
    this.#directory = directory;
    this.#onClose = onClose;
  }

  async append(request: AppendRequest): Promise<Appended> {
    assert(request.records.length > 0, 'an append has at least one record');
    if (this.#closed)
      throw new PortError('log-closed', 'retryable', 'the writer was closed before this append');
    const name = `${request.topic}/${request.partition}`;
    const lane = this.#lanes.get(name) ?? new Lane(name, this.#directory);
    this.#lanes.set(name, lane);
    return lane.append(request);
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const lane of this.#lanes.values()) lane.close();
    this.#onClose();
  }
}

class Lane {
  readonly #name: string;
  readonly #directory: BrokerDirectory;
  #link: BrokerLink | null = null;
  #appending = false;
  #closed = false;

  constructor(name: string, directory: BrokerDirectory) {
    this.#name = name;
    this.#directory = directory;
  }

  async append(request: AppendRequest): Promise<Appended> {
    assert(!this.#appending, `one append at a time: ${this.#name} has one in flight`);
    this.#appending = true;
    const startMs = performance.now();
    const deadlineMs = startMs + request.timeoutMs;
    try {
      for (let pauseMs = LOOK_AGAIN_MS_MIN; ; pauseMs = Math.min(2 * pauseMs, LOOK_AGAIN_MS_MAX)) {
        try {
          return await this.#attempt(request, deadlineMs);
        } catch (error) {
          const againMs = performance.now() + pauseMs;
          const isMoved =
            isPortError(error) && error.code === LEADER_MOVED && error.disposition === 'retryable';
          this.#drop(isMoved ? 'moved' : 'failed');
          if (!isMoved || this.#closed || againMs >= Math.min(deadlineMs, startMs + MOVING_MS_MAX))
            throw error;
          await pause(pauseMs);
        }
      }
    } finally {
      this.#appending = false;
    }
  }

  async #attempt(request: AppendRequest, deadlineMs: number): Promise<Appended> {
    const leftMs = (): number => Math.floor(deadlineMs - performance.now());
    const link = await this.#connected(request, Math.max(1, leftMs()));
    const timeoutMs = leftMs();
    if (timeoutMs < 1)
      throw logFailure(
        new LinkError('link-timed-out', 'no time is left to send'),
        'unsent',
        `appending to ${this.#name}`,
      );
    return this.#send(link, request, timeoutMs);
  }

  close(): void {
    this.#closed = true;
    this.#link?.close();
  }

  async #connected({ topic, partition }: AppendRequest, timeoutMs: number): Promise<BrokerLink> {
    if (this.#link?.usable === true) return this.#link;
    try {
      const link = await this.#directory.linkToLeader(topic, partition, timeoutMs);
      this.#link = link;
      if (this.#closed) throw new LinkError('link-closed', 'the writer was closed');
      return link;
    } catch (error) {
      throw logFailure(error, 'unsent', `looking for the leader of ${this.#name}`);
    }
  }

  async #send(link: BrokerLink, request: AppendRequest, timeoutMs: number): Promise<Appended> {
    const call = appendCall({ ...request, timeoutMs });
    let answer: AppendAnswer;
    try {
      answer = await link.send(call, { timeoutMs, prolongTimesMax: 0 });
    } catch (error) {
      throw logFailure(error, 'sent', `appending to ${this.#name}`);
    }
    return appendedBy(answer, request);
  }

  /** A broker that says where it stands is a good one to ask. */
  #drop(why: 'moved' | 'failed'): void {
    if (this.#link === null) return;
    if (why === 'failed') this.#directory.suspect(this.#link.address);
    this.#link.close();
    this.#link = null;
  }
}

/** Believes an answer only when it says without contradiction where the records stand. */
export function appendedBy(
  { partitions }: AppendAnswer,
  request: Pick<AppendRequest, 'topic' | 'partition'>,
): Appended {
  const context = `appending to ${request.topic}/${request.partition}`;
  const [found] = partitions;
  if (found === undefined || partitions.length !== 1 || found.partition !== request.partition) {
    throw logFailure(suspicious('the answer does not speak of this partition'), 'sent', context);
  }
  const { baseOffset, logAppendTime: appendTimeMs } = found;
  if (found.errorCode !== 0) {
    throw logFailure(brokerError(found.errorCode), baseOffset < 0n ? 'refused' : 'sent', context);
  }
  if (baseOffset < 0n || baseOffset < found.logStartOffset) {
    throw logFailure(
      suspicious(`offset ${baseOffset} of a log that starts at ${found.logStartOffset}`),
      'sent',
      context,
    );
  }
  if (appendTimeMs < 0)
    throw logFailure(suspicious('no append time: the topic does not stamp it'), 'sent', context);
  return { baseOffset: offset(baseOffset), appendTimeMs };
}

const suspicious = (story: string): LinkError => new LinkError('answer-suspicious', story);
