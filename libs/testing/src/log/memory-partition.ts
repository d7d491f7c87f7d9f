/**
 * One partition as the brokers of an in-memory log keep it: committed records, which every replica in sync has and every
 * reader sees, and a tail that only the leader has. Who answers is the leader; while there is none, or too few replicas
 * are in sync, appends are refused. A tail is committed when replicas have caught up, and is gone when the leader is gone.
 *
 * Nothing that is committed is ever lost here, except by `electUncleanly`, which the settings of a real topic forbid.
 */
import { replicasLedFrom } from '@lockstep/protocol';
import type { LeaderPlacement, LogRecord, RegionName } from '@lockstep/protocol';

export interface Broker {
  readonly id: number;
  readonly rack: string | null;
  isUp: boolean;
  /** How far its clock is ahead; append times are the leader's. */
  clockOffsetMs: number;
}

export class Partition {
  readonly records: LogRecord[] = [];
  startOffset = 0n;
  endOffset = 0n;
  /** Grows with each change of the leader: who read from the one before is told to look for the new one. */
  leaderEpoch = 0;
  /** In which epoch what stands from an offset on was appended, in order. */
  private lineage: readonly { readonly epoch: number; readonly startOffset: bigint }[] = [
    { epoch: 0, startOffset: 0n },
  ];
  private tail: readonly LogRecord[] = [];
  private leader: number | null;
  private readonly inSync: Set<number>;
  /** A new leader may for a while know less to be committed than was read from the one before. */
  private shown: { readonly endOffset: bigint; readonly untilMs: number } | null = null;

  constructor(
    /** The first is the preferred leader. */
    private replicas: readonly number[],
    private readonly inSyncMin: number,
    private readonly brokers: ReadonlyMap<number, Broker>,
  ) {
    this.leader = replicas[0] ?? null;
    this.inSync = new Set(replicas);
  }

  /** The broker that answers; null while there is none. */
  leadingBroker(): Broker | null {
    return this.leader === null ? null : this.brokers.get(this.leader)!;
  }

  takesAppends(): boolean {
    return this.leader !== null && this.inSync.size >= this.inSyncMin;
  }

  /** Where readers see it end. */
  visibleEnd(nowMs: number): bigint {
    if (this.shown !== null && nowMs >= this.shown.untilMs) this.shown = null;
    return this.shown?.endOffset ?? this.endOffset;
  }

  /** Offset of what is appended next, behind the tail of the leader. */
  nextOffset(): bigint {
    const last = this.tail.at(-1);
    return last === undefined ? this.endOffset : last.offset + 1n;
  }

  /** The epoch in which the record before an offset was appended, be it gone by now; null before the first. */
  epochBefore(at: bigint): number | null {
    return this.lineage.findLast(({ startOffset }) => startOffset < at)?.epoch ?? null;
  }

  commit(records: readonly LogRecord[]): void {
    this.commitTail();
    for (const record of records) this.records.push(record);
    this.endOffset = records.at(-1)!.offset + 1n;
  }

  /** Stands at the leader alone. */
  appendToTail(records: readonly LogRecord[]): void {
    this.tail = [...this.tail, ...records];
  }

  commitTail(): void {
    const { tail } = this;
    this.tail = [];
    if (tail.length > 0) this.commit(tail);
  }

  leave(broker: number): void {
    if (this.inSync.size > 1) this.inSync.delete(broker);
    if (this.leader === broker) {
      this.leader = null;
      this.tail = [];
    }
  }

  /** A follower falls behind; a leader does not. */
  lag(broker: number): void {
    if (this.leader !== broker) this.inSync.delete(broker);
  }

  join(broker: number): void {
    if (this.replicas.includes(broker)) this.inSync.add(broker);
    this.commitTail();
  }

  /** One of the region is preferred, and leads from now on if it is in sync; not instead of nobody: that is `elect`. */
  place(region: RegionName, nowMs: number, behindMs: number): LeaderPlacement {
    const replicas = replicasLedFrom(
      this.replicas,
      [...this.brokers.values()].filter(({ isUp }) => isUp),
      region,
    );
    if (replicas === null) return { kind: 'no-replica' };
    this.replicas = replicas;
    const broker = replicas[0]!;
    if (this.leader === null || !this.inSync.has(broker)) return { kind: 'preferred', broker };
    if (this.leader !== broker) {
      this.leader = null;
      this.tail = [];
      this.elect(nowMs, behindMs);
    }
    return { kind: 'placed', broker };
  }

  /** The first replica in sync that is up leads; for `behindMs` it shows less than what is committed. */
  elect(nowMs: number, behindMs: number): void {
    if (this.leader !== null) return;
    const next = this.replicas.find((id) => this.inSync.has(id) && this.brokers.get(id)!.isUp);
    if (next === undefined) return;
    this.leader = next;
    this.beginEpoch();
    const last = this.records.at(-1);
    if (behindMs > 0 && last !== undefined && last.offset >= this.startOffset)
      this.shown = { endOffset: last.offset, untilMs: nowMs + behindMs };
  }

  /** A replica that was not in sync leads: what it lacks is lost, though it was committed. */
  electUncleanly(endOffset: bigint): void {
    this.tail = [];
    this.shown = null;
    while (this.records.length > 0 && this.records.at(-1)!.offset >= endOffset) this.records.pop();
    if (this.endOffset > endOffset) this.endOffset = endOffset;
    if (this.startOffset > this.endOffset) this.startOffset = this.endOffset;
    this.beginEpoch();
  }

  private beginEpoch(): void {
    this.leaderEpoch += 1;
    const before = this.lineage.filter(({ startOffset }) => startOffset < this.endOffset);
    this.lineage = [...before, { epoch: this.leaderEpoch, startOffset: this.endOffset }];
  }
}
