/** Logs for tests of the fold: entries with readable defaults, and a store that answers reads from folded batches. */
import { compileConfiguration, type FoldConfiguration } from '../configuration/fold-configuration.js';
import type { ColumnContent, ConfigurationContent, ProjectionContent } from '../configuration/content.js';
import type { Reducer } from '../configuration/reducer.js';
import { controlText, eventsText, isRecord, type ControlBody, type EntryEvent } from '../entry/body.js';
import { hashToHex, recordDigest } from '../entry/digest.js';
import { encodeHeader, NO_CONFIGURATION_PREFIX, NO_PUBLISHER, type EntryHeader } from '../entry/header.js';
import type { LogRecord } from '../entry/record.js';
import { utf8 } from '../entry/utf8.js';
import {
  entryNumber,
  epoch,
  offset,
  type ConfigurationHash,
  type DatasetName,
  type Fingerprint,
  type GroupName,
  type KeyHash,
  type LogIncarnation,
  type PublisherId,
  type RegionName,
  type ShardName,
} from '../identity/identity.js';
import { decodeEntry, endsBatch, type DecodedEntry } from './decoded-entry.js';
import { ShardFold, type FoldedBatch, type FoldedEntry, type SignatureOf } from './fold.js';
import { plan } from './plan.js';
import type { ColumnOperation, RowOperation } from './row-operation.js';
import { emptyCursor } from './state.js';
import type { Cursor, Outcome, ReadAnswers, ReadRow, Session, ShardState } from './state.js';
import type { Halt } from '../position/watermark.js';
import type { Verdict } from './verdict.js';

export const EU = 'eu' as RegionName;
export const US = 'us' as RegionName;
export const AP = 'ap' as RegionName;
export const SHARD = 'accounts/0' as ShardName;
export const START_MS = 1_800_000_000_000;
export const HOUR_MS = 3_600_000;
export const DAY_MS = 24 * HOUR_MS;
export const LOG_INCARNATION = 'a'.repeat(32) as LogIncarnation;

const money = { type: 'integer', minimum: 1, maximum: Number.MAX_SAFE_INTEGER } as const;

/** Balances that may not fall below zero; `opened` once. */
const reduceAccount: Reducer = (state, event) => {
  if (event.type === 'opened')
    return state === null ? { owner: event.data['owner'] as string, balance: 0 } : { refuse: 'open' };
  if (state === null) return { refuse: 'missing' };
  const sign = event.type === 'credited' ? 1 : -1;
  const balance = Number(state['balance']) + sign * Number(event.data['amount']);
  if (balance < 0 || !Number.isSafeInteger(balance)) return { refuse: 'balance' };
  return { owner: state['owner']!, balance };
};

export const ACCOUNT_COLUMNS: readonly ColumnContent[] = [
  { name: 'owner', type: 'text' },
  { name: 'balance', type: 'bigint' },
];

export function content(changes: Partial<ConfigurationContent> = {}): ConfigurationContent {
  return {
    formatVersion: 1,
    dataset: 'accounts' as DatasetName,
    class: 'critical',
    writers: 'log',
    keys: 'always',
    placement: 'stretched',
    quorum: 'majority',
    groups: [
      { name: 'eu' as GroupName, home: EU, firstShard: 0, shards: 1, regions: [EU, US] },
      { name: 'us' as GroupName, home: US, firstShard: 1, shards: 1, regions: [EU, US, AP] },
    ],
    limits: { entryBytesMax: 4_096, eventsPerEntryMax: 4, notAfterAheadMsMax: HOUR_MS },
    retention: { outcomesMs: DAY_MS, sessionsMs: 7 * DAY_MS },
    events: [
      {
        type: 'opened',
        version: 1,
        schema: {
          type: 'object',
          required: ['owner'],
          properties: { owner: { type: 'string', maxLength: 20 } },
          additionalProperties: false,
        },
      },
      ...['credited', 'debited'].map((type) => ({
        type,
        version: 1,
        schema: {
          type: 'object',
          required: ['amount'],
          properties: { amount: money },
          additionalProperties: false,
        } as const,
      })),
    ],
    projection: {
      kind: 'aggregate',
      version: 1,
      table: 'accounts',
      columns: ACCOUNT_COLUMNS,
      reducer: 'test',
    },
    ...changes,
  };
}

export const ROWS_PROJECTION: ProjectionContent = {
  kind: 'rows',
  version: 1,
  table: 'accounts',
  columns: [
    { name: 'owner', type: 'text' },
    { name: 'total', type: 'numeric' },
    { name: 'peak', type: 'bigint' },
  ],
  reducer: {
    opened: { set: { owner: '$.owner' } },
    credited: { add: { total: '$.amount' }, max: { peak: '$.amount' } },
    debited: { delete: true },
  },
};

export function configured(digit: string, changes: Partial<ConfigurationContent> = {}): FoldConfiguration {
  const made = content(changes);
  const reducer = made.projection.kind === 'aggregate' ? reduceAccount : null;
  return compileConfiguration(digit.repeat(64) as ConfigurationHash, made, reducer);
}

export const AGGREGATE = configured('1');
/** The same with a lower bound on names; what a catalogue change activates. */
export const STRICTER = configured('2', {
  limits: { entryBytesMax: 4_096, eventsPerEntryMax: 1, notAfterAheadMsMax: HOUR_MS },
});
export const ROWS = configured('3', { projection: ROWS_PROJECTION });
export const SEVERAL_WRITERS = configured('4', { writers: 'any' });

export const EMPTY_STATE: ShardState = {
  cursor: emptyCursor(SHARD),
  sessions: new Map(),
};

export const session = (digit: string): PublisherId => digit.repeat(32) as PublisherId;
export const keyOf = (text: string): KeyHash => textHash(text) as KeyHash;
export const fingerprintOf = (text: string): Fingerprint => textHash(text) as Fingerprint;
const textHash = (text: string): string =>
  hashToHex(recordDigest({ key: utf8(text), value: null, header: null, appendTimeMs: 0 }));

export function event(type: string, data: object, changes: Partial<EntryEvent> = {}): EntryEvent {
  return { key: 'eu:ada', type, v: 1, data, expectedVersion: null, ...changes };
}
export const opened = (key = 'eu:ada'): EntryEvent => event('opened', { owner: 'Ada' }, { key });
export const credited = (amount: number, key = 'eu:ada'): EntryEvent =>
  event('credited', { amount }, { key });
export const debited = (amount: number, key = 'eu:ada'): EntryEvent => event('debited', { amount }, { key });

/** A log under construction: each call appends a record, a second after the one before. */
export class LogBuilder {
  readonly records: LogRecord[] = [];
  nowMs = START_MS;
  private readonly numbers = new Map<PublisherId, bigint>();

  data(
    events: readonly EntryEvent[],
    changes: Partial<EntryHeader> & {
      readonly idempotencyKey?: string;
      readonly at?: number;
      readonly text?: string | null;
    } = {},
  ): this {
    const publisher = changes.publisher ?? session('b');
    const number = changes.number ?? entryNumber((this.numbers.get(publisher) ?? 0n) + 1n);
    if (number > (this.numbers.get(publisher) ?? 0n)) this.numbers.set(publisher, number);
    const text = changes.text === undefined ? eventsText(events) : changes.text;
    const { idempotencyKey } = changes;
    const idempotency =
      idempotencyKey === undefined
        ? null
        : { key: keyOf(idempotencyKey), fingerprint: fingerprintOf(eventsText(events)) };
    return this.record(
      text,
      header({ publisher, number, idempotency, ...this.clocks(), ...changes }),
      changes.at,
    );
  }

  control(body: ControlBody, changes: Partial<EntryHeader> & { readonly at?: number } = {}): this {
    const bare = { kind: body.kind, publisher: NO_PUBLISHER, number: entryNumber(0n) };
    return this.record(controlText(body), header({ ...this.clocks(), ...bare, ...changes }), changes.at);
  }

  genesis(configuration: FoldConfiguration = AGGREGATE): this {
    return this.control({
      kind: 'genesis',
      logIncarnation: LOG_INCARNATION,
      home: EU,
      configuration: configuration.hash,
    });
  }

  fence(expected: bigint, home: RegionName, term = 1n, decision = expected): this {
    return this.control({
      kind: 'fence',
      expectedEpoch: epoch(expected),
      epoch: epoch(expected + 1n),
      home,
      term,
      decision,
    });
  }

  /** Time passes in the log. */
  pass(ms: number): this {
    this.nowMs += ms;
    return this;
  }

  record(text: string | null, headerBytes: Uint8Array | null, at?: number): this {
    const appendTimeMs = at ?? this.nowMs;
    const value = text === null ? null : utf8(text);
    this.records.push({
      offset: offset(BigInt(this.records.length)),
      appendTimeMs,
      key: null,
      valueText: text,
      valueBytes: value?.length ?? 0,
      header: headerBytes,
      traceparent: null,
      digest: recordDigest({ key: null, value, header: headerBytes, appendTimeMs }),
    });
    this.nowMs += 1_000;
    return this;
  }

  entries(): readonly DecodedEntry[] {
    return this.records.map(decodeEntry);
  }

  private clocks(): { publisherClockMs: number; notAfterMs: number } {
    return { publisherClockMs: this.nowMs, notAfterMs: this.nowMs + 120_000 };
  }
}

export function header(changes: Partial<EntryHeader> = {}): Uint8Array {
  return encodeHeader({
    kind: 'data',
    epoch: epoch(1n),
    publisherClockMs: START_MS,
    notAfterMs: START_MS + 120_000,
    publisher: session('b'),
    number: entryNumber(1n),
    configurationPrefix: NO_CONFIGURATION_PREFIX,
    region: EU,
    idempotency: null,
    signature: null,
    ...changes,
  });
}

const byName = ([x]: readonly [string, unknown], [y]: readonly [string, unknown]): number => (x < y ? -1 : 1);

/** A region in miniature: durable cursor, sessions, outcomes and rows; folds in batches and may restart. */
export class FoldedRegion {
  cursor: Cursor = EMPTY_STATE.cursor;
  readonly sessions = new Map<PublisherId, Session>();
  readonly outcomes = new Map<KeyHash, Outcome>();
  readonly rows = new Map<string, ReadRow>();
  readonly verdicts: Verdict[] = [];
  readonly folded: FoldedEntry[] = [];
  halt: Halt | null = null;
  private memory: ShardState | null = null;

  constructor(
    private readonly known: readonly FoldConfiguration[] = [AGGREGATE, STRICTER, ROWS, SEVERAL_WRITERS],
    private readonly signatureOf?: SignatureOf,
  ) {}

  /** Forgets what only memory holds. */
  restart(): void {
    this.memory = null;
  }

  /** What a store holds of it, as text, in an order of its own. `cleaned`: what is forgotten has been deleted. */
  stored(cleaned: boolean): string {
    const { sessionsSinceMs, outcomesSinceMs } = this.cursor;
    const since = (ms: number, one: { readonly logTimeMs: number }): boolean =>
      !cleaned || one.logTimeMs >= ms;
    const held = {
      cursor: this.cursor,
      sessions: [...this.sessions].filter(([, one]) => since(sessionsSinceMs, one)).sort(byName),
      outcomes: [...this.outcomes].filter(([, one]) => since(outcomesSinceMs, one)).sort(byName),
      rows: [...this.rows].sort(byName),
    };
    return JSON.stringify(held, (_, value: unknown) =>
      typeof value === 'bigint' ? { bigint: String(value) } : value,
    );
  }

  /** A region that has nothing but what a store holds. */
  static load(stored: string): FoldedRegion {
    const held = JSON.parse(stored, (_, value: unknown) =>
      isRecord(value) && typeof value['bigint'] === 'string' ? BigInt(value['bigint']) : value,
    ) as {
      readonly cursor: Cursor;
      readonly sessions: readonly (readonly [PublisherId, Session])[];
      readonly outcomes: readonly (readonly [KeyHash, Outcome])[];
      readonly rows: readonly (readonly [string, ReadRow])[];
    };
    const region = new FoldedRegion();
    region.cursor = held.cursor;
    for (const [publisher, one] of held.sessions) region.sessions.set(publisher, one);
    for (const [key, one] of held.outcomes) region.outcomes.set(key, one);
    for (const [key, row] of held.rows) region.rows.set(key, row);
    return region;
  }

  /** Folds one batch and commits it; answers how many entries it took. */
  apply(entries: readonly DecodedEntry[], crash: 'none' | 'before-commit' | 'after-commit' = 'none'): number {
    const cut = entries.findIndex(endsBatch);
    const { folded, halt, result } = this.fold(cut < 0 ? entries : entries.slice(0, cut + 1));
    this.halt = halt;
    if (crash === 'before-commit') {
      this.restart();
      return 0;
    }
    this.commit(result);
    this.verdicts.push(...folded.map((one) => one.verdict));
    this.folded.push(...folded);
    if (crash === 'after-commit') this.restart();
    return folded.length;
  }

  /** Folds one batch, and commits nothing. */
  fold(entries: readonly DecodedEntry[]): {
    readonly folded: readonly FoldedEntry[];
    readonly halt: Halt | null;
    readonly result: FoldedBatch;
  } {
    const state = this.memory ?? { cursor: this.cursor, sessions: new Map(this.sessions) };
    const find = (hash: ConfigurationHash): FoldConfiguration | null =>
      this.known.find((configuration) => configuration.hash === hash) ?? null;
    const active = state.cursor.configuration === null ? null : find(state.cursor.configuration);
    const batch = new ShardFold(state, this.answers(plan(entries, active)), find, this.signatureOf);
    const folded: FoldedEntry[] = [];
    for (const entry of entries) {
      const step = batch.fold(entry);
      if (step.kind === 'halted') return { folded, halt: step.halt, result: batch.finish() };
      folded.push(step.folded);
    }
    return { folded, halt: null, result: batch.finish() };
  }

  commit(result: FoldedBatch): void {
    this.cursor = result.state.cursor;
    for (const changed of result.sessions) this.sessions.set(changed.publisher, changed);
    for (const outcome of result.outcomes) this.outcomes.set(outcome.key, outcome);
    for (const row of result.rows) this.applyRow(row);
    this.memory = result.state;
  }

  /** Folds everything, in batches of the sizes given (then of one). */
  applyAll(entries: readonly DecodedEntry[], sizes: readonly number[] = []): this {
    let done = 0;
    for (let round = 0; done < entries.length && this.halt === null; round += 1) {
      done += this.apply(entries.slice(done, done + (sizes[round] ?? 1)));
    }
    return this;
  }

  private answers(reads: ReturnType<typeof plan>): ReadAnswers {
    const outcomes = new Map<KeyHash, Outcome>();
    const rows = new Map<string, ReadRow>();
    for (const key of reads.outcomes) if (this.outcomes.has(key)) outcomes.set(key, this.outcomes.get(key)!);
    for (const key of reads.rows) if (this.rows.has(key)) rows.set(key, this.rows.get(key)!);
    return { outcomes, rows };
  }

  private applyRow(operation: RowOperation): void {
    if (operation.kind === 'delete') {
      this.rows.delete(operation.key);
      return;
    }
    const before = operation.replaces ? {} : (this.rows.get(operation.key)?.columns ?? {});
    const columns = { ...before };
    for (const [name, column] of operation.columns)
      columns[name] = applyColumn(columns[name] ?? null, column);
    this.rows.set(operation.key, { version: operation.version, columns });
  }
}

export function applyColumn(
  before: string | number | boolean | null,
  operation: ColumnOperation,
): string | number | boolean | null {
  switch (operation.kind) {
    case 'set':
      return operation.value;
    case 'add':
      return String(BigInt(before === null ? 0 : String(before)) + operation.value);
    case 'max':
      return before === null || (before as number | string) < operation.value ? operation.value : before;
    case 'min':
      return before === null || (before as number | string) > operation.value ? operation.value : before;
  }
}
