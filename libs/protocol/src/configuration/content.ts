/**
 * The content of a fold configuration: everything a verdict of one dataset depends on besides the log (I3).
 *
 * Plain JSON, named by the SHA-256 of its canonical JSON, kept by every region for as long as a log may need it.
 * The catalogue compiles YAML and JSON Schema to it; `compileConfiguration` makes it executable.
 */
import type { SigningKey } from '../entry/signature.js';
import type { GroupName, DatasetName, RegionName } from '../identity/identity.js';

/** How urgently a dataset's writes are acknowledged: default stages logged, accepted, quorum, stored. */
export type DatasetClass = 'bulk' | 'standard' | 'critical' | 'local';

export interface ConfigurationContent {
  readonly formatVersion: 1;
  readonly dataset: DatasetName;
  readonly class: DatasetClass;
  /** Who may write: the home through the log, the home through an outbox, or several regions. */
  readonly writers: 'log' | 'outbox' | 'any';
  /** Whether the gateway mints an idempotency key where the client gave none. */
  readonly keys: 'always' | 'given';
  readonly placement: 'stretched' | 'home';
  /** Quorum rule, in the words of SPEC "Rules"; null when the dataset has none. */
  readonly quorum: string | null;
  /** What a write that waits for `quorum` is told when its time is over: not reached (absent), or acknowledged below its rule. */
  readonly onTimeout?: 'degrade';
  /** What the rule says of fault domains and labels; a region without labels is a domain of its own. */
  readonly labels?: { readonly [region: string]: RegionLabels };
  /**
   * Of these one must have signed a control entry that needs authority, until another configuration replaces them. In the
   * order of their ids, at most `SIGNING_KEYS_MAX`; absent: nobody must.
   */
  readonly signingKeys?: readonly SigningKey[];
  /** In order of their first shard; together they cover every shard once. */
  readonly groups: readonly GroupContent[];
  readonly limits: {
    readonly entryBytesMax: number;
    readonly eventsPerEntryMax: number;
    /** H: how far after log time an entry's `notAfter` may lie. */
    readonly notAfterAheadMsMax: number;
  };
  readonly retention: { readonly outcomesMs: number; readonly sessionsMs: number };
  readonly events: readonly EventContent[];
  readonly projection: ProjectionContent;
}

/** Provider and zone together are the fault domain of a region. */
export interface RegionLabels {
  readonly provider: string;
  readonly zone: string;
  readonly jurisdiction: string;
}

export interface GroupContent {
  readonly name: GroupName;
  /** Home at genesis; later ownership is the log's. */
  readonly home: RegionName;
  readonly firstShard: number;
  readonly shards: number;
  /** Regions that may hold and write this group's data. */
  readonly regions: readonly RegionName[];
}

export interface EventContent {
  readonly type: string;
  readonly version: number;
  readonly schema: Schema;
}

/**
 * The closed subset of JSON Schema. Whatever passes is storable in Postgres: no text with NUL or a lone surrogate,
 * no integer beyond 2^53-1, no number that is not finite, timestamps only in RFC 3339 UTC with at most microseconds.
 */
export type Schema =
  | {
      readonly type: 'object';
      readonly required: readonly string[];
      readonly properties: { readonly [name: string]: Schema };
      readonly additionalProperties: false;
    }
  | {
      readonly type: 'string';
      readonly minLength?: number;
      /** In Unicode code points, as JSON Schema counts. */
      readonly maxLength: number;
      readonly enum?: readonly string[];
    }
  | { readonly type: 'string'; readonly format: 'date-time' }
  | { readonly type: 'integer'; readonly minimum: number; readonly maximum: number }
  | { readonly type: 'number'; readonly minimum?: number; readonly maximum?: number }
  | { readonly type: 'boolean' };

/** How a value of each type of column is held in JavaScript, and travels in JSON. */
export const JAVASCRIPT_TYPES = {
  text: 'string',
  bigint: 'number',
  'double precision': 'number',
  boolean: 'boolean',
  timestamptz: 'string',
  numeric: 'string',
} as const;

export type ColumnType = keyof typeof JAVASCRIPT_TYPES;

export interface ColumnContent {
  readonly name: string;
  readonly type: ColumnType;
}

export type ProjectionContent =
  | {
      readonly kind: 'rows';
      readonly version: number;
      readonly table: string;
      readonly columns: readonly ColumnContent[];
      /** By event type. A type that is absent touches only the row's version. */
      readonly reducer: { readonly [eventType: string]: RowRule };
    }
  | {
      readonly kind: 'aggregate';
      readonly version: number;
      readonly table: string;
      readonly columns: readonly ColumnContent[];
      /** JavaScript of one module without imports that exports `reduce(state, event)`. */
      readonly reducer: string;
    };

/**
 * What one event type does to its row. A value `$.name` is the property of the event's data; anything else is a
 * literal. A column is either set, or one of added to, raised and lowered, in the whole projection, never two of
 * these, so that operations on one row always combine to one operation. `add` needs a numeric column, `max` and `min`
 * one of bigint, double precision or timestamptz.
 */
export type RowRule =
  | { readonly delete: true }
  | {
      readonly set?: { readonly [column: string]: ColumnValue };
      readonly add?: { readonly [column: string]: ColumnValue };
      readonly max?: { readonly [column: string]: ColumnValue };
      readonly min?: { readonly [column: string]: ColumnValue };
    };

/** Value of one column: text, timestamptz and numeric as string, bigint and double precision as number. */
export type ColumnValue = string | number | boolean | null;

/** A rotation needs two; each costs a check for every entry that another one has signed. */
export const SIGNING_KEYS_MAX = 4;

export const DEFAULT_LIMITS = {
  entryBytesMax: 512 * 1024,
  eventsPerEntryMax: 100,
  notAfterAheadMsMax: 60 * 60 * 1000,
} as const;

export const DEFAULT_RETENTION = {
  outcomesMs: 24 * 60 * 60 * 1000,
  sessionsMs: 7 * 24 * 60 * 60 * 1000,
} as const;
