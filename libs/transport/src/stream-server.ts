/**
 * The telling side of a stream: writes a subscription's frames to one long HTTP response until the reader has gone.
 *
 * - Frames are written in the order in which the subscription gives them.
 * - The subscription is asked for more only when the response has taken what was written, so that the hub behind it
 *   merges the watermarks of a slow reader, and memory here stays at one answer of the subscription (I17).
 * - A reader that takes nothing for `DRAIN_MS_MAX` is cut off; it connects again and begins with present watermarks.
 * - A line goes out at least every second, so that the other side notices a dead peer within its silence limit.
 */
import type { ServerResponse } from 'node:http';
import type { Subscription } from '@lockstep/engine';
import { encodeFrame, KEEP_ALIVE_LINE } from './stream-frame.js';

export const STREAM_CONTENT_TYPE = 'application/x-ndjson';
export const KEEP_ALIVE_INTERVAL_MS = 1_000;
const DRAIN_MS_MAX = 30_000;

/**
 * Resolves when the reader has gone; rejects with what the subscription rejected with. Either way the subscription is
 * closed and the response has ended.
 */
export async function serveStream(subscription: Subscription, response: ServerResponse): Promise<void> {
  let gone = response.destroyed;
  response.on('close', () => {
    gone = true;
    subscription.close();
  });
  // A reset by the reader is no defect: `close` follows and ends the loop.
  response.on('error', () => undefined);
  response.socket?.setNoDelay(true);
  response.writeHead(200, { 'content-type': STREAM_CONTENT_TYPE, 'cache-control': 'no-store' });
  response.flushHeaders();
  const keepAlive = setInterval(() => {
    if (!response.writableNeedDrain) response.write(KEEP_ALIVE_LINE);
  }, KEEP_ALIVE_INTERVAL_MS);
  try {
    while (!gone) {
      const frames = await subscription.next();
      if (gone) return;
      let taken = true;
      for (const frame of frames) taken = response.write(encodeFrame(frame));
      if (!taken) await drained(response);
    }
  } catch (error) {
    if (!gone) throw error;
  } finally {
    clearInterval(keepAlive);
    subscription.close();
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
