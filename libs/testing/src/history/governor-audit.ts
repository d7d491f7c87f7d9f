/**
 * A second opinion on what was decided without a person, and on who was allowed to take a shard (I14). Failovers that enough
 * regions agreed upon, and no more often than the policy that stands with them allows; nothing else moved by itself; nobody
 * promoted who may not hold the shard or was not seen to be able to; and no pause that holds anything back after its end.
 *
 * It needs the control log alone, in its order: so a history of a real cluster is judged like a simulated one.
 */
import {
  CLOCK_TOLERANCE_MS,
  GOVERNOR,
  readFailoverInputs,
  readMoveInputs,
  type ControlCommandOf,
  type RegionName,
  type ShardName,
} from '@lockstep/protocol';
import type { AuditedCommand } from './control-audit.js';
import type { FindingList } from './finding.js';
import type { MembersOf } from './stage-truth.js';

/** A pause that is over may be seen so much later, in log time. */
const PAUSE_OUTLIVED_MS = 1_000;
const OBSERVERS_MIN = 2;
/** A vote counts for so long, in log time. */
const VOTE_MS = 5_000;

interface SaidVote extends Pick<ControlCommandOf<'vote'>, 'about' | 'opinion'>, Moment {
  readonly observer: RegionName;
}

/** Another process speaks for the region from there on, which has seen nothing yet. */
interface Joined extends Moment {
  readonly region: RegionName;
}

/** A place of the log and its time. */
interface Moment {
  readonly at: bigint;
  readonly atMs: number;
}

interface Failover extends Moment, Pick<ControlCommandOf<'fail-over'>, 'region' | 'shards'> {}
interface Acknowledgement extends Moment, Pick<ControlCommandOf<'approval'>, 'subject' | 'untilMs'> {}

interface Pause {
  readonly pause: bigint;
  readonly scope: string;
  readonly untilMs: number;
  /** The entry that ended it early. */
  resumedAt: bigint | null;
}

interface DecidedMove extends Pick<ControlCommandOf<'decision'>, 'actor' | 'evacuation' | 'expectedEpoch'> {
  /** Its fence stands, and it has not ended. */
  isStuck: boolean;
  readonly decision: bigint;
}

export function judgeGovernor(
  commands: readonly AuditedCommand[],
  members: MembersOf,
  found: FindingList,
): void {
  const audit = new GovernorAudit(members, found);
  for (const command of commands) audit.note(command);
}

class GovernorAudit {
  private readonly moments: Moment[] = [];
  private readonly configurations: (Moment & Pick<ControlCommandOf<'configure'>, 'members' | 'settings'>)[] =
    [];
  private readonly votes: SaidVote[] = [];
  private readonly joined: Joined[] = [];
  private readonly failovers: Failover[] = [];
  private readonly acknowledgements: Acknowledgement[] = [];
  private readonly pauses: Pause[] = [];
  private readonly windows = new Map<bigint, Pick<Pause, 'scope' | 'untilMs'>>();
  /** The latest of each shard. */
  private readonly decided = new Map<ShardName, DecidedMove>();

  constructor(
    private readonly members: MembersOf,
    private readonly found: FindingList,
  ) {}

  note({ appendTimeMs, at, author, clockMs, command, verdict }: AuditedCommand): void {
    const atMs = Math.max(
      this.moments.at(-1)?.atMs ?? 0,
      Math.min(appendTimeMs, clockMs + CLOCK_TOLERANCE_MS),
    );
    const moment = { at, atMs };
    this.moments.push(moment);
    if (verdict !== 'accepted') return;
    this.remember(moment, author, command);
    if (command.kind === 'fail-over') {
      this.judgeFailover(moment, command);
      this.failovers.push({ ...moment, region: command.region, shards: command.shards });
    }
    if (command.kind === 'held') this.judgeHeld(moment, command);
    if (command.kind === 'declined') this.judgeDeclined(moment, command);
    if (command.kind === 'decision') this.judgeDecision(moment, command);
  }

  private remember(moment: Moment, observer: RegionName, command: AuditedCommand['command']): void {
    const { at } = moment;
    if (command.kind === 'genesis' || command.kind === 'configure')
      this.configurations.push({ ...moment, members: command.members, settings: command.settings });
    if (command.kind === 'join') this.joined.push({ ...moment, region: observer });
    if (command.kind === 'vote')
      this.votes.push({ ...moment, observer, about: command.about, opinion: command.opinion });
    if (command.kind === 'approval')
      this.acknowledgements.push({ ...moment, subject: command.subject, untilMs: command.untilMs });
    if (command.kind === 'window') this.windows.set(at, command);
    if (command.kind === 'begin' || command.kind === 'pause') {
      const { scope, untilMs } = command.kind === 'pause' ? command : this.windows.get(command.window)!;
      this.pauses.push({ pause: at, scope, untilMs, resumedAt: null });
    }
    if (command.kind === 'resume') {
      const pause = this.pauses.find((one) => one.pause === command.pause);
      if (pause !== undefined) pause.resumedAt ??= at;
    }
    if (command.kind === 'stage') this.rememberStage(command);
  }

  private rememberStage({ decision, event }: ControlCommandOf<'stage'>): void {
    const move = [...this.decided.values()].find((one) => one.decision === decision);
    if (move !== undefined && ['fenced', 'done', 'lost'].includes(event)) move.isStuck = event === 'fenced';
  }

  private judgeFailover(
    { at, atMs }: Moment,
    { inputs: recorded, region, shards }: ControlCommandOf<'fail-over'>,
  ): void {
    const inputs = readFailoverInputs(recorded);
    if (inputs.kind === 'refused') {
      this.found.add('failover-unfounded', { region, detail: `at ${at}: ${inputs.reason}` });
      return;
    }
    const { at: judgedAt, budget, coolDownMs, windowMs } = inputs.value;
    const against = this.votesAgainst(region, judgedAt);
    const unfit = this.membersAt(judgedAt).filter(
      (one) => this.votesAgainst(one, judgedAt).length >= this.needed(judgedAt),
    );
    if (against.length < this.needed(judgedAt) || 2 * unfit.length >= this.membersAt(judgedAt).length) {
      const detail = `at ${at}: ${against.length} of ${this.needed(judgedAt)} votes, ${unfit.length} regions unfit`;
      this.found.add('failover-unfounded', { region, detail });
    }
    for (const { shard, to } of shards)
      if (this.votesAgainst(to, judgedAt).length > 0)
        this.found.add('promoted-unfit', { shard, region: to, detail: `at ${at}: somebody finds it unfit` });
    const judged = this.momentOf(judgedAt);
    const unseen = this.failovers.filter(
      (one) =>
        !this.acknowledgements.some(
          ({ at: said, subject, untilMs }) =>
            said <= judgedAt && untilMs >= judged.atMs && subject === `failover:${one.at}`,
        ),
    );
    // What the one before did not move has not come back since.
    const last = unseen.findLast(
      (one) =>
        one.region === region && one.shards.some(({ shard }) => shards.some((now) => now.shard === shard)),
    );
    const spent = unseen.filter((one) => atMs - one.atMs < windowMs).length;
    const isWarm = last !== undefined && atMs - last.atMs < coolDownMs;
    if (isWarm || spent >= budget) {
      const detail = `at ${at}: ${isWarm ? `${atMs - last.atMs} ms behind ${last.at}` : `${spent} of ${budget} were spent`}`;
      this.found.add('failover-repeated', { region, detail });
    }
    const pause = this.pauses.find(
      (one) =>
        ['all', `region:${region}`].includes(one.scope) &&
        one.pause <= judgedAt &&
        this.isHolding(one, judgedAt, 0),
    );
    if (pause !== undefined)
      this.found.add('moved-while-paused', { region, detail: `failover ${at} under pause ${pause.pause}` });
  }

  private judgeHeld({ at }: Moment, { inputs: recorded, region }: ControlCommandOf<'held'>): void {
    const inputs = readFailoverInputs(recorded);
    if (inputs.kind === 'value') this.judgePause(at, inputs.value, region);
  }

  private judgeDeclined({ at }: Moment, { inputs: recorded, shard }: ControlCommandOf<'declined'>): void {
    const inputs = readMoveInputs(recorded);
    if (inputs.kind === 'value') this.judgePause(at, inputs.value, shard);
  }

  /** What was held back by a pause: it must have been one, and not over for long. */
  private judgePause(
    at: bigint,
    { at: judgedAt, pause }: { readonly at: bigint; readonly pause: bigint | null },
    what: string,
  ): void {
    if (pause === null) return;
    const named = this.pauses.find((one) => one.pause === pause);
    if (named !== undefined && this.isHolding(named, judgedAt, PAUSE_OUTLIVED_MS)) return;
    this.found.add('pause-outlived', { detail: `${what} at ${at}: pause ${pause}` });
  }

  private judgeDecision({ at }: Moment, command: ControlCommandOf<'decision'>): void {
    const { actor, evacuation, expectedEpoch, shard, to } = command;
    const before = this.decided.get(shard);
    this.decided.set(shard, { actor, evacuation, expectedEpoch, decision: at, isStuck: false });
    this.judgeCandidate(at, command);
    if (actor !== GOVERNOR) return;
    const failover = this.failovers.find((one) => one.at === evacuation);
    const isPart = failover?.shards.some((one) => one.shard === shard && one.to === to) === true;
    const isFallback =
      evacuation === null &&
      before?.isStuck === true &&
      before.expectedEpoch + 1n === expectedEpoch &&
      !(before.actor === GOVERNOR && before.evacuation === null);
    if (isPart || isFallback) return;
    this.found.add('governor-overreached', { shard, region: to, detail: `decision ${at}` });
  }

  private judgeCandidate(at: bigint, { inputs, shard, to }: ControlCommandOf<'decision'>): void {
    const why = this.whyUnfit(at, shard, to, readMoveInputs(inputs));
    if (why !== null)
      this.found.add('promoted-unfit', { shard, region: to, detail: `decision ${at}: ${why}` });
  }

  /** By the catalogue, and by what its decision was made of; null when it may and can take the shard. */
  private whyUnfit(
    at: bigint,
    shard: ShardName,
    to: RegionName,
    inputs: ReturnType<typeof readMoveInputs>,
  ): string | null {
    const legal = this.members(shard);
    if (legal !== null && !legal.includes(to)) return 'it may not hold the shard';
    if (inputs.kind === 'refused') return inputs.reason;
    const seen = inputs.value.seen.regions.find(({ region }) => region === to);
    if (seen?.isConnected !== true || seen.told === null) return 'nothing was known of it';
    const { halted, lagRecords, withheld } = seen.told;
    if (seen.differs || halted !== null || withheld !== null) return 'it was not in order';
    const allowed = this.configurations.findLast((one) => one.at < at)?.settings.lagRecordsMax ?? 0;
    if (lagRecords === null) return 'its lag was not known';
    return lagRecords > allowed ? `it lagged ${lagRecords} records of ${allowed}` : null;
  }

  /** As of a place of the log, by processes that are there; who finds all others unfit is not believed. */
  private votesAgainst(about: RegionName, asOf: bigint): readonly SaidVote[] {
    const { atMs } = this.momentOf(asOf);
    const isGone = ({ at, observer }: SaidVote): boolean =>
      this.joined.some((one) => one.region === observer && one.at > at && one.at <= asOf);
    const latest = new Map<string, SaidVote>();
    for (const vote of this.votes) if (vote.at <= asOf) latest.set(`${vote.observer} ${vote.about}`, vote);
    const doubting = [...latest.values()].filter(
      (vote) => vote.opinion === 'unfit' && atMs - vote.atMs <= VOTE_MS && !isGone(vote),
    );
    const others = this.membersAt(asOf).length - 1;
    return doubting.filter(
      ({ about: named, observer }) =>
        named === about && doubting.filter((one) => one.observer === observer).length < others,
    );
  }

  private needed(asOf: bigint): number {
    return Math.max(OBSERVERS_MIN, Math.floor((this.membersAt(asOf).length - 1) / 2) + 1);
  }

  private membersAt(asOf: bigint): readonly RegionName[] {
    return this.configurations.findLast(({ at }) => at <= asOf)?.members ?? [];
  }

  private momentOf(asOf: bigint): Moment {
    return this.moments.findLast(({ at }) => at <= asOf) ?? { at: 0n, atMs: 0 };
  }

  private isHolding({ resumedAt, untilMs }: Pause, asOf: bigint, graceMs: number): boolean {
    return this.momentOf(asOf).atMs <= untilMs + graceMs && (resumedAt === null || resumedAt > asOf);
  }
}
