/**
 * What was told against what stands in the log: accepted, logged, rejected, refused and unknown, and repeats under one
 * key (I2, I7, I8, I9, I10).
 */
import { binds, eventsText, sequence as toSequence, type Receipt } from '@lockstep/protocol';
import type { FindingList } from './finding.js';
import { isDefinite, openWrites, type RunHistory } from './operations.js';
import type { LoggedEntry } from './refold.js';
import { datasetOf, placeOf, type Standing, type StandingWrite } from './standing.js';

/** A definite receipt, and what was asked when it was told. */
export interface ToldReceipt {
  readonly receipt: Receipt;
  /** Canonical text of the events; null where the key alone was asked for. */
  readonly asked: string | null;
}

/** Every definite receipt of a write, however it came. */
export function definiteReceipts(write: StandingWrite): readonly ToldReceipt[] {
  const told = write.write.operations.flatMap(({ end }, index) =>
    isDefinite(end?.receipt) ? [{ receipt: end.receipt, asked: write.payloads[index]! }] : [],
  );
  const again = write.asked?.kind === 'receipt' ? write.asked.receipt : null;
  return isDefinite(again) ? [...told, { receipt: again, asked: null }] : told;
}

export function judgeTold(history: RunHistory, standing: Standing, found: FindingList): void {
  const placesTold = new Map<string, StandingWrite>();
  const acceptedByKey = acceptedOf(standing);
  for (const write of standing.writes) {
    const receipts = definiteReceipts(write);
    for (const told of receipts) {
      if (told.receipt.outcome === 'accepted') judgeAccepted(write, told, standing, placesTold, found);
      else judgeRejected(write, told.receipt, standing, acceptedByKey, found);
    }
    judgeReuse(write, receipts, found);
    judgeAnswers(write, receipts, found);
    judgeLogged(write, found);
    judgeAbsence(write, receipts, found);
    if (write.accepted.length > 1) {
      const detail = write.accepted.map((entry) => placeOf(entry.shard, entry.sequence)).join(', ');
      found.add('effect-twice', { ...evidence(write), detail });
    }
  }
  judgeOpen(history, standing, found);
  judgeStrangers(standing, found);
}

const evidence = ({
  ops,
  events,
}: StandingWrite): { operations: readonly number[]; keys: readonly string[] } => ({
  operations: ops,
  keys: [...new Set(events.map(({ key }) => key))],
});

const placed = (receipt: Receipt): { shard: string; sequence: number } => ({
  shard: receipt.shard,
  sequence: receipt.sequence ?? 0,
});

function judgeAccepted(
  write: StandingWrite,
  { asked, receipt }: ToldReceipt,
  standing: Standing,
  placesTold: Map<string, StandingWrite>,
  found: FindingList,
): void {
  const told = { ...evidence(write), ...placed(receipt) };
  const place = placeOf(receipt.shard, receipt.sequence ?? 0);
  const other = placesTold.get(place);
  if (other !== undefined && other !== write) {
    found.add('place-told-twice', { ...told, operations: [...other.ops, ...write.ops] });
  }
  placesTold.set(place, write);

  const entry = standing.byPlace.get(place);
  if (entry?.verdict !== 'accepted') {
    found.add('accepted-lost', { ...told, detail: entry === undefined ? 'no entry' : entry.verdict });
  } else if (!write.entries.includes(entry) || !askedFor(write, asked, eventsText(entry.events))) {
    found.add('accepted-differs', { ...told, detail: eventsText(entry.events).slice(0, 200) });
  }
  const versions = Object.entries(receipt.versions ?? {});
  const untrue =
    versions.length !== told.keys.length ||
    versions.some(([key, version]) => !told.keys.includes(key) || version !== receipt.sequence);
  if (untrue) found.add('versions-untrue', { ...told, detail: JSON.stringify(receipt.versions ?? null) });
}

/** Judged by the verdict that is told: `key-reused` names the place of another write, `expired` may be a settle entry. */
function judgeRejected(
  write: StandingWrite,
  receipt: Receipt,
  standing: Standing,
  acceptedByKey: ReadonlyMap<string, readonly LoggedEntry[]>,
  found: FindingList,
): void {
  if (receipt.code === 'key-reused' || receipt.sequence === undefined) return;
  const entry = standing.byPlace.get(placeOf(receipt.shard, receipt.sequence));
  const told = { ...evidence(write), ...placed(receipt) };
  if (entry === undefined ? receipt.code !== 'expired' : entry.verdict !== receipt.code) {
    found.add('rejection-untrue', {
      ...told,
      detail: `told ${receipt.code}, ${entry?.verdict ?? 'no entry'} found`,
    });
  }
  if (receipt.code !== 'version-conflict') return;
  const at = toSequence(BigInt(receipt.sequence));
  const founded = write.events.some(({ key, expectedVersion }) => {
    if (expectedVersion === null) return false;
    const entries = acceptedByKey.get(`${write.write.dataset} ${key}`) ?? [];
    return (lastBefore(entries, at)?.sequence ?? 0n) !== expectedVersion;
  });
  if (!founded) found.add('conflict-unfounded', told);
}

const askedFor = ({ payloads }: StandingWrite, asked: string | null, standing: string): boolean =>
  asked === null ? payloads.includes(standing) : asked === standing;

/** I10. Another payload under the key is another question: then `key-reused` is the right answer to it. */
function judgeAnswers(write: StandingWrite, receipts: readonly ToldReceipt[], found: FindingList): void {
  const isOneQuestion = new Set(write.payloads).size === 1;
  const answers = new Set(
    receipts
      .filter(({ receipt: { code } }) => isOneQuestion || code !== 'key-reused')
      .map(({ receipt: { outcome, code, shard, sequence } }) =>
        [outcome, code, placeOf(shard, sequence ?? 0)].join(' '),
      ),
  );
  if (answers.size > 1) {
    found.add('repeat-answered-differently', { ...evidence(write), detail: [...answers].join('; ') });
  }
}

/** I10. The payload that the log bound to the key has its outcome, and every other one is told that the key is taken. */
function judgeReuse(write: StandingWrite, receipts: readonly ToldReceipt[], found: FindingList): void {
  if (new Set(write.payloads).size === 1) return;
  const bound = write.entries.find(({ verdict }) => binds(verdict));
  if (bound === undefined) return;
  const payload = eventsText(bound.events);
  for (const { asked, receipt } of receipts) {
    if (asked === null || (asked === payload) !== (receipt.code === 'key-reused')) continue;
    const detail = `${asked === payload ? 'the bound' : 'another'} payload told ${receipt.code ?? receipt.outcome}`;
    found.add('key-reuse-unnoticed', { ...evidence(write), ...placed(receipt), detail });
  }
}

function judgeLogged(write: StandingWrite, found: FindingList): void {
  if (write.entries.length > 0) return;
  const logged = write.write.operations.filter(({ end }) => end?.type === 'ok' && !isDefinite(end.receipt));
  if (logged.length > 0) found.add('logged-lost', evidence(write));
}

function judgeAbsence(write: StandingWrite, receipts: readonly ToldReceipt[], found: FindingList): void {
  const [entry] = write.accepted;
  if (entry === undefined) return;
  const at = { ...evidence(write), shard: entry.shard, sequence: Number(entry.sequence) };
  const rejected = receipts
    .map(({ receipt }) => receipt)
    .find(({ outcome, code }) => outcome === 'rejected' && code !== 'key-reused');
  if (rejected !== undefined || write.asked?.kind === 'never') {
    found.add('rejection-took-effect', { ...at, detail: rejected?.code ?? 'never-or-expired' });
  } else if (receipts.length === 0 && write.write.operations.every(({ end }) => end?.type === 'fail')) {
    found.add('refusal-took-effect', { ...at, detail: write.write.operations[0]?.end?.code ?? 'refused' });
  }
}

function judgeOpen(history: RunHistory, standing: Standing, found: FindingList): void {
  for (const open of openWrites(history.writes)) {
    const write = standing.byOperation.get(open.operations[0]!.invoke.op)!;
    if (open.key === null || write.asked?.kind === 'never') continue;
    if (write.asked?.kind === 'receipt' && isDefinite(write.asked.receipt)) continue;
    const detail = write.asked?.kind === 'open' ? write.asked.reason : 'not asked again';
    found.add('unknown-stays-unknown', { ...evidence(write), detail });
  }
}

/** An accepted entry that no write claims by name is a refused write's, a copy of a known one, or nobody's. */
function judgeStrangers(standing: Standing, found: FindingList): void {
  if (standing.strangers.length === 0) return;
  const byText = new Map<string, StandingWrite>();
  for (const write of standing.writes)
    byText.set(`${write.write.dataset} ${eventsText(write.events)}`, write);
  for (const entry of standing.strangers) {
    const write = byText.get(`${datasetOf(entry.shard)} ${eventsText(entry.events)}`);
    const at = {
      shard: entry.shard,
      sequence: Number(entry.sequence),
      keys: [...new Set(entry.events.map(({ key }) => key))],
    };
    if (write === undefined) found.add('phantom-entry', at);
    else if (write.write.operations.every(({ end }) => end?.type === 'fail'))
      found.add('refusal-took-effect', { ...at, operations: write.ops });
    else found.add('effect-twice', { ...at, operations: write.ops });
  }
}

/** Accepted entries of each row, in the order of their shard. */
function acceptedOf({ byPlace }: Standing): ReadonlyMap<string, readonly LoggedEntry[]> {
  const byKey = new Map<string, LoggedEntry[]>();
  for (const entry of byPlace.values()) {
    if (entry.verdict !== 'accepted') continue;
    for (const key of new Set(entry.events.map((event) => event.key))) {
      const name = `${datasetOf(entry.shard)} ${key}`;
      const known = byKey.get(name);
      if (known === undefined) byKey.set(name, [entry]);
      else known.push(entry);
    }
  }
  return byKey;
}

/** The last entry before `at`, by halves: a key may have very many. */
function lastBefore(entries: readonly LoggedEntry[], at: bigint): LoggedEntry | undefined {
  let low = 0;
  let high = entries.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (entries[middle]!.sequence < at) low = middle + 1;
    else high = middle;
  }
  return entries[low - 1];
}
