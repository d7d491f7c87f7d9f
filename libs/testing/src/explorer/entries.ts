/**
 * Records as publishers encode them, the log as a chain of them, and the configuration by which they are judged. All of
 * it is interned: what is equal is the same object with the same number, so that a state is a handful of numbers.
 */
import {
  compileConfiguration,
  controlText,
  decodeEntry,
  encodeHeader,
  entryNumber,
  epoch,
  eventsText,
  NO_CONFIGURATION_PREFIX,
  NO_PUBLISHER,
  offset,
  recordDigest,
  utf8,
  type ConfigurationHash,
  type ControlBody,
  type DatasetName,
  type DecodedEntry,
  type EntryHeader,
  type EntryNumber,
  type Fingerprint,
  type FoldConfiguration,
  type GroupName,
  type KeyHash,
  type LogIncarnation,
  type PublisherId,
  type RegionName,
  type ShardName,
} from '@lockstep/protocol';
import type { ProjectedTable } from '@lockstep/engine';
import { REGIONS, type Place, type Scope } from './scope.js';

export const SHARD = 'accounts/0' as ShardName;
export const ROW_KEY = 'eu:ada';
/** The call that settles the key of the first wish; it stands behind the wishes. */
export const SETTLED_KEY = 'K';
const START_MS = 1_800_000_000_000;
const HOUR_MS = 3_600_000;

export const regionName = (place: Place): RegionName => REGIONS[place] as RegionName;
export const MEMBERS: readonly RegionName[] = REGIONS.map((_, place) => regionName(place as Place));

export const TABLE: ProjectedTable = {
  dataset: 'accounts' as DatasetName,
  table: 'accounts',
  columns: [{ name: 'total', type: 'numeric' }],
};

/** Sums: an entry that takes effect twice, or in another place of the log, shows in the row. */
export const CONFIGURATION: FoldConfiguration = compileConfiguration(
  'c'.repeat(64) as ConfigurationHash,
  {
    formatVersion: 1,
    dataset: TABLE.dataset,
    class: 'critical',
    writers: 'log',
    keys: 'always',
    placement: 'stretched',
    quorum: 'majority',
    groups: [
      { name: 'eu' as GroupName, home: regionName(0), firstShard: 0, shards: 1, regions: [...MEMBERS] },
    ],
    limits: { entryBytesMax: 4_096, eventsPerEntryMax: 4, notAfterAheadMsMax: HOUR_MS },
    retention: { outcomesMs: 24 * HOUR_MS, sessionsMs: 24 * HOUR_MS },
    events: [
      {
        type: 'credited',
        version: 1,
        schema: {
          type: 'object',
          required: ['amount'],
          properties: { amount: { type: 'integer', minimum: 1, maximum: 10_000 } },
          additionalProperties: false,
        },
      },
    ],
    projection: {
      kind: 'rows',
      version: 1,
      table: TABLE.table,
      columns: TABLE.columns,
      reducer: { credited: { add: { total: '$.amount' } } },
    },
  },
  null,
);

/** One encoded entry; the same bytes may stand in the log more than once. */
export interface Entry {
  readonly id: number;
  /** Which wish it carries; null for control entries. */
  readonly wish: number | null;
  readonly publisher: PublisherId;
  readonly number: EntryNumber;
  /** Stamped by the publisher; 0 in control entries. */
  readonly epoch: bigint;
  /** Ordinal of the session at its gateway; 0 in control entries. */
  readonly session: number;
  readonly idempotency: EntryHeader['idempotency'];
  readonly body: ControlBody | null;
  readonly name: string;
  readonly key: string;
  readonly value: string;
  readonly header: Uint8Array;
}

/** The log up to one record. */
export interface LogNode {
  readonly id: number;
  readonly before: LogNode | null;
  /** All entries, by offset. */
  readonly entries: readonly Entry[];
  readonly decoded: readonly DecodedEntry[];
}

export class Entries {
  private readonly entries = new Map<string, Entry>();
  private readonly nodes = new Map<string, LogNode>();
  readonly emptyLog: LogNode = { id: 0, before: null, entries: [], decoded: [] };

  constructor(private readonly scope: Scope) {}

  data(wish: number, place: Place, session: number, number: number, stamped: bigint): Entry {
    const text = `${wish}|${place}|${session}|${number}|${stamped}`;
    const known = this.entries.get(text);
    if (known !== undefined) return known;
    const { amount, expectedVersion, key, name } = this.scope.wishes[wish]!;
    const events = [{ key: ROW_KEY, type: 'credited', v: 1, data: { amount }, expectedVersion }];
    const publisher = sessionId(place, session);
    const value = eventsText(events as Parameters<typeof eventsText>[0]);
    const idempotency = key === null ? null : { key: keyHash(key), fingerprint: fingerprintOf(amount) };
    const own = { publisher, number: entryNumber(BigInt(number)), idempotency };
    const header = headerOf({ kind: 'data', region: regionName(place), epoch: epoch(stamped), ...own });
    return this.keep(text, {
      ...own,
      wish,
      epoch: stamped,
      session,
      body: null,
      name: `${name} (${REGIONS[place]} session ${session} number ${number}, epoch ${stamped})`,
      key: ROW_KEY,
      value,
      header,
    });
  }

  control(body: ControlBody, place: Place, name: string): Entry {
    const value = controlText(body);
    const text = `${name}|${place}|${value}`;
    const known = this.entries.get(text);
    if (known !== undefined) return known;
    const bare = { publisher: NO_PUBLISHER, number: entryNumber(0n), epoch: epoch(0n), idempotency: null };
    const header = headerOf({ kind: body.kind, region: regionName(place), ...bare });
    return this.keep(text, { ...bare, wish: null, session: 0, body, name, key: body.kind, value, header });
  }

  append(log: LogNode, entries: readonly Entry[]): LogNode {
    return entries.reduce((node, entry) => this.appendOne(node, entry), log);
  }

  /** The log as it was when it held so many records. */
  prefix(log: LogNode, length: number): LogNode {
    let node = log;
    while (node.entries.length > length) node = node.before!;
    return node;
  }

  private appendOne(before: LogNode, entry: Entry): LogNode {
    const text = `${before.id}|${entry.id}`;
    const known = this.nodes.get(text);
    if (known !== undefined) return known;
    const at = before.entries.length;
    const key = utf8(entry.key);
    const value = utf8(entry.value);
    const { header } = entry;
    const appendTimeMs = START_MS + at * 1_000;
    const decoded = decodeEntry({
      offset: offset(BigInt(at)),
      appendTimeMs,
      key,
      valueText: entry.value,
      valueBytes: value.length,
      header,
      traceparent: null,
      digest: recordDigest({ key, value, header, appendTimeMs }),
    });
    const node: LogNode = {
      id: this.nodes.size + 1,
      before,
      entries: [...before.entries, entry],
      decoded: [...before.decoded, decoded],
    };
    this.nodes.set(text, node);
    return node;
  }

  private keep(text: string, entry: Omit<Entry, 'id'>): Entry {
    const kept = { ...entry, id: this.entries.size };
    this.entries.set(text, kept);
    return kept;
  }
}

const hex = (text: string): string => text.padStart(32, '0');
/** The session of one gateway process; no two share one. */
export const sessionId = (place: Place, session: number): PublisherId =>
  hex(`${place + 1}${String(session).padStart(4, '0')}`) as PublisherId;
export const keyHash = (key: string): KeyHash => hex(key === SETTLED_KEY ? 'a' : 'b') as KeyHash;
const fingerprintOf = (amount: number): Fingerprint => hex(String(amount)) as Fingerprint;
export const logIncarnation = (ordinal: number): LogIncarnation => hex(`e${ordinal}`) as LogIncarnation;

function headerOf(
  fields: Pick<EntryHeader, 'kind' | 'region' | 'epoch' | 'publisher' | 'number' | 'idempotency'>,
): Uint8Array {
  const clocks = { publisherClockMs: START_MS, notAfterMs: START_MS + HOUR_MS / 2 };
  return encodeHeader({
    ...fields,
    ...clocks,
    configurationPrefix: NO_CONFIGURATION_PREFIX,
    signature: null,
  });
}

export const genesis = (ordinal: number): ControlBody => ({
  kind: 'genesis',
  logIncarnation: logIncarnation(ordinal),
  home: regionName(0),
  configuration: CONFIGURATION.hash,
});

/** Settles what may be unknown; its deadline lies before every append. */
export const SETTLE: ControlBody = { kind: 'settle', key: keyHash(SETTLED_KEY), deadlineMs: START_MS };
