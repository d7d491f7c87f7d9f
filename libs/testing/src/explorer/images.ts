/**
 * What a region's store holds of the shard, and what folding and committing make of it. Folding is pure (I3), so that each
 * fold of one batch on one state is done once, by the core, and remembered.
 */
import {
  emptyCursor,
  plan,
  type Configurations,
  type Cursor,
  type FoldedBatch,
  type FoldedEntry,
  type KeyHash,
  type Outcome,
  type PublisherId,
  type ReadAnswers,
  type ReadRow,
  type Session,
  type ShardState,
} from '@lockstep/protocol';
import { applyRowOperation, type MemoryRow } from '../store/memory-row.js';
import type { Core } from './core.js';
import { CONFIGURATION, ROW_KEY, SHARD, TABLE, type LogNode } from './entries.js';
import type { Place } from './scope.js';

/** Everything durable of the shard but lease and incarnation. */
export interface Image {
  readonly id: number;
  readonly cursor: Cursor;
  readonly sessions: ReadonlyMap<PublisherId, Session>;
  readonly outcomes: ReadonlyMap<KeyHash, Outcome>;
  readonly rows: ReadonlyMap<string, MemoryRow>;
}

/** What a replicator holds in memory between two commits. */
export interface Memory {
  readonly id: number;
  readonly state: ShardState;
}

/** A folded batch, ready to be committed. */
export interface Batch {
  readonly id: number;
  readonly before: Memory;
  readonly after: Memory;
  readonly folded: readonly FoldedEntry[];
  readonly result: FoldedBatch;
}

const configurations: Configurations = (hash) => (hash === CONFIGURATION.hash ? CONFIGURATION : null);

export class Images {
  private readonly images = new Map<string, Image>();
  private readonly memories = new Map<string, Memory>();
  private readonly batches = new Map<string, Batch>();
  private readonly commits = new Map<string, Image>();
  private readonly references = new Map<
    number,
    { readonly image: Image; readonly last: FoldedEntry | null }
  >();
  readonly empty: Image;

  constructor(private readonly core: Core) {
    this.empty = this.keepImage({
      cursor: emptyCursor(SHARD),
      sessions: new Map(),
      outcomes: new Map(),
      rows: new Map(),
    });
  }

  memoryOf(image: Image): Memory {
    return this.keepMemory({ cursor: image.cursor, sessions: image.sessions });
  }

  /** Folds `log[from, to)` on what the replicator remembers, with what the store answers now. */
  fold(
    place: Place,
    memory: Memory,
    stored: Image,
    slice: { readonly log: LogNode; readonly from: number; readonly to: number },
  ): Batch {
    const { from, log, to } = slice;
    const text = `${place}|${memory.id}|${stored.id}|${log.id}|${from}|${to}`;
    const known = this.batches.get(text);
    if (known !== undefined) return known;
    const made = this.foldWith(place, memory, stored, slice);
    const batch = { ...made, id: this.batches.size };
    this.batches.set(text, batch);
    return batch;
  }

  /** The store after the batch is written, whatever it held before. */
  write(stored: Image, { id, result }: Batch): Image {
    const text = `${stored.id}|${id}`;
    const known = this.commits.get(text);
    if (known !== undefined) return known;
    const sessions = new Map(stored.sessions);
    for (const session of result.sessions) sessions.set(session.publisher, session);
    const outcomes = new Map(stored.outcomes);
    for (const outcome of result.outcomes) outcomes.set(outcome.key, outcome);
    const rows = new Map(stored.rows);
    for (const operation of result.rows) {
      const row = applyRowOperation(TABLE, rows.get(operation.key) ?? null, operation);
      if (row === null) rows.delete(operation.key);
      else rows.set(operation.key, row);
    }
    const image = this.keepImage({ cursor: result.state.cursor, sessions, outcomes, rows });
    this.commits.set(text, image);
    return image;
  }

  /** The log folded once more, one record at a time and without crashes: what every store must hold at its sequence. */
  reference(log: LogNode): { readonly image: Image; readonly last: FoldedEntry | null } {
    const known = this.references.get(log.id);
    if (known !== undefined) return known;
    if (log.before === null) {
      const begun = { image: this.empty, last: null };
      this.references.set(log.id, begun);
      return begun;
    }
    const { image } = this.reference(log.before);
    const to = log.entries.length;
    const memory = this.memoryOf(image);
    const made = this.foldWith(0, memory, image, { log, from: to - 1, to });
    const batch = { ...made, id: -1 - log.id };
    const reference = { image: this.write(image, batch), last: batch.folded[0]! };
    this.references.set(log.id, reference);
    return reference;
  }

  private foldWith(
    place: Place,
    memory: Memory,
    stored: Image,
    { from, log, to }: { readonly log: LogNode; readonly from: number; readonly to: number },
  ): Omit<Batch, 'id'> {
    const entries = log.decoded.slice(from, to);
    const { configuration } = memory.state.cursor;
    const answers = answersOf(stored, plan(entries, configuration === null ? null : CONFIGURATION));
    const fold = this.core.beginFold(place, memory.state, answers, configurations);
    const folded = entries.map((entry) => {
      const step = fold.fold(entry);
      if (step.kind === 'halted') throw new Error(`halted: ${step.halt.detail}`);
      return step.folded;
    });
    const result = fold.finish();
    return { before: memory, after: this.keepMemory(result.state), folded, result };
  }

  private keepImage(image: Omit<Image, 'id'>): Image {
    const text = textOf(image);
    const known = this.images.get(text);
    if (known !== undefined) return known;
    const kept = { ...image, id: this.images.size };
    this.images.set(text, kept);
    return kept;
  }

  private keepMemory(state: ShardState): Memory {
    const text = textOf(state);
    const known = this.memories.get(text);
    if (known !== undefined) return known;
    const kept = { id: this.memories.size, state };
    this.memories.set(text, kept);
    return kept;
  }
}

/** What the row holds: a sum of amounts, each a power of ten. */
export const totalOf = (image: Image): string => (image.rows.get(ROW_KEY)?.columns['total'] ?? '0') as string;

function answersOf(image: Image, reads: ReturnType<typeof plan>): ReadAnswers {
  const outcomes = new Map<KeyHash, Outcome>();
  const rows = new Map<string, ReadRow>();
  for (const key of reads.outcomes) {
    const outcome = image.outcomes.get(key);
    if (outcome !== undefined) outcomes.set(key, outcome);
  }
  for (const key of reads.rows) {
    const row = image.rows.get(key);
    if (row !== undefined) rows.set(key, { version: row.version, columns: null });
  }
  return { outcomes, rows };
}

/** Equal text, equal content: maps in the order of their keys, positions as text. */
function textOf(value: object): string {
  return JSON.stringify(value, (_name, part: unknown) => {
    if (typeof part === 'bigint') return String(part);
    if (!(part instanceof Map)) return part;
    return [...(part as Map<string, unknown>)].sort(([x], [y]) => (x < y ? -1 : 1));
  });
}
