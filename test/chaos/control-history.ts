/**
 * The whole control log of a cluster, read from its first record on while a spec goes on, beside what coordinators told
 * meanwhile. When something was read is this process' own time, so that no broker's clock is in a measurement.
 *
 * `expectOneLeaderPerTerm` judges by raw entries: each term was claimed once, each claim had a reason that stands before it,
 * and no coordinator ever told another leader of a term.
 */
import { expect } from '@jest/globals';
import { setTimeout as delay } from 'node:timers/promises';
import type { Log, LogReader } from '@lockstep/engine';
import { kafkaLog } from '@lockstep/kafka';
import {
  CONTROL_TOPIC,
  EMPTY_CONTROL_STATE,
  foldControl,
  type ControlCommandOf,
  type ControlState,
  type ControlStep,
  type Offset,
} from '@lockstep/protocol';
import { eventually, REGIONS, type LocalCluster, type Region } from '../e2e/local-cluster.js';
import { seenBy, type SeenLeader } from './control-plane.js';

type Folded = Extract<ControlStep, { kind: 'folded' }>;

export interface Read {
  readonly step: Folded;
  readonly readAtMs: number;
  /** By the broker's clock. */
  readonly appendTimeMs: number;
}

export interface Leadership {
  readonly leader: Region;
  readonly term: bigint;
}

const FETCH_BYTES_MAX = 1024 * 1024;
const FETCH_WAIT_MS_MAX = 200;
const AGAIN_MS = 50;
const TOLD_EVERY_MS = 200;
const MAJORITY = 2;
/** Who was not heard for so long was held up by the machine, and may be followed. */
const SILENT_MS_MIN = 1_000;

export class ControlHistory {
  readonly reads: Read[] = [];
  private readonly told = new Map<number, Set<Region>>();
  private readonly log: Log;
  private state: ControlState = EMPTY_CONTROL_STATE;
  private nextOffset = 0n as Offset;
  private broken: string | null = null;
  private isClosed = false;
  private readonly running: Promise<unknown>;

  constructor(private readonly cluster: LocalCluster) {
    this.log = kafkaLog({ brokers: cluster.file.kafka.brokers, clientId: 'control-history' });
    this.running = Promise.all([this.follow(), ...REGIONS.map((region) => this.ask(region))]);
  }

  async close(): Promise<void> {
    this.isClosed = true;
    await this.log.close();
    await this.running;
  }

  /** Waits for a leader in whom nothing is in doubt: every coordinator has read the log to its end and tells the same. */
  async agreed(withinMs = 60_000): Promise<Leadership> {
    const seen = await eventually(
      () => Promise.all(REGIONS.map((region) => seenBy(this.cluster, region).catch(() => null))),
      (all) => {
        const { election } = this.state;
        return all.every(
          (one) =>
            one?.control.current === true &&
            one.leader === election.leader?.region &&
            one.term === Number(election.term) &&
            election.phase === 'led',
        );
      },
      withinMs,
    );
    const { leader, term } = seen[0] as SeenLeader;
    return { leader: leader!, term: BigInt(term!) };
  }

  /** The first record since that moment that satisfies the check. */
  async read(check: (step: Folded, read: Read) => boolean, sinceMs: number, withinMs: number): Promise<Read> {
    const find = (): Read | undefined =>
      this.reads.find((read) => read.readAtMs >= sinceMs && check(read.step, read));
    return (await eventually(
      () => Promise.resolve(this.broken === null ? find() : Promise.reject(new Error(this.broken))),
      (found) => found !== undefined,
      withinMs,
    ))!;
  }

  /** Waits until what was read so far says so. */
  async until(check: (state: ControlState) => boolean, withinMs: number): Promise<void> {
    await eventually(() => Promise.resolve(this.state), check, withinMs);
  }

  /** The claim that opened a term above this one. */
  claimAbove(term: bigint, withinMs = 60_000): Promise<Read> {
    return this.read(
      ({ entry, verdict }) =>
        verdict === 'accepted' && entry?.command.kind === 'claim' && entry.command.term > term,
      0,
      withinMs,
    );
  }

  /** Waits until the leader has been heard so many times from now on: the log's own measure of time. */
  async heartbeats(count: number, withinMs = 60_000): Promise<void> {
    const from = this.reads.length;
    await eventually(
      () =>
        Promise.resolve(this.reads.slice(from).filter(({ step }) => isAccepted(step, 'heartbeat')).length),
      (heard) => heard >= count,
      withinMs,
    );
  }

  /** Of the process that holds the region's vote. */
  sessionOf(region: Region): string | null {
    return this.state.sessions.find((one) => one.region === region)?.session ?? null;
  }

  /** Who leads, by the log; null while that is in doubt. */
  get leader(): Region | null {
    const { leader, phase } = this.state.election;
    return phase === 'led' ? (leader!.region as Region) : null;
  }

  get term(): bigint {
    return this.state.election.term;
  }

  /** Once all agree again, they do on who led before; on another one only where that one was not heard for long. */
  async expectStays({ leader, term }: Leadership): Promise<void> {
    const now = await this.agreed();
    let heardAtMs = -Infinity;
    for (const { readAtMs, step } of this.reads) {
      if (isAccepted(step, 'claim') && (step.entry!.command as ControlCommandOf<'claim'>).term > term)
        expect(readAtMs - heardAtMs).toBeGreaterThanOrEqual(SILENT_MS_MIN);
      if (isAccepted(step, 'claim') || isAccepted(step, 'heartbeat')) heardAtMs = readAtMs;
    }
    if (now.term === term) expect(now.leader).toBe(leader);
  }

  expectOneLeaderPerTerm(): void {
    expect(this.broken).toBeNull();
    const leaders = new Map<number, string>();
    let leader: string | null = null;
    let heard = 0n;
    let isVacant = true;
    let silent = new Set<string>();
    let heardAtMs = 0;
    let suspectedAtMs: number | null = null;
    for (const { step } of this.reads) {
      if (step.verdict !== 'accepted') continue;
      const { at, entry, state } = step;
      const { logTimeMs } = state;
      const { author, command } = entry!;
      const { kind } = command;
      if (kind === 'silent' && command.heartbeat === heard && author !== leader) silent.add(author);
      if (kind === 'suspect' && command.heartbeat === heard) suspectedAtMs ??= logTimeMs;
      if (kind === 'resign' || kind === 'join') isVacant ||= author === leader;
      if (kind === 'heartbeat')
        expect({ term: Number(command.term), author }).toEqual({ term: leaders.size, author: leader });
      if (kind === 'claim') {
        const { graceMs, leaseMs } = state.configuration!.settings;
        const isLeaseOver =
          suspectedAtMs !== null && logTimeMs >= suspectedAtMs + graceMs && logTimeMs >= heardAtMs + leaseMs;
        const hasReason = isVacant || silent.size >= MAJORITY || isLeaseOver;
        expect({ term: Number(command.term), hasReason }).toEqual({
          term: leaders.size + 1,
          hasReason: true,
        });
        leaders.set(Number(command.term), author);
        leader = author;
        isVacant = false;
      }
      if (kind !== 'claim' && kind !== 'heartbeat') continue;
      heard = at;
      heardAtMs = logTimeMs;
      suspectedAtMs = null;
      silent = new Set();
    }
    expect(leaders.size).toBe(Number(this.term));
    expect(this.told.size).toBeGreaterThan(0);
    for (const [term, told] of this.told)
      expect({ term, told: [...told] }).toEqual({ term, told: [leaders.get(term)] });
  }

  private async follow(): Promise<void> {
    let reader: LogReader | null = null;
    while (!this.isClosed) {
      try {
        reader ??= await this.log.openReader(CONTROL_TOPIC);
        await this.readOnce(reader);
      } catch {
        // The log may be stopped, or ask for patience: what is awaited of it has its own bound.
        await reader?.close().catch(() => undefined);
        reader = null;
        await delay(AGAIN_MS);
      }
    }
    await reader?.close().catch(() => undefined);
  }

  private async readOnce(reader: LogReader): Promise<void> {
    const positions = [{ partition: 0, offset: this.nextOffset }];
    const [part] = await reader.fetch({ positions, waitMsMax: FETCH_WAIT_MS_MAX, bytesMax: FETCH_BYTES_MAX });
    if (part!.outOfRange) this.broken = 'the control log no longer begins with its first record';
    for (const record of part!.records) {
      const step = foldControl(this.state, record);
      if (step.kind === 'halted') {
        this.broken = `${step.code}: ${step.detail}`;
        return;
      }
      this.state = step.state;
      this.reads.push({ step, readAtMs: performance.now(), appendTimeMs: record.appendTimeMs });
    }
    this.nextOffset = part!.nextOffset;
  }

  private async ask(region: Region): Promise<void> {
    while (!this.isClosed) {
      // One that is dead or stands still tells nothing.
      const seen = await seenBy(this.cluster, region, TOLD_EVERY_MS).catch(() => null);
      if (seen !== null && seen.term !== null && seen.leader !== null)
        this.told.set(seen.term, (this.told.get(seen.term) ?? new Set()).add(seen.leader));
      await delay(TOLD_EVERY_MS);
    }
  }
}

const isAccepted = ({ entry, verdict }: Folded, kind: string): boolean =>
  verdict === 'accepted' && entry?.command.kind === kind;
