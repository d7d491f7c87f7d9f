/** The token that one client carries from call to call: what it was told of, by writes and by reads. */
import type { ShardName } from '../identity/identity.js';
import { TOKEN_SHARDS_MAX, type Position, type Token } from './token.js';

/**
 * What was held, and what was heard since. Whoever was told of last stands last: what a token has no room for is
 * forgotten first, so that reading one's own writes is promised for the shards of the newest answers only.
 */
export function hearToken(held: Token, heard: Token): Token {
  const positions = new Map<ShardName, Position>(held);
  for (const [shard, position] of heard) {
    const known = positions.get(shard);
    const isOlder = known?.logIncarnation === position.logIncarnation && known.sequence >= position.sequence;
    if (isOlder) continue;
    positions.delete(shard);
    positions.set(shard, position);
    if (positions.size > TOKEN_SHARDS_MAX) positions.delete([...positions.keys()][0]!);
  }
  return positions;
}
