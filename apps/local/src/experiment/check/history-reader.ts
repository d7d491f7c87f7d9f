/** Histories on disk: which one is the newest, and its lines. */
import { createReadStream, existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { readHistoryLine, type HistoryLine } from '@lockstep/testing/history';
import { LocalError } from '../../local-error.js';
import { CHAOS_PREFIX } from '../chaos-options.js';

/** Of writes: what a chaos run recorded beside it holds nothing that could be judged. */
export function newestHistory(data: string): string {
  const folder = join(data, 'history');
  const files = (existsSync(folder) ? readdirSync(folder) : [])
    .filter((name) => name.endsWith('.jsonl') && !name.startsWith(CHAOS_PREFIX))
    .map((name) => join(folder, name))
    .map((path) => ({ path, changedMs: statSync(path).mtimeMs }))
    .toSorted((x, y) => y.changedMs - x.changedMs);
  if (files[0] !== undefined) return files[0].path;
  throw new LocalError(
    'nothing-to-check',
    `${folder} holds no history. Write one with npx lockstep local load, or name a file with --history.`,
  );
}

/** A line that cannot be read was cut off by a crash of the recorder: it is the last one, and is left out. */
export async function readHistory(path: string): Promise<readonly HistoryLine[]> {
  const lines: HistoryLine[] = [];
  let cutOff = false;
  for await (const text of createInterface({ input: createReadStream(path, 'utf8') })) {
    const line = readHistoryLine(text);
    if (cutOff) {
      throw new LocalError('nothing-to-check', `${path} is damaged at its line ${lines.length + 1}.`);
    }
    if (line === null) cutOff = true;
    else lines.push(line);
  }
  return lines;
}
