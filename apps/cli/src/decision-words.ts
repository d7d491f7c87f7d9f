/**
 * Decisions in words for somebody who has never seen one: who wanted it and why, what was looked at, what it was said to cost,
 * what came. What is not known is said to be, and never told as zero.
 */
export interface Predicted {
  readonly entriesLost: number | null;
  readonly atRisk: Readonly<Record<'logged' | 'accepted' | 'quorum', number | null>>;
  readonly recordsToFold: number | null;
  readonly foldRecordsPerSecond: number | null;
  readonly expectedMs: number | null;
  readonly worstMs: number | null;
  readonly measuredMoves: number;
}

export interface Decision {
  readonly decision: number;
  readonly move: string;
  readonly shard: string;
  readonly from: string;
  readonly to: string;
  readonly epoch: number;
  readonly outcome: string | null;
  readonly stage?: string;
  readonly stages: readonly { readonly stage: string; readonly sequence: number; readonly at: string }[];
  readonly detail: string;
  readonly reason?: string;
  readonly actor?: string;
  readonly evacuation?: number | null;
  /** The second person who agreed to a loss. */
  readonly lossAgreed?: { readonly approval: number; readonly actor: string };
  /** Null: it was not predicted. */
  readonly predicted?: Predicted | null;
  readonly real?: { readonly gapMs: number | null; readonly entriesLost: number | null };
  readonly score?: { readonly gapErrorMs: number | null; readonly lossCovered: boolean | null };
}

export interface Governed {
  readonly decision: number;
  readonly act: 'fail-over' | 'held';
  readonly region: string;
  readonly at: string;
  readonly votes: readonly {
    readonly observer: string;
    readonly kinds: readonly string[];
    readonly evidence: string;
    readonly at: string;
  }[];
  readonly checks: readonly { readonly code: string; readonly passed: boolean; readonly detail: string }[];
  readonly shards: readonly {
    readonly shard: string;
    readonly to: string;
    readonly decision: number | null;
    readonly outcome: string | null;
  }[];
}

/** Of a second person, for a failover that may be asked for. */
export interface Approval {
  readonly approval: number;
  readonly shard: string;
  readonly to: string;
  readonly actor: string;
  readonly until: string;
}

/** Newest first, a paragraph each. */
export function wordsOfDecisions(
  moves: readonly Decision[],
  governed: readonly Governed[],
  approvals: readonly Approval[],
): string {
  const all = [
    ...approvals.map((one) => ({ number: one.approval, words: wordsOfApproval(one) })),
    ...moves.map((move) => ({ number: move.decision, words: wordsOfMove(move) })),
    ...governed.map((one) => ({ number: one.decision, words: wordsOfGoverned(one) })),
  ];
  if (all.length === 0) return 'Nothing has been decided.';
  return all
    .sort((x, y) => y.number - x.number)
    .map(({ words }) => words)
    .join('\n\n');
}

function wordsOfMove(move: Decision): string {
  const { actor, decision, detail, epoch, evacuation, from, outcome, reason, shard, stages, to } = move;
  const [first] = stages;
  const by = actor === undefined || actor === '' ? 'somebody' : actor;
  const part = evacuation === undefined || evacuation === null ? '' : `, as part of ${evacuation}`;
  const why = reason === undefined || reason === '' ? 'no reason was given' : `"${reason}"`;
  const end = outcome ?? `under way, ${move.stage ?? 'its stage is not known'}`;
  return paragraph(
    `${decision}  ${first?.at ?? '?'}  ${move.move} of ${shard} from ${from} to ${to}: ${end}`,
    [
      `wanted by ${by}${part}: ${why}; once it is done the shard is in epoch ${epoch}`,
      ...(move.lossAgreed === undefined
        ? []
        : [`loss accepted: ${move.lossAgreed.actor} agreed (approval ${move.lossAgreed.approval})`]),
      ...(detail === '' ? [] : [`ended: ${detail}`]),
      `said before: ${move.predicted === undefined || move.predicted === null ? 'nothing, it was not predicted' : wordsOfPrediction(move.predicted)}`,
      ...(move.real === undefined ? [] : [`came: ${wordsOfResult(move)}`]),
      ...(first === undefined ? [] : [`stages: ${stagesOf(stages)}`]),
    ],
  );
}

export const wordsOfPrediction = (predicted: Predicted): string =>
  `${lossOf(predicted.entriesLost)}; ${gapOf(predicted)}; ${riskOf(predicted)}`;

function gapOf({ expectedMs, measuredMoves, worstMs }: Predicted): string {
  if (expectedMs === null) return 'how long nobody takes writes is not known';
  const worst = worstMs === null || worstMs === expectedMs ? '' : `, ${worstMs} ms as the worst`;
  return `nobody takes writes for about ${expectedMs} ms${worst} (as ${count(measuredMoves, 'move')} before it)`;
}

/** What the log alone holds: it is lost only with the log. */
function riskOf({ atRisk: { accepted, logged, quorum } }: Predicted): string {
  if (logged === 0) return 'the next home lacks nothing';
  if (logged === null && accepted === null) return 'what the next home lacks is not known';
  const of = (entries: number | null): string => (entries === null ? 'an unknown number' : String(entries));
  return `the next home lacks at most ${of(logged)} entries (${of(accepted)} told as accepted, ${of(quorum)} at quorum), which the log still holds`;
}

const lossOf = (entries: number | null): string =>
  entries === null
    ? 'what is lost is not known'
    : entries === 0
      ? 'nothing is lost'
      : `${count(entries, 'entry')} lost`;

function wordsOfResult({ outcome, real, score }: Decision): string {
  const { entriesLost, gapMs } = real!;
  const gap =
    gapMs === null
      ? outcome === 'cancelled'
        ? 'the home stayed'
        : 'how long nobody took writes is not known'
      : `nobody took writes for ${gapMs} ms${wordsOfError(score?.gapErrorMs ?? null)}`;
  const beyond = score?.lossCovered === false ? ', MORE THAN WAS SAID' : '';
  return `${lossOf(entriesLost)}${beyond}; ${gap}`;
}

function wordsOfError(errorMs: number | null): string {
  if (errorMs === null) return '';
  if (errorMs === 0) return ', as was said';
  return `, ${Math.abs(errorMs)} ms ${errorMs > 0 ? 'longer' : 'less'} than was said`;
}

function stagesOf(stages: Decision['stages']): string {
  const startMs = Date.parse(stages[0]!.at);
  return stages
    .map(({ at, stage }, index) => (index === 0 ? stage : `${stage} +${Date.parse(at) - startMs} ms`))
    .join(', ');
}

const wordsOfApproval = ({ actor, approval, shard, to, until }: Approval): string =>
  `${approval}  ${actor} agrees until ${until} that a failover of ${shard} to ${to} by another person may lose what ${to} lacks`;

function wordsOfGoverned({ act, at, checks, decision, region, shards, votes }: Governed): string {
  const forbidding = checks.filter(({ passed }) => !passed);
  const allowing = checks.filter(({ passed }) => passed).map(({ detail }) => detail);
  const head =
    act === 'fail-over'
      ? `the governor moves every shard away from ${region} that it may move, without a person`
      : `the governor looked at ${region} and moves nothing`;
  return paragraph(`${decision}  ${at}  ${head}`, [
    ...(forbidding.length === 0
      ? []
      : [`forbidden by: ${forbidding.map(({ code, detail }) => `${code} (${detail})`).join('; ')}`]),
    ...votes.map(
      (vote) => `${vote.observer} finds ${region} unfit (${vote.kinds.join(', ')}): ${vote.evidence}`,
    ),
    ...(allowing.length === 0 ? [] : [`checked and met: ${allowing.join('; ')}`]),
    ...(shards.length === 0 ? [] : [`moves: ${shards.map(wordsOfShard).join('; ')}`]),
  ]);
}

const wordsOfShard = ({ decision, outcome, shard, to }: Governed['shards'][number]): string =>
  `${shard} to ${to} (${decision === null ? 'not decided' : `decision ${decision}`}, ${outcome ?? 'under way'})`;

const count = (of: number, what: string): string =>
  `${of} ${of === 1 ? what : what.endsWith('y') ? `${what.slice(0, -1)}ies` : `${what}s`}`;

const paragraph = (head: string, lines: readonly string[]): string =>
  [head, ...lines.map((line) => `    ${line}`)].join('\n');
