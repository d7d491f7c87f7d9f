/**
 * A second opinion on a log: folded as a whole by the protocol's own `plan` and `ShardFold`, over maps instead of a
 * database, with no lease, batch, crash or retry in between. A region's cursor must have these hashes (I3, I11).
 *
 * Records are taken shard by shard in offset order, in pieces of any size. Kept are the state of the fold and the data
 * entries that the caller cares for, so that a long log of many runs fits.
 */
import { decodeEntry, emptyCursor, endsBatch, hashToHex, plan, ShardFold } from '@lockstep/protocol';
import type {
  Configurations,
  DecodedEntry,
  EntryEvent,
  FoldConfiguration,
  Halt,
  KeyHash,
  LogIncarnation,
  LogRecord,
  Outcome,
  PublisherId,
  RuleInForce,
  ReadAnswers,
  Sequence,
  Session,
  ShardName,
  ShardState,
  SignatureOf,
  Verdict,
} from '@lockstep/protocol';
import { applyRowOperation, type MemoryRow } from '../store/memory-row.js';
import { LogAudit, type AuditRules } from './log-audit.js';

export interface RefoldedShard {
  readonly logIncarnation: LogIncarnation | null;
  readonly sequence: Sequence;
  readonly inputHash: string;
  readonly effectsHash: string;
  /** How often each verdict was given. */
  readonly verdicts: ReadonlyMap<Verdict, number>;
  /** Where the fold could not go on; nothing behind it is folded. */
  readonly halted: Halt | null;
  /** Hashes behind the sequences that were asked for. */
  readonly hashes: ReadonlyMap<bigint, HashPair>;
  /** Of all keys and publishers ever; what lies before these log times is forgotten. */
  readonly outcomes: ReadonlyMap<KeyHash, Outcome>;
  readonly sessions: ReadonlyMap<PublisherId, Session>;
  readonly outcomesSinceMs: number;
  readonly sessionsSinceMs: number;
  /** All that ever were in force, oldest first. */
  readonly rules: readonly RuleInForce[];
}

export interface HashPair {
  readonly inputHash: string;
  readonly effectsHash: string;
}

/** A data entry as it stands in the log, whatever its verdict. */
export interface LoggedEntry {
  readonly shard: ShardName;
  readonly sequence: Sequence;
  readonly verdict: Verdict;
  readonly keyHash: KeyHash | null;
  /** `publisher:number`, as a receipt names a keyless entry. */
  readonly id: string;
  readonly events: readonly EntryEvent[];
}

export interface RefoldedLog {
  readonly shards: ReadonlyMap<ShardName, RefoldedShard>;
  /** Per shard in the order of their sequences. */
  readonly entries: readonly LoggedEntry[];
  /** What is wrong with the order of the log itself, and who owned its shards. */
  readonly audit: LogAudit;
}

interface Folding {
  state: ShardState;
  readonly outcomes: Map<KeyHash, Outcome>;
  readonly rows: Map<string, MemoryRow>;
  readonly verdicts: Map<Verdict, number>;
  readonly hashes: Map<bigint, HashPair>;
  readonly rules: Map<bigint, RuleInForce>;
  halted: Halt | null;
}

export class Refold {
  private readonly shards = new Map<ShardName, Folding>();
  private readonly entries: LoggedEntry[] = [];
  private readonly audit = new LogAudit();

  /**
   * @param wanted keys whose entries are kept.
   * @param compared places whose hashes are kept.
   * @param signatureOf needed where configurations name keys.
   */
  constructor(
    private readonly configurations: Configurations,
    private readonly wanted: (key: string) => boolean,
    private readonly compared: (shard: ShardName, sequence: bigint) => boolean = () => false,
    private readonly signatureOf?: SignatureOf,
  ) {}

  take(shard: ShardName, records: readonly LogRecord[]): void {
    let batch: DecodedEntry[] = [];
    const folding = this.shardOf(shard);
    for (const record of records) {
      const entry = decodeEntry(record);
      batch.push(entry);
      const at = folding.state.cursor.sequence + BigInt(batch.length);
      if (!endsBatch(entry) && !this.compared(shard, at)) continue;
      this.foldBatch(shard, folding, batch);
      batch = [];
    }
    if (batch.length > 0) this.foldBatch(shard, folding, batch);
  }

  finish(): RefoldedLog {
    const shards = new Map<ShardName, RefoldedShard>();
    for (const [shard, folding] of this.shards) {
      const { halted, hashes, outcomes, state, verdicts } = folding;
      const { logIncarnation, sequence, outcomesSinceMs, sessionsSinceMs } = state.cursor;
      const { sessions } = state;
      const rules = [...folding.rules.values()];
      const kept = { hashes, outcomes, sessions, outcomesSinceMs, sessionsSinceMs, rules };
      shards.set(shard, { logIncarnation, sequence, ...hashPair(state), verdicts, halted, ...kept });
    }
    return { shards, entries: this.entries, audit: this.audit };
  }

  private foldBatch(shard: ShardName, folding: Folding, batch: readonly DecodedEntry[]): void {
    if (folding.halted !== null) return;
    const active = folding.state.cursor.configuration;
    const configuration = active === null ? null : this.configurations(active);
    const fold = new ShardFold(
      folding.state,
      answersTo(plan(batch, configuration), folding),
      this.configurations,
      this.signatureOf,
    );
    for (const entry of batch) {
      const step = fold.fold(entry);
      if (step.kind === 'halted') {
        folding.halted = step.halt;
        break;
      }
      const { sequence, verdict } = step.folded;
      folding.verdicts.set(verdict, (folding.verdicts.get(verdict) ?? 0) + 1);
      this.audit.note(
        {
          shard,
          sequence,
          offset: entry.record.offset,
          appendTimeMs: entry.record.appendTimeMs,
          verdict,
          header: entry.header,
          control: entry.kind === 'control' ? entry.body : null,
        },
        configuration === null ? null : auditRulesOf(configuration),
      );
      if (entry.kind !== 'data' || !entry.events.some(({ key }) => this.wanted(key))) continue;
      const { idempotency, number, publisher } = entry.header;
      this.entries.push({
        shard,
        sequence,
        verdict,
        keyHash: idempotency?.key ?? null,
        id: `${publisher}:${number}`,
        events: entry.events,
      });
    }
    const { state, outcomes, rows } = fold.finish();
    folding.state = state;
    for (const rule of state.cursor.rules) folding.rules.set(rule.from, rule);
    const at = state.cursor.sequence;
    if (this.compared(shard, at)) folding.hashes.set(at, hashPair(state));
    for (const outcome of outcomes) folding.outcomes.set(outcome.key, outcome);
    if (configuration === null) return;
    const { dataset, projection } = configuration.content;
    const table = { dataset, table: projection.table, columns: projection.columns };
    for (const operation of rows) {
      const row = applyRowOperation(table, folding.rows.get(operation.key) ?? null, operation);
      if (row === null) folding.rows.delete(operation.key);
      else folding.rows.set(operation.key, row);
    }
  }

  private shardOf(shard: ShardName): Folding {
    const known = this.shards.get(shard);
    if (known !== undefined) return known;
    const folding: Folding = {
      state: { cursor: emptyCursor(shard), sessions: new Map() },
      outcomes: new Map(),
      rows: new Map(),
      verdicts: new Map(),
      hashes: new Map(),
      rules: new Map(),
      halted: null,
    };
    this.shards.set(shard, folding);
    return folding;
  }
}

const hashPair = ({ cursor }: ShardState): HashPair => ({
  inputHash: hashToHex(cursor.inputHash),
  effectsHash: hashToHex(cursor.effectsHash),
});

const auditRulesOf = ({ content }: FoldConfiguration): AuditRules => ({
  writers: content.writers,
  sessionsMs: content.retention.sessionsMs,
});

function answersTo(reads: ReturnType<typeof plan>, { outcomes, rows }: Folding): ReadAnswers {
  return { outcomes: chosen(reads.outcomes, outcomes), rows: chosen(reads.rows, rows) };
}

function chosen<K, V>(keys: ReadonlySet<K>, from: ReadonlyMap<K, V>): ReadonlyMap<K, V> {
  const found = new Map<K, V>();
  for (const key of keys) {
    const value = from.get(key);
    if (value !== undefined) found.set(key, value);
  }
  return found;
}
