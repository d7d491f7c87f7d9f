/**
 * Who holds what in the twin of a database while transactions of services are open: each its shard's gate, shared, and from
 * its first change on its rows. The fold of the home waits for the rows that it writes and, where it takes the gate alone, for
 * all: for a moment, and those who come meanwhile wait behind it; then it gives way and comes again (decisions 0062, 0086).
 */
import type { ShardName } from '@lockstep/protocol';

/** A transaction of a service, as the server sees it. */
export interface ServiceSession {
  readonly shard: ShardName;
  rows: readonly string[];
  /** Committed, rolled back, or its connection is gone. */
  isOver: boolean;
  /** Its commit was sent: what it holds stays held until that arrives, or the server learns that nothing will. */
  isCommitting: boolean;
}

/** As the adapter. */
export const GATE_WAIT_MS = 500;

export class ServiceLocks {
  private readonly sessions = new Set<ServiceSession>();
  /** By shard, until when a fold waits for its gate. */
  private readonly awaited = new Map<ShardName, number>();

  constructor(private readonly nowMs: () => number) {}

  /** Whether no transaction is open. */
  get isIdle(): boolean {
    return this.sessions.size === 0;
  }

  /** Whether nobody holds one of the gates. */
  areFree(shards: readonly ShardName[]): boolean {
    for (const { shard } of this.sessions) if (shards.includes(shard)) return false;
    return true;
  }

  /** A fold has begun to wait for the gates. */
  await(shards: readonly ShardName[]): void {
    for (const shard of shards) this.awaited.set(shard, this.nowMs() + GATE_WAIT_MS);
  }

  /** The fold waits no longer. */
  pass(shards: readonly ShardName[]): void {
    for (const shard of shards) this.awaited.delete(shard);
  }

  mayEnter(shard: ShardName): boolean {
    return (this.awaited.get(shard) ?? 0) <= this.nowMs();
  }

  enter(shard: ShardName): ServiceSession {
    const session: ServiceSession = { shard, rows: [], isOver: false, isCommitting: false };
    this.sessions.add(session);
    return session;
  }

  /** Whether nobody has changed one of the rows, or nobody but the one that asks. */
  areUnlocked(rows: readonly string[], by: ServiceSession | null): boolean {
    for (const other of this.sessions)
      if (other !== by && other.rows.some((row) => rows.includes(row))) return false;
    return true;
  }

  end(session: ServiceSession): void {
    session.isOver = true;
    this.sessions.delete(session);
  }

  /** Every connection is gone, and with it all that was not committed. */
  endAll(): void {
    for (const session of this.sessions) session.isOver = true;
    this.sessions.clear();
    this.awaited.clear();
  }
}
