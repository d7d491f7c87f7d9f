/**
 * What a gateway knew to be reached, written down in `lockstep.watermarks`: so that a stage that was told stays told,
 * whoever restarts and whose vote is withdrawn afterwards (I7). One JSON object a record.
 */
import { recordObject } from '../entry/body.js';
import {
  isId128,
  isRegionName,
  parseShardName,
  sequence,
  type LogIncarnation,
  type RegionName,
  type Sequence,
  type ShardName,
} from '../identity/identity.js';

/** Stages whose truth rests on other regions' words; `accepted` is proven by any store that has the outcome. */
export const RECORDED_STAGES = ['quorum', 'everywhere'] as const;
export type RecordedStage = (typeof RECORDED_STAGES)[number];

/** Positions `from` to `sequence` were reached. */
export interface RecordedRange {
  readonly from: Sequence;
  readonly sequence: Sequence;
  /** When it was first known of `sequence`; display only. */
  readonly atMs: number;
  /** Those that held `sequence` then. */
  readonly regions: readonly RegionName[];
}

export interface RecordedReached {
  /** Whose gateway wrote it. */
  readonly region: RegionName;
  readonly shard: ShardName;
  readonly logIncarnation: LogIncarnation;
  readonly quorum: readonly RecordedRange[];
  readonly everywhere: readonly RecordedRange[];
}

const KIND = 'reached';

export function recordedReachedText(recorded: RecordedReached): string {
  const { everywhere, logIncarnation, quorum, region, shard } = recorded;
  return JSON.stringify({
    kind: KIND,
    region,
    shard,
    logIncarnation,
    quorum: quorum.map(toJson),
    everywhere: everywhere.map(toJson),
  });
}

const toJson = (range: RecordedRange): object => ({
  ...range,
  from: Number(range.from),
  sequence: Number(range.sequence),
});

/** Null for what is no such record, whoever wrote it. */
export function readRecordedReached(text: string | null): RecordedReached | null {
  const fields = recordObject(text);
  if (fields?.['kind'] !== KIND) return null;
  const { logIncarnation, region, shard } = fields;
  const [quorum, everywhere] = RECORDED_STAGES.map((stage) => rangesOf(fields[stage]));
  if (typeof region !== 'string' || !isRegionName(region)) return null;
  if (typeof shard !== 'string' || parseShardName(shard) === null || !isId128(logIncarnation)) return null;
  if (quorum === null || quorum === undefined || everywhere === null || everywhere === undefined) return null;
  return {
    region,
    shard: shard as ShardName,
    logIncarnation: logIncarnation as LogIncarnation,
    quorum,
    everywhere,
  };
}

function rangesOf(value: unknown): readonly RecordedRange[] | null {
  if (!Array.isArray(value)) return null;
  const ranges: RecordedRange[] = [];
  for (const item of value as readonly unknown[]) {
    const { atMs, from, regions, sequence: at } = (item ?? {}) as { readonly [name: string]: unknown };
    const isPlace = Number.isSafeInteger(from) && Number.isSafeInteger(at) && (from as number) >= 0;
    const isTold =
      Array.isArray(regions) && regions.every((name) => typeof name === 'string' && isRegionName(name));
    if (!isPlace || !isTold || typeof atMs !== 'number' || !Number.isFinite(atMs)) return null;
    ranges.push({
      from: sequence(BigInt(from as number)),
      sequence: sequence(BigInt(at as number)),
      atMs,
      regions: regions as readonly RegionName[],
    });
  }
  return ranges;
}
