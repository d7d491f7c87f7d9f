/**
 * One HTTP answer without an end: writes what a telling gives until the reader has gone.
 *
 * - Parts are written in the order in which the telling gives them.
 * - The telling is asked for more only when the response has taken what was written, so that memory here stays at one
 *   answer of the telling, whatever the reader does (I17).
 * - A reader that takes nothing for `DRAIN_MS_MAX` is cut off; it connects again.
 * - Something goes out at least every second, an empty part where there is nothing else, so that the other side
 *   notices a dead peer within its silence limit.
 */
import type { ServerResponse } from 'node:http';

export const KEEP_ALIVE_INTERVAL_MS = 1_000;
const DRAIN_MS_MAX = 30_000;

/** Closing it is idempotent and settles a `next` that waits. */
export interface Telling<Part> {
  /** The parts since the last call; null when there will be no more. */
  next(): Promise<readonly Part[] | null>;
  close(): void;
}

export interface Wording<Part> {
  readonly contentType: string;
  /** What a reader passes over. */
  readonly keepAlive: string;
  readonly encode: (part: Part) => string;
}

/**
 * Resolves when the reader has gone or everything was told; rejects with what the telling rejected with. Either way the
 * telling is closed and the response has ended.
 */
export async function serveLong<Part>(
  telling: Telling<Part>,
  response: ServerResponse,
  { contentType, encode, keepAlive }: Wording<Part>,
): Promise<void> {
  let gone = response.destroyed;
  response.on('close', () => {
    gone = true;
    telling.close();
  });
  // A reset by the reader is no defect: `close` follows and ends the loop.
  response.on('error', () => undefined);
  response.socket?.setNoDelay(true);
  response.writeHead(200, { 'content-type': contentType, 'cache-control': 'no-store' });
  response.flushHeaders();
  const quiet = setInterval(() => {
    if (!response.writableNeedDrain) response.write(keepAlive);
  }, KEEP_ALIVE_INTERVAL_MS);
  try {
    while (!gone) {
      const parts = await telling.next();
      if (gone || parts === null) return;
      if (parts.length === 0) continue;
      quiet.refresh();
      // One chunk for all of them: each costs the reader a piece of HTTP of its own.
      if (!response.write(parts.map(encode).join(''))) await drained(response);
    }
  } catch (error) {
    if (!gone) throw error;
  } finally {
    clearInterval(quiet);
    telling.close();
    // What a stuck reader has not taken by now would hold the response open without a bound.
    if (response.writableNeedDrain) response.destroy();
    else response.end();
  }
}

/** Resolves when the response takes more, or has closed. */
function drained(response: ServerResponse): Promise<void> {
  if (response.destroyed || !response.writableNeedDrain) return Promise.resolve();
  return new Promise((resolve) => {
    const cutOff = setTimeout(() => response.destroy(), DRAIN_MS_MAX);
    const settle = (): void => {
      clearTimeout(cutOff);
      response.off('drain', settle);
      response.off('close', settle);
      resolve();
    };
    response.on('drain', settle);
    response.on('close', settle);
  });
}
