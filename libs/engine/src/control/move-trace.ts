/**
 * A move of a shard as one trace: its stages, each with its term and its evidence, are noted while the control log is folded
 * and told as a whole when the move has ended.
 *
 * Ids follow from the log and the decision's number alone. So whoever works on the move, before or after a change of leader,
 * names the same trace, and what it appends to the shard's log (fence, probes) is part of it. What was folded before this
 * process began to read has no evidence here; its stages and times stand in the control state.
 */
import {
  Absorber,
  hashToHex,
  scoreMove,
  votesAgainst,
  ZERO_HASH,
  type ControlState,
  type ControlStep,
  type FinishedMove,
  type OpenMove,
} from '@lockstep/protocol';
import type { MoveEnded, SpanContext, TracedStage } from '../ports/observer.js';

interface Note {
  /** Control sequence of the entry that brought the stage. */
  readonly at: bigint;
  readonly term: bigint;
  readonly evidence: string | null;
}

type FoldedControl = Extract<ControlStep, { readonly kind: 'folded' }>;

/** What the leader knew when it decided. */
interface Doubt {
  readonly sinceMs: number;
  readonly evidence: string;
}

/** The root of the move's trace. @param log identity of the control log. */
export function moveSpan(log: string, decision: bigint): SpanContext {
  const traceId = identityOf('move', log, String(decision));
  return { traceId, spanId: spanIdOf(traceId, 'move'), parentSpanId: null, sampled: true };
}

/** A span below another of the same move; `name` tells it from the others there. */
export const spanBelow = ({ traceId, spanId }: SpanContext, name: string): SpanContext => ({
  traceId,
  spanId: spanIdOf(traceId, `${spanId} ${name}`),
  parentSpanId: spanId,
  sampled: true,
});

/** The span of the stage that the entry with this control sequence brought. */
export const stageSpan = (root: SpanContext, at: bigint): SpanContext => spanBelow(root, `stage ${at}`);

export class MoveNotes {
  /** Of open moves only, so as bounded as they are. */
  private readonly notes = new Map<bigint, { readonly doubt: Doubt | null; readonly stages: Note[] }>();

  /** Takes note of a record that was folded. @returns the moves that it ended, as they are told. */
  note(log: string, { at, entry, state, verdict }: FoldedControl): readonly MoveEnded[] {
    if (verdict !== 'accepted' || entry === null) return [];
    const { command } = entry;
    const term = 'term' in command ? command.term : state.election.term;
    const evidence =
      command.kind === 'stage' ? command.evidence : 'reason' in command ? command.reason : null;
    const isNew = ({ passed }: OpenMove | FinishedMove): boolean => passed.at(-1)?.at === at;
    for (const move of state.open.filter(isNew)) this.add(state, move, { at, term, evidence });
    const ended = state.finished.filter(isNew);
    return ended.map((move) => {
      this.add(state, move, { at, term, evidence });
      const noted = this.notes.get(move.decision)!;
      this.notes.delete(move.decision);
      return tell(log, move, noted);
    });
  }

  /** The log is read anew. */
  forget(): void {
    this.notes.clear();
  }

  private add(state: ControlState, move: OpenMove | FinishedMove, note: Note): void {
    const known = this.notes.get(move.decision);
    if (known === undefined)
      this.notes.set(move.decision, { doubt: doubtAbout(state, move), stages: [note] });
    else known.stages.push(note);
  }
}

function doubtAbout(state: ControlState, { from, passed }: OpenMove | FinishedMove): Doubt | null {
  const votes = votesAgainst(state, from);
  // Only what stood there when it was decided speaks for the decision.
  if (votes.length === 0 || passed.length !== 1) return null;
  return {
    sinceMs: Math.min(...votes.map(({ atMs }) => atMs)),
    evidence: votes.map(({ evidence, observer }) => `${observer}: ${evidence}`).join('; '),
  };
}

function tell(
  log: string,
  move: FinishedMove,
  { doubt, stages: notes }: { readonly doubt: Doubt | null; readonly stages: readonly Note[] },
): MoveEnded {
  const { passed } = move;
  const root = moveSpan(log, move.decision);
  const fencedFrom = passed.findIndex(({ stage }) => stage === 'fenced');
  const epochAt = (index: number) =>
    move.expectedEpoch + (fencedFrom !== -1 && index >= fencedFrom ? 1n : 0n);
  const endedAtMs = passed.at(-1)!.atMs;
  const stages = passed.map(({ at, atMs, stage }, index): TracedStage => {
    const note = notes.find((one) => one.at === at);
    return {
      stage,
      term: note?.term ?? null,
      epoch: epochAt(index),
      evidence: note?.evidence ?? null,
      startedAtMs: atMs,
      endedAtMs: passed[index + 1]?.atMs ?? atMs,
      span: stageSpan(root, at),
    };
  });
  const decidedAtMs = passed[0]!.atMs;
  const doubted: readonly TracedStage[] =
    doubt === null
      ? []
      : [
          {
            stage: 'doubted',
            term: notes[0]!.term,
            epoch: move.expectedEpoch,
            evidence: doubt.evidence,
            startedAtMs: doubt.sinceMs,
            endedAtMs: decidedAtMs,
            span: spanBelow(root, 'doubted'),
          },
        ];
  return {
    kind: 'move-ended',
    ...move,
    gapMs: scoreMove(move, null).gapMs,
    stages: [...doubted, ...stages],
    startedAtMs: doubt?.sinceMs ?? decidedAtMs,
    endedAtMs,
    span: root,
  };
}

const spanIdOf = (traceId: string, name: string): string => identityOf(traceId, name).slice(0, 16);

function identityOf(...parts: readonly string[]): string {
  const absorber = new Absorber(ZERO_HASH);
  for (const part of parts) absorber.text(part);
  return hashToHex(absorber.finish());
}
