/**
 * Hands a simulated cluster that has come to rest to the judge of all histories: the log folded once more as a whole, every
 * region's database with what it keeps for later answers, and all that was committed and told on the way. The one place
 * where a run of a seed is judged.
 */
import { shardsOf } from '@lockstep/engine';
import {
  CONTROL_TOPIC,
  hashToHex,
  parseShardName,
  readRecordedWatermark,
  signaturesBy,
  topicOf,
  WATERMARK_TOPIC,
} from '@lockstep/protocol';
import type { KeyHash, ShardName } from '@lockstep/protocol';
import type { SimulatedCluster } from '../cluster/simulated-cluster.js';
import { simulatedSignatureCheck } from '../signing/simulated-signing.js';
import {
  controlHistoryOf,
  judge,
  judgeOutbox,
  ofRun,
  Refold,
  membersOf,
  type AskedAgain,
  type ControlHistory,
  type HistoryLine,
  type LoggedEntry,
  type Judgement,
  type OutboxFinding,
  type OutboxHistory,
  type RefoldedLog,
  type RegionalState,
  type ToldTransaction,
  type Witnessed,
} from '../history/index.js';
import { isServed } from './services.js';

export interface ClusterRun {
  readonly cluster: SimulatedCluster;
  /** Every id of a row of the run is `group:<run>-...`. */
  readonly run: string;
  readonly lines: readonly HistoryLine[];
  /** What became of writes that had ended unknown, by the ordinal of their first operation. */
  readonly asked: ReadonlyMap<number, AskedAgain>;
  /** What kept the cluster from coming to rest. */
  readonly unrest: readonly string[];
  /** As the world's gateways make it, of the principal that asked. */
  readonly keyHash: (key: string) => string;
  /** What services were told of their transactions; none where nobody writes by an outbox. */
  readonly told?: ReadonlyMap<KeyHash, ToldTransaction>;
}

export function judgeCluster(run: ClusterRun): Judgement & {
  readonly log: RefoldedLog;
  readonly outbox: readonly OutboxFinding[];
} {
  const { asked, cluster, keyHash, lines, told, unrest } = run;
  const witnessed = withCopies(cluster);
  const whole = refolded(cluster, run.run, witnessed);
  const isOfRun = ofRun(run.run);
  const isAsked = ({ events }: LoggedEntry): boolean => events.some(({ key }) => isOfRun(key));
  const log = { ...whole, entries: whole.entries.filter(isAsked) };
  const regions = new Map(
    [...cluster.regions.keys()].map((region) => [region as string, regionalState(cluster, region, run.run)]),
  );
  const configurations = [...cluster.options.datasets.values()].map(({ configuration }) => configuration);
  const members = membersOf(configurations.map(({ content }) => content));
  const judged = { lines, asked, log, regions, unrest, keyHash, members, witnessed, disturbances: [] };
  const entries = whole.entries.filter((entry) => !isAsked(entry));
  const outbox =
    told === undefined
      ? []
      : [...cluster.options.datasets].flatMap(([dataset, { configuration, table }]) =>
          configuration.content.writers === 'outbox'
            ? judgeOutbox(outboxHistory(cluster, { dataset, table: table.table, told, entries }))
            : [],
        );
  return { ...judge(judged), log, outbox };
}

function outboxHistory(
  cluster: SimulatedCluster,
  { table, ...known }: Pick<OutboxHistory, 'dataset' | 'told' | 'entries'> & { readonly table: string },
): OutboxHistory {
  const regions = [...cluster.regions.values()];
  return {
    ...known,
    committed: regions.flatMap(({ region, stored, takenBack }) =>
      stored.map(({ entry, ordinal }) => ({
        region,
        key: entry.key,
        rows: entry.changes.map(({ key }) => key),
        isTakenBack: takenBack.has(ordinal),
      })),
    ),
    regions: new Map(
      regions.map(({ database, region }) => {
        const rows = [...(database.rows(table) ?? [])].filter(([key]) => isServed(key));
        return [region as string, { ...database.outbox(), rows: new Map(rows) }] as const;
      }),
    ),
  };
}

/** What the regions told each other, and what they wrote down of it in the log. */
function withCopies(cluster: SimulatedCluster): Witnessed {
  const { log, witness } = cluster;
  const { commits, heard, toldHolders, verdicts, watermarks } = witness;
  const copies = log
    .records(WATERMARK_TOPIC, 0)
    .map(({ valueText }) => readRecordedWatermark(valueText))
    .filter((told) => told !== null)
    .map((told) => ({ ...told, t: null, offset: null, owner: null }));
  return {
    commits,
    heard,
    toldHolders,
    verdicts,
    watermarks: [...watermarks, ...copies],
    control: controlHistory(cluster),
  };
}

/** The control log, folded once more as a whole. */
function controlHistory({ log, witness }: SimulatedCluster): ControlHistory {
  const stoodAt = (shard: string, offset: bigint): number | null => {
    const { dataset, partition } = parseShardName(shard)!;
    const record = log.records(topicOf(dataset), partition).find((one) => one.offset === offset);
    return record === undefined ? null : witness.stoodAt(record);
  };
  return controlHistoryOf(log.records(CONTROL_TOPIC, 0), (record) => witness.stoodAt(record), stoodAt);
}

export const shardsIn = ({ options }: SimulatedCluster): readonly ShardName[] =>
  [...options.datasets].flatMap(([name, { partitions }]) => shardsOf(name, partitions));

function refolded(
  cluster: SimulatedCluster,
  run: string,
  { watermarks }: Pick<Witnessed, 'watermarks'>,
): RefoldedLog {
  const told = new Set(watermarks.map(({ sequence, shard }) => `${shard} ${sequence}`));
  const known = [...cluster.options.datasets.values()].map(({ configuration }) => configuration);
  const isOfRun = ofRun(run);
  const refold = new Refold(
    (hash) => known.find((one) => one.hash === hash) ?? null,
    (key) => isOfRun(key) || isServed(key),
    (shard, sequence) => told.has(`${shard} ${sequence}`),
    signaturesBy((...signed) => simulatedSignatureCheck.isValid(...signed)),
  );
  for (const shard of shardsIn(cluster)) {
    const { dataset, partition } = parseShardName(shard)!;
    refold.take(shard, cluster.log.records(topicOf(dataset), partition));
  }
  return refold.finish();
}

function regionalState(cluster: SimulatedCluster, region: string, run: string): RegionalState {
  const { database } = cluster.region(region);
  const isOfRun = ofRun(run);
  const cursors = shardsIn(cluster).flatMap((shard) => {
    const cursor = database.cursor(shard);
    if (cursor === null) return [];
    const { effectsHash, inputHash, logIncarnation, sequence } = cursor;
    const stored = {
      logIncarnation,
      sequence,
      inputHash: hashToHex(inputHash),
      effectsHash: hashToHex(effectsHash),
    };
    return [[shard as string, stored] as const];
  });
  const rows = [...cluster.options.datasets].map(([dataset, { table }]) => {
    const stored = [...(database.rows(table.table) ?? [])].filter(([key]) => isOfRun(key));
    return [dataset as string, new Map(stored)] as const;
  });
  const answers = shardsIn(cluster).map((shard) => [shard as string, database.answers(shard)] as const);
  return {
    cursors: new Map(cursors),
    rows: new Map(rows),
    answers: {
      outcomes: new Map(answers.map(([shard, { outcomes }]) => [shard, outcomes])),
      sessions: new Map(answers.map(([shard, { sessions }]) => [shard, sessions])),
    },
  };
}
