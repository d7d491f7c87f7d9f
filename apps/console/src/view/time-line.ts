/**
 * What happened when, over how the regions did: one line of canaries' latency for each other region, the share that had no good
 * answer, and on them elections, decisions, rule changes and ends of moves. A time without canaries is a gap, never a zero.
 */
import type { Canaries, Decisions, History, RuleChanges } from '../facts.js';
import { durationWords } from './words.js';

export const WINDOW_MS = 15 * 60_000;
const WINDOW_MS_MIN = 2 * 60_000;

export interface TimeLine {
  /** What is shown: no longer than is known, as an empty stretch says nothing. */
  readonly fromMs: number;
  readonly regions: readonly string[];
  /** For uPlot: seconds; latency in ms for each region; share without a good answer in percent. */
  readonly data: readonly (readonly (number | null)[])[];
  readonly events: readonly TimeLineEvent[];
  /** The picture in words. */
  readonly summary: string;
}

export interface TimeLineEvent {
  readonly atMs: number;
  readonly kind: EventKind;
  readonly text: string;
}

export type EventKind = 'election' | 'decision' | 'automation' | 'end of a move' | 'rule change';

export interface TimeLineFacts {
  readonly canaries: Canaries | null;
  readonly decisions: Decisions | null;
  readonly history: History | null;
  readonly ruleChanges: RuleChanges | null;
}

export function timeLine(facts: TimeLineFacts, nowMs: number): TimeLine {
  const fromMs = nowMs - WINDOW_MS;
  const { canaries } = facts;
  const told = (canaries?.regions ?? []).filter(({ region }) => region !== canaries?.region);
  const sliceMs = canaries?.sliceMs ?? 1;
  const slot = (at: string): number => Math.floor(Date.parse(at) / sliceMs);
  const bySlot = told.map(({ slices }) => new Map(slices.map((slice) => [slot(slice.at), slice])));
  const present = bySlot.flatMap((slices) => [...slices.keys()]).filter((one) => one * sliceMs >= fromMs);
  const slots = range(Math.min(...present), Math.max(...present));
  const share = slots.map((one) => {
    const slices = bySlot.flatMap((by) => by.get(one) ?? []);
    const bad = slices.reduce((sum, { failed, refused }) => sum + failed + refused, 0);
    const all = slices.reduce((sum, { answered }) => sum + answered, bad);
    return all === 0 ? null : (100 * bad) / all;
  });
  const regions = told.map(({ region }) => region);
  const latencies = bySlot.map((slices) => slots.map((one) => slices.get(one)?.meanMs ?? null));
  return {
    fromMs: Math.max(fromMs, Math.min(nowMs - WINDOW_MS_MIN, Math.min(...present) * sliceMs)),
    regions,
    data: [slots.map((one) => (one * sliceMs) / 1_000), ...latencies, share],
    summary: summaryOf(regions, latencies, share),
    events: eventsOf(facts).filter(({ atMs }) => atMs >= fromMs),
  };
}

/** Slices; a canary that takes its whole time-out is noted in the next one. */
const PRESENT_SLICES = 3;

function summaryOf(
  regions: readonly string[],
  latencies: readonly (readonly (number | null)[])[],
  share: readonly (number | null)[],
): string {
  if (regions.length === 0 || share.length === 0)
    return 'No canaries were sent in this time: how the other regions did is unknown.';
  const words = regions.map((region, index) => {
    const last = latencies[index]!.slice(-PRESENT_SLICES).findLast((figure) => figure !== null);
    return `${region} ${last === undefined || last === null ? 'no answer that is recent' : durationWords(last)}`;
  });
  const worst = Math.round(Math.max(...share.map((figure) => figure ?? 0)));
  return `Latency as last measured: ${words.join(', ')}. Highest share without a good answer: ${worst} %.`;
}

/** Newest first, as lists of decisions are. */
function eventsOf({ decisions, history, ruleChanges }: TimeLineFacts): readonly TimeLineEvent[] {
  const events: TimeLineEvent[] = [
    ...(history?.terms ?? []).map(({ at, because, leader, term }) => ({
      atMs: Date.parse(at),
      kind: 'election' as const,
      text: `${leader} leads in term ${term} (${because})`,
    })),
    ...(ruleChanges?.changes ?? []).map(({ at, before, rule, shard }) => ({
      atMs: Date.parse(at),
      kind: 'rule change' as const,
      text: `${shard}: ${rule}, before ${before}`,
    })),
    ...(decisions?.governed ?? []).map(({ act, at, region }) => ({
      atMs: Date.parse(at),
      kind: 'automation' as const,
      text:
        act === 'fail-over' ? `moves shards away from ${region}` : `looked at ${region} and moves nothing`,
    })),
    ...(decisions?.decisions ?? []).flatMap(({ from, move, outcome, shard, stages, to, real }) => {
      const [first] = stages;
      const last = stages.at(-1);
      if (first === undefined) return [];
      const decided = {
        atMs: Date.parse(first.at),
        kind: 'decision' as const,
        text: `${move} of ${shard} from ${from} to ${to}`,
      };
      if (outcome === null || last === undefined) return [decided];
      const gap =
        real?.gapMs === undefined || real.gapMs === null
          ? ''
          : `, no writes for ${durationWords(real.gapMs)}`;
      const text = `${shard}: ${outcome}${gap}`;
      return [decided, { atMs: Date.parse(last.at), kind: 'end of a move' as const, text }];
    }),
  ];
  return events.sort((x, y) => y.atMs - x.atMs);
}

const range = (first: number, last: number): readonly number[] =>
  first > last ? [] : Array.from({ length: last - first + 1 }, (_, index) => first + index);
