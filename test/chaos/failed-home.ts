/**
 * One home that fails under load while nobody watches, is replaced, comes back equal and takes its shards again; with the time of
 * each stage as the control log shows it (I5, I6, I13).
 */
import { expect } from '@jest/globals';
import { setTimeout as delay } from 'node:timers/promises';
import { call, eventually, REGIONS, type LocalCluster, type Region } from '../e2e/local-cluster.js';
import { AccountWriter } from './account-writer.js';
import { expectAgreement } from './agreement.js';
import type { ControlHistory, Read } from './control-history.js';
import { bringHome, historyOf, type Scored } from './control-plane.js';
import { LogLeaders, type LogShare, type LogStanding } from './log-leaders.js';
import { Operators } from './operators.js';
import { ProbeWriter } from './probe-writer.js';

export interface Fault {
  readonly begin: (home: Region) => Promise<unknown>;
  /** Afterwards everything runs, or begins to. */
  readonly end: (home: Region) => Promise<unknown>;
  /** The broker that is lost with the home. */
  readonly broker?: number;
}

/** All in milliseconds from the fault. */
export interface Failover {
  /** Until every probed shard had taken a write at its next home. */
  readonly accepted: number;
  /** The longest time in which a shard accepted nothing, at whichever home. */
  readonly gap: number;
  readonly stages: Readonly<Record<string, number>>;
  /** What was said before of the moves to the next homes, and what came. */
  readonly scores: readonly Scored[];
  /** Null where no broker is lost. */
  readonly log: (LogStanding & LogShare) | null;
}

/** In milliseconds from the fault. */
export interface Watched extends Pick<Failover, 'gap' | 'stages'> {
  readonly failovers: number;
  /** Until every process served again. */
  readonly serves: number;
}

export const MOVED_MS_MAX = 60_000;
const SERVE_MS_MAX = 60_000;
/** Load goes on for so long at the next home, and again beside the region that is back. */
const LOAD_MS = 1_000;

/** Of which regions, in their order, by the numbers of their evacuations. */
export const failoversSeen = async (
  cluster: LocalCluster,
  by: Region,
): Promise<ReadonlyMap<number, Region>> =>
  new Map(
    (
      (await call(`${cluster.file.regions[by]!.coordinator}/v1/history`)).body.failovers as readonly {
        readonly evacuation: number;
        readonly region: Region;
      }[]
    ).map(({ evacuation, region }) => [evacuation, region]),
  );

export interface Trial {
  readonly home: Region;
  /** Part of the names of everything that is written. */
  readonly name: string;
  readonly via: Region;
}

export async function failAndRegain(
  { cluster, history }: { readonly cluster: LocalCluster; readonly history: ControlHistory },
  trial: Trial,
  { begin, broker, end }: Fault,
): Promise<Failover> {
  const { home, via } = trial;
  const scoredBefore = new Set((await historyOf(cluster, via)).scores.map(({ decision }) => decision));
  const { failovers, told } = await underLoad(cluster, trial, async (probes) => {
    const epochs = probes.epochs();
    const leaders = broker === undefined ? null : new LogLeaders(cluster, broker, [...epochs.keys()]);
    const before = await leaders?.atHome();
    const faultMs = performance.now();
    const share = leaders?.shareFrom(faultMs, MOVED_MS_MAX);
    // Awaited below, unless the home does not move at all.
    share?.catch(() => undefined);
    await begin(home);
    const movedAtMs = await probes.moved(epochs, MOVED_MS_MAX);
    await delay(LOAD_MS);
    const gap = probes.longestGapMs(faultMs);
    const log = before === undefined || share === undefined ? null : { ...before, ...(await share) };
    await end(home);
    await leaders?.whole();
    return { accepted: movedAtMs - faultMs, gap, faultMs, shards: [...epochs.keys()], log };
  });
  expect(failovers).toBeGreaterThanOrEqual(1);
  const { accepted, faultMs, gap, log, shards } = told;
  const stages = stagesSince(history.reads, faultMs, shards);
  const scores = (await historyOf(cluster, via)).scores.filter(
    ({ decision, move }) => move === 'failover' && !scoredBefore.has(decision),
  );
  // Never under-predicted; one that nobody could predict says so.
  for (const score of scores) expect(score).not.toMatchObject({ score: { lossCovered: false } });
  await bringHome(cluster, home, via);
  return { accepted, gap, stages, scores, log };
}

/** A fault that ends by itself, without a word. */
export async function failAndWatch(
  { cluster, history }: { readonly cluster: LocalCluster; readonly history: ControlHistory },
  trial: Trial,
  fail: (home: Region) => Promise<unknown>,
): Promise<Watched> {
  const { failovers, told } = await underLoad(cluster, trial, async (probes) => {
    const faultMs = performance.now();
    await fail(trial.home);
    await new Operators(cluster).allServe();
    const serves = Math.round(performance.now() - faultMs);
    await delay(LOAD_MS);
    const gap = Math.round(probes.longestGapMs(faultMs));
    return { serves, gap, stages: stagesSince(history.reads, faultMs, [...probes.epochs().keys()]) };
  });
  if (failovers > 0) await bringHome(cluster, trial.home, trial.via);
  return { failovers, ...told };
}

/** Whatever happens meanwhile: once everything serves again, nothing is lost and all regions are equal. */
export async function underLoad<T>(
  cluster: LocalCluster,
  { home, name, via }: Trial,
  happen: (probes: ProbeWriter) => Promise<T>,
): Promise<{
  readonly told: T;
  /** Of that home. */
  readonly failovers: number;
}> {
  const before = await failoversSeen(cluster, via);
  const writer = await AccountWriter.open(cluster, {
    name,
    ack: 'quorum',
    inFlight: 4,
    timeoutMs: 10_000,
    via: REGIONS.filter((region) => region !== home),
    pauseMs: 20,
  });
  const probes = new ProbeWriter(cluster, { home, via, name });
  writer.start();
  let told: T;
  try {
    await eventually(
      () => Promise.resolve(probes.epochs().size === 2 && writer.told.length > 30),
      (isUnderLoad) => isUnderLoad,
    );
    told = await happen(probes);
    await new Operators(cluster).allServe();
    await delay(LOAD_MS);
  } finally {
    await Promise.all([probes.stop(), writer.stop()]);
  }
  await expectAgreement(cluster, SERVE_MS_MAX);
  writer.expectHonestAnswers();
  await writer.expectEffectsOnce();
  expect(await probes.lost()).toEqual([]);
  await expectNoneUnderAnOldEpoch(cluster);
  const failovers = [...(await failoversSeen(cluster, via))].filter(
    ([at, region]) => region === home && !before.has(at),
  );
  return { told, failovers: failovers.length };
}

/** No write took effect behind one of a later epoch. */
async function expectNoneUnderAnOldEpoch(cluster: LocalCluster): Promise<void> {
  const late = await cluster.sql(
    'ap',
    `select shard, key, sequence, epoch from (
       select *, max(epoch) over (partition by shard order by sequence) as newest from lockstep.outcome
     ) as outcomes where verdict = 'accepted' and epoch < newest`,
  );
  expect(late).toEqual([]);
}

/** When each step was read first, of the shards the last to take it. */
function stagesSince(
  reads: readonly Read[],
  faultMs: number,
  shards: readonly string[],
): Readonly<Record<string, number>> {
  const stages: Record<string, number> = {};
  const decisions = new Set<bigint>();
  for (const { readAtMs, step } of reads) {
    if (readAtMs < faultMs || step.verdict !== 'accepted') continue;
    const { author, command } = step.entry!;
    const note = (stage: string): void => void (stages[stage] = Math.round(readAtMs - faultMs));
    if (command.kind === 'vote' && command.opinion === 'unfit' && stages[`vote of ${author}`] === undefined)
      note(`vote of ${author}`);
    if (command.kind === 'claim' || command.kind === 'fail-over') note(command.kind);
    if (command.kind === 'decision' && shards.includes(command.shard)) {
      decisions.add(step.at);
      note('decision');
    }
    if (command.kind === 'stage' && decisions.has(command.decision)) note(command.event);
  }
  return stages;
}
