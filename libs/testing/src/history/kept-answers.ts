/**
 * What each store keeps for later answers against what the log gives: outcomes by key and sessions by publisher. No hash
 * absorbs them, so nothing else would notice. What is forgotten may be gone or not (I3, I8, I10).
 */
import type { Outcome, Session } from '@lockstep/protocol';
import type { FindingList } from './finding.js';
import type { RefoldedLog } from './refold.js';
import type { RegionalState } from './regional-state.js';

export function judgeKept(
  log: RefoldedLog,
  regions: ReadonlyMap<string, RegionalState>,
  found: FindingList,
): void {
  for (const [region, { answers, cursors }] of regions) {
    if (answers === undefined) continue;
    for (const [shard, refolded] of log.shards) {
      // A region that stands elsewhere is found by its cursor.
      if (cursors.get(shard)?.sequence !== refolded.sequence) continue;
      const at = { region, shard };
      const { outcomesSinceMs, sessionsSinceMs } = refolded;
      const outcomes = differences(
        refolded.outcomes,
        answers.outcomes.get(shard),
        outcomesSinceMs,
        outcomeText,
      );
      for (const detail of outcomes) found.add('outcome-differs', { ...at, detail });
      const sessions = differences(
        refolded.sessions,
        answers.sessions.get(shard),
        sessionsSinceMs,
        sessionText,
      );
      for (const detail of sessions) found.add('session-differs', { ...at, detail });
    }
  }
}

function differences<T extends { readonly logTimeMs: number }>(
  expected: ReadonlyMap<string, T>,
  stored: ReadonlyMap<string, T> = new Map(),
  sinceMs: number,
  textOf: (item: T) => string,
): readonly string[] {
  const isRemembered = (item: T | undefined): item is T => item !== undefined && item.logTimeMs >= sinceMs;
  return [...new Set([...expected.keys(), ...stored.keys()])].flatMap((name) => {
    const [known, found] = [expected.get(name), stored.get(name)];
    if (!isRemembered(known) && !isRemembered(found)) return [];
    const [x, y] = [known, found].map((item) => (item === undefined ? 'nothing' : textOf(item)));
    return x === y ? [] : [`${name}: expected ${x}, found ${y}`];
  });
}

const outcomeText = ({ degraded, epoch, eventKeys, fingerprint, sequence, verdict }: Outcome): string =>
  `${verdict} at ${sequence} in epoch ${epoch}, ${fingerprint ?? 'settled'}, ${eventKeys.join(' ')}${degraded ? ', degraded' : ''}`;

const sessionText = ({ holed, last }: Session): string => `last ${last}${holed ? ', holed' : ''}`;
