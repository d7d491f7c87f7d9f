/**
 * The log files of a local cluster, read as one log.
 *
 * Entries of one process keep the order they were written in, whatever its clock did; processes are merged by time. A
 * file is streamed and never held: of each process one entry waits for its turn, and an entry is bounded. What is rotated
 * away while somebody reads may be missed, as may what is written then.
 */
import { createReadStream } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { readEntry, type LogEntry, type LogSource } from './log-entry.js';

export interface ProcessLog extends LogSource {
  /** Oldest first: those that were rotated away, then the present one. */
  readonly paths: readonly string[];
}

export interface Wanted {
  /** Wall clock; null for all. Entries without a time are no answer to a time. */
  readonly sinceMs: number | null;
  /** Judges the whole text of an entry. */
  readonly names: (text: string) => boolean;
}

export const logRoles = [
  'gateway',
  'replicator',
  'coordinator',
  'standby',
  'ledger',
  'postgres',
  'kafka',
  'jaeger',
  'supervisor',
] as const;

const OF_REGION =
  /^((?<region>[a-z][a-z0-9-]{0,31})-(?<role>gateway|replicator|coordinator|standby|ledger|postgres))\.log(\.[12])?$/;
const OF_CLUSTER = /^((?<role>kafka)-\d+|(?<alone>jaeger|supervisor))\.log(\.[12])?$/;
const LINE_CHARS_MAX = 1024 * 1024;
const ENTRY_CHARS_MAX = 1024 * 1024;

/** Of each process that ever wrote here; empty when there is no such folder. */
export async function processLogs(folder: string): Promise<readonly ProcessLog[]> {
  const logs = new Map<string, ProcessLog>();
  // `x.log.2` is older than `x.log.1`, which is older than `x.log`.
  for (const file of (await namesIn(folder)).sort().toReversed()) {
    const { region, role, alone } = (OF_REGION.exec(file) ?? OF_CLUSTER.exec(file))?.groups ?? {};
    const known = role ?? alone;
    if (known === undefined) continue;
    const process = file.slice(0, file.indexOf('.log'));
    const paths = [...(logs.get(process)?.paths ?? []), join(folder, file)];
    logs.set(process, { process, region: region ?? null, role: known, paths });
  }
  return [...logs.values()].sort((one, other) => (one.process < other.process ? -1 : 1));
}

export async function* mergedEntries(
  logs: readonly ProcessLog[],
  wanted: Wanted,
): AsyncGenerator<{ readonly log: ProcessLog; readonly entry: LogEntry }> {
  const heads = await Promise.all(
    logs.map(async (log) => {
      const entries = entriesOf(log, wanted);
      return { log, entries, next: await entries.next() };
    }),
  );
  for (;;) {
    const waiting = heads.flatMap((head) =>
      head.next.done === true ? [] : [{ head, entry: head.next.value }],
    );
    const first = waiting.reduce<(typeof waiting)[number] | null>(
      (least, each) => (least === null || timeOf(each.entry) < timeOf(least.entry) ? each : least),
      null,
    );
    if (first === null) return;
    yield { log: first.head.log, entry: first.entry };
    first.head.next = await first.head.entries.next();
  }
}

/** What has no time stands before all else of its process, so it comes first. */
const timeOf = ({ atMs }: LogEntry): number => atMs ?? Number.NEGATIVE_INFINITY;

async function* entriesOf({ paths }: ProcessLog, { sinceMs, names }: Wanted): AsyncGenerator<LogEntry> {
  let open: { readonly entry: LogEntry; text: string; isCut: boolean } | null = null;
  const isWanted = ({ entry, text }: NonNullable<typeof open>): boolean =>
    (sinceMs === null || (entry.atMs !== null && entry.atMs >= sinceMs)) && names(text);
  for (const path of paths) {
    // Whole files are left out by their last write.
    if (sinceMs !== null && (await lastWriteMs(path)) < sinceMs) continue;
    for await (const line of linesOf(path)) {
      const entry = readEntry(line);
      if (entry === null && open !== null) {
        if (open.text.length + line.length < ENTRY_CHARS_MAX) open.text += `\n${line}`;
        else open.isCut = true;
        continue;
      }
      if (open !== null && isWanted(open)) yield closed(open);
      // What no entry stands before: the rest of one that was rotated away.
      open = {
        entry: entry ?? { atMs: null, level: null, message: line, fields: {} },
        text: line,
        isCut: false,
      };
    }
  }
  if (open !== null && isWanted(open)) yield closed(open);
}

function closed({ entry, isCut, text }: { entry: LogEntry; text: string; isCut: boolean }): LogEntry {
  const lineEnd = text.indexOf('\n');
  if (lineEnd === -1) return entry;
  return { ...entry, message: `${entry.message}${text.slice(lineEnd)}${isCut ? '\n(cut here)' : ''}` };
}

/** Nothing of a file that was taken away meanwhile. A line beyond the bound is read as several. */
async function* linesOf(path: string): AsyncGenerator<string> {
  let rest = '';
  try {
    for await (const chunk of createReadStream(path, { encoding: 'utf8' }) as AsyncIterable<string>) {
      const lines = (rest + chunk).split('\n');
      rest = lines.pop() ?? '';
      yield* lines.filter((line) => line !== '');
      if (rest.length > LINE_CHARS_MAX) {
        yield rest;
        rest = '';
      }
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
  if (rest !== '') yield rest;
}

async function namesIn(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}

async function lastWriteMs(path: string): Promise<number> {
  try {
    return (await stat(path)).mtimeMs;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return 0;
    throw error;
  }
}
