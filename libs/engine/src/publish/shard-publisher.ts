/**
 * The publisher of one shard: natural batching, one send in flight, numbered sessions.
 *
 * A session numbers its entries from 1 without gaps. It repeats the same batch, byte for byte, until the log answers
 * (copies are removed by the fold) or every caller of the batch has given up; then the session closes: what may stand
 * in the log is `unknown`, what was never sent goes out in a new session. Broker idempotence stays off (B1).
 *
 * Upheld here: I8 (numbers without gaps), I9 (failed and unknown are told apart), I17 (queue, batch and waits bounded).
 */
import {
  encodeHeader,
  needsAuthority,
  signedBytes,
  entryNumber,
  NO_CONFIGURATION_PREFIX,
  NO_PUBLISHER,
  controlText,
  topicOf,
  type ConfigurationHash,
  type ControlBody,
  type DatasetName,
  type EntryHeader,
  type EntryNumber,
  type Epoch,
  type Offset,
  type OutgoingRecord,
  type PublisherId,
  type RegionName,
  type ShardName,
} from '@lockstep/protocol';
import type { Log, LogWriter } from '../ports/log.js';
import type { Observer, SpanContext } from '../ports/observer.js';
import { isPortError, PortError, type Disposition } from '../ports/port-error.js';
import type { Signer } from '../ports/signing.js';
import type { Clock, Identities } from '../ports/world.js';
import { traceparentOf } from '../traceparent.js';

export const QUEUE_ENTRIES_MAX = 10_000;
export const QUEUE_BYTES_MAX = 32 * 1024 * 1024;
const BATCH_ENTRIES_MAX = 1_000;
const BATCH_BYTES_MAX = 768 * 1024;
/** One attempt; the batch is repeated until its callers have given up. */
const ATTEMPT_TIMEOUT_MS = 5_000;
const RETRY_PAUSE_MS_MIN = 50;
const RETRY_PAUSE_MS_MAX = 500;

export type Publication =
  | {
      readonly kind: 'data';
      readonly key: string;
      readonly value: string;
      readonly idempotency: EntryHeader['idempotency'];
      readonly configuration: ConfigurationHash;
      /** The epoch that this region has folded and committed; stamped when the entry is queued, never again. */
      readonly epoch: Epoch;
    }
  | { readonly kind: 'control'; readonly body: ControlBody };

export interface Submission {
  readonly publication: Publication;
  readonly bytes: number;
  readonly notAfterMs: number;
  /** Monotonic time after which nobody waits for it. */
  readonly giveUpAtMs: number;
  readonly span: SpanContext | null;
}

export type Published =
  | {
      readonly kind: 'logged';
      readonly offset: Offset;
      readonly appendTimeMs: number;
      readonly publisher: PublisherId;
      readonly number: EntryNumber;
    }
  /** It may stand in the log, now or later. */
  | { readonly kind: 'unknown'; readonly publisher: PublisherId; readonly number: EntryNumber }
  /** It was never sent, or certainly not appended. */
  | { readonly kind: 'failed'; readonly code: string; readonly message: string };

/** A submission on its way. */
export interface Ticket {
  /** (publisher, number) as soon as the entry has one: verdicts of it may arrive before the append is answered. */
  readonly onNumbered: (listener: (publisher: PublisherId, number: EntryNumber) => void) => void;
  readonly settled: Promise<Published>;
}

interface Queued {
  readonly submission: Submission;
  /** Wall clock, for display. */
  readonly queuedAtMs: number;
  readonly settle: (result: Published) => void;
  numbered: (publisher: PublisherId, number: EntryNumber) => void;
}

interface Numbered {
  readonly queued: Queued;
  readonly record: OutgoingRecord;
  readonly publisher: PublisherId;
  readonly number: EntryNumber;
}

export interface ShardPublisherOptions {
  readonly region: RegionName;
  readonly dataset: DatasetName;
  readonly shard: ShardName;
  readonly partition: number;
  readonly log: Log;
  readonly clock: Clock;
  readonly identities: Identities;
  readonly observer: Observer;
  /** Signs the control entries that need authority; without one they go out unsigned. */
  readonly signer?: Signer | null;
}

export class ShardPublisher {
  private readonly queue: Queued[] = [];
  private queuedBytes = 0;
  private session: PublisherId;
  private lastNumber = 0n;
  private writer: LogWriter | null = null;
  private sending: Promise<void> | null = null;
  private closed = false;

  constructor(private readonly options: ShardPublisherOptions) {
    this.session = options.identities.publisherId();
  }

  /** Null when the queue is full: nothing was taken, the caller answers 429. */
  submit(submission: Submission): Ticket | null {
    const full =
      this.queue.length >= QUEUE_ENTRIES_MAX || this.queuedBytes + submission.bytes > QUEUE_BYTES_MAX;
    if (full || this.closed) return null;
    let settle!: (result: Published) => void;
    const settled = new Promise<Published>((resolve) => {
      settle = resolve;
    });
    const queuedAtMs = this.options.clock.nowMs();
    const queued: Queued = { submission, queuedAtMs, settle, numbered: () => undefined };
    this.queue.push(queued);
    this.queuedBytes += submission.bytes;
    this.sending ??= this.send();
    return {
      settled,
      onNumbered: (listener) => {
        queued.numbered = listener;
      },
    };
  }

  /**
   * Ends a session in which the fold saw a hole or that it has forgotten: no number of it will ever be accepted. What
   * is in flight under it is judged as it is; the next batch begins a new session.
   */
  renounce(session: PublisherId): void {
    if (session === this.session) this.beginSession();
  }

  /** Takes nothing more; resolves when what was taken has been answered. */
  async close(): Promise<void> {
    this.closed = true;
    await this.sending;
    await this.closeWriter();
  }

  private async send(): Promise<void> {
    // Everyone who submits in the same turn shares the first batch.
    await Promise.resolve();
    while (this.queue.length > 0) {
      const batch = this.nextBatch();
      if (batch.length > 0) await this.sendBatch(batch);
    }
    // In the same turn as the last look at the queue, so that no submission falls between.
    this.sending = null;
  }

  /** Numbers and encodes what fits one request; drops what nobody waits for any more (it was never sent). */
  private nextBatch(): readonly Numbered[] {
    const nowMs = this.options.clock.monotonicMs();
    const batch: Numbered[] = [];
    let bytes = 0;
    while (this.queue.length > 0 && batch.length < BATCH_ENTRIES_MAX) {
      const queued = this.queue[0]!;
      const size = queued.submission.bytes;
      if (batch.length > 0 && bytes + size > BATCH_BYTES_MAX) break;
      this.queue.shift();
      this.queuedBytes -= size;
      if (queued.submission.giveUpAtMs <= nowMs) {
        queued.settle({
          kind: 'failed',
          code: 'log-unavailable',
          message: 'the log did not take it in time',
        });
        continue;
      }
      bytes += size;
      batch.push(this.number(queued));
    }
    return batch;
  }

  private number(queued: Queued): Numbered {
    const { clock, region } = this.options;
    const { publication, notAfterMs, span } = queued.submission;
    const data = publication.kind === 'data';
    if (data) this.lastNumber += 1n;
    const publisher = data ? this.session : NO_PUBLISHER;
    const number = entryNumber(data ? this.lastNumber : 0n);
    const value = data ? publication.value : controlText(publication.body);
    const unsigned: EntryHeader = {
      kind: data ? 'data' : publication.body.kind,
      epoch: (data ? publication.epoch : 0n) as Epoch,
      publisherClockMs: clock.nowMs(),
      notAfterMs,
      publisher,
      number,
      configurationPrefix: data ? publication.configuration.slice(0, 32) : NO_CONFIGURATION_PREFIX,
      region,
      idempotency: data ? publication.idempotency : null,
      signature: null,
    };
    const record: OutgoingRecord = {
      key: data ? publication.key : publication.body.kind,
      value,
      header: encodeHeader(this.sign(unsigned, value)),
      traceparent: span === null ? null : traceparentOf(span),
    };
    if (data) queued.numbered(publisher, number);
    return { queued, record, publisher, number };
  }

  private sign(header: EntryHeader, value: string): EntryHeader {
    const { shard, signer = null } = this.options;
    if (signer === null || !needsAuthority(header.kind)) return header;
    return { ...header, signature: signer.sign(signedBytes(shard, header, value)) };
  }

  private async sendBatch(batch: readonly Numbered[]): Promise<void> {
    const { clock, dataset, partition } = this.options;
    const giveUpAtMs = Math.max(...batch.map(({ queued }) => queued.submission.giveUpAtMs));
    const records = batch.map(({ record }) => record);
    let mayStand = false;
    let pauseMs = RETRY_PAUSE_MS_MIN;
    for (;;) {
      const startedAtMs = clock.nowMs();
      try {
        this.writer ??= await this.options.log.openWriter();
        const { baseOffset, appendTimeMs } = await this.writer.append({
          topic: topicOf(dataset),
          partition,
          records,
          timeoutMs: ATTEMPT_TIMEOUT_MS,
        });
        this.settleLogged(batch, { baseOffset, appendTimeMs, startedAtMs });
        return;
      } catch (error) {
        const { code, disposition, message } = this.reportFailure(error);
        await this.closeWriter();
        mayStand ||= disposition === 'unknown';
        const over = disposition === 'fatal' || clock.monotonicMs() >= giveUpAtMs;
        this.releaseWaiters(batch, mayStand);
        if (over) {
          this.closeSession(batch, mayStand, code, message);
          return;
        }
        await clock.sleep(pauseMs).done;
        pauseMs = Math.min(pauseMs * 2, RETRY_PAUSE_MS_MAX);
      }
    }
  }

  private settleLogged(
    batch: readonly Numbered[],
    appended: { readonly baseOffset: Offset; readonly appendTimeMs: number; readonly startedAtMs: number },
  ): void {
    const { clock, observer, shard } = this.options;
    const endedAtMs = clock.nowMs();
    for (const [index, { queued, publisher, number }] of batch.entries()) {
      const offset = (appended.baseOffset + BigInt(index)) as Offset;
      const { appendTimeMs, startedAtMs } = appended;
      const { queuedAtMs, submission } = queued;
      const { bytes, publication, span } = submission;
      queued.settle({ kind: 'logged', offset, appendTimeMs, publisher, number });
      const epoch = (publication.kind === 'data' ? publication.epoch : 0n) as Epoch;
      const times = { queuedAtMs, startedAtMs, endedAtMs };
      observer.report({ kind: 'entry-appended', shard, epoch, offset, bytes, span, ...times });
    }
  }

  /** Callers whose time is over are answered now, while the batch is repeated for the others. */
  private releaseWaiters(batch: readonly Numbered[], mayStand: boolean): void {
    const nowMs = this.options.clock.monotonicMs();
    for (const { queued, publisher, number } of batch) {
      // Not yet "failed": the batch may be repeated for its other entries.
      if (queued.submission.giveUpAtMs <= nowMs && (mayStand || batch.length > 1)) {
        queued.settle({ kind: 'unknown', publisher, number });
      }
    }
  }

  private closeSession(batch: readonly Numbered[], mayStand: boolean, code: string, message: string): void {
    for (const { queued, publisher, number } of batch) {
      queued.settle(mayStand ? { kind: 'unknown', publisher, number } : { kind: 'failed', code, message });
    }
    this.beginSession();
  }

  private beginSession(): void {
    this.session = this.options.identities.publisherId();
    this.lastNumber = 0n;
  }

  private reportFailure(error: unknown): { code: string; disposition: Disposition; message: string } {
    // Anything that is not a port's own word leaves open what happened.
    const failure = isPortError(error) ? error : new PortError('defect', 'unknown', String(error), error);
    const { code, disposition, message } = failure;
    this.options.observer.report({
      kind: 'append-failed',
      shard: this.options.shard,
      code,
      disposition,
      message,
    });
    return { code, disposition, message };
  }

  private async closeWriter(): Promise<void> {
    const { writer } = this;
    this.writer = null;
    await writer?.close().catch(() => undefined);
  }
}
