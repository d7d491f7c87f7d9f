/**
 * The log files of the processes, bounded. A process writes straight into its file, so its lines are there even when the
 * supervisor dies; a file beyond the limit is copied aside and cut to nothing in place. Lines written in between those
 * two calls are lost, which a local log may.
 */
import { closeSync, mkdirSync, openSync, readSync, statSync } from 'node:fs';
import { copyFile, rename, stat, truncate } from 'node:fs/promises';
import { dirname } from 'node:path';

const LOG_BYTES_MAX = 10 * 1024 * 1024;
const CHECK_EVERY_MS = 5_000;

/** For a child's standard streams; the caller closes it after the spawn. */
export function openForAppend(path: string): number {
  mkdirSync(dirname(path), { recursive: true });
  return openSync(path, 'a', 0o644);
}

export function closeLog(descriptor: number): void {
  closeSync(descriptor);
}

export function logLength(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}

/** Everything from an offset on, at most the last 64 KiB of it. A file that was cut since is read from its beginning. */
export function readLogFrom(path: string, offset: number): string {
  const length = logLength(path);
  const from = Math.max(offset > length ? 0 : offset, length - 65_536);
  if (length === 0) return '';
  const descriptor = openSync(path, 'r');
  try {
    const buffer = Buffer.alloc(length - from);
    return buffer.toString('utf8', 0, readSync(descriptor, buffer, 0, buffer.length, from));
  } finally {
    closeSync(descriptor);
  }
}

export function lastLines(path: string, count: number): string {
  return readLogFrom(path, 0).trimEnd().split('\n').slice(-count).join('\n');
}

/** Keeps the files bounded until it is stopped: the file and two older ones. */
export function keepBounded(paths: () => readonly string[]): { stop(): void } {
  let busy = false;
  const timer = setInterval(() => {
    if (busy) return;
    busy = true;
    void Promise.all(paths().map((path) => rotateBeyond(path, LOG_BYTES_MAX))).finally(() => {
      busy = false;
    });
  }, CHECK_EVERY_MS);
  timer.unref();
  return { stop: () => clearInterval(timer) };
}

export async function rotateBeyond(path: string, bytesMax: number): Promise<void> {
  try {
    if ((await stat(path)).size <= bytesMax) return;
    await rename(`${path}.1`, `${path}.2`).catch(() => undefined);
    await copyFile(path, `${path}.1`);
    await truncate(path);
  } catch {
    // A log that cannot be rotated must not end the cluster; the next check tries again.
  }
}
