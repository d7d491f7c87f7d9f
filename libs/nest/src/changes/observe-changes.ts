/**
 * The changes of a dataset as an Observable: a feed that connects again by itself, with the last position, after pauses that
 * grow by chance to a bound (I17, I20). It ends with an error only where coming back changes nothing: `feed-expired`, a
 * position or a dataset that does not exist. It completes when its signal aborts or the module shuts down.
 */
import { Gate, isPortError, PortError, waitAtMost } from '@lockstep/engine';
import { parseJson, type Problem } from '@lockstep/protocol';
import { Observable, type Subscriber } from 'rxjs';
import type { DatasetTypes, KeyOf } from '../dataset/dataset-types.js';
import { hearWrite } from '../dataset/hear-answer.js';
import type { LockstepClient } from '../dataset/lockstep-client.js';
import { LockstepError } from '../dataset/lockstep-error.js';
import type { FeedEvent } from './event-parser.js';

export interface ChangesOptions {
  /** A position that a message had; absent: from now on. */
  readonly from?: string;
  /** Completes the Observable, as unsubscribing does. */
  readonly signal?: AbortSignal;
}

export type ChangeMessage<Types extends DatasetTypes> =
  | {
      readonly kind: 'change';
      readonly key: KeyOf<Types>;
      /** Never lower than told before of this key; where there is no row, the sequence at which that was read. */
      readonly version: number;
      /** Null where there is no row. */
      readonly row: Types['row'] | null;
      /** From where on to resume once this message was taken. */
      readonly position: string;
    }
  /**
   * The first message, and whenever the log went on without a change: what is read from now on is no older. Behind an
   * interruption the same position is told again, also by a region that has not got there yet.
   */
  | { readonly kind: 'position'; readonly position: string }
  /** The connection broke off, or calls go to another gateway; it is resumed by itself, and nothing will be missing. */
  | { readonly kind: 'interrupted'; readonly position: string | null };

const PAUSE_MS_MIN = 100;
const PAUSE_MS_MAX = 5_000;
/** Deeper than any row. */
const DEPTH_MAX = 32;

export function observeChanges<Types extends DatasetTypes>(
  client: LockstepClient,
  dataset: string,
  { from, signal }: ChangesOptions,
): Observable<ChangeMessage<Types>> {
  return new Observable((subscriber) => {
    const stopping = new Gate();
    const stop = (): void => stopping.open();
    const takeBack = client.calls.closing.onOpen(stop);
    if (signal?.aborted === true) stop();
    signal?.addEventListener('abort', stop, { once: true });
    new Following(client, dataset, subscriber, stopping, from ?? null).run().then(
      () => subscriber.complete(),
      (error: unknown) => subscriber.error(error),
    );
    return () => {
      stop();
      takeBack();
      signal?.removeEventListener('abort', stop);
    };
  });
}

/** One subscription. */
class Following<Types extends DatasetTypes> {
  private failures = 0;

  constructor(
    private readonly client: LockstepClient,
    private readonly dataset: string,
    private readonly subscriber: Subscriber<ChangeMessage<Types>>,
    private readonly stopping: Gate,
    private position: string | null,
  ) {}

  async run(): Promise<void> {
    const { clock, identities } = this.client.world;
    while (!this.stopping.isOpen) {
      let askedMs = 0;
      try {
        askedMs = await this.connection();
      } catch (error) {
        if (!isPortError(error)) throw error;
      }
      if (this.stopping.isOpen) return;
      if (this.failures === 0) this.subscriber.next({ kind: 'interrupted', position: this.position });
      const boundMs = Math.min(PAUSE_MS_MAX, PAUSE_MS_MIN * 2 ** Math.min(this.failures, 10));
      this.failures += 1;
      await waitAtMost(this.stopping, clock, Math.max(askedMs, boundMs * identities.random()));
    }
  }

  /** Resolves when the connection is over, with how long the gateway asks to wait. @throws LockstepError when it is over for good. */
  private async connection(): Promise<number> {
    const { configuration, port } = this.client;
    const { dataset, position: from } = this;
    const opened = await port.changes({ dataset, from, timeoutMs: configuration.timeoutMs });
    if ('status' in opened) {
      const heard = hearWrite(opened);
      if (heard.kind === 'busy') return heard.retryAfterMs;
      if ('problem' in heard) throw new LockstepError(heard.problem);
      return 0;
    }
    const takeBack = this.stopping.onOpen(() => opened.close());
    try {
      for (let events = await opened.next(); events !== null; events = await opened.next()) {
        this.failures = 0;
        for (const event of events) if (!this.stopping.isOpen) this.tell(event);
      }
    } finally {
      takeBack();
      opened.close();
    }
    return 0;
  }

  private tell({ data, id, name }: FeedEvent): void {
    const parsed = parseJson(data, DEPTH_MAX);
    const body =
      parsed.kind === 'refused' ? null : (parsed.value as Readonly<Record<string, unknown>> | null);
    if (name === 'end') throw new LockstepError(body as unknown as Problem);
    const position = id ?? this.position;
    if (body === null || position === null) throw unreadable(name);
    if (name === 'change') {
      const { key, row, version } = body;
      if (typeof key !== 'string' || typeof version !== 'number' || typeof row !== 'object')
        throw unreadable(name);
      this.position = position;
      this.subscriber.next({ kind: 'change', key, version, row, position });
    } else if (name === 'position') {
      this.position = position;
      this.subscriber.next({ kind: 'position', position });
    }
  }
}

const unreadable = (name: string): PortError =>
  new PortError('feed-broken', 'retryable', `the change feed has an event ${name} that cannot be read`);
