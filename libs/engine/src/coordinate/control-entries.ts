/** Control entries of a coordinator: each by a publisher of its own, bounded in time. */
import {
  CLOCK_TOLERANCE_MS,
  parseShardName,
  type ControlBody,
  type RegionName,
  type ShardName,
} from '@lockstep/protocol';
import type { LedgerFeed } from '../gateway/ledger-feed.js';
import type { Log } from '../ports/log.js';
import type { Observer, SpanContext } from '../ports/observer.js';
import type { Signer } from '../ports/signing.js';
import type { Clock, Identities } from '../ports/world.js';
import { ShardPublisher, type Published } from '../publish/shard-publisher.js';

const CONTROL_TIMEOUT_MS = 10_000;
const BYTES = 512;

export interface ControlEntriesOptions {
  readonly region: RegionName;
  readonly feed: LedgerFeed;
  readonly log: Log;
  readonly clock: Clock;
  readonly identities: Identities;
  readonly observer: Observer;
  /** Null: entries go out unsigned, which is right only while no configuration names a key. */
  readonly signer: Signer | null;
}

export class ControlEntries {
  constructor(private readonly options: ControlEntriesOptions) {}

  /**
   * @param timeoutMs how long it is waited for; with a minute for clocks that differ it has expired.
   * @param span of the append, which regions that fold the entry continue; null for no trace.
   */
  async append(
    shard: ShardName,
    body: ControlBody,
    timeoutMs = CONTROL_TIMEOUT_MS,
    span: SpanContext | null = null,
  ): Promise<Published> {
    const { clock, feed, identities, log, observer, region, signer } = this.options;
    const { dataset, partition } = parseShardName(shard)!;
    const publisher = new ShardPublisher({
      region,
      dataset,
      shard,
      partition,
      log,
      clock,
      identities,
      observer,
      signer,
    });
    const ticket = publisher.submit({
      publication: { kind: 'control', body },
      bytes: BYTES,
      notAfterMs: Math.max(clock.nowMs(), feed.own(shard)?.logTimeMs ?? 0) + timeoutMs + CLOCK_TOLERANCE_MS,
      giveUpAtMs: clock.monotonicMs() + timeoutMs,
      span,
    });
    const published = await ticket!.settled;
    await publisher.close();
    return published;
  }

  /** Appends, and waits until this region has folded the entry; one that was not appended is not waited for. */
  async appendAndFold(shard: ShardName, body: ControlBody): Promise<void> {
    const { clock, feed } = this.options;
    const published = await this.append(shard, body);
    if (published.kind !== 'logged') return;
    const untilMs = clock.monotonicMs() + CONTROL_TIMEOUT_MS;
    await feed.waitUntil(shard, () => (feed.own(shard)?.offset ?? -1n) >= published.offset, untilMs);
  }
}
