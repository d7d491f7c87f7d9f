/**
 * How long it took from when a region was gone, alone and for good, until the writes of its shards were open elsewhere (P16).
 * From the control log and what a run knows of itself. What cannot be judged is named and counted, so that nobody takes a
 * judge that passes everything over for one that is content.
 *
 * The thresholds of SPEC imply the bound: two canaries fail within 500 + 600 + 600 ms, streams are silent after 1.2 s, a leader that is gone
 * too is followed after 1 s of silence, 500 ms of settling and a back-off; a fence, its fold and a canary are appends of
 * milliseconds, and a share of the keys is watched for 1 s. That is 4 s; the bound leaves 2 s for what is asked once more.
 */
import type { ControlCommandOf, ShardName } from '@lockstep/protocol';
import type { AuditedCommand } from './control-audit.js';

/** Judged by it; reliability's promise is 15 s at most. */
export const FAILOVER_MS_MAX = 6_000;
/** A vote counts for so long. */
const VOTE_MS = 5_000;
/** Failovers within an hour. */
export const BUDGET = 3;
const MS = 1e6;

/** Moments are those of the history, in nanoseconds. */
export interface JudgedOutage {
  readonly region: string;
  readonly fromT: number;
  /** From when on the other regions were in order: all processes there, the log folded as far as it was at `fromT`. Infinity: never. */
  readonly orderlyT: number;
  /** When the region was brought back. */
  readonly endT: number;
  /** Automatic, and at home there at `fromT`. */
  readonly shards: readonly {
    readonly shard: ShardName;
    /** A new write was taken by then. */
    readonly acceptedT: number | null;
    /** When the region was brought back, as the others have folded it. */
    readonly homeAtEnd: string;
    /**
     * From when on the rule in force was met without the region: before, no canary of a new home reaches its quorum.
     * Infinity: not by `endT`.
     */
    readonly ruleMetT: number;
  }[];
}

export interface FailoverTimes {
  /** Of each shard that was open in time: from when everything else was in order. */
  readonly openedMs: readonly number[];
  /** Shards that were not judged, by the reason. */
  readonly passedOver: readonly PassedOver[];
  readonly tooSlow: readonly string[];
}

export type PassedOver =
  'rule-not-met' | 'failed-over-before' | 'move-under-way' | 'moved-otherwise' | 'others-not-in-order';

export function judgeFailoverTimes(outage: JudgedOutage, commands: readonly AuditedCommand[]): FailoverTimes {
  const accepted = commands.filter(({ verdict }) => verdict === 'accepted');
  const { endT, fromT, orderlyT, region, shards } = outage;
  const quietT = Math.max(fromT, orderlyT, doubtedUntil(accepted, region), pausedUntil(accepted));
  const openedMs: number[] = [];
  const passedOver: PassedOver[] = [];
  const tooSlow: string[] = [];
  for (const { acceptedT, homeAtEnd, ruleMetT, shard } of shards) {
    const isRuleMet = ruleMetT !== Infinity;
    const sinceT = isRuleMet ? Math.max(quietT, ruleMetT) : quietT;
    const openedT = openedAt(accepted, shard, fromT) ?? acceptedT;
    const isInTime = openedT !== null && openedT - sinceT <= FAILOVER_MS_MAX * MS;
    const why = whyNotJudged(accepted, outage, shard);
    if (why !== null) passedOver.push(why);
    else if (isInTime) openedMs.push(Math.max(0, openedT - sinceT) / MS);
    else if (!isRuleMet) passedOver.push('rule-not-met');
    else if (openedT !== null)
      tooSlow.push(`${shard}: open ${seconds(openedT - sinceT)} after ${region} was gone`);
    else if (homeAtEnd !== region) passedOver.push('moved-otherwise');
    else if (sinceT + FAILOVER_MS_MAX * MS > endT) passedOver.push('others-not-in-order');
    else tooSlow.push(`${shard}: not open ${seconds(endT - sinceT)} after ${region} was gone`);
  }
  return { openedMs, passedOver, tooSlow };
}

const seconds = (ns: number): string => `${(ns / MS / 1_000).toFixed(1)} s`;

function whyNotJudged(
  accepted: readonly AuditedCommand[],
  { fromT, region }: JudgedOutage,
  shard: ShardName,
): PassedOver | null {
  const before = accepted.filter(({ t }) => t < fromT);
  const failovers = ofKind(before, 'fail-over');
  // A cool-down and the window of the budget last longer than any run works.
  if (failovers.length >= BUDGET || failovers.some(({ command }) => command.region === region))
    return 'failed-over-before';
  const last = ofKind(before, 'decision').findLast(({ command }) => command.shard === shard);
  return last !== undefined && !hasEnded(before, last.at) ? 'move-under-way' : null;
}

/** What is cancelled while its fence may be under way goes on until the log has shown whether that took effect. */
function hasEnded(commands: readonly AuditedCommand[], decision: bigint): boolean {
  const stages = ofKind(commands, 'stage').flatMap(({ command: { decision: of, event } }) =>
    of === decision ? [event] : [],
  );
  if (stages.some((event) => ['done', 'abort', 'withdrawn', 'lost'].includes(event))) return true;
  const isCancelled = ofKind(commands, 'cancel').some(({ command }) => command.decision === decision);
  return isCancelled && !stages.includes('fencing');
}

/** By a decision behind the moment, or before it; null where no move of the shard was opened. */
function openedAt(accepted: readonly AuditedCommand[], shard: ShardName, fromT: number): number | null {
  const decisions = new Set(
    ofKind(accepted, 'decision').flatMap(({ at, command, t }) =>
      command.shard === shard && t >= fromT ? [at] : [],
    ),
  );
  const open = ofKind(accepted, 'stage').find(
    ({ command: { decision, event } }) => event === 'open' && decisions.has(decision),
  );
  return open?.t ?? null;
}

/** Until when some vote against another region than this one counts. */
function doubtedUntil(accepted: readonly AuditedCommand[], region: string): number {
  const until = new Map<string, number>();
  for (const { author, command, t } of ofKind(accepted, 'vote'))
    if (command.about !== region)
      until.set(`${author} ${command.about}`, command.opinion === 'unfit' ? t + VOTE_MS * MS : t);
  return Math.max(0, ...until.values());
}

/** Until when a pause holds, of whatever scope. */
function pausedUntil(accepted: readonly AuditedCommand[]): number {
  const ends = ofKind(accepted, 'pause').map(({ at, clockMs, command, t }) => {
    const resumed = ofKind(accepted, 'resume').find((one) => one.command.pause === at);
    return resumed?.t ?? t + Math.max(0, command.untilMs - clockMs) * MS;
  });
  return Math.max(0, ...ends);
}

type Said<Kind extends AuditedCommand['command']['kind']> = AuditedCommand & {
  readonly command: ControlCommandOf<Kind>;
};

const ofKind = <Kind extends AuditedCommand['command']['kind']>(
  commands: readonly AuditedCommand[],
  kind: Kind,
): readonly Said<Kind>[] => commands.filter((one): one is Said<Kind> => one.command.kind === kind);
