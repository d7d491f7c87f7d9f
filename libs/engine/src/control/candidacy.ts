/**
 * A coordinator's part in the election of a leader: it carries out what `decideElection` says, one entry at a time. Which
 * claim is valid is the control log's to decide; a process that is slow, paused or late asks too late, and that is all.
 */
import {
  decideElection,
  DEFAULT_CONTROL_SETTINGS,
  leads,
  watchElection,
  type ControlCommand,
  type ElectionMember,
  type ElectionObserved,
  type ElectionWatch,
  type RegionName,
} from '@lockstep/protocol';
import { Gate, waitAtMost } from '../gate.js';
import type { Clock } from '../ports/world.js';
import type { ControlLog } from './control-log.js';

/** How long an entry of the election is waited for; a later one says what holds then. */
const SAID_MS_MAX = 2_000;
/** A leader that stops says so, unless the log does not answer. */
const RESIGNING_MS_MAX = 1_000;
const IDLE_MS_MAX = 1_000;

export interface CandidacyOptions {
  readonly region: RegionName;
  /** In the order of priority. */
  readonly regions: readonly RegionName[];
  readonly control: ControlLog;
  readonly clock: Clock;
}

export class Candidacy {
  private readonly me: ElectionMember;
  private readonly stopping = new Gate();
  private watch: ElectionWatch | null = null;
  private asked: ElectionObserved['asked'] = null;
  private isSaying = false;
  private hasBeenDisplaced = false;

  constructor(private readonly options: CandidacyOptions) {
    const { control, region, regions } = options;
    this.me = { region, session: control.session, members: regions, settings: DEFAULT_CONTROL_SETTINGS };
  }

  /** Runs until `stop`; then a leader resigns first. */
  async run(): Promise<void> {
    const { control } = this.options;
    while (!this.stopping.isOpen) {
      const changed = control.nextChange();
      await this.step(changed);
    }
    if (!this.leads()) return;
    const { term } = control.state()!.election;
    await control.say({ kind: 'resign', term }, RESIGNING_MS_MAX);
  }

  stop(): void {
    this.stopping.open();
  }

  /** As far as this process has read. Whether it still holds is decided where a command of the term is folded. */
  leads(): boolean {
    const state = this.options.control.state();
    return state !== null && leads(state.election, this.me);
  }

  /** Another process took this region's vote: this one says nothing any more. */
  isDisplaced(): boolean {
    return this.hasBeenDisplaced;
  }

  private async step(changed: Gate): Promise<void> {
    const { clock, control } = this.options;
    const state = control.state();
    const nowMs = clock.monotonicMs();
    let untilMs = nowMs + IDLE_MS_MAX;
    if (state !== null && control.halted() === null) {
      this.watch = watchElection(this.watch, state, this.me, nowMs);
      const isCaughtUp = control.isCurrent() && !this.isSaying;
      const { asked, watch } = this;
      const decided = decideElection(state, this.me, { nowMs, watch, isCaughtUp, isStopping: false, asked });
      this.hasBeenDisplaced = decided.kind === 'displaced';
      if (decided.kind === 'append') this.say(decided.command);
      else if (decided.kind === 'wait') untilMs = Math.min(untilMs, decided.untilMs ?? untilMs);
    }
    await waitAtMost([changed, this.stopping], clock, untilMs - clock.monotonicMs());
  }

  private say(command: ControlCommand): void {
    const { clock, control } = this.options;
    this.asked = { kind: command.kind, atMs: clock.monotonicMs() };
    this.isSaying = true;
    void control.say(command, SAID_MS_MAX).then(() => {
      this.isSaying = false;
    });
  }
}
