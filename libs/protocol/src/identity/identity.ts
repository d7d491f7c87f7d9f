/**
 * Identities and ordinals, branded so that two of them cannot be mixed up.
 *
 * Ordinals (sequence, epoch, offset, number, lease number) are bigint everywhere in code; JSON carries epochs and
 * sequences as numbers and offsets as decimal strings. Identities of 128 bits travel as 32 lower-case hex digits.
 */
declare const brand: unique symbol;
type Brand<Base, Name extends string> = Base & { readonly [brand]: Name };

/** Ordinal of a record in its shard as counted by the fold: 1 for the first record of a log, gapless (I2). */
export type Sequence = Brand<bigint, 'Sequence'>;
/** Ownership number of a shard: 0 before genesis, 1 after it, raised only by a fence (I5). */
export type Epoch = Brand<bigint, 'Epoch'>;
/** Place in a Kafka partition; only a hint to find a position. -1 means "before the first record". */
export type Offset = Brand<bigint, 'Offset'>;
/** Number of an entry within one publisher session and shard: 1, 2, 3... */
export type EntryNumber = Brand<bigint, 'EntryNumber'>;
/** Grows each time an instance takes a shard of its region; checked in every apply transaction. */
export type LeaseNumber = Brand<bigint, 'LeaseNumber'>;

export type RegionName = Brand<string, 'RegionName'>;
export type DatasetName = Brand<string, 'DatasetName'>;
export type GroupName = Brand<string, 'GroupName'>;
/** `<dataset>/<partition>`, for example `accounts/3`. */
export type ShardName = Brand<string, 'ShardName'>;

/** One life of a shard's log: 32 hex digits. */
export type LogIncarnation = Brand<string, 'LogIncarnation'>;
/** One life of a region's database: 32 hex digits, the first 8 its generation. */
export type StoreIncarnation = Brand<string, 'StoreIncarnation'>;
/** One session of an appender: 32 hex digits; the first 16 are shared by all sessions of one process. */
export type PublisherId = Brand<string, 'PublisherId'>;
/** SHA-256 of a fold configuration's canonical JSON: 64 hex digits. */
export type ConfigurationHash = Brand<string, 'ConfigurationHash'>;
/** Identity of (principal, idempotency key): 32 hex digits. */
export type KeyHash = Brand<string, 'KeyHash'>;
/** Identity of an entry's canonical events: 32 hex digits. */
export type Fingerprint = Brand<string, 'Fingerprint'>;

export const sequence = (value: bigint): Sequence => value as Sequence;
export const epoch = (value: bigint): Epoch => value as Epoch;
export const offset = (value: bigint): Offset => value as Offset;
export const entryNumber = (value: bigint): EntryNumber => value as EntryNumber;
export const leaseNumber = (value: bigint): LeaseNumber => value as LeaseNumber;

export const NO_OFFSET = offset(-1n);
export const NO_SEQUENCE = sequence(0n);
export const NO_EPOCH = epoch(0n);

const REGION_PATTERN = /^[a-z][a-z0-9-]{0,31}$/;
const DATASET_PATTERN = /^[a-z][a-z0-9_]{0,39}$/;
const HEX_32 = /^[0-9a-f]{32}$/;
const HEX_64 = /^[0-9a-f]{64}$/;

export const isRegionName = (text: string): text is RegionName => REGION_PATTERN.test(text);
export const isDatasetName = (text: string): text is DatasetName => DATASET_PATTERN.test(text);
export const isGroupName = (text: string): text is GroupName => REGION_PATTERN.test(text);
export const isId128 = (text: unknown): text is string => typeof text === 'string' && HEX_32.test(text);
export const isConfigurationHash = (text: unknown): text is ConfigurationHash =>
  typeof text === 'string' && HEX_64.test(text);

export function shardName(dataset: DatasetName, partition: number): ShardName {
  return `${dataset}/${partition}` as ShardName;
}

/** The dataset and partition of a shard name; null when the text is not one. */
export function parseShardName(
  text: string,
): { readonly dataset: DatasetName; readonly partition: number } | null {
  const match = /^([a-z][a-z0-9_]{0,39})\/(0|[1-9][0-9]{0,5})$/.exec(text);
  if (match === null) return null;
  return { dataset: match[1] as DatasetName, partition: Number(match[2]) };
}

/** Topic of a dataset's shards. */
export const topicOf = (dataset: DatasetName): string => `lockstep.${dataset}`;
export const WATERMARK_TOPIC = 'lockstep.watermarks';
export const CONTROL_TOPIC = 'lockstep.control';

/** Lives of a region's database follow each other by generation; 0 is that of a database that was just made. */
export const generationOf = (incarnation: StoreIncarnation): number => parseInt(incarnation.slice(0, 8), 16);
