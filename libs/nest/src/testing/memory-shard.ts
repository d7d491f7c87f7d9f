/**
 * One shard in memory: its log is folded record by record with the fold of the protocol, so that its verdicts are those
 * of every region. What Kafka and Postgres add (batches, stages one after another, other regions behind) is not here.
 */
import type { ProjectedTable } from '@lockstep/engine';
import {
  controlText,
  decodeEntry,
  emptyCursor,
  encodeHeader,
  entryNumber,
  epoch,
  NO_CONFIGURATION_PREFIX,
  NO_PUBLISHER,
  offset,
  parseShardName,
  plan,
  recordDigest,
  ShardFold,
  touchedKeys,
  utf8,
  type ControlBody,
  type Cursor,
  type EntryHeader,
  type Epoch,
  type Fingerprint,
  type FoldConfiguration,
  type FoldedEntry,
  type KeyHash,
  type LogIncarnation,
  type LogRecord,
  type Offset,
  type Outcome,
  type PublisherId,
  type ReadRow,
  type RegionName,
  type Sequence,
  type ShardName,
  type ShardState,
} from '@lockstep/protocol';
import { applyRowOperation, type MemoryRow } from '@lockstep/testing/store';

const LOG_INCARNATION = 'a'.repeat(32) as LogIncarnation;
const PUBLISHER = 'b'.repeat(32) as PublisherId;
/** Between a write's deadline and its last moment in the log, as gateways have it. */
const SLACK_MS = 120_000;

export interface MemoryEntry {
  readonly text: string;
  readonly deadlineMs: number;
  readonly idempotency: { readonly key: KeyHash; readonly fingerprint: Fingerprint } | null;
  /** As known by whoever appends: both may be of the past. */
  readonly epoch: Epoch;
  readonly home: RegionName;
}

export class MemoryShard {
  private state: ShardState;
  private readonly outcomes = new Map<KeyHash, Outcome>();
  private readonly rows = new Map<string, MemoryRow>();
  private number = 0n;
  /** The keys that each record touched, by offset. */
  private readonly touched: (readonly string[])[] = [];

  constructor(
    readonly shard: ShardName,
    private readonly configuration: FoldConfiguration,
    private readonly table: ProjectedTable,
    home: RegionName,
    private readonly nowMs: () => number,
    private readonly folded: () => void,
  ) {
    this.state = { cursor: emptyCursor(shard), sessions: new Map() };
    const { hash } = configuration;
    this.control({ kind: 'genesis', logIncarnation: LOG_INCARNATION, home, configuration: hash }, home);
  }

  get cursor(): Cursor & { readonly home: RegionName; readonly logIncarnation: LogIncarnation } {
    const { cursor } = this.state;
    return { ...cursor, home: cursor.home!, logIncarnation: cursor.logIncarnation! };
  }

  row(key: string): MemoryRow | null {
    return this.rows.get(key) ?? null;
  }

  /** Those of the records from the offset on, each once. */
  touchedFrom(from: Offset): readonly string[] {
    return [...new Set(this.touched.slice(Number(from)).flat())];
  }

  outcome(key: KeyHash): Outcome | null {
    return this.outcomes.get(key) ?? null;
  }

  append(entry: MemoryEntry): FoldedEntry {
    this.number += 1n;
    return this.fold(entry.text, {
      kind: 'data',
      epoch: entry.epoch,
      notAfterMs: entry.deadlineMs + SLACK_MS,
      publisher: PUBLISHER,
      number: entryNumber(this.number),
      region: entry.home,
      idempotency: entry.idempotency,
    });
  }

  /** A read waits behind it in a real log; here it only takes its place. */
  probe(): void {
    this.control({ kind: 'probe' }, this.cursor.home);
  }

  /** Binds the key to `expired`, unless it is bound already. */
  settle(key: KeyHash, deadlineMs: number): void {
    this.control({ kind: 'settle', key, deadlineMs }, this.cursor.home);
  }

  /** Another region becomes home. */
  fence(home: RegionName): void {
    const { decision, epoch: expectedEpoch } = this.cursor;
    const next = { epoch: epoch(expectedEpoch + 1n), home, term: 1n, decision: decision + 1n };
    this.control({ kind: 'fence', expectedEpoch, ...next }, home);
  }

  /** Gives the rows another version, as if somebody had written to them, and leaves what they hold. */
  touch(keys: readonly string[]): void {
    this.probe();
    const version: Sequence = this.cursor.sequence;
    for (const key of keys) {
      const row = this.rows.get(key);
      if (row !== undefined) this.rows.set(key, { ...row, version });
    }
    this.touched[this.touched.length - 1] = keys;
    this.folded();
  }

  private control(body: ControlBody, region: RegionName): void {
    const { verdict } = this.fold(controlText(body), {
      kind: body.kind,
      epoch: this.state.cursor.epoch,
      notAfterMs: this.nowMs() + SLACK_MS,
      publisher: NO_PUBLISHER,
      number: entryNumber(0n),
      region,
      idempotency: null,
    });
    if (verdict !== 'accepted' && body.kind !== 'settle')
      throw new Error(`a ${body.kind} of ${this.shard} is ${verdict}`);
  }

  private fold(
    text: string,
    told: Omit<EntryHeader, 'publisherClockMs' | 'configurationPrefix' | 'signature'>,
  ): FoldedEntry {
    const nowMs = this.nowMs();
    const header = encodeHeader({
      ...told,
      publisherClockMs: nowMs,
      configurationPrefix: NO_CONFIGURATION_PREFIX,
      signature: null,
    });
    const value = utf8(text);
    const record: LogRecord = {
      offset: offset(this.state.cursor.offset + 1n),
      appendTimeMs: nowMs,
      key: null,
      valueText: text,
      valueBytes: value.length,
      header,
      traceparent: null,
      digest: recordDigest({ key: null, value, header, appendTimeMs: nowMs }),
    };
    const entry = decodeEntry(record);
    const active = this.state.cursor.configuration === null ? null : this.configuration;
    const reads = plan([entry], active);
    const fold = new ShardFold(this.state, this.answers(reads), (hash) =>
      hash === this.configuration.hash ? this.configuration : null,
    );
    const step = fold.fold(entry);
    if (step.kind === 'halted') throw new Error(`${this.shard} halts: ${step.halt.detail}`);
    const { outcomes, rows, state } = fold.finish();
    this.state = state;
    for (const outcome of outcomes) this.outcomes.set(outcome.key, outcome);
    for (const operation of rows) {
      const row = applyRowOperation(this.table, this.row(operation.key), operation);
      if (row === null) this.rows.delete(operation.key);
      else this.rows.set(operation.key, row);
    }
    const { partition } = parseShardName(this.shard)!;
    this.touched.push(touchedKeys([record], partition, this.configuration.content.groups));
    this.folded();
    return step.folded;
  }

  private answers(reads: ReturnType<typeof plan>) {
    const outcomes = new Map<KeyHash, Outcome>();
    const rows = new Map<string, ReadRow>();
    for (const key of reads.outcomes) if (this.outcomes.has(key)) outcomes.set(key, this.outcomes.get(key)!);
    for (const key of reads.rows) if (this.rows.has(key)) rows.set(key, this.rows.get(key)!);
    return { outcomes, rows };
  }
}
