/**
 * Election and fence on the smallest configuration: two coordinators, a control log, one shard. Every schedule of what they
 * may say, how late it lands, how far each has read, and when one crashes or a person pauses. The production fold and decisions
 * judge; a coordinator that is stopped for long is one that reads nothing for many steps.
 *
 * A process that reads folds all that is there: to have folded less is to have read earlier.
 * Log time always allows what order allows: grace and lease are over with the next entry. So only order protects.
 */
import {
  controlEntryText,
  covers,
  decideMove,
  DEFAULT_CONTROL_SETTINGS,
  duePauses,
  EMPTY_CONTROL_STATE,
  epoch,
  foldControl,
  isDecidedAfter,
  leads,
  offset,
  sequence,
  shardName,
  type ControlCommand,
  type ControlState,
  type DatasetName,
  type MoveStep,
  type RegionName,
  type Scope as PauseScope,
  type ShardEntry,
} from '@lockstep/protocol';
import type { Model, Step, Violation } from './explore.js';

export interface ControlScope {
  readonly name: string;
  /** Beside the one that is caught up when the world begins. */
  readonly decisions: number;
  readonly pauses: number;
  readonly cancels: number;
  readonly crashes: number;
  readonly heartbeats: number;
  /** Appends whose author does not hear of them, and which land whenever, or never. */
  readonly late: number;
  readonly termsMax: number;
  /** No entry beyond. */
  readonly controlLengthMax: number;
  readonly shardLengthMax: number;
}

/** What the model asks; a planted defect replaces one of them. */
export interface ControlCore {
  readonly foldControl: typeof foldControl;
  readonly decideMove: typeof decideMove;
  readonly duePauses: typeof duePauses;
  readonly foldShard: typeof foldShardEntry;
}

/** What a shard's log says of its owner. */
export interface ShardOwner {
  readonly epoch: bigint;
  readonly home: RegionName;
  readonly term: bigint;
  readonly decision: bigint;
}

/** The rules of SPEC.md for `fence` and `term`; null when the entry is superseded. */
export function foldShardEntry(owner: ShardOwner, entry: ShardEntry): ShardOwner | null {
  if (!isDecidedAfter(owner, entry)) return null;
  const { decision, term } = entry;
  if (entry.kind === 'term') return { ...owner, term, decision };
  return entry.expectedEpoch === owner.epoch
    ? { epoch: entry.epoch, home: entry.home, term, decision }
    : null;
}

export const CONTROL_PRODUCTION: ControlCore = {
  foldControl,
  decideMove,
  duePauses,
  foldShard: foldShardEntry,
};

const EU = 'eu' as RegionName;
const US = 'us' as RegionName;
const REGIONS = [EU, US] as const;
const SHARD = shardName('accounts' as DatasetName, 0);
const ALL = 'all' as PauseScope;
const SETTINGS = { ...DEFAULT_CONTROL_SETTINGS, graceMs: 1, leaseMs: 1 };

interface ControlNode {
  readonly id: number;
  readonly length: number;
  readonly before: ControlNode | null;
  readonly state: ControlState;
  readonly author: string;
  readonly command: string;
}

interface ShardNode {
  readonly id: number;
  readonly length: number;
  readonly before: ShardNode | null;
  readonly owner: ShardOwner;
  /** What the last entry is, when it was accepted. */
  readonly accepted: ShardEntry | null;
}

/** An append on its way. */
interface Flight {
  readonly id: number;
  readonly text: string;
  readonly lands:
    | { readonly log: 'control'; readonly author: string; readonly command: string }
    | { readonly log: 'shard'; readonly entry: ShardEntry };
}

interface Process {
  readonly life: number;
  /** Entries of the control log that it appended in this life. */
  readonly said: number;
  /** How far it has folded the control log, and seen the shard's. */
  readonly folded: number;
  readonly seen: number;
}

export interface ControlWorld {
  readonly control: ControlNode;
  readonly shard: ShardNode;
  readonly processes: readonly [Process, Process];
  readonly flights: readonly Flight[];
  readonly left: {
    readonly decisions: number;
    readonly pauses: number;
    readonly cancels: number;
    readonly crashes: number;
    readonly heartbeats: number;
    readonly late: number;
  };
  /** A fence that won though its scope was paused. */
  readonly isBroken: boolean;
}

type Place = 0 | 1;
const PLACES: readonly Place[] = [0, 1];

const sessionOf = (place: Place, life: number): string => `${place + 1}${life}`.padEnd(32, '0');

export function controlModelOf(
  scope: ControlScope,
  core: ControlCore = CONTROL_PRODUCTION,
): Model<ControlWorld> {
  const logs = new Logs(core);
  const begin = (): ControlWorld => {
    const first = sessionOf(0, 1);
    const second = sessionOf(1, 1);
    const genesis: ControlCommand = { kind: 'genesis', members: REGIONS, settings: SETTINGS };
    const join: ControlCommand = { kind: 'join', replaces: null };
    const claim: ControlCommand = { kind: 'claim', term: 1n, replaces: 0n };
    let control = logs.control(logs.noControl, 'eu', textOf(EU, first, 1, genesis), genesis);
    control = logs.control(control, 'us', textOf(US, second, 1, join), join);
    control = logs.control(control, 'eu', textOf(EU, first, 2, claim), claim);
    const decided = decisionOf(1n, logs.noShard.owner);
    control = logs.control(control, first, textOf(EU, first, 3, decided), decided);
    const [move] = control.state.open;
    const caughtUp = logs.move(control.state, move!, logs.noShard.owner, 0);
    if (caughtUp.kind !== 'append') throw new Error(`no beginning: ${caughtUp.kind}`);
    control = logs.control(control, first, textOf(EU, first, 4, caughtUp.command), caughtUp.command);
    return {
      control,
      shard: logs.noShard,
      processes: [
        { life: 1, said: 4, folded: control.length, seen: 0 },
        { life: 1, said: 1, folded: control.length, seen: 0 },
      ],
      flights: [],
      left: {
        decisions: scope.decisions,
        pauses: scope.pauses,
        cancels: scope.cancels,
        crashes: scope.crashes,
        heartbeats: scope.heartbeats,
        late: scope.late,
      },
      isBroken: false,
    };
  };

  const steps = (world: ControlWorld): readonly Step<ControlWorld>[] => [
    ...world.flights.flatMap((flight) => landing(world, flight)),
    ...PLACES.flatMap((place) => stepsOf(world, place)),
  ];

  const landing = (world: ControlWorld, flight: Flight): readonly Step<ControlWorld>[] => {
    const flights = world.flights.filter((one) => one !== flight);
    const next = landed({ ...world, flights }, flight);
    return next === null ? [] : [{ label: `late: ${flight.text} lands`, next }];
  };

  const landed = (world: ControlWorld, { lands, text }: Flight): ControlWorld | null => {
    if (lands.log === 'control') {
      if (world.control.length >= scope.controlLengthMax) return null;
      return { ...world, control: logs.landed(world.control, lands.author, text, lands.command) };
    }
    if (world.shard.length >= scope.shardLengthMax) return null;
    const shard = logs.shard(world.shard, lands.entry);
    const isPaused = world.control.state.pauses.some(
      ({ confirmedAt, scope: paused }) =>
        confirmedAt !== null && covers(paused, { shard: SHARD, from: EU, to: US }),
    );
    return { ...world, shard, isBroken: world.isBroken || (isPaused && shard.accepted?.kind === 'fence') };
  };

  /** It lands now, or later, or never. */
  const appended = (world: ControlWorld, flight: Flight): readonly Step<ControlWorld>[] => {
    const now = landed(world, flight);
    const steps = now === null ? [] : [{ label: flight.text, next: now }];
    if (world.left.late === 0) return steps;
    const left = { ...world.left, late: world.left.late - 1 };
    const flights = [...world.flights, flight].sort((x, y) => x.id - y.id);
    return [...steps, { label: `${flight.text}, on its way`, next: { ...world, left, flights } }];
  };

  const stepsOf = (world: ControlWorld, place: Place): readonly Step<ControlWorld>[] => {
    const process = world.processes[place];
    const region = REGIONS[place];
    const session = sessionOf(place, process.life);
    const node = at(world.control, process.folded);
    const { state } = node;
    const withProcess = (change: Partial<Process>): ControlWorld => ({
      ...world,
      processes:
        place === 0
          ? [{ ...process, ...change }, world.processes[1]]
          : [world.processes[0], { ...process, ...change }],
    });
    const say = (
      command: ControlCommand,
      left: Partial<ControlWorld['left']> = {},
    ): readonly Step<ControlWorld>[] => {
      const kind = JSON.stringify(command, (_name, value: unknown) =>
        typeof value === 'bigint' ? Number(value) : value,
      );
      // It waits to read back what it knows to stand in the log.
      if (unread(world.control, process.folded).some((one) => one.author === session && one.command === kind))
        return [];
      const said = process.said + 1;
      const text = textOf(region, session, said, command);
      const flight: Flight = {
        id: logs.flight(text),
        text,
        lands: { log: 'control', author: session, command: kind },
      };
      return appended({ ...withProcess({ said }), left: { ...world.left, ...left } }, flight);
    };
    const steps: Step<ControlWorld>[] = [];
    if (process.folded < world.control.length)
      steps.push({
        label: `${region} folds the control log to ${world.control.length}`,
        next: withProcess({ folded: world.control.length }),
      });
    if (process.seen < world.shard.length)
      steps.push({
        label: `${region} sees the shard to ${world.shard.length}`,
        next: withProcess({ seen: world.shard.length }),
      });
    if (world.left.crashes > 0) {
      const anew = {
        life: process.life + 1,
        said: 0,
        folded: world.control.length,
        seen: world.shard.length,
      };
      const left = { ...world.left, crashes: world.left.crashes - 1 };
      steps.push({ label: `${region} crashes and starts again`, next: { ...withProcess(anew), left } });
    }
    const vote = state.sessions.find((one) => one.region === region)?.session ?? null;
    if (vote !== session)
      return process.said > 0 ? steps : [...steps, ...say({ kind: 'join', replaces: vote })];

    const { election } = state;
    const { term } = election;
    if (!leads(election, { region, session })) {
      if (election.phase === 'led' && Number(term) < scope.termsMax && election.leader?.region !== region)
        steps.push(...say({ kind: 'suspect', term, heartbeat: election.heartbeat }));
      if (election.phase !== 'led' && Number(term) < scope.termsMax)
        steps.push(...say({ kind: 'claim', term: term + 1n, replaces: term }));
    } else {
      const { heartbeats } = world.left;
      if (election.phase !== 'led' && heartbeats > 0)
        steps.push(...say({ kind: 'heartbeat', term }, { heartbeats: heartbeats - 1 }));
      steps.push(...lead(world, place, state, say, withProcess({})));
    }
    const { cancels, pauses } = world.left;
    if (pauses > 0)
      steps.push(
        ...say(
          { kind: 'pause', scope: ALL, owner: region, reason: '', untilMs: PAUSED_UNTIL_MS },
          { pauses: pauses - 1 },
        ),
      );
    const [open] = state.open;
    if (cancels > 0 && open !== undefined)
      steps.push(
        ...say(
          { kind: 'cancel', decision: open.decision, reason: '', actor: region },
          { cancels: cancels - 1 },
        ),
      );
    return steps;
  };

  const lead = (
    world: ControlWorld,
    place: Place,
    state: ControlState,
    say: (command: ControlCommand, left?: Partial<ControlWorld['left']>) => readonly Step<ControlWorld>[],
    same: ControlWorld,
  ): readonly Step<ControlWorld>[] => {
    const { seen } = world.processes[place];
    const { owner } = at(world.shard, seen);
    const { term } = state.election;
    const steps: Step<ControlWorld>[] = core.duePauses(state).flatMap((command) => say(command));
    if (world.left.decisions > 0 && owner.epoch > 0n) {
      steps.push(...say(decisionOf(term, owner), { decisions: world.left.decisions - 1 }));
    }
    for (const move of state.open.filter(({ stage }) => !PAST_FENCE.includes(stage))) {
      const step = logs.move(state, move, owner, seen);
      if (step.kind === 'append') steps.push(...say(step.command));
      if (step.kind !== 'append-entry') continue;
      const { entry } = step;
      const text = `${REGIONS[place]} appends ${entryText(entry)}`;
      const isUnseen = unread(world.shard, seen).some(
        (one) => one.accepted !== null && entryText(one.accepted) === entryText(entry),
      );
      if (!isUnseen)
        steps.push(...appended(same, { id: logs.flight(text), text, lands: { log: 'shard', entry } }));
    }
    return steps;
  };

  return {
    initial: begin(),
    steps,
    words: ({ control, flights, isBroken, left, processes, shard }) => [
      control.id,
      shard.id,
      ...processes.flatMap(({ folded, life, said, seen }) => [life, said, folded, seen]),
      left.decisions,
      left.pauses,
      left.cancels,
      left.crashes,
      left.heartbeats,
      left.late,
      isBroken ? 1 : 0,
      ...flights.map(({ id }) => id),
    ],
    violations,
  };
}

/** What follows is about being able to write, not about who owns. */
const PAST_FENCE: readonly string[] = ['fenced', 'folded', 'canary', 'share', 'open', 'placed'];
const PAUSED_UNTIL_MS = 1_000_000_000;

/** Judged from the two logs and from what each process believes, not from what the fold says it keeps. */
function violations(world: ControlWorld): readonly Violation[] {
  const found: Violation[] = [];
  const leaders = PLACES.flatMap((place) => {
    const { folded, life } = world.processes[place];
    const { election } = at(world.control, folded).state;
    const session = sessionOf(place, life);
    return leads(election, { region: REGIONS[place], session }) ? [election.term] : [];
  });
  if (leaders.length === 2 && leaders[0] === leaders[1])
    found.push({ invariant: 'I6', detail: `both lead term ${leaders[0]}` });

  const entries = along(world.shard).flatMap(({ accepted }) => (accepted === null ? [] : [accepted]));
  const fences = entries.filter((entry) => entry.kind === 'fence');
  const owners = new Set(fences.map((fence) => fence.epoch));
  if (owners.size < fences.length) found.push({ invariant: 'I6', detail: 'an epoch has two owners' });
  for (const [index, entry] of entries.entries()) {
    const isOvertaken = entries
      .slice(0, index)
      .some(
        ({ decision, kind, term }) =>
          kind === 'term' && (term > entry.term || (term === entry.term && decision >= entry.decision)),
      );
    if (entry.kind === 'fence' && isOvertaken)
      found.push({ invariant: 'I5', detail: `${entryText(entry)} won behind a term entry of a higher pair` });
  }
  if (world.isBroken) found.push({ invariant: 'I14', detail: 'a fence won in a scope that was paused' });
  for (const { decision, outcome } of world.control.state.finished) {
    if (outcome === 'cancelled' && fences.some((fence) => fence.decision === decision))
      found.push({ invariant: 'I9', detail: `decision ${decision} is cancelled, and its fence won` });
  }
  return found;
}

/** Of the shard to the region that is not its home. */
const decisionOf = (term: bigint, { epoch: owned, home }: ShardOwner): ControlCommand => ({
  kind: 'decision',
  term,
  move: 'failover',
  shard: SHARD,
  from: home,
  to: home === EU ? US : EU,
  expectedEpoch: epoch(owned),
  reason: '',
  actor: '',
  acceptLoss: false,
  evacuation: null,
  inputs: {},
});

const entryText = (entry: ShardEntry): string =>
  entry.kind === 'term'
    ? `term ${entry.term}.${entry.decision}`
    : `fence ${entry.term}.${entry.decision} to ${entry.home} epoch ${entry.epoch}`;

const textOf = (author: RegionName, session: string, number: number, command: ControlCommand): string =>
  controlEntryText({ author, session, number: BigInt(number), clockMs: 0, command });

interface Chained<T> {
  readonly length: number;
  readonly before: T | null;
}

function at<T extends Chained<T>>(end: T, length: number): T {
  let node = end;
  while (node.length > length) node = node.before!;
  return node;
}

function unread<T extends Chained<T>>(end: T, from: number): readonly T[] {
  const nodes: T[] = [];
  for (let node = end; node.length > from; node = node.before!) nodes.push(node);
  return nodes;
}

const along = <T extends Chained<T>>(end: T): readonly T[] => unread(end, 0).toReversed();

/** Logs with equal entries are the same object, so each is folded once. */
class Logs {
  readonly noControl: ControlNode = {
    id: 0,
    length: 0,
    before: null,
    state: EMPTY_CONTROL_STATE,
    author: '',
    command: '',
  };
  readonly noShard: ShardNode = {
    id: 0,
    length: 0,
    before: null,
    owner: { epoch: 1n, home: EU, term: 0n, decision: 0n },
    accepted: null,
  };
  private readonly controls = new Map<string, ControlNode>();
  private readonly shards = new Map<string, ShardNode>();
  private readonly flights = new Map<string, number>();

  constructor(private readonly core: ControlCore) {}

  control(before: ControlNode, author: string, text: string, command: ControlCommand): ControlNode {
    return this.landed(before, author, text, command.kind);
  }

  landed(before: ControlNode, author: string, text: string, command: string): ControlNode {
    const key = `${before.id}|${text}`;
    const known = this.controls.get(key);
    if (known !== undefined) return known;
    const record = {
      offset: offset(BigInt(before.length)),
      appendTimeMs: before.length * 1_000,
      valueText: text,
    };
    const step = this.core.foldControl(before.state, record);
    if (step.kind === 'halted') throw new Error(step.detail);
    const node = {
      id: this.controls.size + 1,
      length: before.length + 1,
      before,
      state: step.state,
      author,
      command,
    };
    this.controls.set(key, node);
    return node;
  }

  shard(before: ShardNode, entry: ShardEntry): ShardNode {
    const key = `${before.id}|${entryText(entry)}`;
    const known = this.shards.get(key);
    if (known !== undefined) return known;
    const owner = this.core.foldShard(before.owner, entry);
    const node = {
      id: this.shards.size + 1,
      length: before.length + 1,
      before,
      owner: owner ?? before.owner,
      accepted: owner === null ? null : entry,
    };
    this.shards.set(key, node);
    return node;
  }

  flight(text: string): number {
    const id = this.flights.get(text) ?? this.flights.size + 1;
    this.flights.set(text, id);
    return id;
  }

  /** What the leader does next, with both regions at the place that it has seen. */
  move(state: ControlState, move: ControlState['open'][number], owner: ShardOwner, seen: number): MoveStep {
    const told = {
      sequence: sequence(BigInt(seen + 1)),
      epoch: epoch(owner.epoch),
      home: owner.home,
      term: owner.term,
      decision: owner.decision,
      lagRecords: 0,
      halted: null,
      withheld: null,
    };
    const regions = REGIONS.map((region) => ({ region, isConnected: true, differs: false, told }));
    return this.core.decideMove(state, move, {
      nowMs: 0,
      stageSinceMs: 0,
      actedAtMs: null,
      seen: { shard: SHARD, legal: REGIONS, regions, rule: null },
      heldSinceMs: null,
      outbox: 'none',
      canary: null,
      leader: null,
      isAutomatic: false,
      openFirst: null,
    });
  }
}
