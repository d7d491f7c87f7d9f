/**
 * The relay of a home: sends what services stored in their region's outbox to the log, one loop per shard.
 *
 * - Sends only while this process applies the shard, this region is its home, and its store has once caught up with the log
 *   since the shard was taken: what an earlier relay sent has then left the outbox.
 * - One window is one batch of the publisher and the next goes out after it was answered; what was not certainly appended
 *   goes out again first, in a new session and under its key. So of two entries that share a row the later never stands in
 *   the log before the earlier, whatever becomes of sessions, and however many relays are awake.
 * - An entry that the fold has passed and that is still in the outbox was judged as an attempt only: it is sent again, in
 *   another session. Nothing is sent under another epoch, or in another session, while an entry under the former one is not
 *   folded: it may turn out to be an attempt as well, and must not be overtaken then.
 *
 * Nothing of it is kept but `notAfter`: after a crash all that is pending is sent again, and the fold removes copies (I8).
 */
import type {
  ConfigurationHash,
  Epoch,
  KeyHash,
  Offset,
  PublisherId,
  RegionName,
  ShardName,
} from '@lockstep/protocol';
import { Signal, waitAtMost } from '../gate.js';
import { reportLoopFailure } from '../loop-failure.js';
import type { Observer } from '../ports/observer.js';
import { isPortError } from '../ports/port-error.js';
import type { OutboxEntry, OutboxStore } from '../ports/store.js';
import type { Clock } from '../ports/world.js';
import type { Published, ShardPublisher } from './shard-publisher.js';

const WINDOW_ENTRIES_MAX = 500;
/** Below what the publisher puts into one batch; a larger entry goes alone. */
const WINDOW_BYTES_MAX = 512 * 1024;
/** Sent and not yet folded; beyond them the relay waits for the fold. */
const UNFOLDED_ENTRIES_MAX = 5_000;
/** Bounds how long a lost notification delays an entry, and how long one judged as an attempt waits. */
const IDLE_WAIT_MS = 500;
const FULL_WAIT_MS = 50;
const RETRY_PAUSE_MS = 250;
const GIVE_UP_MS = 10_000;
/** Half of what the fold allows at most, so that clocks may differ. */
const NOT_AFTER_AHEAD_MS = 30 * 60_000;

/** Where the applied shard stands; null while its cursor is not applied here or has never caught up with the log. */
export interface Footing {
  readonly home: RegionName | null;
  readonly epoch: Epoch;
  readonly configuration: ConfigurationHash | null;
  readonly offset: Offset;
  readonly logTimeMs: number;
}

export interface OutboxRelayOptions {
  readonly region: RegionName;
  readonly shards: readonly ShardName[];
  readonly footingOf: (shard: ShardName) => Footing | null;
  readonly openStore: (onStored: () => void) => Promise<OutboxStore>;
  readonly publisherOf: (shard: ShardName) => ShardPublisher;
  readonly observer: Observer;
  readonly clock: Clock;
}

interface Sent {
  readonly offset: Offset;
  readonly epoch: Epoch;
  readonly publisher: PublisherId;
}

/** What a relay knows of its shard. */
interface Relayed {
  /**
   * Answered by the log, until the fold has passed it; by key, as a database that went back gives the ids of what it lost to other
   * entries.
   */
  readonly unfolded: Map<KeyHash, Sent>;
  /** Another session has begun, or may have. */
  isSessionOver: boolean;
}

/** `refused`: something of the window goes out again. */
type Round = 'sent' | 'refused' | 'idle' | 'full';

export class OutboxRelay {
  private readonly stored = new Signal();
  private store: Promise<OutboxStore> | null = null;
  private stopped = false;

  constructor(private readonly options: OutboxRelayOptions) {}

  /** Runs until `stop`; failures of the world are reported and retried, never thrown. */
  async run(): Promise<void> {
    await Promise.all(this.options.shards.map((shard) => this.runShard(shard)));
    const { store } = this;
    if (store !== null) await this.drop(store);
  }

  stop(): void {
    this.stopped = true;
    this.stored.raise();
  }

  private async runShard(shard: ShardName): Promise<void> {
    const { clock, observer, publisherOf } = this.options;
    const publisher = publisherOf(shard);
    const relayed: Relayed = { unfolded: new Map(), isSessionOver: false };
    while (!this.stopped) {
      const woken = this.stored.next();
      try {
        const round = await this.round(shard, publisher, relayed);
        if (round === 'full') await clock.sleep(FULL_WAIT_MS).done;
        else if (round === 'refused') await clock.sleep(RETRY_PAUSE_MS).done;
        else if (round === 'idle') await waitAtMost(woken, clock, IDLE_WAIT_MS);
      } catch (error) {
        reportLoopFailure(observer, `outbox ${shard}`, error);
        await clock.sleep(RETRY_PAUSE_MS).done;
      }
    }
    await publisher.close();
  }

  private async round(shard: ShardName, publisher: ShardPublisher, relayed: Relayed): Promise<Round> {
    const { unfolded } = relayed;
    const { footingOf, region } = this.options;
    const footing = footingOf(shard);
    if (footing === null || footing.home !== region || footing.configuration === null) return 'idle';
    const passed = new Map<KeyHash, Sent>();
    for (const [key, sent] of unfolded) if (sent.offset <= footing.offset) passed.set(key, sent);
    for (const key of passed.keys()) unfolded.delete(key);
    if (unfolded.size >= UNFOLDED_ENTRIES_MAX) return 'full';
    for (const { epoch } of unfolded.values()) if (epoch !== footing.epoch) return 'full';
    if (relayed.isSessionOver && unfolded.size > 0) return 'full';
    relayed.isSessionOver = false;

    const window = await this.usingStore((store) =>
      store.pending({
        shard,
        foldedTo: footing.offset,
        except: [...unfolded.keys()],
        entriesMax: WINDOW_ENTRIES_MAX,
        bytesMax: WINDOW_BYTES_MAX,
      }),
    );
    if (window.length === 0) return 'idle';
    for (const { key } of window) {
      const before = passed.get(key);
      if (before === undefined) continue;
      publisher.renounce(before.publisher);
      relayed.isSessionOver = true;
    }
    if (relayed.isSessionOver && unfolded.size > 0) return 'full';
    const published = await this.send(publisher, window, footing);
    window.forEach(({ key }, index) => {
      const result = published[index];
      if (result?.kind !== 'logged') return;
      unfolded.set(key, { offset: result.offset, epoch: footing.epoch, publisher: result.publisher });
    });
    const isLogged = published.every((result) => result?.kind === 'logged');
    // What was renounced before this window went out is settled; a window that was refused ended its session.
    relayed.isSessionOver = !isLogged;
    return isLogged ? 'sent' : 'refused';
  }

  private async send(
    publisher: ShardPublisher,
    window: readonly OutboxEntry[],
    { configuration, epoch, logTimeMs }: Footing,
  ): Promise<readonly (Published | null)[]> {
    const { clock } = this.options;
    const stampMs = Math.ceil(Math.max(logTimeMs, clock.nowMs()) + NOT_AFTER_AHEAD_MS);
    const unstamped = window.filter(({ notAfterMs }) => notAfterMs === null);
    // Before the log can have it: a copy of a later life must not outlive what this one said.
    if (unstamped.length > 0) {
      const ids = unstamped.map(({ id }) => id);
      await this.usingStore((store) => store.stamp(ids, stampMs));
    }
    const giveUpAtMs = clock.monotonicMs() + GIVE_UP_MS;
    // In one turn, so that they share one batch.
    const tickets = window.map(({ body, fingerprint, firstKey, key, notAfterMs }) =>
      publisher.submit({
        publication: {
          kind: 'data',
          key: firstKey,
          value: body,
          idempotency: { key, fingerprint },
          configuration: configuration!,
          epoch,
        },
        bytes: body.length,
        notAfterMs: notAfterMs ?? stampMs,
        giveUpAtMs,
        span: null,
      }),
    );
    return Promise.all(tickets.map(async (ticket) => (ticket === null ? null : ticket.settled)));
  }

  private async usingStore<T>(work: (store: OutboxStore) => Promise<T>): Promise<T> {
    const opening = (this.store ??= this.options.openStore(() => this.stored.raise()));
    try {
      return await work(await opening);
    } catch (error) {
      if (this.store === opening) this.store = null;
      await this.drop(opening);
      throw error;
    }
  }

  private async drop(store: Promise<OutboxStore>): Promise<void> {
    try {
      await (await store).close();
    } catch (error) {
      if (!isPortError(error)) throw error;
    }
  }
}
