/**
 * The typed handle of one dataset: what a service injects. It says what is to be written; `LockstepClient` carries it
 * out. Inside a request every write takes its key from the request's and every read sees the request's writes.
 */
import type { Stage } from '@lockstep/protocol';
import type { Observable } from 'rxjs';
import { observeChanges, type ChangeMessage, type ChangesOptions } from '../changes/observe-changes.js';
import { presentSession, RequestSession } from '../session/request-session.js';
import type { DatasetTypes, EventOf, KeyOf } from './dataset-types.js';
import { attemptKey, correctionKey, expecting, isRefused, type Current, type Decider } from './decision.js';
import type { LockstepClient, Write, WriteTerms } from './lockstep-client.js';
import {
  DecisionRefused,
  LockstepError,
  NothingWritten,
  ownProblem,
  VersionConflict,
  WriteRejected,
} from './lockstep-error.js';
import type { WriteReceipt } from './write-receipt.js';

export interface WriteOptions {
  /** How far the write is followed before it is answered; the dataset's own stage where it is absent. */
  readonly ack?: Exclude<Stage, 'stored'>;
  /** How long that may take; the configuration's `timeoutMs` where it is absent. */
  readonly timeoutMs?: number;
}

export interface KeyedWriteOptions extends WriteOptions {
  /**
   * A repeat under the same key has one effect and the same answer. Absent: the request's, else a fresh one. Null: none;
   * such a write is never said again by itself and may stay unknown.
   */
  readonly idempotencyKey?: string | null;
}

export interface BatchEntry<Types extends DatasetTypes> {
  /** One entry: atomic, all of one shard. */
  readonly events: readonly EventOf<Types>[];
  readonly idempotencyKey?: string | null;
}

/** What became of one entry of a batch. */
export type BatchResult =
  | { readonly kind: 'receipt'; readonly receipt: WriteReceipt }
  | { readonly kind: 'failed'; readonly error: LockstepError };

export interface ReadOptions {
  /** `session` where this request has written or read before, else `local`. `strong` asks the log. */
  readonly consistency?: 'local' | 'session' | 'strong';
  readonly timeoutMs?: number;
}

/** Pauses between attempts grow to this, by chance, so that those who met once do not meet again. */
const CONFLICT_PAUSE_MS_MAX = 100;

export class Dataset<Types extends DatasetTypes> {
  constructor(
    readonly name: string,
    private readonly client: LockstepClient,
  ) {}

  /** One event, or several that take effect together or not at all. */
  append(
    events: EventOf<Types> | readonly EventOf<Types>[],
    options: KeyedWriteOptions = {},
  ): Promise<WriteReceipt> {
    const list: readonly EventOf<Types>[] = Array.isArray(events) ? events : [events as EventOf<Types>];
    const session = presentSession();
    return this.client.write(
      this.writeOf(list, options.idempotencyKey, session),
      this.terms(options, session),
    );
  }

  /** At most 1,000 entries, answered in order; each stands or falls alone. */
  async appendBatch(
    entries: readonly BatchEntry<Types>[],
    options: WriteOptions = {},
  ): Promise<readonly BatchResult[]> {
    const session = presentSession();
    const writes = entries.map(({ events, idempotencyKey }) => this.writeOf(events, idempotencyKey, session));
    const settled = await this.client.writeBatch(writes, this.terms(options, session));
    return settled.map((one): BatchResult => {
      if (one.status === 'fulfilled') return { kind: 'receipt', receipt: one.value };
      if (one.reason instanceof LockstepError) return { kind: 'failed', error: one.reason };
      throw one.reason;
    });
  }

  /** The row, null where there is none. */
  async read(key: KeyOf<Types>, options: ReadOptions = {}): Promise<Current<Types>> {
    return this.load(key, options, presentSession() ?? new RequestSession());
  }

  /** What became of a key; null while nothing is known of it. @throws WriteRejected when it was rejected. */
  receipt(
    idempotencyKey: string,
    options: { readonly wait?: Stage; readonly timeoutMs?: number } = {},
  ): Promise<WriteReceipt | null> {
    const { timeoutMs = this.client.configuration.timeoutMs, wait = null } = options;
    return this.client.receipt({ dataset: this.name, idempotencyKey, wait, timeoutMs });
  }

  /**
   * Rows as the gateway's region commits their changes, from a position or from now on; each subscriber has a feed of his
   * own. After every accepted write of a key at version v it is told with version v or higher.
   */
  changes(options: ChangesOptions = {}): Observable<ChangeMessage<Types>> {
    return observeChanges(this.client, this.name, options);
  }

  /**
   * Loads the row, lets the decider decide, and writes its events on condition that the row is still the one it saw;
   * otherwise loads and decides again, at most `conflictsMax` times and within the time-out. Null when there was
   * nothing to write. Under a given key a repeat finds the decision that was made, and decides nothing anew.
   *
   * @throws DecisionRefused when the decider refuses; what it throws itself goes on as it is.
   */
  async decide(
    key: KeyOf<Types>,
    decider: Decider<Types>,
    options: WriteOptions & { readonly idempotencyKey?: string } = {},
  ): Promise<WriteReceipt | null> {
    const { clock, identities } = this.client.world;
    const session = presentSession() ?? new RequestSession();
    const given = options.idempotencyKey ?? session.nextKey();
    const { timeoutMs = this.client.configuration.timeoutMs, ...terms } = options;
    const base = given ?? identities.idempotencyKey();
    const untilMs = clock.monotonicMs() + timeoutMs;
    const { conflictsMax } = this.client.configuration;
    for (let attempt = 1; attempt <= conflictsMax; attempt += 1) {
      const leftMs = Math.floor(untilMs - clock.monotonicMs());
      if (leftMs <= 0) break;
      const idempotencyKey = attemptKey(base, attempt);
      try {
        const prior = given === null ? null : await this.receipt(idempotencyKey, { timeoutMs: leftMs });
        if (prior !== null) return prior;
        const current = await this.load(key, { timeoutMs: leftMs }, session);
        const decision = decider(current);
        if (isRefused(decision)) {
          // The row may refuse because a twin of this very request was accepted just now.
          const twin = given === null ? null : await this.receipt(idempotencyKey, { timeoutMs: leftMs });
          if (twin !== null) return twin;
          throw new DecisionRefused(decision.refuse);
        }
        if (decision.length === 0) return null;
        const write = { dataset: this.name, events: expecting(decision, current), idempotencyKey };
        return await this.client.write(write, this.terms({ ...terms, timeoutMs: leftMs }, session));
      } catch (error) {
        if (isKeyOfTwin(error, given)) {
          // A twin of this request was first under this key, with what it had decided on another row.
          const twin = await this.awaitTwin(idempotencyKey, leftMs);
          if (twin !== null) return twin;
        } else if (!(error instanceof VersionConflict)) throw error;
      }
      const pauseMs = identities.random() * Math.min(CONFLICT_PAUSE_MS_MAX, 10 * attempt);
      await clock.sleep(pauseMs).done;
    }
    throw new NothingWritten(ownProblem('contended', `${key} changed before every attempt of ${base}`));
  }

  /**
   * Writes what corrects an accepted entry. Its key follows from the corrected one's: it has one effect however often this
   * is called, and `correctionOf` finds it. @throws WriteRejected also when there is nothing to correct.
   */
  async compensate(
    corrected: WriteReceipt,
    events: EventOf<Types> | readonly EventOf<Types>[],
    options: WriteOptions = {},
  ): Promise<WriteReceipt> {
    const { clock } = this.client.world;
    const { timeoutMs = this.client.configuration.timeoutMs } = options;
    const untilMs = clock.monotonicMs() + timeoutMs;
    // The correction of what may yet be rejected would itself be wrong.
    const { id } = await corrected.reached('accepted', { timeoutMs });
    const leftMs = Math.max(1, Math.floor(untilMs - clock.monotonicMs()));
    return this.append(events, { ...options, timeoutMs: leftMs, idempotencyKey: correctionKey(id) });
  }

  /** The correction of an entry; null where it has none. @throws WriteRejected when it was rejected. */
  correctionOf(
    corrected: WriteReceipt,
    options: { readonly timeoutMs?: number } = {},
  ): Promise<WriteReceipt | null> {
    return this.receipt(correctionKey(corrected.id), options);
  }

  /** Null when its attempt met a conflict, so that the next number is to be looked at. */
  private async awaitTwin(idempotencyKey: string, timeoutMs: number): Promise<WriteReceipt | null> {
    try {
      return await this.receipt(idempotencyKey, { wait: 'logged', timeoutMs });
    } catch (error) {
      if (error instanceof VersionConflict) return null;
      throw error;
    }
  }

  private async load(
    key: KeyOf<Types>,
    options: ReadOptions,
    session: RequestSession,
  ): Promise<Current<Types>> {
    const { token } = session;
    const { timeoutMs = this.client.configuration.timeoutMs } = options;
    const wanted = options.consistency ?? 'session';
    // A session that was told nothing yet has nothing to wait for.
    const consistency = wanted === 'session' && token === null ? 'local' : wanted;
    const call = { dataset: this.name, key, consistency, token, timeoutMs };
    const read = await this.client.read(call);
    session.take(read.token);
    return { key, row: read.row?.row ?? null, version: read.row?.version ?? 0 };
  }

  private writeOf(
    events: readonly EventOf<Types>[],
    given: string | null | undefined,
    session: RequestSession | null,
  ): Write {
    const idempotencyKey =
      given === undefined ? (session?.nextKey() ?? this.client.world.identities.idempotencyKey()) : given;
    return { dataset: this.name, events, idempotencyKey };
  }

  private terms(options: WriteOptions, session: RequestSession | null): WriteTerms {
    const { ack, timeoutMs = this.client.configuration.timeoutMs } = options;
    return { ack, timeoutMs, session };
  }
}

const isKeyOfTwin = (error: unknown, given: string | null): boolean =>
  given !== null && error instanceof WriteRejected && error.code === 'key-reused';
