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
  OutboxParkingStore,
  OutboxStore,
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
import {
  admitService,
  copyOfOutbox,
  emptyOutbox,
  foldOutbox,
  gatesAlone,
  outboxStanding,
  parkOutbox,
  rowsWritten,
  pendingOf,
  rowsPending,
  stamp,
  storeEntry,
  unparkOutbox,
  type OutboxState,
  type ServiceEntry,
  type UndoneEntry,
} from './memory-outbox.js';
import { applyRowOperation } from './memory-row.js';
import type { MemoryRow } from './memory-row.js';
import { GATE_WAIT_MS, ServiceLocks, type ServiceSession } from './service-locks.js';

export interface MemoryStoreOptions {
  readonly storeIncarnation: StoreIncarnation;
  /** Asked at the moment a call takes effect; null lets it pass. */
  readonly fault?: (call: StoreCall) => StoreFault | null;
  /** Told of each commit at the moment at which it takes effect, answered or not. */
  readonly committed?: (request: CommitRequest) => void;
  /** Told of each transaction of a service at the moment at which it is committed, answered or not. */
  readonly stored?: (stored: StoredTransaction) => void;
  /** Told when the database has gone back to an earlier state. */
  readonly wentBack?: () => void;
  /** By how much a call is late that takes effect behind the back of whoever reconnects; hardly unless said otherwise. */
  readonly lateMs?: () => number;
}

export interface StoreCall {
  readonly method:
    | keyof ApplyStore
    | keyof QueryStore
    | keyof OutboxParkingStore
    | Exclude<keyof OutboxStore, 'close'>
    | keyof ServiceTransaction
    | 'enter'
    | 'notify'
    | 'open';
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

/** What a service does with its own connections to the database of its region. */
export interface ServiceStore {
  /** Begins a transaction that holds the shard; refused where the region does not own it, or too much waits for the log. */
  enter(shard: ShardName): Promise<ServiceTransaction>;
  /** All connections end, with what is not committed. */
  close(): Promise<void>;
}

/** After a failure of any of these nothing more is asked of it. */
export interface ServiceTransaction {
  /** Changes rows of the shard and stores the entry that tells of it; waits for whoever has changed one of them. */
  save(entry: ServiceEntry): Promise<void>;
  commitSaved(): Promise<void>;
  rollback(): Promise<void>;
}

/** A transaction of a service that was committed. */
export interface StoredTransaction {
  /** The later of two has the higher one, whatever became of the database in between. */
  readonly ordinal: number;
  readonly shard: ShardName;
  readonly entry: ServiceEntry;
}

/** What an outbox holds, for checkers. */
export interface HeldEntries {
  readonly pending: readonly KeyHash[];
  readonly rowsPending: ReadonlySet<string>;
  readonly undone: readonly UndoneEntry[];
  /** Ordinal of the last transaction that the database, as it is now, has committed. */
  readonly lastStored: number;
}

export interface MemoryDatabase {
  /** By what lies between the process and the database; nothing does unless said otherwise. */
  openApplyStore(through?: Completions): Promise<ApplyStore>;
  openQueryStore(through?: Completions): Promise<QueryStore & OutboxParkingStore>;
  openOutboxStore(onStored: () => void, through?: Completions): Promise<OutboxStore>;
  openServiceStore(through?: Completions): Promise<ServiceStore>;
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
  /** For checkers. */
  outbox(): HeldEntries;
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
  readonly outbox: OutboxState;
}

const lockOf = (table: string, row: string): string => `${table} ${row}`;

/** How long a service waits for whoever has changed one of its rows. */
const ROW_WAIT_MS = 1_000;
/** After that the server knows that the client of an open transaction is gone. */
const GONE_MS = 1_000;
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
    outbox: emptyOutbox(),
  };
  const locks = new ServiceLocks(() => completions.nowMs());
  /** Transactions of services so far, also those that a restored snapshot knows nothing of. */
  let stored = 0;
  /** Who is told when a transaction has stored an entry. */
  const listeners = new Set<() => void>();
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
  const endLife = (): void => {
    life += 1;
    locks.endAll();
    listeners.clear();
  };
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
      isOpen: (): boolean => !isGivenUp && !isBroken && connectedIn === life,
      run: <T>(
        call: StoreCall,
        kind: 'read' | 'write',
        work: (state: State) => T,
        lock: Lock = UNLOCKED,
      ): Promise<T> => {
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
        const attempt = (isSlowed: boolean): T | typeof SLOWED | typeof LOCKED => {
          if (wasGivenUp || isBroken) throw disconnected();
          if (connectedIn !== life || !isUp) throw broken();
          const fault = isSlowed ? null : (options.fault?.(call) ?? null);
          switch (fault) {
            case null:
              if (lock.isFree()) return work(state);
              lock.wait();
              return LOCKED;
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
        const again = (isSlowed: boolean): T => {
          const result = attempt(isSlowed);
          if (result !== LOCKED) return result as T;
          throw new PortError(
            'store-lock-timeout',
            'retryable',
            'Others hold what this call of the simulated database needs.',
          );
        };
        return through
          .complete(label, () => attempt(false), unanswered)
          .then((first) => {
            if (first === SLOWED)
              return through.when(`${label} (slow)`, never, SLOW_MS, () => again(true), unanswered);
            if (first === LOCKED)
              return through.when(
                `${label} (waits)`,
                lock.isFree,
                lock.waitMs,
                () => again(true),
                unanswered,
              );
            return first;
          });
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

  /** Taken alone: who holds one shared is waited for, for a moment. */
  const gateOf = (shards: readonly ShardName[]): Lock => ({
    isFree: () => locks.areFree(shards),
    wait: () => locks.await(shards),
    waitMs: GATE_WAIT_MS,
  });

  const foldLock = (request: CommitRequest): Lock => ({
    isFree: () =>
      locks.isIdle ||
      (locks.areFree(gatesAlone(state.outbox, request)) &&
        locks.areUnlocked(
          rowsWritten(state.outbox, request).map((key) => lockOf(request.table.table, key)),
          null,
        )),
    wait: () => locks.await(gatesAlone(state.outbox, request)),
    waitMs: GATE_WAIT_MS,
  });

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
    commit: (request) => {
      const gated = shardsOf(request.shards.filter(({ outbox }) => outbox !== undefined));
      const lock = gated.length === 0 ? UNLOCKED : foldLock(request);
      const work = (now: State): CommitResult => {
        // One that arrives late finds a service there, and gives way for good.
        if (!lock.isFree()) throw answerLost();
        locks.pass(gated);
        const result = commit(now, request);
        if (result.kind === 'committed') options.committed?.(request);
        return result;
      };
      return run({ method: 'commit', shards: shardsOf(request.shards) }, 'write', work, lock);
    },
    clean: (shards) => run({ method: 'clean', shards }, 'write', (now) => clean(now, shards)),
    close,
  });

  const queryStoreOf = ({
    run,
    close,
  }: Pick<Connection, 'run' | 'close'>): QueryStore & OutboxParkingStore => ({
    parkOutbox: (shard, parking, forMs) => {
      const gate = gateOf([shard]);
      const work = (now: State): void => {
        // One that arrives late finds a service there, and gives way for good.
        if (!gate.isFree()) throw answerLost();
        locks.pass([shard]);
        parkOutbox(now.outbox, shard, parking, completions.nowMs() + forMs);
      };
      return run({ method: 'parkOutbox', shards: [shard] }, 'write', work, gate);
    },
    unparkOutbox: (shard, parking) =>
      run({ method: 'unparkOutbox', shards: [shard] }, 'write', (now) =>
        unparkOutbox(now.outbox, shard, parking),
      ),
    outboxStanding: (shard) =>
      run({ method: 'outboxStanding', shards: [shard] }, 'read', (now) =>
        outboxStanding(now.outbox, shard, completions.nowMs()),
      ),
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

  const outboxStoreOf = (connection: Connection, through: Completions, onStored: () => void): OutboxStore => {
    const { close, isOpen, run } = connection;
    const notify = (): void => {
      if (!isOpen()) {
        listeners.delete(notify);
        return;
      }
      const unheard = { afterMs: CALL_MS_MAX, error: disconnected };
      void through.complete('store notify', () => undefined, unheard).then(onStored, () => undefined);
    };
    listeners.add(notify);
    return {
      pending: (request) =>
        run({ method: 'pending', shards: [request.shard] }, 'read', (now) =>
          pendingOf(now.outbox, now.cursors.get(request.shard), request),
        ),
      stamp: (ids, notAfterMs) =>
        run({ method: 'stamp', shards: [] }, 'write', (now) => stamp(now.outbox, ids, notAfterMs)),
      close: () => {
        listeners.delete(notify);
        return close();
      },
    };
  };

  /** One connection, from the first statement on. */
  const transactionOf = (
    { run }: Connection,
    session: ServiceSession,
    shard: ShardName,
  ): ServiceTransaction => {
    let saved: { readonly id: bigint; readonly entry: ServiceEntry } | null = null;
    const during = <T>(work: (now: State) => T): ((now: State) => T) => {
      return (now) => {
        if (session.isOver) throw disconnected();
        return work(now);
      };
    };
    /** What fails ends the transaction: at once, or when the server learns that nothing more will come. */
    const orEnd = async <T>(result: Promise<T>): Promise<T> => {
      try {
        return await result;
      } catch (error) {
        if (session.isCommitting) expire(session);
        else locks.end(session);
        throw error;
      }
    };
    return {
      save: (entry) => {
        const rows = entry.changes.map(({ key }) => lockOf(entry.table, key));
        const rowLocks: Lock = {
          isFree: () => session.isOver || locks.areUnlocked(rows, session),
          wait: () => undefined,
          waitMs: ROW_WAIT_MS,
        };
        const work = during((now) => {
          session.rows = rows;
          now.outbox.lastId += 1n;
          saved = { id: now.outbox.lastId, entry };
        });
        return orEnd(run({ method: 'save', shards: [shard] }, 'read', work, rowLocks));
      },
      commitSaved: () => {
        session.isCommitting = true;
        const work = during((now) => {
          locks.end(session);
          if (saved === null) return;
          const { entry } = saved;
          storeEntry(now.outbox, rowsOf(now, entry.table), { ...saved, shard });
          stored += 1;
          now.outbox.lastStored = stored;
          options.stored?.({ ordinal: stored, shard, entry });
          for (const notify of listeners) notify();
        });
        return orEnd(run({ method: 'commitSaved', shards: [shard] }, 'write', work));
      },
      rollback: () =>
        orEnd(
          run(
            { method: 'rollback', shards: [shard] },
            'read',
            during(() => locks.end(session)),
          ),
        ),
    };
  };

  const expire = (session: ServiceSession): void => {
    const gone = (): void => locks.end(session);
    const unanswered = { afterMs: CALL_MS_MAX, error: disconnected };
    void completions.when('store rollback (gone)', never, GONE_MS, gone, unanswered).catch(() => undefined);
  };

  const serviceStoreOf = (through: Completions): ServiceStore => {
    const open = new Set<ServiceSession>();
    let isClosed = false;
    return {
      enter: async (shard) => {
        const connection = connect(through);
        let session: ServiceSession | null = null;
        const gate: Lock = {
          isFree: () => locks.mayEnter(shard),
          wait: () => undefined,
          waitMs: GATE_WAIT_MS,
        };
        const work = (now: State): ServiceSession => {
          admitService(now.outbox, shard, completions.nowMs());
          session = locks.enter(shard);
          if (isClosed) locks.end(session);
          return session;
        };
        try {
          const entered = await connection.run({ method: 'enter', shards: [shard] }, 'read', work, gate);
          for (const one of open) if (one.isOver) open.delete(one);
          open.add(entered);
          return transactionOf(connection, entered, shard);
        } catch (error) {
          if (session !== null) locks.end(session);
          throw error;
        }
      },
      close: () => {
        isClosed = true;
        for (const session of open) if (!session.isCommitting) locks.end(session);
        return Promise.resolve();
      },
    };
  };

  return {
    openApplyStore: (through = completions) => open(through, applyStoreOf),
    // As a pool does, a query store takes a fresh connection for each call.
    openQueryStore: (through = completions) =>
      open(through, () =>
        queryStoreOf({ run: (...call) => connect(through).run(...call), close: () => Promise.resolve() }),
      ),
    openOutboxStore: (onStored, through = completions) =>
      open(through, (connection) => outboxStoreOf(connection, through, onStored)),
    openServiceStore: (through = completions) => open(through, () => serviceStoreOf(through)),
    disconnect: () => endLife(),
    crash: () => {
      endLife();
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
    outbox: () => ({
      pending: [...state.outbox.pending.values()].map(({ key }) => key),
      rowsPending: rowsPending(state.outbox),
      undone: [...state.outbox.quarantine.values()],
      lastStored: state.outbox.lastStored,
    }),
    answers: (shard) => ({
      outcomes: state.outcomes.get(shard) ?? new Map(),
      sessions: state.sessions.get(shard) ?? new Map(),
    }),
    snapshot: () => copyOf(state) as unknown as MemorySnapshot,
    restore: (snapshot) => {
      endLife();
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
    outbox: copyOfOutbox(state.outbox),
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
  if (shards.some(({ outbox }) => outbox !== undefined)) {
    foldOutbox(state.outbox, tableOf(state, table).rows, { shards, table, rows });
  } else {
    const stored = rows.length === 0 ? new Map<string, MemoryRow>() : tableOf(state, table).rows;
    const changes = rows.map(
      (row) => [row.key, applyRowOperation(table, stored.get(row.key) ?? null, row)] as const,
    );
    for (const [key, row] of changes) {
      if (row === null) stored.delete(key);
      else stored.set(key, row);
    }
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

const rowsOf = (state: State, table: string): Map<string, MemoryRow> => tableOf(state, { table }).rows;

function tableOf(state: State, { table }: Pick<ProjectedTable, 'table'>): MemoryTable {
  const found = state.tables.get(table);
  if (found === undefined) {
    throw new PortError('store-not-migrated', 'fatal', `The simulated database has no table "${table}".`);
  }
  return found;
}

/** What a call must hold: where it is not free, the call waits for it so long, and is refused then. */
interface Lock {
  readonly isFree: () => boolean;
  readonly wait: () => void;
  readonly waitMs: number;
}

const UNLOCKED: Lock = { isFree: () => true, wait: () => undefined, waitMs: 0 };

const SLOWED = Symbol('slowed');
const LOCKED = Symbol('locked');
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
