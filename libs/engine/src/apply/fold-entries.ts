/** Folding the entries of one shard until the end or a halt, and what is told of each once it is committed (I7). */
import type { FoldedBatch, FoldedEntry, Halt, ShardFold } from '@lockstep/protocol';
import type { ToldVerdict } from '../ports/streams.js';
import type { Chunk } from './record-queue.js';

/**
 * Folds until the end or a halt. The fold is total: what it throws is a defect, of it or of a reducer, and stops this
 * shard only, by name. Without a batch nothing of the entries can be committed.
 */
export function foldEntries(
  fold: ShardFold,
  entries: Chunk['entries'],
): {
  readonly folded: readonly FoldedEntry[];
  readonly batch: FoldedBatch | null;
  readonly halt: Halt | null;
} {
  const folded: FoldedEntry[] = [];
  const failed = (where: string, defect: unknown): Halt => ({
    code: 'fold-failed',
    detail: `the fold failed ${where}: ${String(defect)}; correct the defect and start this region's replicator again`,
  });
  let halt: Halt | null = null;
  for (const entry of entries) {
    try {
      const step = fold.fold(entry);
      if (step.kind === 'folded') {
        folded.push(step.folded);
        continue;
      }
      halt = step.halt;
    } catch (defect) {
      halt = failed(`at offset ${entry.record.offset}`, defect);
    }
    break;
  }
  try {
    return { folded, batch: fold.finish(), halt };
  } catch (defect) {
    return { folded, batch: null, halt: failed('while it combined the operations of a batch', defect) };
  }
}

/** `duplicate` is never told: the answer of (publisher, number) is its first copy's. Control entries have no publisher. */
export const isTold = (one: FoldedEntry): boolean =>
  one.verdict !== 'duplicate' && one.entry.header?.kind === 'data';

export function toTold(one: FoldedEntry, committedAtMs: number): ToldVerdict {
  const { entry, first } = one;
  return {
    publisher: entry.header!.publisher,
    number: entry.header!.number,
    verdict: one.verdict,
    sequence: one.sequence,
    epoch: one.epoch,
    appendTimeMs: entry.record.appendTimeMs,
    committedAtMs,
    first:
      first === null
        ? null
        : {
            verdict: first.verdict,
            sequence: first.sequence,
            epoch: first.epoch,
            appendTimeMs: first.appendTimeMs,
          },
  };
}
