/**
 * Signatures of control entries: what is signed, and by whom an entry must be signed.
 *
 * The bytes bind a signature to topic, partition and everything that the header says, so that an entry is worth nothing
 * in another place. They do not name the log's life: what a copy in the same shard could do is stopped by what the entry
 * expects (`superseded`). The cryptography itself is an adapter's.
 */
import { parseShardName, topicOf, type ShardName } from '../identity/identity.js';
import { encodeHeader, type EntryHeader, type EntryKind } from './header.js';
import { utf8 } from './utf8.js';

/** Raw Ed25519 public key: 64 lower-case hex digits. */
export type PublicKey = string;

/** What a fold configuration says of a key by which control entries are signed. */
export interface SigningKey {
  /** For people. */
  readonly id: string;
  readonly publicKey: PublicKey;
}

/** True when the key has made the signature of the message. */
export type VerifySignature = (publicKey: PublicKey, message: Uint8Array, signature: string) => boolean;

/** Entries that change who owns a shard, or how it is judged. Any region may append the others. */
export function needsAuthority(kind: EntryKind): boolean {
  switch (kind) {
    case 'genesis':
    case 'fence':
    case 'configuration':
    case 'rule':
    case 'term':
    case 'time':
    case 'skip':
    case 'seal':
      return true;
    case 'data':
    case 'digest':
    case 'carried':
    case 'probe':
    case 'settle':
    case 'degrade':
      return false;
  }
}

const DOMAIN = 'lockstep control entry 1';

/** What the signature of an entry signs; `header.signature` is not part of it. */
export function signedBytes(shard: ShardName, header: EntryHeader, valueText: string): Uint8Array {
  const { dataset, partition } = parseShardName(shard)!;
  const headerBytes = encodeHeader({ ...header, signature: null });
  const value = utf8(valueText);
  // Lengths make one reading of the bytes the only one.
  const place = `${DOMAIN}\n${topicOf(dataset)}\n${partition}\n${headerBytes.length}\n${value.length}\n`;
  const first = utf8(place);
  const bytes = new Uint8Array(first.length + headerBytes.length + value.length);
  bytes.set(first, 0);
  bytes.set(headerBytes, first.length);
  bytes.set(value, first.length + headerBytes.length);
  return bytes;
}
