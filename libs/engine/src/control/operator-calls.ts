/**
 * What operators ask of a coordinator about homes, and what they are answered. Moves, evacuations and confirmed pauses need the
 * leader; everything else that is told comes from the control log, so any coordinator tells it.
 */
import {
  acknowledgementOf,
  APPROVED_MS,
  answerJson,
  answerProblem,
  bestCandidate,
  considerMove,
  isEvacuationOver,
  judgeFailover,
  lossApproved,
  lossSubjectOf,
  preflight,
  problem,
  readFailoverInputs,
  scoreMove,
  time,
  type Answer,
  type AskedApproval,
  type AskedControlPage,
  type AskedDecisions,
  type AskedEvacuation,
  type AskedMove,
  type AskedPause,
  type AskedPreflight,
  type AskedResume,
  type ControlCommand,
  type ControlCommandOf,
  type ControlState,
  type Evacuation,
  type FinishedMove,
  type Governed,
  type MoveCheck,
  type MoveKind,
  type OpenMove,
  type Pause,
  type Prediction,
  type RegionName,
  type Scope,
  type ShardName,
} from '@lockstep/protocol';
import type { Log } from '../ports/log.js';
import type { Clock } from '../ports/world.js';
import type { Candidacy } from './candidacy.js';
import type { ControlLog, Said } from './control-log.js';
import { ControlPages } from './control-pages.js';
import type { Decided, FailoverForecast, Moves } from './moves.js';

/** How long a pause may take to be confirmed before its operator is told that it is not yet. */
const CONFIRMED_MS_MAX = 10_000;
/** Longer than any cool-down. */
const ACKNOWLEDGED_MS = 30 * 86_400_000;
const SAID_MS_MAX = 5_000;

export interface OperatorCallsOptions {
  readonly candidacy: Candidacy;
  readonly control: ControlLog;
  readonly moves: Moves;
  readonly log: Log;
  readonly clock: Clock;
}

export class OperatorCalls {
  private readonly pages: ControlPages;

  constructor(private readonly options: OperatorCallsOptions) {
    this.pages = new ControlPages(options.log);
  }

  /** Where calls for the leader belong; null when this coordinator leads, or nobody does. */
  leaderElsewhere(): RegionName | null {
    const { candidacy, control } = this.options;
    const election = control.state()?.election;
    if (election === undefined || election.phase === 'vacant' || candidacy.leads()) return null;
    return election.leader?.region ?? null;
  }

  /** Null before the control log was read. */
  openDecisions(): number | null {
    return this.options.control.state()?.open.length ?? null;
  }

  async move(kind: MoveKind, shard: ShardName, asked: AskedMove, caller: string): Promise<Answer> {
    const { acceptLoss, dryRun, reason, timeoutMs, to } = asked;
    const actor = asked.actor ?? caller;
    if (dryRun) return this.rehearse({ move: kind, shard, to, acceptLoss, actor });
    const leaderless = this.refusalUnlessLeading();
    if (leaderless !== null) return leaderless;
    const { clock, control, moves } = this.options;
    const untilMs = clock.monotonicMs() + timeoutMs;
    const decided = await moves.decide({ move: kind, shard, to, reason, actor, acceptLoss });
    if (decided.kind !== 'decided') return notDecided(decided, shard);
    const { decision } = decided;
    await control.waitUntil((state) => finished(state, decision) !== undefined, untilMs);
    const end = finished(control.state(), decision);
    if (end === undefined) return answerJson(202, this.describeDecision(decision));
    if (end.outcome === 'done') return answerJson(200, describeMove(control.state()!, end));
    const why = problem('move-ended', `decision ${decision} is ${end.outcome}: ${end.detail}`);
    return answerJson(why.status, { ...why, decision: describeMove(control.state()!, end) }, {}, why.code);
  }

  /** Another person than who will ask for the failover accepts what it may lose, for a while, in the epoch of now. */
  async approve(shard: ShardName, asked: AskedApproval, caller: string): Promise<Answer> {
    const { control, moves } = this.options;
    const state = control.state();
    const seen = moves.see(shard);
    if (seen === null) return answerProblem(problem('not-found', `there is no shard ${shard}`));
    if (state === null) return unavailable('the control log has not been read yet');
    const { actor, reason, to } = asked;
    const by = actor ?? caller;
    const inputs = considerMove(state, { move: 'failover', shard, to, acceptLoss: true, actor: by }, seen);
    if (inputs === null) return notReady(shard);
    const { expectedEpoch } = inputs;
    const untilMs = state.logTimeMs + APPROVED_MS;
    const subject = lossSubjectOf({ shard, to, expectedEpoch });
    const said = await this.say({ kind: 'approval', subject, reason, actor: by, untilMs });
    if (said.kind === 'answer') return said.answer;
    const approval = { at: said.at, subject, actor: by, untilMs };
    return answerJson(200, describeApproval(approval, { shard, to }));
  }

  preflight({ move, shard, to }: AskedPreflight): Answer {
    return this.rehearse({ move, shard, to, acceptLoss: false, actor: '' });
  }

  private rehearse(wish: Parameters<typeof considerMove>[1]): Answer {
    const { move, shard, to } = wish;
    const { control, moves } = this.options;
    const state = control.state();
    const seen = moves.see(shard);
    if (seen === null) return answerProblem(problem('not-found', `there is no shard ${shard}`));
    if (state === null) return unavailable('the control log has not been read yet');
    const inputs = considerMove(state, wish, seen);
    if (inputs === null) return notReady(shard);
    const predicted = moves.predict(state, inputs);
    const { checks, gapUnknown, isAllowed, loss, writesHeldMsMax } = preflight(inputs, predicted);
    return answerJson(200, {
      shard,
      from: inputs.from,
      to,
      move,
      allowed: isAllowed,
      checks: checks.map(describeCheck),
      ...describePrediction(predicted),
      expectedUnknown: gapUnknown,
      writesHeldMsMax,
      loss,
    });
  }

  /** What a failover of each shard would cost now, for whoever watches. */
  forecasts(): readonly FailoverForecast[] {
    return this.options.moves.forecasts();
  }

  /** The same, as part of GET /v1/cluster. */
  describeForecasts(): readonly object[] {
    return this.forecasts().map(({ isAllowed, predicted, shard, to }) => ({
      shard,
      to,
      allowed: isAllowed,
      ...(predicted === null ? {} : describePrediction(predicted)),
    }));
  }

  async evacuate(region: RegionName, asked: AskedEvacuation, actor: string): Promise<Answer> {
    const { clock, control } = this.options;
    const { concurrency, dryRun, move, reason, timeoutMs } = asked;
    const shards = this.planOf(region, move);
    if (dryRun)
      return answerJson(200, {
        evacuation: null,
        region,
        shards: shards.map((one) => ({ ...one, decision: null, outcome: null })),
      });
    const leaderless = this.refusalUnlessLeading();
    if (leaderless !== null) return leaderless;
    if (shards.length === 0) return answerJson(200, { evacuation: null, region, shards: [] });
    const untilMs = clock.monotonicMs() + timeoutMs;
    const { term } = control.state()!.election;
    const said = await this.say({
      kind: 'evacuate',
      term,
      region,
      move,
      concurrency,
      shards,
      reason,
      actor,
    });
    if (said.kind === 'answer') return said.answer;
    const { at } = said;
    const present = (): Evacuation | undefined =>
      control.state()?.evacuations.find(({ decision }) => decision === at);
    const isOver = (): boolean => {
      const evacuation = present();
      return evacuation !== undefined && isEvacuationOver(evacuation);
    };
    await control.waitUntil(isOver, untilMs);
    const evacuation = present();
    const told = { evacuation: Number(at), region, shards: evacuation?.shards.map(describeEvacuated) ?? [] };
    return answerJson(isOver() ? 200 : 202, told);
  }

  async cancel(decision: bigint, reason: string, actor: string): Promise<Answer> {
    const said = await this.say({ kind: 'cancel', decision, reason, actor });
    return said.kind === 'answer' ? said.answer : answerJson(200, this.describeDecision(decision));
  }

  /** Somebody has looked into a failover that nobody had asked for: it holds no further one back. */
  async acknowledge(failover: bigint, reason: string, actor: string): Promise<Answer> {
    const state = this.options.control.state();
    if (state === null) return unavailable('the control log has not been read yet');
    if (!state.failovers.some(({ at }) => at === failover))
      return answerProblem(problem('not-found', `no failover ${failover} is remembered`));
    const untilMs = state.logTimeMs + ACKNOWLEDGED_MS;
    const subject = acknowledgementOf(failover);
    const said = await this.say({ kind: 'approval', subject, reason, actor, untilMs });
    return said.kind === 'answer'
      ? said.answer
      : answerJson(200, { failover: Number(failover), acknowledgedBy: actor });
  }

  /** Confirmed only when no move in scope can take effect any more. One that begins later is a maintenance window. */
  async pause({ fromMs, reason, scope, untilMs }: AskedPause, owner: string): Promise<Answer> {
    const { clock, control } = this.options;
    if (fromMs !== null) return this.planWindow({ scope, owner, reason, fromMs, untilMs });
    const giveUpAtMs = clock.monotonicMs() + CONFIRMED_MS_MAX;
    const said = await this.say({ kind: 'pause', scope, owner, reason, untilMs });
    if (said.kind === 'answer') return said.answer;
    const { at } = said;
    const present = (): Pause | undefined => control.state()?.pauses.find(({ pause }) => pause === at);
    const isConfirmed = (): boolean => (present()?.confirmedAt ?? null) !== null;
    await control.waitUntil(isConfirmed, giveUpAtMs);
    const until = time(untilMs);
    return answerJson(isConfirmed() ? 200 : 202, {
      pause: Number(at),
      scope,
      until,
      confirmed: isConfirmed(),
    });
  }

  private async planWindow(asked: Omit<ControlCommandOf<'window'>, 'kind'>): Promise<Answer> {
    const said = await this.say({ kind: 'window', ...asked });
    if (said.kind === 'answer') return said.answer;
    const { fromMs, scope, untilMs } = asked;
    return answerJson(202, { window: Number(said.at), scope, from: time(fromMs), until: time(untilMs) });
  }

  async resume({ scope }: AskedResume, actor: string): Promise<Answer> {
    const { control } = this.options;
    const state = control.state();
    if (state === null) return unavailable('the control log has not been read yet');
    const inScope = (one: { readonly scope: Scope }): boolean => one.scope === scope;
    const numbers = [
      ...state.pauses.filter(inScope).map(({ pause }) => pause),
      ...state.windows.filter(inScope).map(({ window }) => window),
    ];
    const resumed: number[] = [];
    for (const pause of numbers) {
      const said = await control.say({ kind: 'resume', pause, actor }, SAID_MS_MAX);
      if (said.kind !== 'judged') return notSaid(said);
      if (said.step.verdict === 'accepted') resumed.push(Number(pause));
    }
    if (resumed.length === 0) return answerProblem(problem('not-paused', `${scope} is not paused`));
    return answerJson(200, { resumed });
  }

  /** The newest first. */
  decisions({ decision, limit, shard }: AskedDecisions): Answer {
    const state = this.options.control.state();
    if (state === null) return unavailable('the control log has not been read yet');
    const all = movesOf(state)
      .filter(
        (move) => (shard === null || move.shard === shard) && (decision ?? move.decision) === move.decision,
      )
      .sort((x, y) => (x.decision > y.decision ? -1 : 1));
    const isAsked = ({ act, at }: Governed): boolean =>
      (decision ?? at) === at && (shard === null || (act === 'fail-over' && movesShard(state, at, shard)));
    const governed = state.governed.filter(isAsked).toReversed();
    const approvals = decision === null ? approvalsIn(state, shard) : [];
    return answerJson(200, {
      decisions: all.slice(0, limit).map((move) => describeMove(state, move)),
      ...(approvals.length === 0 ? {} : { approvals }),
      governed: governed.slice(0, limit).map((one) => describeGoverned(state, one)),
    });
  }

  history(): Answer {
    const state = this.options.control.state();
    if (state === null) return unavailable('the control log has not been read yet');
    return answerJson(200, {
      terms: state.terms.map(({ atMs, because, leader, term }) => ({
        term: Number(term),
        leader,
        at: time(atMs),
        because,
      })),
      evacuations: state.evacuations.map(({ actor, decision, reason, region, shards }) => ({
        evacuation: Number(decision),
        region,
        reason,
        actor,
        shards: shards.map(describeEvacuated),
      })),
      failovers: state.failovers.map(({ at, atMs, region }) => ({
        evacuation: Number(at),
        region,
        at: time(atMs),
        acknowledgedBy:
          state.approvals.find(({ subject }) => subject === acknowledgementOf(at))?.actor ?? null,
      })),
      held: state.held.map(({ at, atMs, codes, region }) => ({
        sequence: Number(at),
        region,
        at: time(atMs),
        codes,
      })),
      scores: state.finished.map((move) => ({
        decision: Number(move.decision),
        move: move.move,
        shard: move.shard,
        outcome: move.outcome,
        ...describeScored(state, move),
      })),
      flags: state.flags.map(({ actor, name, value }) => ({ name, value, actor })),
    });
  }

  /** The control log itself, for whoever does not take this process's word. */
  records({ from }: AskedControlPage): Promise<Answer> {
    return this.pages.answer(from);
  }

  /** Where it stands in the control log once it was accepted there; otherwise the answer that says why it was not. */
  private async say(
    command: ControlCommand,
  ): Promise<
    { readonly kind: 'accepted'; readonly at: bigint } | { readonly kind: 'answer'; readonly answer: Answer }
  > {
    const said = await this.options.control.say(command, SAID_MS_MAX);
    if (said.kind !== 'judged') return { kind: 'answer', answer: notSaid(said) };
    const { at, reason, verdict } = said.step;
    if (verdict === 'accepted') return { kind: 'accepted', at };
    return { kind: 'answer', answer: answerProblem(problem('move-refused', reason ?? verdict)) };
  }

  /** Every shard at home there, each to the region that judges best. */
  private planOf(region: RegionName, move: MoveKind): ControlCommandOf<'evacuate'>['shards'] {
    const { control, moves } = this.options;
    const state = control.state();
    if (state === null) return [];
    return moves.seeHomes(region).flatMap((seen) => {
      const best = bestCandidate(state, seen, move);
      return best === null ? [] : [{ shard: seen.shard, to: best.to }];
    });
  }

  private describeDecision(decision: bigint): object {
    const state = this.options.control.state();
    const move = state === null ? undefined : movesOf(state).find((one) => one.decision === decision);
    return move === undefined ? { decision: Number(decision) } : describeMove(state!, move);
  }

  private refusalUnlessLeading(): Answer | null {
    const { candidacy, control } = this.options;
    if (candidacy.leads() && control.isCurrent()) return null;
    if (!control.isCurrent())
      return unavailable(control.halted() ?? 'the control log is not read to its end');
    return answerProblem(problem('no-leader', 'this coordinator does not lead'));
  }
}

const movesOf = ({ finished: ended, open }: ControlState): readonly (OpenMove | FinishedMove)[] => [
  ...ended,
  ...open,
];

const finished = (state: ControlState | null, decision: bigint): FinishedMove | undefined =>
  state?.finished.find((one) => one.decision === decision);

/** Those that hold and accept loss, the newest first. */
const approvalsIn = (state: ControlState, shard: ShardName | null): readonly object[] =>
  state.approvals.toReversed().flatMap((approval) => {
    const about = lossApproved(approval.subject);
    return about === null || (shard ?? about.shard) !== about.shard
      ? []
      : [describeApproval(approval, about)];
  });

const describeApproval = (
  { actor, at, untilMs }: ControlState['approvals'][number],
  { shard, to }: { readonly shard: string; readonly to: string },
): object => ({ approval: Number(at), shard, to, actor, until: time(untilMs) });

const notReady = (shard: ShardName): Answer =>
  answerProblem(problem('not-ready', `no region has told the home of ${shard} yet`));

const unavailable = (detail: string): Answer => answerProblem(problem('control-unavailable', detail));

const notSaid = (said: Exclude<Said, { kind: 'judged' }>): Answer =>
  said.kind === 'failed'
    ? unavailable(said.message)
    : answerJson(202, { decision: null, outcome: 'unknown', detail: said.message });

function notDecided(decided: Exclude<Decided, { kind: 'decided' }>, shard: ShardName): Answer {
  switch (decided.kind) {
    case 'failed':
    case 'unknown':
      return notSaid(decided);
    case 'turned-down':
      return answerProblem(problem('move-refused', decided.reason));
    case 'refused': {
      const unmet = decided.checks.filter(({ isMet }) => !isMet);
      const needsApproval = unmet.every(({ code }) => code === 'approval');
      const why = problem(
        needsApproval ? 'approval-needed' : 'move-refused',
        `${shard}: ${unmet.map(({ next, text }) => `${text}: ${next}`).join('; ')}`,
      );
      return answerJson(why.status, { ...why, checks: decided.checks.map(describeCheck) }, {}, why.code);
    }
  }
}

const describeCheck = ({ code, isMet, next, text }: MoveCheck): object => ({
  code,
  passed: isMet,
  detail: text,
  next,
});

function describeMove(state: ControlState, move: OpenMove | FinishedMove): object {
  const { actor, decision, evacuation, expectedEpoch, from, move: kind, passed, reason, shard, to } = move;
  const isFinished = 'outcome' in move;
  return {
    decision: Number(decision),
    move: kind,
    shard,
    from,
    to,
    epoch: Number(expectedEpoch) + 1,
    outcome: isFinished ? move.outcome : null,
    stage: isFinished ? move.outcome : move.stage,
    reason,
    actor,
    evacuation: evacuation === null ? null : Number(evacuation),
    detail: isFinished ? move.detail : '',
    ...describeAgreement(state, decision),
    stages: passed.map(({ at, atMs, stage }) => ({ stage, sequence: Number(at), at: time(atMs) })),
    ...(isFinished
      ? describeScored(state, move)
      : { predicted: describeNullable(predictedOf(state, decision)) }),
  };
}

/** Nothing where no loss was accepted. */
function describeAgreement({ agreed }: ControlState, decision: bigint): object {
  const known = agreed.find((one) => one.decision === decision);
  return known === undefined ? {} : { lossAgreed: { approval: Number(known.approval), actor: known.actor } };
}

const predictedOf = ({ predictions }: ControlState, decision: bigint): Prediction | null =>
  predictions.find((one) => one.decision === decision)?.predicted ?? null;

/** What it was said to cost, null when nothing was said, and what it did cost. */
function describeScored(state: ControlState, move: FinishedMove): object {
  const predicted = predictedOf(state, move.decision);
  const { gapErrorMs, gapMs, isLossCovered, lostEntries } = scoreMove(move, predicted);
  return {
    predicted: describeNullable(predicted),
    real: { gapMs, entriesLost: lostEntries },
    score: { gapErrorMs, lossCovered: isLossCovered },
  };
}

const describeNullable = (predicted: Prediction | null): object | null =>
  predicted === null ? null : describePrediction(predicted);

const describePrediction = (predicted: Prediction): object => ({
  entriesLost: predicted.lostEntries,
  atRisk: predicted.atRisk,
  recordsToFold: predicted.recordsToFold,
  foldRecordsPerSecond: predicted.foldRecordsPerSecond,
  catchUpMs: predicted.catchUpMs,
  expectedMs: predicted.gapMs,
  worstMs: predicted.gapMsWorst,
  measuredMoves: predicted.measuredMoves,
});

/** What the leader did or did not do by itself, with who said what and each check. */
function describeGoverned(state: ControlState, { act, at, atMs, inputs, region }: Governed): object {
  const read = readFailoverInputs(inputs);
  const judged = read.kind === 'refused' ? null : read.value;
  return {
    decision: Number(at),
    act,
    region,
    at: time(atMs),
    votes: (judged?.votes ?? []).map(({ atMs: votedAtMs, ...vote }) => ({ ...vote, at: time(votedAtMs) })),
    checks: (judged === null ? [] : judgeFailover(judged)).map(({ code, isMet, text }) => ({
      code,
      passed: isMet,
      detail: text,
    })),
    shards: act === 'held' ? [] : evacuated(state, at).map(describeEvacuated),
  };
}

const evacuated = ({ evacuations }: ControlState, decision: bigint): Evacuation['shards'] =>
  evacuations.find((one) => one.decision === decision)?.shards ?? [];

const movesShard = (state: ControlState, decision: bigint, name: ShardName): boolean =>
  evacuated(state, decision).some(({ shard }) => shard === name);

const describeEvacuated = ({ decision, outcome, shard, to }: Evacuation['shards'][number]): object => ({
  shard,
  to,
  decision: decision === 0n ? null : Number(decision),
  outcome,
});
