/**
 * Tokens: portable positions for reading one's own writes anywhere. Opaque to clients, readable to us.
 *
 *   token = "1" "~" shard "@" log incarnation "." sequence { ";" ... } "~" checksum
 *
 * The checksum (8 hex digits) guards against truncation and typing, not against forgery: a token grants nothing.
 */
import {
  isId128,
  parseShardName,
  sequence,
  type LogIncarnation,
  type Sequence,
  type ShardName,
} from '../identity/identity.js';
import { checksum } from './checksum.js';

export interface Position {
  readonly logIncarnation: LogIncarnation;
  readonly sequence: Sequence;
}

export type Token = ReadonlyMap<ShardName, Position>;

export const TOKEN_SHARDS_MAX = 64;

export function encodeToken(token: Token): string {
  const parts = [...token]
    .sort(([x], [y]) => (x < y ? -1 : 1))
    .map(([shard, position]) => `${shard}@${position.logIncarnation}.${position.sequence}`);
  const text = parts.join(';');
  return `1~${text}~${checksum(text)}`;
}

/** Null when the text is not a token of this version, or was damaged. */
export function decodeToken(text: string): Token | null {
  const match = /^1~([^~]*)~([0-9a-f]{8})$/.exec(text);
  if (match === null || checksum(match[1]!) !== match[2]) return null;
  const token = new Map<ShardName, Position>();
  for (const part of match[1]!.split(';')) {
    const fields = /^([^@]+)@([0-9a-f]{32})\.([1-9][0-9]{0,18})$/.exec(part);
    if (fields === null || parseShardName(fields[1]!) === null || !isId128(fields[2])) return null;
    if (token.size === TOKEN_SHARDS_MAX) return null;
    const position = { logIncarnation: fields[2] as LogIncarnation, sequence: sequence(BigInt(fields[3]!)) };
    token.set(fields[1] as ShardName, position);
  }
  return token;
}
