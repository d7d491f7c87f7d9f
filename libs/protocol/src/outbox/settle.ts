/**
 * What the fold of a home does with the entries of its own outbox, whose rows were changed before the log had them.
 *
 * An entry of the outbox is known in the log by its idempotency key. Accepted, it is `confirmed`; rejected for good, it is
 * undone, and with it every later pending entry that shares a row with it, directly or over others: they were made on rows
 * that never came to be. A verdict that judges the attempt only leaves it pending. When the shard leaves the region,
 * whatever is still pending is undone. The answer does not depend on how the log was cut into batches.
 */
import type { FoldedEntry } from '../fold/fold.js';
import type { Cursor } from '../fold/state.js';
import { judgesAttempt, type Verdict } from '../fold/verdict.js';
import type { KeyHash, RegionName } from '../identity/identity.js';

export type OutboxFate = 'confirmed' | 'undone' | 'pending';

/** @param first the outcome that answers a `repeated` entry. */
export function outboxFate(verdict: Verdict, first: { readonly verdict: Verdict } | null): OutboxFate {
  if (verdict === 'repeated') return first?.verdict === 'accepted' ? 'confirmed' : 'undone';
  if (verdict === 'accepted') return 'confirmed';
  return judgesAttempt(verdict) ? 'pending' : 'undone';
}

/** An entry that was folded and, should it stand in this region's outbox, is pending no longer. */
export interface JudgedKey {
  readonly key: KeyHash;
  readonly fate: 'confirmed' | 'undone';
  readonly verdict: Verdict;
}

/** What a batch means to the outbox of the region that folds it. */
export interface OutboxFacts {
  /** Whether services of this region may store entries behind the batch. */
  readonly owned: boolean;
  /** Whether a fence of the batch gave the shard to another region, or its dataset has no outbox any more. */
  readonly leaves: boolean;
  /** In the order of the log. */
  readonly judged: readonly JudgedKey[];
}

/** A shard before or behind a batch. */
export interface OutboxStanding extends Pick<Cursor, 'home'> {
  /** Whether the configuration there says that services write by an outbox. */
  readonly hasOutbox: boolean;
}

/** Null where the outbox of the region has nothing of the shard before or behind the batch. */
export function outboxFacts(
  folded: readonly FoldedEntry[],
  before: OutboxStanding,
  after: OutboxStanding,
  region: RegionName,
): OutboxFacts | null {
  const owned = after.hasOutbox && after.home === region;
  if (!owned && !(before.hasOutbox && before.home === region)) return null;
  const judged = folded.flatMap(({ entry, first, verdict }): readonly JudgedKey[] => {
    const key = entry.header?.kind === 'data' ? entry.header.idempotency?.key : undefined;
    const fate = outboxFate(verdict, first);
    if (key === undefined || fate === 'pending') return [];
    return [{ key, fate, verdict: first?.verdict ?? verdict }];
  });
  const isFencedAway = folded.some(
    ({ entry, verdict }) =>
      verdict === 'accepted' &&
      entry.kind === 'control' &&
      entry.body.kind === 'fence' &&
      entry.body.home !== region,
  );
  return { owned, leaves: isFencedAway || !after.hasOutbox, judged };
}

/** An entry of the outbox that the log has not decided yet. */
export interface PendingEntry {
  /** Of two entries that change one row, the later has the higher number. */
  readonly id: bigint;
  readonly key: KeyHash;
  /** Keys of the rows that it changed. */
  readonly rows: readonly string[];
}

export interface Undone {
  readonly id: bigint;
  /** The verdict; `undone-before` where it was made on rows of an entry that was undone; `fenced` where the shard left. */
  readonly reason: Verdict | 'undone-before';
}

export interface Settlement {
  readonly confirmed: readonly bigint[];
  /** The latest first: so they are taken back. */
  readonly undone: readonly Undone[];
}

/** Numbers of the entries that are pending no longer. */
export const endedBy = ({ confirmed, undone }: Settlement): readonly bigint[] => [
  ...confirmed,
  ...undone.map(({ id }) => id),
];

/** @param pending in the order of their numbers. */
export function settleOutbox(
  pending: readonly PendingEntry[],
  { judged, leaves }: Pick<OutboxFacts, 'judged' | 'leaves'>,
): Settlement {
  const left = new Map(pending.map((entry) => [entry.key, entry]));
  const confirmed: bigint[] = [];
  const undone: Undone[] = [];
  for (const { fate, key, verdict } of judged) {
    const entry = left.get(key);
    if (entry === undefined) continue;
    left.delete(key);
    if (fate === 'confirmed') {
      confirmed.push(entry.id);
      continue;
    }
    undone.push({ id: entry.id, reason: verdict });
    const lost = new Set(entry.rows);
    for (const later of left.values()) {
      if (later.id < entry.id || !later.rows.some((row) => lost.has(row))) continue;
      for (const row of later.rows) lost.add(row);
      left.delete(later.key);
      undone.push({ id: later.id, reason: 'undone-before' });
    }
  }
  if (leaves) for (const { id } of left.values()) undone.push({ id, reason: 'fenced' });
  return { confirmed, undone: undone.toSorted((x, y) => (x.id < y.id ? 1 : -1)) };
}

/** Whether what is pending must be known beyond the entries that are judged. */
export const undoesAny = ({ judged, leaves }: OutboxFacts): boolean =>
  leaves || judged.some(({ fate }) => fate === 'undone');
