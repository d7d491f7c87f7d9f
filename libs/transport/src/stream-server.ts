/**
 * The telling side of a stream: a subscription's frames as one long HTTP answer. The hub behind a slow reader merges his
 * watermarks; who is cut off connects again and begins with present ones.
 */
import type { ServerResponse } from 'node:http';
import type { StreamFrame, Subscription } from '@lockstep/engine';
import { serveLong, type Wording } from './long-answer.js';
import { encodeFrame, KEEP_ALIVE_LINE } from './stream-frame.js';

export const STREAM_CONTENT_TYPE = 'application/x-ndjson';

const FRAMES: Wording<StreamFrame> = {
  contentType: STREAM_CONTENT_TYPE,
  keepAlive: KEEP_ALIVE_LINE,
  encode: encodeFrame,
};

/** Resolves when the reader has gone; rejects with what the subscription rejected with. */
export const serveStream = (subscription: Subscription, response: ServerResponse): Promise<void> =>
  serveLong(subscription, response, FRAMES);
