/**
 * The receipt: how far a write got. What it says of a stage was true and durable when said (I7); what is not known is
 * absent; no answer in time is `unknown`, never `rejected` (I9).
 */
import type { DatasetName, LogIncarnation, RegionName, Sequence, ShardName } from '../identity/identity.js';
import type { BindingVerdict } from '../fold/verdict.js';
import { encodeToken } from '../position/token.js';
import { STAGES, type Stage } from './stage.js';

/** Verdicts that a caller may be told: those that bind its key, and those that no new attempt could change. */
export type ToldVerdictCode = BindingVerdict | 'key-reused' | 'malformed';

export interface WriteFacts {
  readonly id: string;
  readonly dataset: DatasetName;
  readonly shard: ShardName;
  readonly traceId: string;
  readonly eventKeys: readonly string[];
  /** Null until a committed verdict is known. */
  readonly judged: {
    readonly verdict: ToldVerdictCode;
    readonly sequence: Sequence;
    readonly epoch: bigint;
    readonly logIncarnation: LogIncarnation | null;
  } | null;
  readonly stages: StageTimes;
  /** Regions that hold it now, beside the stages, which are history; absent where nobody asked. */
  readonly holders?: readonly RegionName[];
}

export interface StageTimes {
  readonly logged?: { readonly atMs: number };
  readonly accepted?: { readonly atMs: number; readonly region: RegionName };
  readonly quorum?: { readonly atMs: number; readonly regions: readonly RegionName[] };
  readonly everywhere?: { readonly atMs: number };
}

/** The receipt as section 17 of the design prints it. */
export interface Receipt {
  readonly id: string;
  readonly dataset: string;
  readonly shard: string;
  readonly epoch?: number;
  readonly sequence?: number;
  readonly outcome: 'accepted' | 'rejected' | 'unknown';
  readonly code?: string;
  readonly stage: Stage | null;
  readonly stages: {
    readonly logged?: { readonly at: string };
    readonly accepted?: { readonly at: string; readonly region: string };
    readonly quorum?: { readonly at: string; readonly regions: readonly string[] };
    readonly everywhere?: { readonly at: string };
  };
  readonly holders?: readonly string[];
  readonly versions?: { readonly [key: string]: number };
  readonly token?: string;
  readonly traceId: string;
}

export function toReceipt(facts: WriteFacts): Receipt {
  const { judged, stages } = facts;
  const accepted = judged?.verdict === 'accepted';
  return {
    id: facts.id,
    dataset: facts.dataset,
    shard: facts.shard,
    ...(judged === null ? {} : { epoch: Number(judged.epoch), sequence: Number(judged.sequence) }),
    outcome: judged === null ? 'unknown' : accepted ? 'accepted' : 'rejected',
    ...(judged === null || accepted ? {} : { code: judged.verdict }),
    stage: highestStage(stages),
    stages: {
      ...(stages.logged === undefined ? {} : { logged: { at: time(stages.logged.atMs) } }),
      ...(stages.accepted === undefined
        ? {}
        : { accepted: { at: time(stages.accepted.atMs), region: stages.accepted.region } }),
      ...(stages.quorum === undefined
        ? {}
        : { quorum: { at: time(stages.quorum.atMs), regions: stages.quorum.regions } }),
      ...(stages.everywhere === undefined ? {} : { everywhere: { at: time(stages.everywhere.atMs) } }),
    },
    ...(facts.holders === undefined ? {} : { holders: facts.holders }),
    ...(accepted ? { versions: versionsOf(facts.eventKeys, judged.sequence) } : {}),
    ...(judged === null || judged.logIncarnation === null
      ? {}
      : {
          token: encodeToken(
            new Map([[facts.shard, { logIncarnation: judged.logIncarnation, sequence: judged.sequence }]]),
          ),
        }),
    traceId: facts.traceId,
  };
}

export function highestStage(stages: StageTimes): Stage | null {
  return STAGES.findLast((stage) => stage !== 'stored' && stages[stage] !== undefined) ?? null;
}

function versionsOf(keys: readonly string[], at: Sequence): { readonly [key: string]: number } {
  return Object.fromEntries(keys.map((key) => [key, Number(at)]));
}

/** RFC 3339 UTC with milliseconds, without the platform's clock. */
export const time = (ms: number): string => new Date(ms).toISOString();
