/**
 * The fold of the control log: one record, one verdict, the same in every coordinator, because it depends only on the log
 * before it. Whoever appended reads the verdict back and acts on `accepted` only.
 *
 * Upheld here: one leader per term (the first valid claim in log order); a lower term changes nothing; every command is a
 * compare-and-set, so late and repeated copies change nothing; no decision in a paused scope, and `paused` only when no
 * fence of a move in scope can win any more; no wall clock, log time only (I16); bounded (I17).
 */
import { electionAfter, leads, type ElectionContext } from '../election/election.js';
import type { ElectionEvent } from '../election/election-machine.js';
import { CLOCK_TOLERANCE_MS } from '../fold/fold.js';
import type { LogRecord } from '../entry/record.js';
import { after } from '../machine/machine.js';
import {
  OPEN_STAGES,
  PROMOTION_MACHINE,
  type MoveEvent,
  type MoveOutcome,
} from '../promotion/promotion-machine.js';
import {
  decodeControlEntry,
  type ControlCommand,
  type ControlCommandOf,
  type ControlEntry,
} from './command.js';
import { GOVERNOR } from '../failover/vote.js';
import { votesAgainst } from '../failover/agreement.js';
import { approves } from '../promotion/approval.js';
import { PREDICTION } from '../promotion/prediction.js';
import { covers } from './scope.js';
import { ordinal, type Decoded } from './shape.js';
import {
  APPROVALS_MAX,
  controlStateHash,
  controlStateJson,
  EVACUATIONS_MAX,
  FAILOVERS_KEPT,
  FINISHED_MOVES_KEPT,
  FLAGS_MAX,
  GOVERNED_KEPT,
  HELD_KEPT,
  OPEN_MOVES_MAX,
  PASSED_KEPT,
  PAUSES_MAX,
  TERMS_KEPT,
  type ControlState,
  type Evacuation,
  type OpenMove,
  type Vote,
} from './state.js';

export type ControlRecord = Pick<LogRecord, 'offset' | 'appendTimeMs' | 'valueText'>;

/**
 * `malformed`: cannot be decoded. `superseded`: what it expects does not hold: late, repeated, or another came first.
 * `void`: its author has not the authority: a lower term, not the leader, not a member. `refused`: a rule forbids it.
 */
export const CONTROL_VERDICTS = ['malformed', 'superseded', 'void', 'refused', 'accepted'] as const;
export type ControlVerdict = (typeof CONTROL_VERDICTS)[number];

export type ControlStep =
  | {
      readonly kind: 'folded';
      readonly state: ControlState;
      /** Control sequence of the record. Of an accepted `decision`, `evacuate` and `pause` it is the number. */
      readonly at: bigint;
      /** Null when malformed. */
      readonly entry: ControlEntry | null;
      readonly verdict: ControlVerdict;
      /** Null when accepted. */
      readonly reason: string | null;
    }
  /** This coordinator folded something else than the leader: it must not act until it has started anew. */
  | { readonly kind: 'halted'; readonly code: 'control-state-differs'; readonly detail: string };

type Judgement =
  | { readonly verdict: 'accepted'; readonly state: ControlState }
  | { readonly verdict: Exclude<ControlVerdict, 'accepted'>; readonly reason: string };

interface Difference {
  readonly verdict: 'differs';
  readonly reason: string;
}

/** Folds the next record. Records must come in log order, each once; the state given is untouched. */
export function foldControl(before: ControlState, record: ControlRecord): ControlStep {
  const at = before.sequence + 1n;
  const decoded = decodeControlEntry(record.valueText);
  if (decoded.kind === 'refused') {
    const state = { ...before, sequence: at, offset: record.offset };
    return { kind: 'folded', state, at, entry: null, verdict: 'malformed', reason: decoded.reason };
  }
  const entry = decoded.value;
  const logTimeMs = Math.max(
    before.logTimeMs,
    Math.min(record.appendTimeMs, entry.clockMs + CLOCK_TOLERANCE_MS),
  );
  const moved = remembered({ ...before, sequence: at, offset: record.offset, logTimeMs });
  const attended = attend(moved, entry);
  if ('verdict' in attended) return told(moved, at, entry, attended);
  const judgement = judge(before, attended, entry);
  if (judgement.verdict === 'differs')
    return { kind: 'halted', code: 'control-state-differs', detail: judgement.reason };
  return told(attended, at, entry, judgement);
}

function told(state: ControlState, at: bigint, entry: ControlEntry, judgement: Judgement): ControlStep {
  return judgement.verdict === 'accepted'
    ? { kind: 'folded', state: judgement.state, at, entry, verdict: 'accepted', reason: null }
    : { kind: 'folded', state, at, entry, verdict: judgement.verdict, reason: judgement.reason };
}

/** Drops what has expired by log time. */
const remembered = (state: ControlState): ControlState => ({
  ...state,
  pauses: state.pauses.filter(({ untilMs }) => untilMs >= state.logTimeMs),
  windows: state.windows.filter(({ untilMs }) => untilMs >= state.logTimeMs),
  approvals: state.approvals.filter(({ untilMs }) => untilMs >= state.logTimeMs),
});

/** Notes the entry's number in its session; a judgement when the entry is not even heard. */
function attend(state: ControlState, entry: ControlEntry): ControlState | Judgement {
  const { author: region, command, number, session } = entry;
  if (state.configuration === null)
    return command.kind === 'genesis' ? state : superseded('the control log has not begun');
  if (!state.configuration.members.includes(region)) return isVoid(`${region} is not a member`);
  const present = state.sessions.find((one) => one.region === region);
  if (command.kind === 'join') {
    if (present?.session === session) return superseded('this process has joined already');
    if ((present?.session ?? null) !== command.replaces)
      return superseded(`the vote of ${region} is not held by the process that this one replaces`);
  } else {
    if (present?.session !== session) return superseded(`another process holds the vote of ${region}`);
    if (number <= present.number) return superseded(`number ${number} is not above ${present.number}`);
  }
  return withSession(state, { region, session, number });
}

const withSession = (state: ControlState, session: ControlState['sessions'][number]): ControlState => ({
  ...state,
  sessions: [...state.sessions.filter(({ region }) => region !== session.region), session].sort((x, y) =>
    x.region < y.region ? -1 : 1,
  ),
});

/** @param before the record, @param state with its place, log time and author's number. */
function judge(before: ControlState, state: ControlState, entry: ControlEntry): Judgement | Difference {
  const { command } = entry;
  if (isLeaders(command)) {
    const { election } = state;
    if (command.term !== election.term)
      return isVoid(`term ${command.term} is not the present ${election.term}`);
    if (!leads(election, { region: entry.author, session: entry.session }))
      return isVoid(`${entry.author} does not lead term ${election.term}`);
  }
  const at = state.sequence;
  switch (command.kind) {
    case 'genesis': {
      if (state.configuration !== null) return superseded('the control log has begun already');
      const { members, settings } = command;
      if (!members.includes(entry.author)) return isVoid(`${entry.author} is not a member`);
      const { author: region, number, session } = entry;
      const configured = { ...state, configuration: { at, members, settings } };
      return accepted(withSession(configured, { region, session, number }));
    }
    case 'configure': {
      const { configuration, election } = state;
      const { members, settings } = command;
      if (configuration?.at !== command.expected) return superseded('another configuration came first');
      if (!members.includes(entry.author))
        return refused('the leader must stay a member; let another one lead first');
      return accepted({
        ...state,
        configuration: { at, members, settings },
        sessions: state.sessions.filter(({ region }) => members.includes(region)),
        votes: state.votes.filter(
          ({ about, observer }) => members.includes(about) && members.includes(observer),
        ),
        election: { ...election, silent: election.silent.filter((region) => members.includes(region)) },
      });
    }
    case 'join':
      // Another process has seen nothing yet.
      return accepted({
        ...(state.election.leader?.region === entry.author
          ? (elected(state, entry, 'leave') ?? state)
          : state),
        votes: state.votes.filter(({ observer }) => observer !== entry.author),
      });
    case 'heartbeat':
    case 'resign':
      return accepted(elected(state, entry, command.kind) ?? state);
    case 'suspect':
    case 'silent': {
      const { election } = state;
      if (command.term !== election.term || command.heartbeat !== election.heartbeat)
        return superseded('the leader was heard since, or another one leads');
      if (election.leader?.region === entry.author)
        return refused('a leader does not doubt itself; it resigns');
      const next = elected(state, entry, command.kind);
      return next === null ? superseded('said already') : accepted(next);
    }
    case 'claim': {
      const { election, terms } = state;
      if (command.replaces !== election.term || command.term !== election.term + 1n)
        return superseded(`term ${election.term} is not the one that it replaces`);
      const next = elected(state, entry, 'claim');
      if (next === null) return refused(`the leader is ${election.phase}: no claim is valid yet`);
      const term = {
        term: command.term,
        leader: entry.author,
        at,
        atMs: state.logTimeMs,
        because: election.phase,
      };
      return accepted({ ...next, terms: [...terms, term].slice(-TERMS_KEPT) });
    }
    case 'decision':
      return judgeDecision(state, command);
    case 'evacuate':
      return judgeEvacuation(state, command);
    case 'adopt': {
      const move = state.open.find(({ decision }) => decision === command.decision);
      if (move === undefined || move.term >= command.term)
        return superseded('no decision of an earlier term is open');
      return accepted(withMove(state, { ...move, term: command.term }));
    }
    case 'stage':
      return judgeStage(state, command);
    case 'cancel':
      return judgeCancel(state, command);
    case 'pause': {
      if (command.untilMs < state.logTimeMs) return refused('the pause is over already; name a later time');
      return hasPausesMax(state) ? refused(TOO_MANY_PAUSES) : accepted(paused(state, command));
    }
    case 'window': {
      const { fromMs, owner, reason, scope, untilMs } = command;
      if (untilMs < state.logTimeMs) return refused('the window is over already; name a later time');
      if (untilMs < fromMs) return refused('the window ends before it begins; name a later end');
      if (hasPausesMax(state)) return refused(TOO_MANY_PAUSES);
      const window = { window: at, scope, owner, reason, fromMs, untilMs };
      return accepted({ ...state, windows: [...state.windows, window] });
    }
    case 'begin': {
      const window = state.windows.find((one) => one.window === command.window);
      if (window === undefined) return superseded('no such window is to come');
      if (state.logTimeMs < window.fromMs) return refused('the window begins later');
      const windows = state.windows.filter((one) => one !== window);
      return accepted(paused({ ...state, windows }, window));
    }
    case 'paused': {
      const pause = state.pauses.find((one) => one.pause === command.pause);
      if (pause === undefined || pause.confirmedAt !== null)
        return superseded('no such pause is to be confirmed');
      if (unsettledUnder(state, pause).length > 0)
        return refused('a fence of a move in scope may still win; append `term` entries first');
      const pauses = state.pauses.map((one) => (one === pause ? { ...one, confirmedAt: at } : one));
      return accepted({ ...state, pauses });
    }
    case 'resume': {
      const pauses = state.pauses.filter(({ pause }) => pause !== command.pause);
      const windows = state.windows.filter(({ window }) => window !== command.pause);
      const isKnown = pauses.length < state.pauses.length || windows.length < state.windows.length;
      return isKnown ? accepted({ ...state, pauses, windows }) : superseded('no such pause holds');
    }
    case 'approval': {
      const { actor, subject, untilMs } = command;
      if (untilMs < state.logTimeMs) return refused('the approval is over already; name a later time');
      const approval = { at, subject, actor, untilMs };
      return accepted({ ...state, approvals: [...state.approvals, approval].slice(-APPROVALS_MAX) });
    }
    case 'flag': {
      const { actor, expected, name, value } = command;
      const present = state.flags.find((flag) => flag.name === name);
      if ((present?.at ?? 0n) !== expected) return superseded(`the flag ${name} was set since`);
      const others = state.flags.filter((flag) => flag.name !== name);
      if (value === null) return accepted({ ...state, flags: others });
      if (others.length >= FLAGS_MAX) return refused(`there are ${FLAGS_MAX} flags; remove one first`);
      return accepted({ ...state, flags: [...others, { at, name, value, actor }] });
    }
    case 'vote':
      return judgeVote(state, entry, command);
    case 'fail-over': {
      const { region, shards } = command;
      const by = votesAgainst(state, region).map(({ observer }) => observer);
      const reason = `${region} is unfit, say ${by.join(' and ')}`;
      const asked = {
        region,
        shards,
        move: 'failover',
        concurrency: shards.length,
        reason,
        actor: GOVERNOR,
      } as const;
      const judgement = judgeEvacuation(state, asked);
      if (judgement.verdict !== 'accepted') return judgement;
      const failover = { at, atMs: state.logTimeMs, region };
      return accepted({
        ...withGoverned(judgement.state, command),
        failovers: [...state.failovers, failover].slice(-FAILOVERS_KEPT),
      });
    }
    case 'held': {
      const { codes, region } = command;
      const held = { at, atMs: state.logTimeMs, region, codes };
      return accepted({
        ...withGoverned(state, command),
        held: [...state.held, held].slice(-HELD_KEPT),
      });
    }
    case 'declined': {
      const { evacuation, shard } = command;
      if (evacuation === null) return accepted(state);
      return accepted(withEvacuated(state, { evacuation, shard }, { outcome: 'declined' }));
    }
    case 'fact':
      return accepted(state);
    case 'snapshot':
      return judgeSnapshot(before, state, command);
  }
}

type LeadersCommand = Extract<ControlCommand, { readonly term: bigint }>;

/** Commands that only the leader of their term may give. */
function isLeaders(
  command: ControlCommand,
): command is Exclude<LeadersCommand, { readonly kind: 'claim' | 'suspect' | 'silent' }> {
  return 'term' in command && !['claim', 'suspect', 'silent'].includes(command.kind);
}

const hasPausesMax = ({ pauses, windows }: ControlState): boolean =>
  pauses.length + windows.length >= PAUSES_MAX;
const TOO_MANY_PAUSES = `there are ${PAUSES_MAX} pauses and windows; resume one first`;

/** From this entry on; what is open in scope is stopped, or withdrawn where its fence may be on its way. */
function paused(
  state: ControlState,
  { owner, reason, scope, untilMs }: Omit<ControlCommandOf<'pause'>, 'kind'>,
): ControlState {
  const pause = { pause: state.sequence, scope, owner, reason, untilMs, confirmedAt: null };
  const detail = `paused by ${owner}`;
  const stopped = state.open
    .filter((move) => covers(scope, move))
    .reduce((next, move) => advanced(next, move, 'pause', detail) ?? next, state);
  return { ...stopped, pauses: [...state.pauses, pause] };
}

function judgeDecision(state: ControlState, command: ControlCommandOf<'decision'>): Judgement {
  const { acceptLoss, actor, evacuation, expectedEpoch, from, move, reason, shard, term, to } = command;
  if (from === to) return refused(`${to} is home already; name another region`);
  const pause = state.pauses.find(({ scope }) => covers(scope, { shard, from, to }));
  if (pause !== undefined)
    return refused(
      `${pause.scope} is paused by ${pause.owner}: ${pause.reason}; resume ${pause.pause} first`,
    );
  const present = state.open.find((open) => open.shard === shard);
  const replaces = present !== undefined && present.expectedEpoch + 1n === expectedEpoch;
  const freed = replaces
    ? advanced(state, present, 'replace', `decision ${state.sequence} gives it a further epoch`)
    : null;
  if (present !== undefined && freed === null)
    return refused(`decision ${present.decision} is open on ${shard}; await or cancel it first`);
  const open = (freed ?? state).open;
  if (open.length >= OPEN_MOVES_MAX)
    return refused(`there are ${OPEN_MOVES_MAX} open decisions; await some first`);
  const isPart = (one: Evacuation): boolean =>
    one.decision === evacuation && one.shards.some((item) => item.shard === shard && isAwaited(item));
  if (evacuation !== null && !state.evacuations.some(isPart))
    return superseded(`evacuation ${evacuation} does not await ${shard}`);
  const at = state.sequence;
  const decided: OpenMove = {
    decision: at,
    move,
    shard,
    from,
    to,
    expectedEpoch,
    reason,
    actor,
    evacuation,
    passed: [{ stage: 'decided', at, atMs: state.logTimeMs }],
    stage: 'decided',
    stageAt: at,
    acceptLoss,
    decidedTerm: term,
    term,
    undrained: 0,
  };
  const agreed = agreedTo(state, command);
  if (agreed.kind === 'refused') return refused(agreed.reason);
  const predicted = withPrediction({ ...(freed ?? state), open: [...open, decided] }, at, command.inputs);
  const next = agreed.value === null ? predicted : withAgreement(predicted, at, agreed.value);
  return accepted(evacuation === null ? next : withEvacuated(next, { evacuation, shard }, { decision: at }));
}

function judgeVote(
  state: ControlState,
  { author: observer }: ControlEntry,
  { about, evidence, kinds, opinion }: ControlCommandOf<'vote'>,
): Judgement {
  if (about === observer) return refused('nobody votes about itself');
  if (!state.configuration!.members.includes(about)) return refused(`${about} is not a member`);
  const vote = { observer, about, opinion, kinds, evidence, at: state.sequence, atMs: state.logTimeMs };
  const others = state.votes.filter((one) => one.observer !== observer || one.about !== about);
  const order = (one: Vote): string => `${one.observer} ${one.about}`;
  return accepted({ ...state, votes: [...others, vote].sort((x, y) => (order(x) < order(y) ? -1 : 1)) });
}

function judgeEvacuation(
  state: ControlState,
  asked: Omit<ControlCommandOf<'evacuate'>, 'kind' | 'term'>,
): Judgement {
  const { actor, concurrency, move, reason, region, shards } = asked;
  if (concurrency < 1 || shards.length === 0)
    return refused('an evacuation has at least one shard and a concurrency from 1');
  if (shards.some(({ to }) => to === region))
    return refused(`a shard cannot be evacuated to ${region} itself`);
  if (new Set(shards.map(({ shard }) => shard)).size !== shards.length)
    return refused('a shard is listed twice');
  if (state.evacuations.some((one) => one.region === region && !isEvacuationOver(one)))
    return refused(`${region} is being evacuated already; await or cancel that first`);
  const over = state.evacuations.find(isEvacuationOver);
  if (state.evacuations.length >= EVACUATIONS_MAX && over === undefined)
    return refused(`there are ${EVACUATIONS_MAX} evacuations; await one first`);
  const kept =
    state.evacuations.length >= EVACUATIONS_MAX
      ? state.evacuations.filter((one) => one !== over)
      : state.evacuations;
  const evacuation: Evacuation = {
    decision: state.sequence,
    region,
    move,
    concurrency,
    reason,
    actor,
    isCancelled: false,
    shards: shards.map(({ shard, to }) => ({ shard, to, decision: 0n, outcome: null })),
  };
  return accepted({ ...state, evacuations: [...kept, evacuation] });
}

function judgeStage(state: ControlState, command: ControlCommandOf<'stage'>): Judgement {
  const { decision, event, evidence, from, term } = command;
  const move = state.open.find((open) => open.decision === decision);
  if (move === undefined) return superseded(`decision ${decision} is not open`);
  if (move.stage !== from) return superseded(`decision ${decision} is ${move.stage}, not ${from}`);
  if (move.term !== term) return refused(`decision ${decision} is of term ${move.term}; adopt it first`);
  const next = advanced(state, move, event, evidence);
  return next === null ? refused(`${event} does not follow ${from}`) : accepted(next);
}

function judgeCancel(state: ControlState, command: ControlCommandOf<'cancel'>): Judgement {
  const { actor, decision, reason } = command;
  const detail = `cancelled by ${actor}: ${reason}`.slice(0, DETAIL_CHARACTERS_MAX);
  const evacuation = state.evacuations.find((one) => one.decision === decision && !isEvacuationOver(one));
  if (evacuation !== undefined) {
    const shards = evacuation.shards.map((item) =>
      isAwaited(item) ? { ...item, outcome: 'cancelled' as const } : item,
    );
    const stopped = state.evacuations.map((one) =>
      one === evacuation ? { ...one, isCancelled: true, shards } : one,
    );
    const parts = state.open.filter((move) => move.evacuation === decision);
    const withdrawn: ControlState = { ...state, evacuations: stopped };
    return accepted(parts.reduce((rest, move) => advanced(rest, move, 'cancel', detail) ?? rest, withdrawn));
  }
  const move = state.open.find((open) => open.decision === decision);
  if (move === undefined) return superseded(`decision ${decision} is not open`);
  const next = advanced(state, move, 'cancel', detail);
  return next === null
    ? refused(
        `decision ${decision} is ${move.stage}: there is no way back; decide a failover to a further epoch`,
      )
    : accepted(next);
}

function judgeSnapshot(
  before: ControlState,
  state: ControlState,
  command: ControlCommandOf<'snapshot'>,
): Judgement | Difference {
  if (command.at !== before.sequence)
    return superseded(`entries came between ${command.at} and the snapshot`);
  if (controlStateHash(command.state) !== command.hash)
    return refused('the state is not the one of its hash');
  const own = controlStateHash(controlStateJson(before));
  if (own === command.hash) return accepted({ ...state, snapshotAt: state.sequence });
  return {
    verdict: 'differs',
    reason: `at ${before.sequence} the leader has state ${command.hash}, this coordinator ${own}`,
  };
}

/** Moves in the scope of a pause whose fence may still win. */
export const unsettledUnder = (
  { open }: Pick<ControlState, 'open'>,
  { scope }: { readonly scope: Parameters<typeof covers>[0] },
): readonly OpenMove[] =>
  open.filter((move) => (move.stage === 'fencing' || move.stage === 'withdrawing') && covers(scope, move));

function elected(state: ControlState, author: ControlEntry, event: ElectionEvent): ControlState | null {
  const { members, settings } = state.configuration!;
  const context: ElectionContext = {
    at: state.sequence,
    logTimeMs: state.logTimeMs,
    author: { region: author.author, session: author.session },
    members,
    graceMs: settings.graceMs,
    leaseMs: settings.leaseMs,
  };
  const election = electionAfter(state.election, event, context);
  return election === null ? null : { ...state, election };
}

const DETAIL_CHARACTERS_MAX = 512;

/** The state after an event of an open move; null when the move ignores it. */
function advanced(
  state: ControlState,
  move: OpenMove,
  event: MoveEvent,
  detail: string,
): ControlState | null {
  const next = after(PROMOTION_MACHINE, move.stage, event, (guard) =>
    guard === 'isSwitchover' ? move.move === 'switchover' : move.move === 'failover',
  );
  if (next === null) return null;
  const at = state.sequence;
  const passed = [...move.passed, { stage: next, at, atMs: state.logTimeMs }].slice(-PASSED_KEPT);
  const stage = OPEN_STAGES.find((open) => open === next);
  if (stage !== undefined) {
    const undrained = move.undrained + (event === 'undrained' ? 1 : 0);
    return withMove(state, { ...move, passed, stage, stageAt: at, undrained });
  }
  const outcome = next as MoveOutcome;
  const { actor, decision, evacuation, expectedEpoch, from, move: kind, reason, shard, to } = move;
  const about = { decision, move: kind, shard, from, to, expectedEpoch, reason, actor, evacuation };
  const finished = { ...about, passed, outcome, detail };
  const rest = {
    ...state,
    open: state.open.filter((open) => open.decision !== decision),
    finished: [...state.finished, finished].slice(-FINISHED_MOVES_KEPT),
  };
  return evacuation === null ? rest : withEvacuated(rest, { evacuation, shard }, { outcome });
}

const withMove = (state: ControlState, move: OpenMove): ControlState => ({
  ...state,
  open: state.open.map((open) => (open.decision === move.decision ? move : open)),
});

/** Entries from before votes were recorded are not remembered so: states that fold them keep their hashes. */
function withGoverned(
  state: ControlState,
  { inputs, kind: act, region }: ControlCommandOf<'fail-over' | 'held'>,
): ControlState {
  if (!Object.hasOwn(inputs, 'votes')) return state;
  const governed = { at: state.sequence, atMs: state.logTimeMs, region, act, inputs };
  return { ...state, governed: [...state.governed, governed].slice(-GOVERNED_KEPT) };
}

/** A decision whose inputs carry no prediction, or one that cannot be read, is one that was not predicted. */
function withPrediction(
  state: ControlState,
  decision: bigint,
  { predicted: recorded }: ControlCommandOf<'decision'>['inputs'],
): ControlState {
  const decoded = PREDICTION(recorded, 'predicted');
  if (decoded.kind === 'refused') return state;
  const remembered = new Set([...state.open, ...state.finished].map((move) => move.decision));
  const kept = state.predictions.filter((one) => remembered.has(one.decision));
  const predictions = [...kept, { decision, predicted: decoded.value }];
  return { ...state, predictions };
}

/**
 * The approval by which it was judged; null where it names none. It may have expired since it was looked at, and it is log time
 * that says so.
 */
function agreedTo(
  state: ControlState,
  { actor, expectedEpoch, inputs, shard, to }: ControlCommandOf<'decision'>,
): Decoded<ControlState['approvals'][number] | null> {
  if (!Object.hasOwn(inputs, 'approval')) return { kind: 'value', value: null };
  const named = ordinal(inputs['approval'], 'approval');
  if (named.kind === 'refused') return named;
  const move = { shard, to, expectedEpoch };
  const approval = state.approvals.find((one) => one.at === named.value && approves(one, move, actor));
  if (approval !== undefined) return { kind: 'value', value: approval };
  const reason = `approval ${named.value} does not hold; let another person approve it again`;
  return { kind: 'refused', reason };
}

/** As long as the move is remembered. */
function withAgreement(
  state: ControlState,
  decision: bigint,
  { actor, at: approval }: ControlState['approvals'][number],
): ControlState {
  const remembered = new Set([...state.open, ...state.finished].map((move) => move.decision));
  const kept = state.agreed.filter((one) => remembered.has(one.decision));
  return { ...state, agreed: [...kept, { decision, approval, actor }] };
}

type EvacuatedShard = Evacuation['shards'][number];

const withEvacuated = (
  state: ControlState,
  part: { readonly evacuation: bigint; readonly shard: string },
  change: Partial<EvacuatedShard>,
): ControlState => ({
  ...state,
  evacuations: state.evacuations.map((one) =>
    one.decision === part.evacuation
      ? {
          ...one,
          shards: one.shards.map((item) => (item.shard === part.shard ? { ...item, ...change } : item)),
        }
      : one,
  ),
});

/** A shard of an evacuation that no decision has been made for. */
export const isAwaited = ({ decision, outcome }: EvacuatedShard): boolean =>
  decision === 0n && outcome === null;

/** Every shard of the evacuation has come to its end. */
export const isEvacuationOver = ({ shards }: Evacuation): boolean =>
  shards.every(({ outcome }) => outcome !== null);

const accepted = (state: ControlState): Judgement => ({ verdict: 'accepted', state });
const superseded = (reason: string): Judgement => ({ verdict: 'superseded', reason });
const isVoid = (reason: string): Judgement => ({ verdict: 'void', reason });
const refused = (reason: string): Judgement => ({ verdict: 'refused', reason });
