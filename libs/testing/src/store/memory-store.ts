/**
 * In-memory twin of a region's database, shared by the stores of all instances of the region.
 *
 * It keeps the promises of `engine/ports/store` and adds what a simulation needs: a world that picks when each call
 * takes effect, faults around that moment, the loss of all connections, and going back to an earlier state. Everything
 * it keeps is immutable once written, so a snapshot copies maps, not values. Leases expire by the world's clock.
 */
import { PortError } from '@lockstep/engine';
import type {
  ApplyStore,
  CommitRequest,
  CommitResult,
  Lease,
  LeaseRequest,
  ProjectedTable,
  Quarantined,
  PlacedAnswers,
  QueryStore,
  RowPlace,
  StoredRow,
} from '@lockstep/engine';
import { emptyCursor, leaseNumber } from '@lockstep/protocol';
import type {
  ColumnContent,
  ConfigurationContent,
  ConfigurationHash,
  Cursor,
  FencedAttempt,
  KeyHash,
  LeaseNumber,
  Outcome,
  PublisherId,
  ReadRow,
  Reads,
  Session,
  ShardName,
  ShardState,
  StoreIncarnation,
} from '@lockstep/protocol';
import type { Completions } from '../world/completions.js';
import { applyRowOperation } from './memory-row.js';
import type { MemoryRow } from './memory-row.js';

export interface MemoryStoreOptions {
  readonly storeIncarnation: StoreIncarnation;
  /** Asked at the moment a call takes effect; null lets it pass. */
  readonly fault?: (call: StoreCall) => StoreFault | null;
  /** Told of each commit at the moment at which it takes effect, answered or not. */
  readonly committed?: (request: CommitRequest) => void;
  /** Told when the database has gone back to an earlier state. */
  readonly wentBack?: () => void;
  /** By how much a call is late that takes effect behind the back of whoever reconnects; hardly unless said otherwise. */
  readonly lateMs?: () => number;
}

export interface StoreCall {
  readonly method: keyof ApplyStore | keyof QueryStore | 'open';
  readonly shards: readonly ShardName[];
}

/**
 * - `refused`, `exhausted`: did not happen, and the database says so (a serialization failure or deadlock; no space on
 *   the disk, which hits writes only); the connection lives on.
 * - `lost-before`, `lost-after`: the connection ends; the call did not happen, or it did and its answer is lost.
 * - `lost-late`: the connection ends and the call takes effect later, behind the back of whoever reconnects.
 * - `slow`: takes effect after seconds, as when the disk flushes slowly.
 *
 * Who loses the answer to a read knows that nothing changed; who loses the answer to a write knows nothing.
 */
export type StoreFault = 'refused' | 'exhausted' | 'lost-before' | 'lost-after' | 'lost-late' | 'slow';

export interface MemoryDatabase {
  /** By what lies between the process and the database; nothing does unless said otherwise. */
  openApplyStore(through?: Completions): Promise<ApplyStore>;
  openQueryStore(through?: Completions): Promise<QueryStore>;
  /** Every open store loses its connection, as when the database restarts. */
  disconnect(): void;
  /**
   * The postmaster is killed: nobody is served until `start`. What was committed is there then, except where flushing
   * is off.
   */
  crash(): void;
  start(): void;
  /** `off`: commits are answered before they are on the disk; a crash goes back to what was there when it was turned off. */
  setFlushing(flushing: 'on' | 'off'): void;
  /** What is kept for later answers in a shard, for checkers. */
  answers(shard: ShardName): {
    readonly outcomes: ReadonlyMap<KeyHash, Outcome>;
    readonly sessions: ReadonlyMap<PublisherId, Session>;
  };
  snapshot(): MemorySnapshot;
  /** Puts the database back, incarnation included, as a restored disk does; every open store loses its connection. */
  restore(snapshot: MemorySnapshot): void;
  /** What a table holds, for checkers; null when there is no such table. */
  rows(table: string): ReadonlyMap<string, MemoryRow> | null;
  /** Where a shard stands, for checkers; null where it was never taken up. */
  cursor(shard: ShardName): Cursor | null;
  /** The life that it is in, for checkers. */
  incarnation(): StoreIncarnation;
}

declare const opaque: unique symbol;
export interface MemorySnapshot {
  readonly [opaque]: never;
}

interface MemoryLease {
  readonly number: LeaseNumber;
  readonly holder: string | null;
  readonly expiresAtMs: number;
}

interface MemoryTable {
  readonly columns: readonly ColumnContent[];
  readonly rows: Map<string, MemoryRow>;
}

interface State {
  storeIncarnation: StoreIncarnation;
  readonly cursors: Map<ShardName, Cursor>;
  readonly leases: Map<ShardName, MemoryLease>;
  readonly sessions: Map<ShardName, Map<PublisherId, Session>>;
  readonly outcomes: Map<ShardName, Map<KeyHash, Outcome>>;
  readonly fenced: Map<ShardName, Map<string, FencedAttempt>>;
  readonly tables: Map<string, MemoryTable>;
  readonly configurations: Map<ConfigurationHash, ConfigurationContent>;
}

const SLOW_MS = 1_500;
/** How long a process waits for an answer that never comes. */
const CALL_MS_MAX = 3_000;

/** As the adapter: what one `clean` deletes of each kind at most. */
const CLEAN_ROWS_MAX = 1_000;

export function memoryStore(completions: Completions, options: MemoryStoreOptions): MemoryDatabase {
  let state: State = {
    storeIncarnation: options.storeIncarnation,
    cursors: new Map(),
    leases: new Map(),
    sessions: new Map(),
    outcomes: new Map(),
    fenced: new Map(),
    tables: new Map(),
    configurations: new Map(),
  };
  /** Lives begun so far, also those that a restored snapshot knows nothing of: none is ever named twice. */
  let lives = 0;
  const newLife = (generation: number): StoreIncarnation => {
    lives += 1;
    const rest = BigInt(`0x${options.storeIncarnation.slice(8)}`) + BigInt(lives);
    const digits = generation.toString(16).padStart(8, '0') + rest.toString(16).padStart(24, '0').slice(-24);
    return digits as StoreIncarnation;
  };
  /** Connections opened before the last disconnect are dead. */
  let life = 0;
  let isUp = true;
  /** What is on the disk while flushing is off. */
  let flushed: State | null = null;

  /** One connection: runs calls at the moments that the world picks, with the faults that it picks. */
  const connect = (through: Completions) => {
    const connectedIn = life;
    /** The client has given it up: it asks nothing more by it. What it has sent may still arrive. */
    let isGivenUp = false;
    /** Nothing arrives by it any more. */
    let isBroken = false;
    return {
      run: <T>(call: StoreCall, kind: 'read' | 'write', work: (state: State) => T): Promise<T> => {
        const label = `store ${call.method} ${call.shards.join(' ')}`.trimEnd();
        const wasGivenUp = isGivenUp;
        const lost = (): PortError => {
          isGivenUp = true;
          return kind === 'read' ? disconnected() : answerLost();
        };
        const broken = (): PortError => {
          isBroken = true;
          return lost();
        };
        const unanswered = { afterMs: CALL_MS_MAX, error: lost };
        const attempt = (isSlowed: boolean): T | typeof SLOWED => {
          if (wasGivenUp || isBroken) throw disconnected();
          if (connectedIn !== life || !isUp) throw broken();
          const fault = isSlowed ? null : (options.fault?.(call) ?? null);
          switch (fault) {
            case null:
              return work(state);
            case 'slow':
              return SLOWED;
            case 'refused':
              throw new PortError('store-conflict', 'retryable', 'The simulated database refused.');
            case 'exhausted':
              if (kind === 'read') return work(state);
              throw new PortError('store-exhausted', 'retryable', 'The simulated disk is full.');
            case 'lost-before':
              throw broken();
            case 'lost-after':
              if (kind === 'write') work(state);
              throw broken();
            case 'lost-late':
              if (kind === 'write') {
                // Nobody waits for it; what it throws (a lost compare-and-set, refused data) reaches nobody either.
                const late = (): unknown => isUp && work(state);
                const lateMs = options.lateMs?.() ?? 0;
                void completions
                  .when(`${label} (late)`, never, lateMs, late, unanswered)
                  .catch(() => undefined);
              }
              throw broken();
          }
        };
        return through
          .complete(label, () => attempt(false), unanswered)
          .then((first) =>
            first === SLOWED
              ? through.when(`${label} (slow)`, never, SLOW_MS, () => attempt(true) as T, unanswered)
              : first,
          );
      },
      close: (): Promise<void> => {
        isGivenUp = true;
        return Promise.resolve();
      },
    };
  };
  type Connection = ReturnType<typeof connect>;

  /** A database that cannot be reached does not answer a new connection either. */
  const open = <Store>(
    through: Completions,
    storeOf: (connection: Connection, through: Completions) => Store,
  ): Promise<Store> =>
    through.complete(
      'store open',
      () => {
        const fault = options.fault?.({ method: 'open', shards: [] }) ?? null;
        if (!isUp || (fault !== null && fault !== 'slow' && fault !== 'exhausted')) throw disconnected();
        return storeOf(connect(through), through);
      },
      { afterMs: CALL_MS_MAX, error: disconnected },
    );

  const applyStoreOf = ({ run, close }: Connection): ApplyStore => ({
    incarnation: () => run({ method: 'incarnation', shards: [] }, 'read', (now) => now.storeIncarnation),
    renewIncarnation: (from, generation) =>
      run({ method: 'renewIncarnation', shards: [] }, 'write', (now) => {
        if (now.storeIncarnation === from) now.storeIncarnation = newLife(generation);
        return now.storeIncarnation;
      }),
    ensureShards: (shards) =>
      run({ method: 'ensureShards', shards }, 'write', (now) => ensureShards(now, shards)),
    claim: (request) =>
      run({ method: 'claim', shards: request.shards }, 'write', (now) =>
        claim(now, request, completions.nowMs()),
      ),
    renew: (request) =>
      run({ method: 'renew', shards: shardsOf(request.held) }, 'write', (now) =>
        renew(now, request, completions.nowMs()),
      ),
    release: (held) =>
      run({ method: 'release', shards: shardsOf(held) }, 'write', (now) => release(now, held)),
    load: (shards) => run({ method: 'load', shards }, 'read', (now) => load(now, shards)),
    read: (table, reads, withColumns) =>
      run({ method: 'read', shards: [...reads.keys()] }, 'read', (now) =>
        read(now, table, reads, withColumns),
      ),
    commit: (request) =>
      run({ method: 'commit', shards: shardsOf(request.shards) }, 'write', (now) => {
        const result = commit(now, request);
        if (result.kind === 'committed') options.committed?.(request);
        return result;
      }),
    clean: (shards) => run({ method: 'clean', shards }, 'write', (now) => clean(now, shards)),
    close,
  });

  const queryStoreOf = ({ run, close }: Connection): QueryStore => ({
    outcomes: (shards, key) =>
      run({ method: 'outcomes', shards }, 'read', (now) =>
        shards.flatMap((shard) => {
          const outcome = now.outcomes.get(shard)?.get(key);
          return outcome === undefined ? [] : [{ shard, outcome }];
        }),
      ),
    quarantined: (shards, limit) =>
      run({ method: 'quarantined', shards }, 'read', (now) => quarantined(now, shards, limit)),
    rows: (places) =>
      run({ method: 'rows', shards: places.map(({ shard }) => shard) }, 'read', (now) =>
        places.map((place) => storedRow(now, place)),
      ),
    cursors: (shards) =>
      run({ method: 'cursors', shards }, 'read', (now) =>
        shards.flatMap((shard) => now.cursors.get(shard) ?? []),
      ),
    configurations: () =>
      run({ method: 'configurations', shards: [] }, 'read', (now) =>
        [...now.configurations].map(([hash, content]) => ({ hash, content })),
      ),
    keepConfiguration: (hash, content) =>
      run({ method: 'keepConfiguration', shards: [] }, 'write', (now) => {
        if (!now.configurations.has(hash))
          now.configurations.set(hash, JSON.parse(JSON.stringify(content)) as ConfigurationContent);
      }),
    ensureTable: (table) =>
      run({ method: 'ensureTable', shards: [] }, 'write', (now) => ensureTable(now, table)),
    check: () => run({ method: 'check', shards: [] }, 'read', () => undefined),
    close,
  });

  return {
    openApplyStore: (through = completions) => open(through, applyStoreOf),
    // As a pool does, a query store takes a fresh connection for each call.
    openQueryStore: (through = completions) =>
      open(through, () =>
        queryStoreOf({ run: (...call) => connect(through).run(...call), close: () => Promise.resolve() }),
      ),
    disconnect: () => {
      life += 1;
    },
    crash: () => {
      life += 1;
      isUp = false;
      if (flushed === null) return;
      state = copyOf(flushed);
      options.wentBack?.();
    },
    start: () => {
      isUp = true;
    },
    setFlushing: (flushing) => {
      flushed = flushing === 'off' ? copyOf(state) : null;
    },
    answers: (shard) => ({
      outcomes: state.outcomes.get(shard) ?? new Map(),
      sessions: state.sessions.get(shard) ?? new Map(),
    }),
    snapshot: () => copyOf(state) as unknown as MemorySnapshot,
    restore: (snapshot) => {
      life += 1;
      state = copyOf(snapshot as unknown as State);
      options.wentBack?.();
    },
    rows: (table) => state.tables.get(table)?.rows ?? null,
    cursor: (shard) => state.cursors.get(shard) ?? null,
    incarnation: () => state.storeIncarnation,
  };
}

const shardsOf = (items: readonly { readonly shard: ShardName }[]): readonly ShardName[] =>
  items.map(({ shard }) => shard);

function copyOf(state: State): State {
  const copyEach = <K, V, W>(map: ReadonlyMap<K, V>, copy: (value: V) => W): Map<K, W> =>
    new Map(Array.from(map, ([key, value]) => [key, copy(value)]));
  return {
    storeIncarnation: state.storeIncarnation,
    cursors: new Map(state.cursors),
    leases: new Map(state.leases),
    sessions: copyEach(state.sessions, (sessions) => new Map(sessions)),
    outcomes: copyEach(state.outcomes, (outcomes) => new Map(outcomes)),
    fenced: copyEach(state.fenced, (fenced) => new Map(fenced)),
    tables: copyEach(state.tables, ({ columns, rows }) => ({ columns, rows: new Map(rows) })),
    configurations: new Map(state.configurations),
  };
}

function ensureShards(state: State, shards: readonly ShardName[]): void {
  for (const shard of shards) {
    if (state.cursors.has(shard)) continue;
    state.cursors.set(shard, emptyCursor(shard));
    state.leases.set(shard, { number: leaseNumber(0n), holder: null, expiresAtMs: 0 });
    state.sessions.set(shard, new Map());
    state.outcomes.set(shard, new Map());
    state.fenced.set(shard, new Map());
  }
}

function claim(state: State, { holder, shards, leaseMs }: LeaseRequest, nowMs: number): readonly Lease[] {
  const taken: Lease[] = [];
  for (const shard of new Set(shards)) {
    const lease = state.leases.get(shard);
    if (lease === undefined || (lease.holder !== null && lease.expiresAtMs > nowMs)) continue;
    const number = leaseNumber(lease.number + 1n);
    state.leases.set(shard, { number, holder, expiresAtMs: nowMs + leaseMs });
    taken.push({ shard, number });
  }
  return taken;
}

function renew(
  state: State,
  { holder, held, leaseMs }: LeaseRequest & { readonly held: readonly Lease[] },
  nowMs: number,
): readonly Lease[] {
  return held.filter(({ shard, number }) => {
    const lease = state.leases.get(shard);
    if (lease?.number !== number || lease.holder !== holder) return false;
    state.leases.set(shard, { number, holder, expiresAtMs: nowMs + leaseMs });
    return true;
  });
}

function release(state: State, held: readonly Lease[]): void {
  for (const { shard, number } of held) {
    if (state.leases.get(shard)?.number === number)
      state.leases.set(shard, { number, holder: null, expiresAtMs: 0 });
  }
}

function load(state: State, shards: readonly ShardName[]): readonly ShardState[] {
  return [...new Set(shards)].flatMap((shard) => {
    const cursor = state.cursors.get(shard);
    return cursor === undefined ? [] : [{ cursor, sessions: new Map(state.sessions.get(shard)) }];
  });
}

function read(
  state: State,
  table: ProjectedTable,
  reads: ReadonlyMap<ShardName, Reads>,
  withColumns: boolean,
): ReadonlyMap<ShardName, PlacedAnswers> {
  const answers = new Map<ShardName, PlacedAnswers>();
  for (const [shard, asked] of reads) {
    const outcomes = new Map<KeyHash, Outcome>();
    for (const key of asked.outcomes) {
      const outcome = state.outcomes.get(shard)?.get(key);
      if (outcome !== undefined) outcomes.set(key, outcome);
    }
    const rows = new Map<string, ReadRow>();
    for (const key of asked.rows) {
      const row = tableOf(state, table).rows.get(key);
      if (row !== undefined)
        rows.set(key, { version: row.version, columns: withColumns ? row.columns : null });
    }
    answers.set(shard, { outcomes, rows, sequence: state.cursors.get(shard)!.sequence });
  }
  return answers;
}

function commit(state: State, { shards, table, rows }: CommitRequest): CommitResult {
  const owned = shards.every(({ shard, lease, expectedOffset, expectedSequence }) => {
    const cursor = state.cursors.get(shard);
    return (
      cursor !== undefined &&
      state.leases.get(shard)?.number === lease &&
      cursor.offset === expectedOffset &&
      cursor.sequence === expectedSequence
    );
  });
  if (!owned || new Set(shardsOf(shards)).size !== shards.length) return { kind: 'lost' };

  // All that can be refused comes before the first write.
  const stored = rows.length === 0 ? new Map<string, MemoryRow>() : tableOf(state, table).rows;
  const changes = rows.map(
    (row) => [row.key, applyRowOperation(table, stored.get(row.key) ?? null, row)] as const,
  );
  for (const [key, row] of changes) {
    if (row === null) stored.delete(key);
    else stored.set(key, row);
  }
  for (const { shard, cursor, sessions, outcomes, fenced } of shards) {
    state.cursors.set(shard, cursor);
    for (const session of sessions) state.sessions.get(shard)!.set(session.publisher, session);
    for (const outcome of outcomes) state.outcomes.get(shard)!.set(outcome.key, outcome);
    for (const attempt of fenced)
      state.fenced.get(shard)!.set(`${attempt.logIncarnation} ${attempt.sequence}`, attempt);
  }
  return { kind: 'committed' };
}

function clean(state: State, shards: readonly ShardName[]): number {
  let outcomesLeft = CLEAN_ROWS_MAX;
  let sessionsLeft = CLEAN_ROWS_MAX;
  let fencedLeft = CLEAN_ROWS_MAX;
  for (const shard of shards) {
    const cursor = state.cursors.get(shard);
    const outcomes = state.outcomes.get(shard) ?? new Map<KeyHash, Outcome>();
    const sessions = state.sessions.get(shard) ?? new Map<PublisherId, Session>();
    const fenced = state.fenced.get(shard) ?? new Map<string, FencedAttempt>();
    outcomesLeft -= deleteOlder(outcomes, cursor?.outcomesSinceMs ?? 0, outcomesLeft);
    fencedLeft -= deleteOlder(fenced, cursor?.outcomesSinceMs ?? 0, fencedLeft);
    sessionsLeft -= deleteOlder(sessions, cursor?.sessionsSinceMs ?? 0, sessionsLeft);
  }
  return 3 * CLEAN_ROWS_MAX - outcomesLeft - sessionsLeft - fencedLeft;
}

function deleteOlder<K>(
  items: Map<K, { readonly logTimeMs: number }>,
  beforeMs: number,
  countMax: number,
): number {
  let deleted = 0;
  for (const [key, { logTimeMs }] of items) {
    if (deleted === countMax) break;
    if (logTimeMs >= beforeMs) continue;
    items.delete(key);
    deleted += 1;
  }
  return deleted;
}

function quarantined(state: State, shards: readonly ShardName[], limit: number): readonly Quarantined[] {
  return [...new Set(shards)]
    .flatMap((shard) =>
      [...(state.fenced.get(shard)?.values() ?? [])].map((attempt): Quarantined => {
        const key = attempt.idempotencyKey;
        const bound = key === null ? undefined : state.outcomes.get(shard)?.get(key);
        const outcome = bound === undefined ? null : { verdict: bound.verdict, sequence: bound.sequence };
        return { shard, attempt, outcome };
      }),
    )
    .sort((x, y) => {
      if (x.attempt.logTimeMs !== y.attempt.logTimeMs) return y.attempt.logTimeMs - x.attempt.logTimeMs;
      if (x.shard !== y.shard) return x.shard < y.shard ? -1 : 1;
      return Number(y.attempt.sequence - x.attempt.sequence);
    })
    .slice(0, limit);
}

function storedRow(state: State, { key, shard, table }: RowPlace): StoredRow {
  const cursor = state.cursors.get(shard);
  if (cursor === undefined)
    throw new PortError('shard-unknown', 'retryable', `No replicator has taken ${shard} up yet.`);
  return { cursor, row: tableOf(state, table).rows.get(key) ?? null };
}

function ensureTable(state: State, { table, columns }: ProjectedTable): readonly string[] {
  const present = state.tables.get(table);
  if (present === undefined) {
    state.tables.set(table, { columns, rows: new Map() });
    return [];
  }
  const differences: string[] = [];
  for (const column of columns) {
    const found = present.columns.find(({ name }) => name === column.name);
    if (found === undefined)
      differences.push(`Table "${table}" lacks column "${column.name}" of type ${column.type}.`);
    else if (found.type !== column.type) {
      differences.push(
        `Column "${column.name}" of table "${table}" has type ${found.type} instead of ${column.type}.`,
      );
    }
  }
  for (const { name } of present.columns) {
    if (columns.some((column) => column.name === name)) continue;
    differences.push(`Table "${table}" has a column "${name}" that the projection does not name.`);
  }
  return differences;
}

function tableOf(state: State, { table }: ProjectedTable): MemoryTable {
  const found = state.tables.get(table);
  if (found === undefined) {
    throw new PortError('store-not-migrated', 'fatal', `The simulated database has no table "${table}".`);
  }
  return found;
}

const SLOWED = Symbol('slowed');
const never = (): boolean => false;

function answerLost(): PortError {
  return new PortError('store-answer-lost', 'unknown', 'The simulated connection ended before the answer.');
}

function disconnected(): PortError {
  return new PortError(
    'store-disconnected',
    'retryable',
    'There is no connection to the simulated database.',
  );
}
