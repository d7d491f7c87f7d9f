/**
 * Order: a write that began after another one had been acknowledged stands behind it in their shard (I1), and an event
 * is accepted only on the version that it expects (I3).
 */
import { binds } from '@lockstep/protocol';
import type { FindingList } from './finding.js';
import type { CompletionLine, ReadCompletionLine } from './history.js';
import type { RunHistory } from './operations.js';
import type { LoggedEntry, RefoldedLog } from './refold.js';
import { datasetOf, type Standing, type StandingWrite } from './standing.js';

/**
 * One walk over the lines: the highest place of each shard that anybody was told so far, by an answer or by a read, is a
 * floor for every write and every strong read that begins now. A repeat begins with the first question under its key.
 */
export function judgeRealTime(history: RunHistory, standing: Standing, found: FindingList): void {
  const highest = new Map<string, Floor>();
  const begun = new Set<StandingWrite>();
  /** Of strong reads under way: the floors when they began, which are those of all shards, as a read names its shard late. */
  const floors = new Map<number, ReadonlyMap<string, Floor>>();
  for (const line of history.lines) {
    if (line.type === 'run' || line.type === 'fault') continue;
    if (line.type === 'invoke') {
      if (line.f === 'append') judgeBeginning(line.op, standing, highest, begun, found);
      else if (line.consistency === 'strong') floors.set(line.op, new Map(highest));
      continue;
    }
    const place = placeTold(line, standing);
    if (place === null) continue;
    const { shard, sequence } = place;
    const floor = floors.get(line.op)?.get(shard);
    if (floor !== undefined && sequence < floor.sequence) {
      const detail = `operation ${floor.op} was told ${floor.sequence}`;
      const operations = [floor.op, line.op];
      found.add('strong-read-stale', { operations, shard, sequence: Number(sequence), detail });
    }
    floors.delete(line.op);
    if ((highest.get(shard)?.sequence ?? 0n) < sequence) highest.set(shard, { sequence, op: line.op });
  }
}

interface Floor {
  readonly sequence: bigint;
  readonly op: number;
}

function judgeBeginning(
  op: number,
  { byOperation }: Standing,
  highest: ReadonlyMap<string, Floor>,
  begun: Set<StandingWrite>,
  found: FindingList,
): void {
  const write = byOperation.get(op);
  const entry = write?.entries.find(({ verdict }) => binds(verdict));
  if (write === undefined || entry === undefined || begun.has(write)) return;
  begun.add(write);
  const { shard, sequence } = entry;
  const floor = highest.get(shard);
  if (floor === undefined || floor.sequence < sequence) return;
  found.add('order-reversed', {
    operations: [floor.op, op],
    shard,
    sequence: Number(sequence),
    detail: `operation ${floor.op} was told ${floor.sequence}`,
  });
}

/**
 * A place that an answer proves the log to have reached. What was told logged has told none, and may be any entry of its
 * write: the first, or one that was appended when the fold had turned that down.
 */
function placeTold(
  line: CompletionLine | ReadCompletionLine,
  { byOperation }: Standing,
): { readonly shard: string; readonly sequence: bigint } | null {
  if (line.f === 'read') {
    return line.seen === null ? null : { shard: line.seen.shard, sequence: BigInt(line.seen.sequence) };
  }
  const { receipt } = line;
  if (receipt?.sequence !== undefined) return { shard: receipt.shard, sequence: BigInt(receipt.sequence) };
  return line.type === 'ok' ? (byOperation.get(line.op)?.entries[0] ?? null) : null;
}

export function judgeExpectedVersions(log: RefoldedLog, found: FindingList): void {
  const versions = new Map<string, bigint>();
  for (const entry of log.entries) {
    if (entry.verdict !== 'accepted') continue;
    const dataset = datasetOf(entry.shard);
    for (const { key, expectedVersion } of entry.events) {
      const version = versions.get(`${dataset} ${key}`) ?? 0n;
      // Within one entry a key has the version from before the entry.
      if (expectedVersion === null || version === expectedVersion) continue;
      found.add('expected-version-ignored', {
        ...where(entry),
        keys: [key],
        detail: `expected ${expectedVersion}, was ${version}`,
      });
    }
    for (const { key } of entry.events) versions.set(`${dataset} ${key}`, entry.sequence);
  }
}

const where = ({ shard, sequence }: LoggedEntry): { shard: string; sequence: number } => ({
  shard,
  sequence: Number(sequence),
});
