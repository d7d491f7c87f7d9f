/**
 * What a person may do with an entry that was undone, and kept: apply it again under its own key, or discard it.
 *
 * The log keeps an entry's effect to one, because it remembers keys, but not for ever. An entry that may stand in the log,
 * by an earlier try or because it was sent before it was undone, is sent again only while its key is certainly remembered.
 * It is settled by what was told and by nothing else; what is not known stays open and can be asked again.
 */
import type { ConfigurationContent } from '../configuration/content.js';
import type { Outcome } from '../fold/state.js';
import type { BindingVerdict, Verdict } from '../fold/verdict.js';
import type { KeyHash, Sequence, ShardName } from '../identity/identity.js';
import type { Undone } from './settle.js';

export interface UndoneEntry {
  /** Those that share a row were stored in the order of their numbers. */
  readonly number: bigint;
  readonly shard: ShardName;
  readonly key: KeyHash;
  readonly idempotencyKey: string;
  readonly firstKey: string;
  readonly reason: Undone['reason'];
  readonly storedAtMs: number;
  /** Where the shard stood in this region behind the commit that undid it. */
  readonly sequence: Sequence;
  /** When it was first asked to be applied again, and by whom; null: never. */
  readonly asked: { readonly atMs: number; readonly by: string } | null;
  readonly settled: SettledEntry | null;
  /** What its key is bound to by now, as far as this region has folded and remembers. */
  readonly outcome: Pick<Outcome, 'verdict' | 'sequence'> | null;
}

export interface SettledEntry extends EntrySettlement {
  readonly atMs: number;
  readonly by: string;
}

export interface EntrySettlement {
  readonly as: 'accepted' | 'rejected' | 'discarded';
  /** The verdict, or the reason of who discarded it. */
  readonly why: string;
  /** Of the entry in the log that decided its key. */
  readonly sequence: Sequence | null;
}

export type ReapplyStep =
  /** Nothing is left to do. */
  | { readonly kind: 'settled'; readonly settled: SettledEntry }
  /** The log has decided its key already. */
  | { readonly kind: 'settle'; readonly settlement: EntrySettlement }
  | { readonly kind: 'send' }
  /** It may have had its effect, and the log may have forgotten that. */
  | { readonly kind: 'too-late' };

export type DiscardStep =
  | { readonly kind: 'settled'; readonly settled: SettledEntry }
  /** It has its effect, or may yet have it. */
  | { readonly kind: 'stands'; readonly sequence: Sequence }
  | { readonly kind: 'may-stand' }
  | { readonly kind: 'discard' };

export type KeyMemory = Pick<ConfigurationContent, 'limits' | 'retention'>;

export const settlementOf = (verdict: Verdict, sequence: Sequence | null): EntrySettlement => ({
  as: verdict === 'accepted' ? 'accepted' : 'rejected',
  why: verdict,
  sequence,
});

/** @param logTimeMs of the shard, as far as it is known. */
export function decideReapply(entry: UndoneEntry, logTimeMs: number, memory: KeyMemory): ReapplyStep {
  const { outcome, settled } = entry;
  if (settled !== null) return { kind: 'settled', settled };
  if (outcome !== null)
    return { kind: 'settle', settlement: settlementOf(outcome.verdict, outcome.sequence) };
  const sinceMs = mayStandSinceMs(entry);
  return sinceMs === null || isRemembered(sinceMs, logTimeMs, memory)
    ? { kind: 'send' }
    : { kind: 'too-late' };
}

export function decideDiscard(entry: UndoneEntry, logTimeMs: number, memory: KeyMemory): DiscardStep {
  const { asked, outcome, settled } = entry;
  if (settled !== null) return { kind: 'settled', settled };
  if (outcome?.verdict === ('accepted' satisfies BindingVerdict))
    return { kind: 'stands', sequence: outcome.sequence };
  // Asked again it becomes definite, so nobody need guess.
  const isOpen = outcome === null && asked !== null && isRemembered(asked.atMs, logTimeMs, memory);
  return isOpen ? { kind: 'may-stand' } : { kind: 'discard' };
}

/**
 * From when on the log may have the entry; null: it has it not. What a fence undid was sent under an older epoch only, which
 * the log has turned down for good; everything else was judged once, or was on its way while the home remained.
 */
function mayStandSinceMs({ asked, reason, storedAtMs }: UndoneEntry): number | null {
  return reason === 'fenced' ? (asked?.atMs ?? null) : storedAtMs;
}

/** With room for clocks that differ, as for every key that is settled late. */
const isRemembered = (sinceMs: number, logTimeMs: number, { limits, retention }: KeyMemory): boolean =>
  logTimeMs < sinceMs + retention.outcomesMs - limits.notAfterAheadMsMax;
