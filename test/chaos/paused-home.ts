/**
 * A home that fails under load while a pause covers it and coordinators are disturbed; then the pause ends. Judged by the control
 * log alone, in its order and its time (I14, I16):
 *
 * 1. Between the pause and its end no failover and no decision of what it covers stands in the log, no stage of a fence, and none of
 *    the fences that the shards' logs then hold was decided there.
 * 2. It is told why: `held`, with the check `paused`.
 * 3. A pause of one shard holds nothing else back.
 * 4. Once it is over, what it held back is decided within a second.
 */
import { expect } from '@jest/globals';
import { setTimeout as delay } from 'node:timers/promises';
import type { Log } from '@lockstep/engine';
import {
  covers,
  isEvacuationOver,
  parseShardName,
  topicOf,
  votesAgainst,
  type ControlCommandOf,
  type ControlState,
  type Offset,
  type RegionName,
  type Scope,
  type ShardName,
} from '@lockstep/protocol';
import { call, eventually, REGIONS, type LocalCluster, type Region } from '../e2e/local-cluster.js';
import type { ControlHistory, Read } from './control-history.js';
import { moveHome, post } from './control-plane.js';
import { MOVED_MS_MAX, underLoad, type Fault, type Trial } from './failed-home.js';
import { readRecords } from './log-records.js';

/** Of the coordinators, while the home is held back. */
export const DISTURBANCES = ['leader killed', 'log stalled', 'observer paused'] as const;
type Disturbance = (typeof DISTURBANCES)[number];

export interface PausedTrial extends Trial {
  readonly scope: 'all' | 'region' | 'shard';
  readonly disturbance: Disturbance;
  /** By its own time, or by a person who does not wait for it. */
  readonly end: 'expires' | 'resumed';
  /** From when it is asked for until it ends by itself, where it does. */
  readonly pauseMs: number;
}

export interface PausedFault extends Fault {
  /** The home's coordinator goes on, and may lead. */
  readonly sparesCoordinator: boolean;
}

/** In milliseconds of log time, as far as nothing else is said. */
export interface HeldBack {
  /** From the pause to the `held` that names it. */
  readonly held: number;
  /** How long the evidence had stood, and its term lasted, when the pause ended; negative where that was so only afterwards. */
  readonly stood: number;
  /** From the end of the pause, or from when the evidence stood again, to the failover of what was held back. */
  readonly failedOver: number;
  /** The same, to the last decision on a shard that it held back. */
  readonly decided: number;
}

const SHARD = 'orders/0' as ShardName;
/** What is at home there and written to; the probes go to the first two. */
const WRITTEN = ['orders/0', 'orders/1', 'accounts/0', 'accounts/1'].map((name) => name as ShardName);
const OBSERVERS_NEEDED = 2;
const DECIDED_MS_MAX = 1_000;
const AWAITED_MS_MAX = 60_000;
const LOG_STALLED_MS = 1_000;
/** As many as a leader says in a second and a half. */
const PAUSED_HEARTBEATS = 6;
/** The next home takes writes for so long before the old one is back. */
const LOAD_MS = 500;
/** Longer than anybody waits who resumes one. */
const RESUMED_MS_MAX = 600_000;

interface PausedWorld {
  readonly cluster: LocalCluster;
  readonly history: ControlHistory;
  readonly log: Log;
}

export async function failWhilePaused(
  world: PausedWorld,
  trial: PausedTrial,
  fault: PausedFault,
): Promise<HeldBack> {
  const { cluster, history } = world;
  const { disturbance, end, home, pauseMs, via } = trial;
  const { told } = await underLoad(cluster, trial, async (probes) => {
    await history.agreed();
    const epochs = probes.epochs();
    const scope = scopeOf(trial);
    const lastsMs = end === 'resumed' ? RESUMED_MS_MAX : pauseMs;
    const pause = await beginPause(world, { via, scope, untilMs: Date.now() + lastsMs });
    const from = await endsOf(world.log);
    return whileFailed(fault, home, async () => {
      const isHeldBack = ({ step }: Read): boolean => heldBack(step, home);
      const held = await history.read((_, read) => isHeldBack(read), pause.readAtMs, AWAITED_MS_MAX);
      await expectTold(cluster, via, held);
      await disturb(world, { disturbance, home, isHomeAble: fault.sparesCoordinator });
      if (end === 'resumed') {
        await history.until((state) => stands(state, home), AWAITED_MS_MAX);
        // The leader that was killed may be the one that is asked.
        await eventually(
          () => post(cluster, via, '/v1/resume', { scope }),
          ({ status }) => status === 200,
        );
      }
      const over = await endOf(history, pause, pauseMs);
      const failover = await history.read(
        (step) =>
          step.at >= over.step.at && failsOver(step, home, trial.scope === 'shard' ? [SHARD] : WRITTEN),
        over.readAtMs,
        AWAITED_MS_MAX,
      );
      const decisions = await decisionsOf(history, failover);
      await probes.moved(epochs, MOVED_MS_MAX);
      await delay(LOAD_MS);
      expectNothingCovered(history.reads, { pause, over, home, scope });
      if (trial.scope === 'shard') expectOthersMoved(history.reads, { pause, over, home });
      await expectNoFenceDecidedBetween(world.log, { from, pause, over, scope: trial.scope });
      return { held, pause, over, failover, decisions };
    });
  });
  const { decisions, failover, held, over, pause } = told;
  await goHome(world, trial, pause);
  return measure(history.reads, { decisions, failover, held, over, pause, home, end });
}

/** Whatever came of it, the home is well again afterwards: the next trial begins with it. */
async function whileFailed<T>({ begin, end }: Fault, home: Region, watch: () => Promise<T>): Promise<T> {
  try {
    await begin(home);
    return await watch();
  } finally {
    await end(home);
  }
}

const scopeOf = ({ home, scope }: PausedTrial): Scope =>
  ({ all: 'all', region: `region:${home}`, shard: `shard:${SHARD}` })[scope] as Scope;

/** Until it is confirmed, by the leader whom the region asked knows. */
async function beginPause(
  { cluster, history }: Pick<PausedWorld, 'cluster' | 'history'>,
  { scope, untilMs, via }: { readonly via: Region; readonly scope: Scope; readonly untilMs: number },
): Promise<Read> {
  const until = new Date(untilMs).toISOString();
  const { body, status } = await post(cluster, via, '/v1/pause', { scope, until });
  expect({ status, body }).toMatchObject({ status: 200, body: { confirmed: true } });
  return history.read(({ at }) => at === BigInt(body.pause as number), 0, AWAITED_MS_MAX);
}

/** The first entry that finds it over. */
const endOf = (
  history: ControlHistory,
  { readAtMs, step: { at: pause } }: Read,
  lastsMs = 0,
): Promise<Read> =>
  history.read(
    ({ at, state }) => at > pause && !state.pauses.some((one) => one.pause === pause),
    readAtMs,
    lastsMs + AWAITED_MS_MAX,
  );

/** By the pause, and not because too few agree yet. */
const heldBack = ({ entry, verdict }: Read['step'], home: Region): boolean =>
  verdict === 'accepted' &&
  entry?.command.kind === 'held' &&
  entry.command.region === home &&
  entry.command.codes.includes('paused') &&
  !entry.command.codes.includes('agreed');

/** Whoever asks is told the same, with the check that forbade it. */
async function expectTold(cluster: LocalCluster, via: Region, { step: { at } }: Read): Promise<void> {
  const { body } = await call(`${cluster.file.regions[via]!.coordinator}/v1/decisions?decision=${at}`);
  expect(body.governed).toMatchObject([{ decision: Number(at), act: 'held' }]);
  expect(body.governed[0].checks).toContainEqual({
    code: 'paused',
    passed: false,
    detail: expect.stringMatching(/^pause \d+ covers it$/),
  });
}

async function disturb(
  { cluster, history }: PausedWorld,
  {
    disturbance,
    home,
    isHomeAble,
  }: { readonly disturbance: Disturbance; readonly home: Region; readonly isHomeAble: boolean },
): Promise<void> {
  const leader = (await eventually(
    () => Promise.resolve(history.leader),
    (region) => region !== null && (isHomeAble || region !== home),
  ))!;
  switch (disturbance) {
    case 'leader killed': {
      const { term } = history;
      const target = { kind: 'region', region: leader, process: 'coordinator' } as const;
      await cluster.order({ kind: 'process', order: 'kill', target, stayDown: false });
      await history.claimAbove(term);
      return;
    }
    case 'log stalled': {
      const target = { kind: 'kafka', node: null } as const;
      await cluster.order({ kind: 'process', order: 'pause', target, stayDown: false });
      await delay(LOG_STALLED_MS);
      return cluster.order({ kind: 'process', order: 'continue', target, stayDown: false });
    }
    case 'observer paused': {
      const observer = REGIONS.find((region) => region !== home && region !== leader)!;
      await cluster.orderProcess('pause', observer, 'coordinator');
      await history.heartbeats(PAUSED_HEARTBEATS);
      return cluster.orderProcess('continue', observer, 'coordinator');
    }
  }
}

/** A failover would be decided now, for all that the log knows of the home. */
const stands = (state: ControlState, home: Region): boolean =>
  votesAgainst(state, home as RegionName).length >= OBSERVERS_NEEDED &&
  !state.evacuations.some((one) => one.region === home && !isEvacuationOver(one));

/** Of all of these shards, whatever else goes. */
const failsOver = ({ entry, verdict }: Read['step'], home: Region, shards: readonly ShardName[]): boolean =>
  verdict === 'accepted' &&
  entry?.command.kind === 'fail-over' &&
  entry.command.region === home &&
  isSubset(
    shards,
    entry.command.shards.map(({ shard }) => shard),
  );

const isSubset = (some: readonly string[], all: readonly string[]): boolean =>
  some.every((one) => all.includes(one));

/** The decision on each shard of a failover. */
const decisionsOf = (history: ControlHistory, { readAtMs, step }: Read): Promise<readonly Read[]> =>
  Promise.all(
    (step.entry!.command as ControlCommandOf<'fail-over'>).shards.map(({ shard }) =>
      history.read(
        ({ entry, verdict }) =>
          verdict === 'accepted' &&
          entry?.command.kind === 'decision' &&
          entry.command.evacuation === step.at &&
          entry.command.shard === shard,
        readAtMs,
        AWAITED_MS_MAX,
      ),
    ),
  );

interface Paused {
  readonly pause: Read;
  /** The first entry that finds it over. */
  readonly over: Read;
  readonly home: Region;
}

/** Accepted, behind the pause and before its end. */
const between = (reads: readonly Read[], { over, pause }: Omit<Paused, 'home'>): readonly Read[] =>
  reads.filter(
    ({ step }) => step.verdict === 'accepted' && step.at > pause.step.at && step.at < over.step.at,
  );

function expectNothingCovered(
  reads: readonly Read[],
  { home, scope, ...paused }: Paused & { readonly scope: Scope },
): void {
  const covered = between(reads, paused)
    .filter(({ step }) => actsOn(step, scope))
    .map(({ step: { at, entry } }) => ({ at, command: entry!.command }));
  expect({ home, covered }).toEqual({ home, covered: [] });
}

/** Decides something in the scope, or begins a fence there. */
function actsOn({ entry, state }: Read['step'], scope: Scope): boolean {
  const { command } = entry!;
  if (command.kind === 'decision') return covers(scope, command);
  if (command.kind === 'fail-over')
    return command.shards.some(({ shard, to }) => covers(scope, { shard, from: command.region, to }));
  if (command.kind !== 'stage' || command.event !== 'fencing') return false;
  const move = state.open.find(({ decision }) => decision === command.decision);
  return move !== undefined && covers(scope, move);
}

/** Another home fails beside a region that is paused: it is failed over, and nothing goes to the paused one. */
export async function failBesidePaused(
  world: PausedWorld,
  trial: Trial & { readonly paused: Region },
  fault: Fault,
): Promise<void> {
  const { cluster, history } = world;
  const { home, paused, via } = trial;
  const scope = `region:${paused}` as Scope;
  const { told: pause } = await underLoad(cluster, trial, async (probes) => {
    await history.agreed();
    const epochs = probes.epochs();
    const begun = await beginPause(world, { via, scope, untilMs: Date.now() + RESUMED_MS_MAX });
    await whileFailed(fault, home, async () => {
      await probes.moved(epochs, MOVED_MS_MAX);
      expect((await post(cluster, via, '/v1/resume', { scope })).status).toBe(200);
      const over = await endOf(history, begun);
      expectNothingCovered(history.reads, { pause: begun, over, home, scope });
      const meanwhile = between(history.reads, { pause: begun, over });
      expect(meanwhile.filter(({ step }) => failsOver(step, home, WRITTEN))).toHaveLength(1);
    });
    return begun;
  });
  await goHome(world, trial, pause);
}

/** They were failed over as if there were no pause. */
function expectOthersMoved(reads: readonly Read[], { home, ...paused }: Paused): void {
  const others = WRITTEN.filter((shard) => shard !== SHARD);
  const moved = between(reads, paused).filter(({ step }) => failsOver(step, home, others));
  expect(moved).toHaveLength(1);
}

const endsOf = async (log: Log): Promise<ReadonlyMap<ShardName, Offset>> =>
  new Map(
    await Promise.all(
      WRITTEN.map(async (shard) => {
        const { dataset, partition } = parseShardName(shard)!;
        const { endOffset } = await log.admin.bounds(topicOf(dataset), partition);
        return [shard, endOffset] as const;
      }),
    ),
  );

/** Of the covered shards. A fence carries its decision's number, which is its place in the control log. */
async function expectNoFenceDecidedBetween(
  log: Log,
  {
    from,
    over,
    pause,
    scope,
  }: Omit<Paused, 'home'> & {
    readonly from: ReadonlyMap<ShardName, Offset>;
    readonly scope: PausedTrial['scope'];
  },
): Promise<void> {
  const shards = scope === 'shard' ? [SHARD] : WRITTEN;
  const decided = await Promise.all(
    shards.map(async (shard) => {
      const { dataset, partition } = parseShardName(shard)!;
      const records = await readRecords(log, topicOf(dataset), partition, from.get(shard)!);
      const fences = records.filter(({ key }) => key !== null && Buffer.from(key).toString() === 'fence');
      return fences.map(({ valueText }) => BigInt((JSON.parse(valueText!) as { decision: number }).decision));
    }),
  );
  const shown = { pause: pause.step.at, over: over.step.at };
  for (const decisions of decided) {
    // The shard was moved once the pause was over.
    expect(decisions.length).toBeGreaterThan(0);
    expect({ ...shown, early: decisions.filter((decision) => decision < over.step.at) }).toEqual({
      ...shown,
      early: [],
    });
  }
}

/** Whatever left the home since the pause was asked for. */
async function goHome(
  { cluster, history }: PausedWorld,
  { home, via }: Trial,
  { step: { at } }: Read,
): Promise<void> {
  const left = history.reads.flatMap(({ step }) => {
    const command = step.entry?.command;
    if (step.verdict !== 'accepted' || step.at < at || command?.kind !== 'fail-over') return [];
    return command.region === home ? command.shards.map(({ shard }) => shard) : [];
  });
  await Promise.all([...new Set(left)].map((shard) => moveHome(cluster, via, { shard, to: home })));
}

function measure(
  reads: readonly Read[],
  {
    decisions,
    end,
    failover,
    held,
    home,
    over,
    pause,
  }: Paused & {
    readonly decisions: readonly Read[];
    readonly failover: Read;
    readonly held: Read;
    readonly end: PausedTrial['end'];
  },
): HeldBack {
  const { untilMs } = pause.step.entry!.command as ControlCommandOf<'pause'>;
  if (end === 'expires') expect(over.step.state.logTimeMs).toBeGreaterThan(untilMs);
  const overMs = end === 'expires' ? untilMs : over.step.state.logTimeMs;
  const { inputs, term } = failover.step.entry!.command as ControlCommandOf<'fail-over'>;
  const judged = reads.filter(({ step }) => step.at <= BigInt(inputs['at'] as number));
  const missing = judged.findLastIndex(
    ({ step: { state } }) => state.election.term !== term || !stands(state, home),
  );
  // From there on the evidence stands, and whoever decides leads.
  const standsMs = judged[missing + 1]!.step.state.logTimeMs;
  const dueMs = Math.max(overMs, standsMs);
  const since = (read: Read, sinceMs: number): number => read.step.state.logTimeMs - sinceMs;
  const measured: HeldBack = {
    held: since(held, pause.step.state.logTimeMs),
    stood: overMs - standsMs,
    failedOver: since(failover, dueMs),
    decided: Math.max(...decisions.map((decision) => since(decision, dueMs))),
  };
  expect(measured.decided).toBeLessThanOrEqual(DECIDED_MS_MAX);
  return measured;
}
