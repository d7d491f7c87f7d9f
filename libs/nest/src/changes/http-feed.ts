/**
 * A change feed over HTTP, from the listening side: one connection, its own socket, no reconnect. A connection that is
 * silent for `SILENCE_MS_MAX` is over; a gateway says something every second. Nothing is read before it was asked for, so
 * that a slow reader holds the gateway back.
 */
import { request } from 'node:http';
import type { IncomingMessage } from 'node:http';
import { request as secureRequest } from 'node:https';
import { PortError } from '@lockstep/engine';
import type { PortAnswer, PortFeed } from '../dataset/dataset-port.js';
import { EventParser, type FeedEvent } from './event-parser.js';
import { EVENT_CONTENT_TYPE } from './event-text.js';

const SILENCE_MS_MAX = 10_000;
const REFUSAL_BYTES_MAX = 64 * 1024;

/** @throws PortError `retryable`: a reading has no effect. */
export async function openHttpFeed(
  url: URL,
  from: string | null,
  timeoutMs: number,
): Promise<PortFeed | PortAnswer> {
  const response = await answerOf(url, from, timeoutMs);
  if (response.statusCode === 200 && response.headers['content-type'] === EVENT_CONTENT_TYPE)
    return new HttpFeed(response);
  let body = '';
  try {
    for await (const bytes of response as AsyncIterable<Buffer>) {
      body += bytes.toString('utf8');
      if (body.length > REFUSAL_BYTES_MAX) throw new Error('the answer is too long');
    }
  } catch (error) {
    throw broken((error as Error).message, error);
  }
  const retryAfter = response.headers['retry-after'];
  const headers = retryAfter === undefined ? {} : { 'retry-after': retryAfter };
  return { status: response.statusCode ?? 0, headers, body };
}

function answerOf(url: URL, from: string | null, timeoutMs: number): Promise<IncomingMessage> {
  const open = url.protocol === 'https:' ? secureRequest : request;
  const resume = from === null ? {} : { 'last-event-id': from };
  return new Promise((resolve, reject) => {
    // An own socket: a feed never gives it back.
    const outgoing = open(url, { agent: false, headers: { accept: EVENT_CONTENT_TYPE, ...resume } });
    const bound = setTimeout(
      () => outgoing.destroy(new Error(`no answer within ${timeoutMs} ms`)),
      timeoutMs,
    );
    outgoing.setTimeout(SILENCE_MS_MAX, () => outgoing.destroy(new Error('the gateway is silent')));
    // Stays for the life of the socket: an error after the answer has nobody else to go to.
    outgoing.on('error', (error) => {
      clearTimeout(bound);
      reject(broken(error.message, error));
    });
    outgoing.on('response', (response) => {
      clearTimeout(bound);
      resolve(response);
    });
    outgoing.end();
  });
}

class HttpFeed implements PortFeed {
  private readonly pieces: AsyncIterator<Buffer>;
  private readonly parser = new EventParser();
  private closed = false;

  constructor(private readonly response: IncomingMessage) {
    this.pieces = (response as AsyncIterable<Buffer>)[Symbol.asyncIterator]();
  }

  async next(): Promise<readonly FeedEvent[] | null> {
    try {
      for (;;) {
        const piece = await this.pieces.next();
        if (piece.done === true) return null;
        const events = this.parser.take(piece.value);
        if (events.length > 0) return events;
      }
    } catch (error) {
      if (this.closed) return null;
      throw broken((error as Error).message, error);
    }
  }

  close(): void {
    this.closed = true;
    this.response.destroy();
  }
}

const broken = (why: string, cause: unknown): PortError =>
  new PortError('feed-broken', 'retryable', `the change feed broke off: ${why}`, cause);
