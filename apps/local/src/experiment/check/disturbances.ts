/** What chaos did to the cluster while a run was written, from the logs that it leaves beside the histories. */
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { FaultLine, HistoryLine, RunLine } from '@lockstep/testing/history';
import { CHAOS_PREFIX } from '../chaos-options.js';
import { readHistory } from './history-reader.js';

/** Both recorders run on one machine, so that their clocks agree. */
export async function disturbancesDuring(
  data: string,
  run: RunLine,
  lines: readonly HistoryLine[],
): Promise<readonly FaultLine[]> {
  const beganMs = Date.parse(run.startedAt);
  const endedMs = Math.max(beganMs, ...lines.slice(-1).map((line) => momentMs(run, line)));
  const folder = join(data, 'history');
  const names = existsSync(folder) ? readdirSync(folder) : [];
  const found: FaultLine[] = [];
  for (const name of names) {
    if (!name.startsWith(CHAOS_PREFIX) || !name.endsWith('.jsonl')) continue;
    const [chaos, ...others] = await readHistory(join(folder, name));
    if (chaos?.type !== 'run') continue;
    for (const line of others) {
      if (line.type !== 'fault') continue;
      const atMs = momentMs(chaos, line);
      if (atMs >= beganMs && atMs <= endedMs) found.push(line);
    }
  }
  return found;
}

const momentMs = (run: RunLine, line: HistoryLine): number =>
  Date.parse(run.startedAt) + (line.type === 'run' ? 0 : line.t / 1e6);
