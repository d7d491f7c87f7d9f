/**
 * How fast regions fold each shard while they have something to fold, as their watermarks show. A region that was never seen
 * behind has no speed: it is not known how fast it could be. Bounded by the catalogue's shards and regions (I17).
 */
import type { RegionName, Sequence, ShardName } from '@lockstep/protocol';
import type { LedgerFeed } from '../gateway/ledger-feed.js';

/** Shorter spells say more of streams than of folds. */
const SPELL_MS_MIN = 400;

interface Seen {
  readonly sequence: Sequence;
  readonly lagRecords: number | null;
  readonly atMs: number;
}

export class FoldSpeeds {
  private readonly seen = new Map<string, Seen>();
  private readonly recordsPerSecond = new Map<string, number>();
  private lookedAtMs = -Infinity;

  constructor(private readonly feed: LedgerFeed) {}

  /** To be called again and again; it looks when a spell is over. */
  look(nowMs: number, shards: readonly ShardName[], regions: readonly RegionName[]): void {
    if (nowMs - this.lookedAtMs < SPELL_MS_MIN) return;
    this.lookedAtMs = nowMs;
    for (const shard of shards) for (const region of regions) this.lookAt(nowMs, shard, region);
  }

  /** Null when it was never seen behind. */
  of(shard: ShardName, region: RegionName): number | null {
    return this.recordsPerSecond.get(`${region} ${shard}`) ?? null;
  }

  private lookAt(nowMs: number, shard: ShardName, region: RegionName): void {
    const watermark = this.feed.watermark(shard, region);
    if (watermark === null) return;
    const place = `${region} ${shard}`;
    const before = this.seen.get(place);
    const { lagRecords, sequence } = watermark;
    this.seen.set(place, { sequence, lagRecords, atMs: nowMs });
    if (before === undefined || (before.lagRecords ?? 0) === 0 || sequence < before.sequence) return;
    const folded = Number(sequence - before.sequence);
    // With nothing left to fold it may have rested: what it did is less than it can do, never more.
    if (folded > 0 || lagRecords !== 0)
      this.recordsPerSecond.set(place, (folded * 1_000) / (nowMs - before.atMs));
  }
}
