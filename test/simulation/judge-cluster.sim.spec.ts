/**
 * What the judge is given of a simulated cluster: a run with faults has no finding, and each part that is gathered (log,
 * databases, kept answers, commits, what was told, answers with their times) is looked at, as a defect in it is found.
 */
import { beforeEach, describe, expect, test } from '@jest/globals';
import {
  decodeToken,
  topicOf,
  type DatasetName,
  type RegionName,
  type Sequence,
  type ShardName,
} from '@lockstep/protocol';
import { SimulatedCluster, World, type MemoryRow } from '@lockstep/testing';
import {
  openWrites,
  readRun,
  type CompletionLine,
  type Consistency,
  type FindingCode,
  type ReadCompletionLine,
  type ReadInvokeLine,
  type SeenRow,
} from '@lockstep/testing/history';
import {
  drawProfile,
  judgeCluster,
  Load,
  RUN,
  shardsIn,
  type ClusterRun,
} from '@lockstep/testing/simulation';
import { sampleDatasets } from './sample-datasets.js';

const QUIET_MS_MAX = 120_000;

/** Load, lost answers of the log and of the stores, and a replicator that dies; then rest. */
async function worked(): Promise<ClusterRun> {
  const regions = ['eu', 'us', 'ap'] as RegionName[];
  const world = new World(51);
  const chance = world.branch('faults');
  const lost = (): boolean => chance.next() < 0.05;
  const cluster = new SimulatedCluster({
    world,
    regions,
    datasets: await sampleDatasets(),
    storeFault: (_, { method }) => (method === 'commit' && lost() ? 'lost-after' : null),
    logFaults: { append: () => (lost() ? 'appended-unanswered' : 'appended') },
  });
  await cluster.start();
  const drawn = drawProfile('calm', 51);
  const load = new Load(cluster, {
    ...drawn,
    regions,
    groups: regions,
    datasets: ['accounts', 'orders', 'readings'],
    load: { ...drawn.load, readsPercent: 40, reusedPercent: 10, doubledPercent: 10 },
  });
  load.begin();
  world.after(1_000, null, () => cluster.region('us').killReplicator());
  world.after(2_000, null, () => cluster.region('us').startReplicator());
  await world.runUntil(() => load.isDone, QUIET_MS_MAX);
  let isAsked = false;
  void load.askForAll(openWrites(readRun(load.lines).writes)).then(() => (isAsked = true));
  await world.runUntil(() => isAsked, QUIET_MS_MAX);
  const isFolded = (): boolean =>
    shardsIn(cluster).every((shard) => {
      const [dataset, partition] = shard.split('/') as [DatasetName, string];
      const last = cluster.log.records(topicOf(dataset), Number(partition)).at(-1)?.offset ?? -1n;
      return [...cluster.regions.values()].every(({ database }) => database.cursor(shard)?.offset === last);
    });
  await world.runUntil(isFolded, QUIET_MS_MAX);
  return {
    cluster,
    run: RUN,
    lines: load.lines,
    asked: load.asked,
    unrest: [],
    keyHash: (key) => load.keyHash(key),
  };
}

interface Shown {
  readonly invoke: ReadInvokeLine;
  readonly end: ReadCompletionLine & { readonly seen: SeenRow };
}

/** Those that were answered. */
const readsAt = ({ lines }: ClusterRun, consistency: Consistency): readonly Shown[] =>
  readRun(lines).reads.flatMap(({ end, invoke }) =>
    invoke.consistency === consistency && end?.seen ? [{ invoke, end: end as Shown['end'] }] : [],
  );

const showInstead = ({ end }: Shown, seen: Partial<SeenRow>): void =>
  void Object.assign(end, { seen: { ...end.seen, ...seen } });

/** The sequence of a shard that a token names; 0 where it names none. */
const floorOf = (token: string, shard: string): number =>
  Number(decodeToken(token)!.get(shard as ShardName)?.sequence ?? 0);

/** Writes that another region was asked for while the first answer was still open. */
function askedTwiceAtOnce({ lines }: ClusterRun): number {
  const open = new Map<number, string | null>();
  let count = 0;
  for (const line of lines) {
    if (line.type === 'run' || line.type === 'fault' || line.f === 'read') continue;
    if (line.type !== 'invoke') open.delete(line.op);
    else {
      if (line.key !== null && [...open.values()].includes(line.key)) count += 1;
      open.set(line.op, line.key);
    }
  }
  return count;
}

let run: ClusterRun;
beforeEach(async () => {
  run = await worked();
});

const codes = (judged: ClusterRun): readonly string[] =>
  judgeCluster(judged).findings.map(({ code }) => code);

test('a run with faults has no finding, and everything that was told on the way is compared', () => {
  const { findings, summary } = judgeCluster(run);
  expect(findings).toEqual([]);
  expect(summary.operations.accepted).toBeGreaterThan(50);
  expect(summary.told).toBeGreaterThan(100);
  expect(summary.registers.judged).toBeGreaterThan(5);
  expect(summary.registers.undecided).toBe(0);
  expect(summary.failures['key-reused']).toBeGreaterThan(3);
  expect(askedTwiceAtOnce(run)).toBeGreaterThan(3);
  for (const consistency of ['local', 'session', 'strong'] as const)
    expect(readsAt(run, consistency).length).toBeGreaterThan(5);
  const { reads } = readRun(run.lines);
  const tokens = reads.flatMap(({ invoke: { token } }) => (token === null ? [] : [decodeToken(token)!.size]));
  expect(Math.max(...tokens)).toBeGreaterThan(2);
  const { commits, verdicts } = run.cluster.witness;
  expect(commits.length).toBeGreaterThan(50);
  expect(verdicts.length).toBeGreaterThan(50);
});

describe('a defect is found', () => {
  const accepted = ({ lines }: ClusterRun): CompletionLine =>
    lines.find(
      (line): line is CompletionLine =>
        line.type === 'ok' && line.f === 'append' && line.receipt?.outcome === 'accepted',
    )!;

  test.each<readonly [FindingCode, string, (broken: ClusterRun) => void]>([
    [
      'accepted-lost',
      'in the log: an acknowledged record is gone',
      ({ cluster, lines }) => {
        const { shard, sequence } = accepted({ lines } as ClusterRun).receipt!;
        const [dataset, partition] = shard.split('/') as [DatasetName, string];
        const records = cluster.log.records(topicOf(dataset), Number(partition)) as unknown[];
        records.splice(sequence! - 1, 1);
      },
    ],
    [
      'regions-differ',
      'in a database: a row is changed behind the fold',
      ({ cluster }) => {
        const rows = cluster.region('ap').database.rows('orders')! as Map<string, MemoryRow>;
        const [key, row] = [...rows].find(([id]) => id.includes(`:${RUN}-`))!;
        rows.set(key, { ...row, version: (row.version + 1n) as Sequence });
      },
    ],
    [
      'outcome-differs',
      'in what is kept: a key is forgotten',
      ({ cluster }) => {
        const { database } = cluster.region('ap');
        const shard = shardsIn(cluster).find((one) => database.answers(one).outcomes.size > 0)!;
        (database.answers(shard).outcomes as Map<unknown, unknown>).clear();
      },
    ],
    [
      'session-differs',
      'in what is kept: a session is forgotten',
      ({ cluster }) => {
        const { database } = cluster.region('eu');
        const shard = shardsIn(cluster).find((one) => database.answers(one).sessions.size > 0)!;
        (database.answers(shard).sessions as Map<unknown, unknown>).clear();
      },
    ],
    [
      'stage-untrue',
      'in time: the stores committed after the answers',
      ({ cluster }) => {
        const { commits } = cluster.witness;
        const late = commits.splice(0).map((commit) => ({ ...commit, t: commit.t + 3_600e9 }));
        commits.push(...late);
      },
    ],
    [
      'told-before-commit',
      'in time: a region never committed what it told',
      ({ cluster }) => {
        const { commits } = cluster.witness;
        commits.push(...commits.splice(0).filter(({ region }) => region !== 'us'));
      },
    ],
    [
      'told-hashes-differ',
      'in what was told: other hashes for a while',
      ({ cluster }) => {
        const { watermarks } = cluster.witness;
        watermarks[40] = { ...watermarks[40]!, effectsHash: 'f'.repeat(32) };
      },
    ],
    [
      'verdict-told-untrue',
      'in what was told: another verdict',
      ({ cluster }) => {
        const { verdicts } = cluster.witness;
        const at = verdicts.findIndex(({ verdict }) => verdict === 'accepted');
        verdicts[at] = { ...verdicts[at]!, verdict: 'guard' };
      },
    ],
    [
      'read-untrue',
      'in a local read: a row that the log does not make',
      (broken) =>
        showInstead(
          readsAt(broken, 'local').find(({ end }) => end.seen.columns !== null)!,
          { columns: {} },
        ),
    ],
    [
      'session-read-stale',
      'in a session read: from before what the reader carries',
      (broken) => {
        const read = readsAt(broken, 'session').find(
          ({ end, invoke }) => floorOf(invoke.token!, end.seen.shard) > 1,
        )!;
        showInstead(read, { sequence: floorOf(read.invoke.token!, read.end.seen.shard) - 1 });
      },
    ],
    [
      'receipt-inconsistent',
      'in a session read: a token that names another position, so that the next read may go back',
      (broken) => {
        const [one, ...others] = readsAt(broken, 'session');
        const other = others.find(({ end }) => end.seen.token !== one!.end.seen.token)!;
        showInstead(one!, { token: other.end.seen.token });
      },
    ],
    [
      'strong-read-stale',
      'in a strong read: from before what anybody was told when it began',
      (broken) => showInstead(readsAt(broken, 'strong').at(-1)!, { sequence: 1 }),
    ],
    [
      'not-linearizable',
      'in a strong read: no row where one was told accepted, at the right position',
      (broken) =>
        showInstead(
          readsAt(broken, 'strong').findLast(({ end }) => end.seen.version > 0)!,
          { version: 0, columns: null },
        ),
    ],
    [
      'key-reuse-unnoticed',
      'in an answer: another payload is told what became of the first',
      ({ lines }) => {
        const ends = lines.flatMap((line) =>
          line.type !== 'run' && line.type !== 'fault' && line.type !== 'invoke' && line.f === 'append'
            ? [line]
            : [],
        );
        const reused = ends.filter(({ receipt }) => receipt?.code === 'key-reused');
        const [one, first] = reused.flatMap((end) => {
          const told = ends.find(
            ({ receipt }) => receipt?.outcome === 'accepted' && receipt.id === end.receipt!.id,
          );
          return told === undefined ? [] : [end, told];
        });
        Object.assign(one!, { type: 'ok', status: 200, code: null, receipt: first!.receipt });
      },
    ],
    [
      'receipt-inconsistent',
      'in an answer: a stage that is not the highest',
      (broken) => {
        const line = accepted(broken);
        Object.assign(line, { receipt: { ...line.receipt!, stage: 'logged' } });
      },
    ],
  ])('%s, %s', (code, _title, plant) => {
    plant(run);
    expect(codes(run)).toContain(code);
  });

  test('not-quiet, where the cluster did not come to rest', () => {
    expect(codes({ ...run, unrest: ['us is behind'] })).toEqual(['not-quiet']);
  });
});
