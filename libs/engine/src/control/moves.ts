/**
 * Carries open moves of shards on, as `decideMove` says: one step of each at a time, and only by the leader. Every stage stands
 * in the control log before it has an effect (I19), so any coordinator that leads next goes on where this one stopped;
 * what was sent twice or too late is decided by the shard's own log.
 *
 * What this process remembers is only when it tried what, to try again later.
 */
import {
  bestCandidate,
  considerMove,
  decideMove,
  dueFailovers,
  dueOfEvacuation,
  duePauses,
  dueSnapshot,
  dueWindows,
  failoverPlan,
  GOVERNOR,
  isRefusedForGood,
  judgeMove,
  moveInputsJson,
  ownershipOf,
  parseShardName,
  predictMove,
  seenRegion,
  SHARE_MS,
  topicOf,
  unmetCodes,
  type AskedLeader,
  type AskedOutbox,
  type ConfigurationContent,
  type ControlCommand,
  type ControlState,
  type Evacuation,
  type FailoverPlan,
  type FailoverPolicy,
  type MoveCheck,
  type MoveInputs,
  type MoveRequest,
  type MoveStep,
  type MoveView,
  type OpenMove,
  type Prediction,
  type RegionName,
  type Sequence,
  type SeenShard,
  type ShardName,
} from '@lockstep/protocol';
import type { ControlEntries } from '../coordinate/control-entries.js';
import { Gate, waitAtMost } from '../gate.js';
import type { LedgerFeed } from '../gateway/ledger-feed.js';
import { reportLoopFailure } from '../loop-failure.js';
import type { Log } from '../ports/log.js';
import type { Observer, SpanContext } from '../ports/observer.js';
import type { Outboxes } from '../ports/outboxes.js';
import { isPortError } from '../ports/port-error.js';
import type { Clock } from '../ports/world.js';
import type { Candidacy } from './candidacy.js';
import type { ControlLog, Said } from './control-log.js';
import { FoldSpeeds } from './fold-speeds.js';
import { moveSpan, spanBelow, stageSpan } from './move-trace.js';
import { seeShard } from './seen-shard.js';

const SAID_MS_MAX = 5_000;
/** A move is looked at again at least so often while it is open. */
const LOOK_AGAIN_MS = 500;

export interface MovesOptions {
  readonly region: RegionName;
  readonly regions: readonly RegionName[];
  /** Null for a shard that is not in the catalogue. */
  readonly contentOf: (shard: ShardName) => ConfigurationContent | null;
  readonly shards: () => readonly ShardName[];
  /** The dataset's failovers need no person. */
  readonly isAutomatic: (shard: ShardName) => boolean;
  /** Of its dataset, in per cent of the keys; null: a new home takes all writes at once. */
  readonly openFirst: (shard: ShardName) => number | null;
  readonly failover: FailoverPolicy;
  readonly candidacy: Candidacy;
  readonly control: ControlLog;
  readonly entries: ControlEntries;
  readonly feed: LedgerFeed;
  /** Left out where no dataset has an outbox; what one holds all the same is then not known. */
  readonly outboxes?: Outboxes;
  readonly log: Log;
  readonly clock: Clock;
  readonly observer: Observer;
}

/** What this process has done for one stage of one move. */
interface Attempt {
  readonly stage: string;
  readonly sinceMs: number;
  /** When `parked` was read. */
  readonly heldSinceMs: number | null;
  actedAtMs: number | null;
  acts: number;
  /** Where the candidate was when the stage began to be proven: told to have folded its fence, or after the share was watched. */
  candidateAt: Sequence | null;
  /** The first that it was seen to fold further. `judgedCanary` says what is judged. */
  canary: Sequence | null;
  /** What the home last said of its outbox. */
  outbox: AskedOutbox | null;
  /** What became of the log's leader, at this stage or an earlier one. */
  leader: AskedLeader | null;
}

/** What became of the wish to move a shard. */
export type Decided =
  | { readonly kind: 'decided'; readonly decision: bigint }
  | { readonly kind: 'refused'; readonly checks: readonly MoveCheck[] }
  | Exclude<Said, { readonly kind: 'judged' }>
  /** The control log turned it down: another came first, or this process leads no more. */
  | { readonly kind: 'turned-down'; readonly reason: string };

/** What a failover would cost now. */
export interface FailoverForecast {
  readonly shard: ShardName;
  /** The region that had best take it; null when none may, or its home is not known. */
  readonly to: RegionName | null;
  /** Every check is met. */
  readonly isAllowed: boolean;
  /** Null when nothing is known. */
  readonly predicted: Prediction | null;
}

export class Moves {
  private readonly stopping = new Gate();
  private readonly carried = new Map<bigint, Promise<void>>();
  private readonly attempts = new Map<bigint, Attempt>();
  private readonly probed = new Set<bigint>();
  private readonly foldSpeeds: FoldSpeeds;

  constructor(private readonly options: MovesOptions) {
    this.foldSpeeds = new FoldSpeeds(options.feed);
  }

  /** Runs until `stop`. */
  async run(): Promise<void> {
    const { candidacy, clock, control, regions, shards } = this.options;
    while (!this.stopping.isOpen) {
      const changed = control.nextChange();
      const state = control.state();
      this.foldSpeeds.look(clock.monotonicMs(), shards(), regions);
      if (state !== null && control.isCurrent()) {
        this.probeAsCandidate(state);
        if (candidacy.leads()) await this.lead(state);
      }
      await waitAtMost([changed, this.stopping], clock, LOOK_AGAIN_MS);
    }
    await Promise.all(this.carried.values());
  }

  stop(): void {
    this.stopping.open();
  }

  see(shard: ShardName): SeenShard | null {
    const { contentOf, feed, regions } = this.options;
    const content = contentOf(shard);
    return content === null ? null : seeShard(feed, regions, content, shard);
  }

  /** What the move would cost now, by what this process sees. */
  predict({ finished: past }: ControlState, { move, seen, to }: MoveInputs): Prediction {
    const { rules } = this.options.feed.tally(seen.shard);
    const foldRecordsPerSecond = this.foldSpeeds.of(seen.shard, to);
    return predictMove({ move, to, seen, rules, foldRecordsPerSecond, past });
  }

  /** What a failover of each shard would cost now, to the region that had best take it. */
  forecasts(): readonly FailoverForecast[] {
    const state = this.options.control.state();
    return this.options.shards().map((shard) => {
      const seen = this.see(shard);
      const best = state === null || seen === null ? null : bestCandidate(state, seen, 'failover');
      if (state === null || seen === null || best === null)
        return { shard, to: null, isAllowed: false, predicted: null };
      const wish = { move: 'failover', shard, to: best.to, acceptLoss: false, actor: GOVERNOR } as const;
      const inputs = considerMove(state, wish, seen);
      const predicted = inputs === null ? null : this.predict(state, inputs);
      return { shard, ...best, predicted };
    });
  }

  /** Shards at home there, as far as anybody has told. */
  seeHomes(region: RegionName): readonly SeenShard[] {
    return this.options.shards().flatMap((shard) => {
      const seen = this.see(shard);
      return seen !== null && ownershipOf(seen)?.home === region ? [seen] : [];
    });
  }

  private automaticHomes(region: RegionName): readonly SeenShard[] {
    return this.seeHomes(region).filter(({ shard }) => this.options.isAutomatic(shard));
  }

  /** Judges the wish by what is seen now, and records the decision, or that it was declined, with all that it depends on. */
  async decide(
    wish: Pick<MoveRequest, 'move' | 'shard' | 'to' | 'reason' | 'actor' | 'acceptLoss'>,
    evacuation: bigint | null = null,
  ): Promise<Decided> {
    const { control } = this.options;
    const state = control.state();
    const seen = this.see(wish.shard);
    const inputs = state === null || seen === null ? null : considerMove(state, wish, seen);
    if (state === null || inputs === null)
      return { kind: 'failed', message: `no region has told the home of ${wish.shard} yet` };
    const checks = judgeMove(inputs);
    const unmet = unmetCodes(checks);
    const { term } = state.election;
    const { expectedEpoch, from } = inputs;
    const told = moveInputsJson({ ...inputs, predicted: this.predict(state, inputs) });
    const recorded = { term, ...wish, from, expectedEpoch, evacuation, inputs: told };
    if (unmet.length > 0) {
      if (evacuation === null || isRefusedForGood(unmet))
        await control.say({ kind: 'declined', ...recorded, codes: unmet }, SAID_MS_MAX);
      return { kind: 'refused', checks };
    }
    const said = await control.say({ kind: 'decision', ...recorded }, SAID_MS_MAX);
    if (said.kind !== 'judged') return said;
    const { at, reason, verdict } = said.step;
    return verdict === 'accepted'
      ? { kind: 'decided', decision: at }
      : { kind: 'turned-down', reason: reason ?? verdict };
  }

  private async lead(state: ControlState): Promise<void> {
    const { control, failover } = this.options;
    const begun = dueWindows(state);
    if (begun.length > 0) {
      // What they forbid is considered when they stand in the log.
      await Promise.all(begun.map((command) => control.say(command, SAID_MS_MAX)));
      return;
    }
    const planOf = (region: RegionName): FailoverPlan => failoverPlan(state, this.automaticHomes(region));
    const due: ControlCommand[] = [...duePauses(state), ...dueFailovers(state, planOf, failover)];
    const snapshot = dueSnapshot(state);
    if (snapshot !== null) due.push(snapshot);
    for (const move of state.open) this.carry(move);
    for (const decision of this.attempts.keys())
      if (!state.open.some((move) => move.decision === decision)) this.attempts.delete(decision);
    await Promise.all(due.map((command) => control.say(command, SAID_MS_MAX)));
    for (const evacuation of state.evacuations) await this.evacuate(evacuation);
  }

  private async evacuate(evacuation: Evacuation): Promise<void> {
    const state = this.options.control.state();
    const present = state?.evacuations.find(({ decision }) => decision === evacuation.decision);
    if (state === null || present === undefined) return;
    const { actor, move, reason } = present;
    await Promise.all(
      dueOfEvacuation(state, present).map(({ shard, to }) =>
        this.decide({ move, shard, to, reason, actor, acceptLoss: false }, present.decision),
      ),
    );
  }

  /** One at a time for each move; it ends when the move has, or this process leads no more. */
  private carry(move: OpenMove): void {
    const { decision } = move;
    if (this.carried.has(decision)) return;
    const { observer } = this.options;
    const ended = this.carryOn(decision)
      .catch((error: unknown) => reportLoopFailure(observer, `move ${decision}`, error))
      .then(() => void this.carried.delete(decision));
    this.carried.set(decision, ended);
  }

  private async carryOn(decision: bigint): Promise<void> {
    const { candidacy, control } = this.options;
    while (!this.stopping.isOpen && candidacy.leads()) {
      const changed = control.nextChange();
      const state = control.state()!;
      const move = state.open.find((open) => open.decision === decision);
      const seen = move === undefined ? null : this.see(move.shard);
      if (move === undefined || seen === null) return;
      const attempt = this.attemptAt(move);
      const step = decideMove(state, move, this.view(move, seen, attempt));
      if (step.kind === 'wait') await this.untilChanged(move, step, changed);
      else await this.take(step, move, attempt);
    }
  }

  private attemptAt(move: OpenMove): Attempt {
    const stage = `${move.stage} ${move.stageAt} ${move.term}`;
    const known = this.attempts.get(move.decision);
    if (known?.stage === stage) return known;
    const sinceMs = this.options.clock.monotonicMs();
    const heldSinceMs = heldSince(move.stage, known?.heldSinceMs ?? null, sinceMs);
    const leader = known?.leader ?? null;
    const attempt: Attempt = {
      stage,
      sinceMs,
      heldSinceMs,
      actedAtMs: null,
      acts: 0,
      // A probe of the candidate may be folded before this process looks at the stage that asks for it.
      candidateAt: move.stage === 'folded' ? (known?.candidateAt ?? null) : null,
      canary: null,
      outbox: null,
      leader,
    };
    this.attempts.set(move.decision, attempt);
    return attempt;
  }

  private view(move: OpenMove, seen: SeenShard, attempt: Attempt): MoveView {
    const { clock, contentOf, feed } = this.options;
    const { expectedEpoch, shard, stage, to } = move;
    const { actedAtMs, heldSinceMs, leader, outbox, sinceMs } = attempt;
    const told = seenRegion(seen, to)?.told ?? null;
    const candidate = told !== null && told.epoch > expectedEpoch ? told.sequence : null;
    const nowMs = clock.monotonicMs();
    // Whatever stands behind shows that the new home's log and stores take entries, a probe or a client's write.
    if (candidate !== null && isProven(stage, nowMs - sinceMs)) {
      attempt.candidateAt ??= candidate;
      if (candidate > attempt.candidateAt && stage !== 'fenced') attempt.canary ??= candidate;
    }
    const canary = this.judgedCanary(shard, attempt.canary, candidate);
    return {
      nowMs,
      stageSinceMs: sinceMs,
      actedAtMs,
      seen,
      heldSinceMs,
      outbox: contentOf(shard)?.writers === 'outbox' ? outbox : 'none',
      canary:
        canary === null
          ? null
          : { sequence: canary, isAtQuorum: feed.reached(shard, 'quorum', canary) !== null },
      leader,
      isAutomatic: this.options.isAutomatic(shard),
      openFirst: this.options.openFirst(shard),
    };
  }

  /**
   * The canary, or the entry behind it that put the rule in force: that one is judged as writes will be, where the canary may
   * need a region that is gone, because the rule was being changed.
   */
  private judgedCanary(
    shard: ShardName,
    canary: Sequence | null,
    candidate: Sequence | null,
  ): Sequence | null {
    const from = this.options.feed.tally(shard).rules.at(-1)?.from;
    if (canary === null || candidate === null || from === undefined) return canary;
    return canary < from && from <= candidate ? from : canary;
  }

  private async take(
    step: Exclude<MoveStep, { kind: 'wait' }>,
    move: OpenMove,
    attempt: Attempt,
  ): Promise<void> {
    const { clock, control, entries } = this.options;
    attempt.actedAtMs = clock.monotonicMs();
    attempt.acts += 1;
    switch (step.kind) {
      case 'append':
        await control.say(step.command, SAID_MS_MAX);
        return;
      case 'append-entry':
        // What became of it is seen in watermarks.
        void entries.append(step.shard, step.entry, step.timeoutMs, this.spanIn(move, attempt.acts));
        return;
      case 'probe':
        // The candidate's own coordinator probes when it reads the stage; it may be down, or have probed under an earlier leader.
        if (move.stage === 'share' || attempt.acts > 1) void this.probe(move, attempt.acts);
        return;
      case 'ask-outbox':
        attempt.outbox = await this.askOutbox(step.region, step.shard);
        return;
      case 'place-leader':
        attempt.leader = await this.placeLeader(step.shard, step.region);
        return;
      case 'fall-back': {
        const { reason, shard, to } = step;
        await this.decide({ move: 'failover', shard, to, reason, actor: GOVERNOR, acceptLoss: false });
        return;
      }
    }
  }

  private async askOutbox(home: RegionName, shard: ShardName): Promise<AskedOutbox> {
    const { outboxes } = this.options;
    if (outboxes === undefined) return { kind: 'unknown', code: 'not-asked' };
    try {
      return { kind: 'told', ...(await outboxes.ask(home, shard)) };
    } catch (error) {
      if (!isPortError(error)) throw error;
      return { kind: 'unknown', code: error.code };
    }
  }

  /** Writes go on wherever the leader is, so no failure of this is one of the move. */
  private async placeLeader(shard: ShardName, region: RegionName): Promise<AskedLeader> {
    const { log, observer } = this.options;
    const { dataset, partition } = parseShardName(shard)!;
    try {
      return await log.admin.placeLeader(topicOf(dataset), partition, region);
    } catch (error) {
      reportLoopFailure(observer, `leader of ${shard}`, error);
      if (!isPortError(error)) return { kind: 'unknown', code: 'defect' };
      return { kind: error.disposition === 'unknown' ? 'unknown' : 'failed', code: error.code };
    }
  }

  /** The candidate shows that it reaches the log, as soon as it reads that its fence was folded. */
  private probeAsCandidate(state: ControlState): void {
    const { region } = this.options;
    for (const move of state.open) {
      const { decision, stage, to } = move;
      if (stage !== 'folded' || to !== region || this.probed.has(decision)) continue;
      this.probed.add(decision);
      void this.probe(move, 'of the candidate');
    }
    for (const decision of this.probed)
      if (!state.open.some((move) => move.decision === decision)) this.probed.delete(decision);
  }

  private probe(move: OpenMove, attempt: number | string): Promise<unknown> {
    const span = this.spanIn(move, attempt);
    return this.options.entries.append(move.shard, { kind: 'probe' }, undefined, span);
  }

  /** Of an entry that this process appends to the shard's log at the move's present stage. */
  private spanIn({ decision, stageAt }: OpenMove, attempt: number | string): SpanContext | null {
    const { control, region } = this.options;
    const log = control.logId();
    if (log === null) return null;
    return spanBelow(stageSpan(moveSpan(log, decision), stageAt), `append ${region} ${attempt}`);
  }

  /** Until what is seen of the shard, or the control log, has changed. */
  private async untilChanged(
    { shard }: OpenMove,
    { untilMs }: Extract<MoveStep, { kind: 'wait' }>,
    changed: Gate,
  ): Promise<void> {
    const { clock, feed, regions } = this.options;
    const seen = regions.map((region) => feed.watermark(shard, region));
    const isSeen = (): boolean => regions.some((region, at) => feed.watermark(shard, region) !== seen[at]);
    const againMs = Math.min(clock.monotonicMs() + LOOK_AGAIN_MS, untilMs ?? Infinity);
    await feed.waitUntil(shard, isSeen, againMs, changed, this.stopping);
  }
}

/** What the candidate folds from here on counts. */
const isProven = (stage: OpenMove['stage'], sinceMs: number): boolean =>
  stage === 'fenced' || stage === 'folded' || (stage === 'share' && sinceMs >= SHARE_MS);

/** Gateways hold new writes from when they read `parked`: the entry itself asks them to. A later leader counts from what it reads. */
function heldSince(stage: OpenMove['stage'], sinceMs: number | null, nowMs: number): number | null {
  if (stage === 'parked') return nowMs;
  return stage === 'drained' ? (sinceMs ?? nowMs) : null;
}
