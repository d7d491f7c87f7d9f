/**
 * What stands in the log for each write of a run. A write with a key is found by its key; a keyless one by the name its
 * receipt gives it (`publisher:number`); one that nobody answered by its events alone.
 */
import {
  binds,
  eventsText,
  parseShardName,
  sequence as toSequence,
  type EntryEvent,
} from '@lockstep/protocol';
import type { Receipt, Sequence } from '@lockstep/protocol';
import type { HistoryEvent } from './history.js';
import { isEntryId, type RunHistory, type Write } from './operations.js';
import type { LoggedEntry, RefoldedLog } from './refold.js';

/** What became of a write of which no answer said enough. */
export type AskedAgain =
  | { readonly kind: 'receipt'; readonly receipt: Receipt }
  /** The gateway says for good that the key was never seen. */
  | { readonly kind: 'never' }
  | { readonly kind: 'open'; readonly reason: string };

export interface StandingWrite {
  readonly write: Write;
  /** Ordinals of its operations. */
  readonly ops: readonly number[];
  /** Of the question to which the log bound the key, where several were asked under it; else of the first. */
  readonly events: readonly EntryEvent[];
  /** Canonical text of what each operation asked for; the same where they are repeats. */
  readonly payloads: readonly string[];
  readonly asked: AskedAgain | null;
  /** Its entries, in the order of the log, whatever their verdicts. */
  readonly entries: readonly LoggedEntry[];
  readonly accepted: readonly LoggedEntry[];
}

export interface Standing {
  readonly writes: readonly StandingWrite[];
  readonly byOperation: ReadonlyMap<number, StandingWrite>;
  readonly byPlace: ReadonlyMap<string, LoggedEntry>;
  /** Accepted entries that belong to no write. */
  readonly strangers: readonly LoggedEntry[];
}

export const placeOf = (shard: string, sequence: Sequence | bigint | number): string =>
  `${shard}#${sequence}`;

export const datasetOf = (shard: string): string => parseShardName(shard)?.dataset ?? shard;

export function standingOf(
  history: RunHistory,
  log: RefoldedLog,
  asked: ReadonlyMap<number, AskedAgain>,
  keyHash: (key: string) => string,
): Standing {
  const byKey = new Map<string, LoggedEntry[]>();
  const byId = new Map<string, LoggedEntry[]>();
  const byPlace = new Map<string, LoggedEntry>();
  for (const entry of log.entries) {
    byPlace.set(placeOf(entry.shard, entry.sequence), entry);
    if (entry.keyHash === null) push(byId, entry.id, entry);
    else push(byKey, `${datasetOf(entry.shard)} ${entry.keyHash}`, entry);
  }
  const findEntries = ({ dataset, key, operations }: Write): LoggedEntry[] =>
    key === null
      ? operations.flatMap(({ end }) => byId.get(end?.receipt?.id ?? '') ?? [])
      : (byKey.get(`${dataset} ${keyHash(key)}`) ?? []);

  const claimed = new Set<LoggedEntry>();
  const unnamed = new Map<string, LoggedEntry[][]>();
  const found = history.writes.map((write) => {
    const events = write.operations[0]!.invoke.events.map(entryEvent);
    const entries = findEntries(write);
    for (const entry of entries) claimed.add(entry);
    if (isUnnamed(write)) push(unnamed, `${write.dataset} ${eventsText(events)}`, entries);
    return { write, events, entries };
  });
  const strangers: LoggedEntry[] = [];
  for (const entry of log.entries) {
    if (claimed.has(entry) || entry.verdict !== 'accepted') continue;
    const owner = unnamed.get(`${datasetOf(entry.shard)} ${eventsText(entry.events)}`)?.pop();
    if (owner === undefined) strangers.push(entry);
    else owner.push(entry);
  }

  const writes = found.map(({ write, events, entries }): StandingWrite => {
    const ops = write.operations.map(({ invoke }) => invoke.op);
    const accepted = entries.filter(({ verdict }) => verdict === 'accepted');
    const questions = questionsOf(write, events, entries);
    return { write, ops, ...questions, asked: asked.get(ops[0]!) ?? null, entries, accepted };
  });
  const byOperation = new Map(writes.flatMap((write) => write.ops.map((op) => [op, write] as const)));
  return { writes, byOperation, byPlace, strangers };
}

/** A write that may have happened and that no answer gave a name. */
const isUnnamed = ({ key, operations }: Write): boolean =>
  key === null && operations.every(({ end }) => end?.type !== 'fail' && !isEntryId(end?.receipt?.id ?? ''));

function push<K, V>(map: Map<K, V[]>, key: K, value: V): void {
  const known = map.get(key);
  if (known === undefined) map.set(key, [value]);
  else known.push(value);
}

/** Most writes are asked once: only what another operation asks is looked at again. */
function questionsOf(
  { operations }: Write,
  first: readonly EntryEvent[],
  entries: readonly LoggedEntry[],
): Pick<StandingWrite, 'events' | 'payloads'> {
  const questions = operations.map(({ invoke }, index) =>
    index === 0 ? first : invoke.events.map(entryEvent),
  );
  const payloads = questions.map(eventsText);
  if (new Set(payloads).size === 1) return { events: first, payloads };
  const bound = entries.find(({ verdict }) => binds(verdict));
  const index = bound === undefined ? -1 : payloads.indexOf(eventsText(bound.events));
  return { events: questions[index] ?? first, payloads };
}

const entryEvent = ({ key, type, data, expectedVersion }: HistoryEvent): EntryEvent => ({
  key,
  type,
  v: 1,
  data,
  expectedVersion: expectedVersion === undefined ? null : toSequence(BigInt(expectedVersion)),
});
