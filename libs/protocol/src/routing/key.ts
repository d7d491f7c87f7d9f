/**
 * Keys and routing: which shard a key lives in. The answer never changes while a dataset lives (B12), so it depends on
 * nothing but the key and the stored group layout.
 *
 * key = `group:id`; group `[a-z][a-z0-9-]{0,31}`; id 1-200 bytes of UTF-8 without control characters.
 * Shard = the group's first shard + murmur2(id up to the first `/`) mod its count: `eu:book/a` and `eu:book/b` share one.
 */
import type { GroupContent } from '../configuration/content.js';
import { utf8, utf8Length } from '../entry/utf8.js';

export const KEY_ID_BYTES_MAX = 200;

export interface ParsedKey {
  readonly group: string;
  readonly id: string;
}

/** Null when the text is not a key. */
export function parseKey(key: string): ParsedKey | null {
  const colon = key.indexOf(':');
  return isKey(key, colon) ? { group: key.slice(0, colon), id: key.slice(colon + 1) } : null;
}

/**
 * Every key of every event comes by here, and then by `routeKey`: neither makes anything of it.
 *
 * @param colon where the first one stands.
 */
export const isKey = (key: string, colon = key.indexOf(':')): boolean =>
  isLowerName(key, colon, GROUP_LENGTH_MAX) && isId(key, colon + 1);

const GROUP_LENGTH_MAX = 32;

/** Whether the text up to there is `[a-z][a-z0-9-]*`, and no longer than that. */
export function isLowerName(text: string, end: number, lengthMax: number): boolean {
  if (end < 1 || end > lengthMax) return false;
  for (let i = 0; i < end; i += 1) {
    const unit = text.charCodeAt(i);
    const isLetter = unit >= 0x61 && unit <= 0x7a;
    const isInner = (unit >= 0x30 && unit <= 0x39) || unit === 0x2d;
    if (!isLetter && (i === 0 || !isInner)) return false;
  }
  return true;
}

/** Whether the text from there on is the id of a key. */
function isId(key: string, from: number): boolean {
  if (from === key.length || key.length - from > KEY_ID_BYTES_MAX) return false;
  let isAscii = true;
  for (let i = from; i < key.length; i += 1) {
    const unit = key.charCodeAt(i);
    if (unit < 0x20 || (unit >= 0x7f && unit <= 0x9f)) return false;
    isAscii &&= unit < 0x80;
  }
  return isAscii || (key.isWellFormed() && utf8Length(key) - from <= KEY_ID_BYTES_MAX);
}

export type Route =
  | { readonly kind: 'shard'; readonly partition: number; readonly group: GroupContent }
  | { readonly kind: 'malformed-key' }
  | { readonly kind: 'unknown-group'; readonly group: string };

export function routeKey(groups: readonly GroupContent[], key: string): Route {
  const colon = key.indexOf(':');
  if (!isKey(key, colon)) return { kind: 'malformed-key' };
  const group = groups.find(({ name }) => name.length === colon && key.startsWith(name));
  if (group === undefined) return { kind: 'unknown-group', group: key.slice(0, colon) };
  const slash = key.indexOf('/', colon + 1);
  const hash = murmur2OfText(key, colon + 1, slash < 0 ? key.length : slash);
  return { kind: 'shard', partition: group.firstShard + (hash % group.shards), group };
}

/** Of the bytes of an id's beginning. */
function murmur2OfText(key: string, from: number, end: number): number {
  for (let i = from; i < end; i += 1) {
    const unit = key.charCodeAt(i);
    if (unit >= 0x80) return murmur2(utf8(key.slice(from, end)));
    ASCII[i - from] = unit;
  }
  return murmur2(ASCII, end - from);
}

/** Filled anew for each id. */
const ASCII = new Uint8Array(KEY_ID_BYTES_MAX);

/** A key of the shard that no service is likely to use. */
export const canaryKey = (groups: readonly GroupContent[], partition: number): string =>
  keyInShard(groups, partition, 'lockstep-canary');

/** The first key of the shard whose id is the name and a number. @throws Error for a partition that no group covers. */
export function keyInShard(groups: readonly GroupContent[], partition: number, idName: string): string {
  const { name } = groupOfPartition(groups, partition);
  for (let number = 0; ; number += 1) {
    const key = `${name}:${idName}-${number}`;
    const route = routeKey(groups, key);
    if (route.kind === 'shard' && route.partition === partition) return key;
  }
}

/** The group that a shard belongs to. @throws Error for a partition that no group covers: a defect of the caller. */
export function groupOfPartition(groups: readonly GroupContent[], partition: number): GroupContent {
  const group = groups.find(
    ({ firstShard, shards }) => partition >= firstShard && partition < firstShard + shards,
  );
  if (group === undefined) throw new Error(`no group covers partition ${partition}`);
  return group;
}

/** How many shards a dataset has; never changes while it lives (B12). */
export const partitionCount = (groups: readonly GroupContent[]): number =>
  groups.reduce((sum, group) => sum + group.shards, 0);

/** Kafka's murmur2 (seed 0x9747b28c), made positive by clearing the sign bit. */
export function murmur2(bytes: Uint8Array, length = bytes.length): number {
  const M = 0x5bd1e995;
  let h = 0x9747b28c ^ length;
  const whole = length - (length % 4);
  for (let i = 0; i < whole; i += 4) {
    let k = bytes[i]! | (bytes[i + 1]! << 8) | (bytes[i + 2]! << 16) | (bytes[i + 3]! << 24);
    k = Math.imul(k, M);
    k ^= k >>> 24;
    k = Math.imul(k, M);
    h = Math.imul(h, M) ^ k;
  }
  const rest = length - whole;
  if (rest >= 3) h ^= bytes[whole + 2]! << 16;
  if (rest >= 2) h ^= bytes[whole + 1]! << 8;
  if (rest >= 1) {
    h ^= bytes[whole]!;
    h = Math.imul(h, M);
  }
  h ^= h >>> 13;
  h = Math.imul(h, M);
  h ^= h >>> 15;
  return h & 0x7fffffff;
}
