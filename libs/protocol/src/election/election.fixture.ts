/**
 * Coordinators that follow `decideElection` over one control log, in virtual time: appends take a while, the log may stall,
 * the broker's clock may be wrong, processes die. For specs.
 */
import { controlEntryText, DEFAULT_CONTROL_SETTINGS, type ControlCommand } from '../control/command.js';
import { foldControl, type ControlRecord, type ControlVerdict } from '../control/fold-control.js';
import { EMPTY_CONTROL_STATE, type ControlState } from '../control/state.js';
import { offset, type RegionName } from '../identity/identity.js';
import {
  decideElection,
  watchElection,
  type ElectionObserved,
  type ElectionWatch,
} from './decide-election.js';
import { leads } from './election.js';

const STEP_MS = 10;

interface Coordinator {
  readonly region: RegionName;
  readonly session: string;
  state: ControlState;
  watch: ElectionWatch;
  asked: ElectionObserved['asked'];
  number: bigint;
  /** The entry that is on its way: appended at this time, answered a little later. */
  flight: { readonly text: string; landsAtMs: number; answeredAtMs: number } | null;
  isAlive: boolean;
  isStopping: boolean;
}

export class Electorate {
  nowMs = 0;
  readonly records: ControlRecord[] = [];
  /** Every verdict, by the author and kind of its command. */
  readonly said: { readonly what: string; readonly verdict: ControlVerdict }[] = [];
  readonly coordinators: Coordinator[] = [];
  /** Milliseconds that the broker's clock is ahead. */
  brokerAheadMs = 0;
  isStalled = false;
  private witness: ControlState = EMPTY_CONTROL_STATE;
  private lives = 0;

  constructor(
    private readonly members: readonly RegionName[],
    /** How long an append takes, by the coordinator's index and its number. */
    private readonly appendMs: (index: number, number: bigint) => number = () => 40,
  ) {
    for (const region of members) this.coordinators.push(this.born(region));
  }

  private born(region: RegionName): Coordinator {
    this.lives += 1;
    const session = this.lives.toString(16).padStart(32, '0');
    const watch = watchElection(null, EMPTY_CONTROL_STATE, { region, session }, this.nowMs);
    const life = {
      region,
      session,
      state: EMPTY_CONTROL_STATE,
      watch,
      asked: null,
      number: 0n,
      flight: null,
    };
    return { ...life, isAlive: true, isStopping: false };
  }

  /** A new process of the region. */
  restart(index: number): void {
    this.coordinators[index] = this.born(this.members[index]!);
  }

  get term(): bigint {
    return this.witness.election.term;
  }

  /** The region whose living process leads. */
  get leader(): RegionName | null {
    const { election } = this.witness;
    return this.coordinators.find((one) => one.isAlive && leads(election, one))?.region ?? null;
  }

  run(ms: number): void {
    for (const endMs = this.nowMs + ms; this.nowMs < endMs; this.nowMs += STEP_MS) {
      for (const [index, one] of this.coordinators.entries()) this.step(one, index);
    }
  }

  /** @returns the milliseconds until the condition holds, or null after the bound. */
  runUntil(holds: () => boolean, msMax: number): number | null {
    const begunMs = this.nowMs;
    while (!holds() && this.nowMs - begunMs < msMax) this.run(STEP_MS);
    return holds() ? this.nowMs - begunMs : null;
  }

  private step(one: Coordinator, index: number): void {
    if (one.flight !== null && !this.isStalled && this.nowMs >= one.flight.landsAtMs) {
      if (one.flight.landsAtMs >= 0) this.land(one.flight.text, one.region);
      one.flight.landsAtMs = Infinity;
      one.flight.answeredAtMs = this.nowMs + STEP_MS;
    }
    if (!one.isAlive) return;
    if (one.flight !== null && this.nowMs >= one.flight.answeredAtMs) one.flight = null;
    for (const record of this.records.slice(Number(one.state.offset) + 1)) {
      const step = foldControl(one.state, record);
      if (step.kind === 'halted') throw new Error(step.detail);
      one.state = step.state;
    }
    one.watch = watchElection(one.watch, one.state, one, this.nowMs);
    if (one.flight !== null) return;
    const { region, session } = one;
    const me = { region, session, members: this.members, settings: DEFAULT_CONTROL_SETTINGS };
    const step = decideElection(one.state, me, {
      nowMs: this.nowMs,
      watch: one.watch,
      isCaughtUp: true,
      isStopping: one.isStopping,
      asked: one.asked,
    });
    if (step.kind !== 'append') return;
    if (step.command.kind !== 'heartbeat') one.asked = { kind: step.command.kind, atMs: this.nowMs };
    one.number += 1n;
    const landsAtMs = this.nowMs + this.appendMs(index, one.number);
    one.flight = { text: this.textOf(one, step.command), landsAtMs, answeredAtMs: Infinity };
  }

  private textOf(one: Coordinator, command: ControlCommand): string {
    const { number, region: author, session } = one;
    return controlEntryText({ author, session, number, clockMs: this.nowMs, command });
  }

  private land(valueText: string, region: RegionName): void {
    const appendTimeMs = this.nowMs + this.brokerAheadMs;
    const record = { offset: offset(BigInt(this.records.length)), appendTimeMs, valueText };
    this.records.push(record);
    const step = foldControl(this.witness, record);
    if (step.kind === 'halted') throw new Error(step.detail);
    this.witness = step.state;
    this.said.push({ what: `${region} ${step.entry?.command.kind}`, verdict: step.verdict });
  }
}
