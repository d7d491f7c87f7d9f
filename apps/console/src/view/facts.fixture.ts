/** A cluster of three regions in which everything is well; a test changes what it is about. */
import type { Canaries, Cluster, ClusterRegion, Decision, Forecast, Shard, Shards } from '../facts.js';

export const REGIONS = ['eu', 'us', 'ap'];
const SHARDS = ['accounts/0', 'accounts/1', 'orders/0'];

export const region = (name: string, changes: Partial<ClusterRegion> = {}): ClusterRegion => ({
  region: name,
  stream: 'connected',
  shards: SHARDS.map((shard) => ({
    shard,
    sequence: 10,
    lagRecords: 0,
    halted: null,
    withheld: null,
    differs: false,
  })),
  ...changes,
});

export const cluster = (changes: Partial<Cluster> = {}): Cluster => ({
  region: 'eu',
  term: 3,
  leader: 'us',
  members: REGIONS,
  doubts: [],
  paused: [],
  windows: [],
  control: { sequence: 40, current: true, halted: null },
  regions: REGIONS.map((name) => region(name)),
  failovers: SHARDS.map((shard) => forecast(shard)),
  quorums: SHARDS.map((shard) => ({ shard, voters: 3, reachable: true })),
  ...changes,
});

export const forecast = (shard: string, changes: Partial<Forecast> = {}): Forecast => ({
  shard,
  to: 'us',
  allowed: true,
  entriesLost: 0,
  atRisk: { logged: 0, accepted: 0, quorum: 0 },
  expectedMs: 60,
  ...changes,
});

export const shard = (name: string, changes: Partial<Shard> = {}): Shard => ({
  shard: name,
  home: 'eu',
  epoch: 1,
  state: 'open',
  reason: null,
  rule: { text: 'majority', withdrawn: [] },
  regions: Object.fromEntries(
    REGIONS.map((one) => [
      one,
      { sequence: 10, epoch: 1, lagRecords: 0, halted: null, withheld: null, differs: false, parked: [] },
    ]),
  ),
  ...changes,
});

export const shards = (...changed: readonly Shard[]): Shards => ({
  shards: SHARDS.map((name) => changed.find((one) => one.shard === name) ?? shard(name)),
});

export const at = (seconds: number): string => new Date(Date.UTC(2026, 10, 22, 12, 0, seconds)).toISOString();

/** @param latencies of each region, a slice of 2 s each; null: no canary was sent then, or none had a good answer. */
export const canaries = (
  from: string,
  latencies: Readonly<Record<string, readonly (number | null)[]>>,
): Canaries => ({
  region: from,
  at: at(60),
  sliceMs: 2_000,
  regions: Object.entries(latencies).map(([name, told]) => ({
    region: name,
    slices: told.flatMap((meanMs, index) =>
      meanMs === null
        ? []
        : [
            {
              at: at(60 - 2 * (told.length - index)),
              answered: 4,
              refused: 0,
              failed: 0,
              meanMs,
              maxMs: meanMs,
            },
          ],
    ),
  })),
});

export const decision = (changes: Partial<Decision> = {}): Decision => ({
  decision: 93,
  move: 'switchover',
  shard: 'accounts/0',
  from: 'eu',
  to: 'us',
  epoch: 2,
  outcome: 'done',
  stage: 'done',
  stages: [
    { stage: 'decided', sequence: 93, at: at(10) },
    { stage: 'done', sequence: 104, at: at(11) },
  ],
  detail: 'us is home',
  reason: 'a drill',
  actor: 'ada',
  evacuation: null,
  predicted: null,
  real: { gapMs: 75, entriesLost: 0 },
  ...changes,
});
