/**
 * What one client was told of, by writes and by reads, as the token that it carries from region to region: what it reads
 * with it is not from before its own writes, nor from before what it has read.
 */
import {
  decodeToken,
  encodeToken,
  TOKEN_SHARDS_MAX,
  type Position,
  type ShardName,
} from '@lockstep/protocol';

export class Session {
  private readonly positions = new Map<ShardName, Position>();

  /** A token that an answer carried; null where it carried none. */
  take(token: string | null): void {
    for (const [shard, position] of (token === null ? null : decodeToken(token)) ?? []) {
      const known = this.positions.get(shard);
      const isOlder =
        known?.logIncarnation === position.logIncarnation && known.sequence >= position.sequence;
      if (isOlder) continue;
      // Whoever was told of last stands last: what a token has no room for is forgotten first.
      this.positions.delete(shard);
      this.positions.set(shard, position);
      if (this.positions.size > TOKEN_SHARDS_MAX) this.positions.delete([...this.positions.keys()][0]!);
    }
  }

  /** Null before anything was told. */
  get token(): string | null {
    return this.positions.size === 0 ? null : encodeToken(this.positions);
  }
}
