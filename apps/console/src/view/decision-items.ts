/** What was decided, by whom, from which inputs, and what came; what the automation left undone is a decision too. */
import type { Decision, Decisions, Governed, Prediction } from '../facts.js';
import { countWords, durationWords, plural, UNKNOWN } from './words.js';
import type { Tone } from './region-rows.js';

export interface DecisionItem {
  readonly number: number;
  readonly at: string | null;
  readonly by: 'automation' | 'person';
  readonly tone: Tone;
  readonly title: string;
  readonly why: string;
  /** Label and text. */
  readonly inputs: readonly (readonly [string, string])[];
}

/** Newest first. @param sinceMs null for all that are told. */
export function decisionItems(
  { decisions, governed }: Decisions,
  { by, sinceMs }: { readonly by: 'all' | DecisionItem['by']; readonly sinceMs: number | null },
): readonly DecisionItem[] {
  return [...decisions.map(moveItem), ...governed.map(governedItem)]
    .filter((item) => by === 'all' || item.by === by)
    .filter(({ at }) => sinceMs === null || at === null || Date.parse(at) >= sinceMs)
    .sort((x, y) => y.number - x.number);
}

function moveItem(move: Decision): DecisionItem {
  const { actor, decision, detail, evacuation, from, outcome, reason, shard, stages, to } = move;
  const [first] = stages;
  const isAutomatic = actor === GOVERNOR;
  return {
    number: decision,
    at: first?.at ?? null,
    by: isAutomatic ? 'automation' : 'person',
    tone: outcome === null ? 'warning' : outcome === 'done' ? 'well' : 'bad',
    title: `${move.move} of ${shard} from ${from} to ${to}: ${outcome ?? `under way (${move.stage ?? 'stage unknown'})`}`,
    why: reason === undefined || reason === '' ? 'No reason was given.' : `Reason: ${reason}`,
    inputs: [
      ['Wanted by', isAutomatic ? 'the automation' : (actor ?? UNKNOWN)],
      ...(evacuation === undefined || evacuation === null
        ? []
        : [['Part of', `decision ${evacuation}`] as const]),
      [
        'Said before',
        move.predicted === undefined || move.predicted === null ? 'nothing' : predictionWords(move.predicted),
      ],
      ...(move.real === undefined
        ? []
        : [
            [
              'Came',
              `${lossWords(move.real.entriesLost)}; no writes for ${durationWords(move.real.gapMs)}`,
            ] as const,
          ]),
      ...(detail === '' ? [] : [['Ended', detail] as const]),
      ...(first === undefined ? [] : [['Stages', stageWords(stages)] as const]),
    ],
  };
}

/** The name under which the automation asks for moves. */
const GOVERNOR = 'governor';

function governedItem({ act, at, checks, decision, region, shards, votes }: Governed): DecisionItem {
  const forbidding = checks.filter(({ passed }) => !passed);
  return {
    number: decision,
    at,
    by: 'automation',
    tone: act === 'fail-over' ? 'warning' : 'unknown',
    title: act === 'fail-over' ? `moves shards away from ${region}` : `looked at ${region} and moves nothing`,
    why:
      forbidding.length === 0
        ? votes.map(({ evidence, observer }) => `${observer} finds ${region} unfit: ${evidence}`).join('; ')
        : `Held back by ${forbidding.map(({ code, detail }) => `${code} (${detail})`).join('; ')}`,
    inputs: [
      ...votes.map(
        ({ evidence, kinds, observer }) =>
          [`Vote of ${observer}`, `${kinds.join(', ')}: ${evidence}`] as const,
      ),
      ...checks.map(
        ({ code, detail, passed }) => [`Check ${code}`, `${passed ? 'met' : 'NOT met'}: ${detail}`] as const,
      ),
      ...shards.map(
        (one) => [`Move of ${one.shard}`, `to ${one.to}, ${one.outcome ?? 'under way'}`] as const,
      ),
    ],
  };
}

export const predictionWords = ({ atRisk, entriesLost, expectedMs, worstMs }: Prediction): string =>
  `${lossWords(entriesLost)}; no writes for ${durationWords(expectedMs)}` +
  `${worstMs === null ? '' : `, ${durationWords(worstMs)} at worst`}; ` +
  `the next home lacks ${countWords(atRisk.accepted)} accepted and ${countWords(atRisk.quorum)} quorum entries, which the log holds`;

const lossWords = (entries: number | null): string =>
  entries === null
    ? 'what is lost is unknown'
    : entries === 0
      ? 'nothing lost'
      : `${plural(entries, 'entry', 'entries')} LOST`;

function stageWords(stages: Decision['stages']): string {
  const startMs = Date.parse(stages[0]!.at);
  return stages
    .map(({ at, stage }, index) =>
      index === 0 ? stage : `${stage} +${durationWords(Date.parse(at) - startMs)}`,
    )
    .join(', ');
}
