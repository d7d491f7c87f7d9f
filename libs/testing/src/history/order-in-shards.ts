/**
 * Order: a write that began after another one had been acknowledged stands behind it in their shard (I1), and an event
 * is accepted only on the version that it expects (I3).
 */
import type { FindingList } from './finding.js';
import type { RunHistory } from './operations.js';
import type { LoggedEntry, RefoldedLog } from './refold.js';
import { datasetOf, type Standing, type StandingWrite } from './standing.js';

/**
 * One walk over the lines: each shard's highest acknowledged place so far is a floor for every write that begins now. A
 * repeat begins with the first question under its key.
 */
export function judgeRealTime(history: RunHistory, standing: Standing, found: FindingList): void {
  const highest = new Map<string, { readonly sequence: bigint; readonly op: number }>();
  const begun = new Set<StandingWrite>();
  for (const line of history.lines) {
    if (line.type !== 'invoke' && line.type !== 'ok') continue;
    const write = standing.byOperation.get(line.op);
    const entry = write?.accepted[0];
    if (write === undefined || entry === undefined) continue;
    const { shard, sequence } = entry;
    const floor = highest.get(shard);
    if (line.type === 'ok') {
      if (floor === undefined || floor.sequence < sequence) highest.set(shard, { sequence, op: line.op });
      continue;
    }
    if (begun.has(write)) continue;
    begun.add(write);
    if (floor === undefined || floor.sequence < sequence) continue;
    found.add('order-reversed', {
      operations: [floor.op, line.op],
      shard,
      sequence: Number(sequence),
      detail: `operation ${floor.op} stands at ${floor.sequence}`,
    });
  }
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
