/**
 * The listening side of a stream: the StreamSource port over HTTP.
 *
 * - `connect` resolves when the other side has answered with a stream; one attempt, bounded in time.
 * - `next` gives all frames that arrived since the last call, in order. What arrived before the connection failed is
 *   given first; then `next` rejects, and goes on rejecting.
 * - A connection fails when it ended, was silent for `SILENCE_MS_MAX`, or brought a line that is no frame. There is no
 *   reconnect here: the engine's loop owns that, because a new connection begins with present watermarks.
 * - A reader that does not call `next` holds the socket back at `BUFFERED_BYTES_MAX`; the other side then merges.
 */
import { request } from 'node:http';
import type { IncomingMessage } from 'node:http';
import type { RegionName } from '@lockstep/protocol';
import { PortError } from '@lockstep/engine';
import type { StreamConnection, StreamFrame, StreamSource } from '@lockstep/engine';
import { decodeFrame, LINE_BYTES_MAX } from './stream-frame.js';
import { STREAM_CONTENT_TYPE } from './stream-server.js';

export const SILENCE_MS_MAX = 3_000;
const CONNECT_MS_MAX = 3_000;
const BUFFERED_BYTES_MAX = 4 * 1024 * 1024;
const NEWLINE = 0x0a;

/** @param addresses base URLs of a region's replicator instances, for example `http://127.0.0.1:7301`. */
export function httpStreams(addresses: ReadonlyMap<RegionName, readonly string[]>): StreamSource {
  return {
    instances: (region) => addresses.get(region)?.length ?? 1,
    connect: async (region, instance, publisherPrefix) => {
      const address = addresses.get(region)?.[instance];
      if (address === undefined) {
        throw new PortError(
          'region-unknown',
          'fatal',
          `No replicator address of region ${region}: add it to topology.yaml.`,
        );
      }
      const url = new URL('/v1/stream', address);
      if (publisherPrefix !== null) url.searchParams.set('verdicts', publisherPrefix);
      return new HttpStreamConnection(await openStream(url), url.host);
    },
  };
}

function openStream(url: URL): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    // An own socket for each stream: a pooled one could be held by the pool when the stream must die.
    const outgoing = request(url, { agent: false, headers: { accept: STREAM_CONTENT_TYPE } });
    const giveUp = (message: string, cause?: unknown): void => {
      clearTimeout(bound);
      reject(
        new PortError('stream-unreachable', 'retryable', `No stream from ${url.host}: ${message}`, cause),
      );
      outgoing.destroy();
    };
    const bound = setTimeout(() => giveUp(`no answer within ${CONNECT_MS_MAX} ms`), CONNECT_MS_MAX);
    outgoing.setNoDelay(true);
    // Stays for the life of the socket: an error after `giveUp` has nobody else to go to.
    outgoing.on('error', (error) => giveUp(error.message, error));
    outgoing.on('response', (response) => {
      if (response.statusCode !== 200 || response.headers['content-type'] !== STREAM_CONTENT_TYPE) {
        giveUp(`it answered ${response.statusCode} ${response.headers['content-type'] ?? ''}`);
        return;
      }
      clearTimeout(bound);
      resolve(response);
    });
    outgoing.end();
  });
}

class HttpStreamConnection implements StreamConnection {
  readonly #response: IncomingMessage;
  readonly #peer: string;
  readonly #silence: NodeJS.Timeout;
  #frames: StreamFrame[] = [];
  #framesBytes = 0;
  /** Pieces of a line whose end has not arrived. */
  #pieces: Buffer[] = [];
  #piecesBytes = 0;
  #failure: PortError | null = null;
  #waiting: { resolve(frames: readonly StreamFrame[]): void; reject(error: PortError): void } | null = null;

  constructor(response: IncomingMessage, peer: string) {
    this.#response = response;
    this.#peer = peer;
    this.#silence = setTimeout(() => this.#onSilence(), SILENCE_MS_MAX);
    response.on('data', (chunk: Buffer) => this.#onData(chunk));
    response.on('end', () => this.#fail('stream-ended', 'the other side ended it'));
    response.on('error', (error) => this.#fail('stream-broken', error.message, error));
    response.on('close', () => this.#fail('stream-broken', 'the connection was closed'));
  }

  next(): Promise<readonly StreamFrame[]> {
    if (this.#waiting !== null) throw new Error('one next() at a time: frames have one order and one reader');
    if (this.#frames.length > 0) return Promise.resolve(this.#take());
    if (this.#failure !== null) return Promise.reject(this.#failure);
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject };
    });
  }

  close(): void {
    this.#fail('stream-closed', 'this side closed it');
  }

  #onData(chunk: Buffer): void {
    if (this.#failure !== null) return;
    this.#silence.refresh();
    let from = 0;
    for (let end = chunk.indexOf(NEWLINE); end !== -1; end = chunk.indexOf(NEWLINE, from)) {
      if (!this.#onLine(chunk.subarray(from, end))) return;
      from = end + 1;
    }
    if (from < chunk.length) {
      this.#pieces.push(chunk.subarray(from));
      this.#piecesBytes += chunk.length - from;
    }
    if (this.#piecesBytes > LINE_BYTES_MAX) {
      this.#fail('stream-garbage', `a line is longer than ${LINE_BYTES_MAX} bytes`);
      return;
    }
    if (this.#frames.length > 0 && this.#waiting !== null) {
      const { resolve } = this.#waiting;
      this.#waiting = null;
      resolve(this.#take());
    }
    if (this.#framesBytes >= BUFFERED_BYTES_MAX) this.#response.pause();
  }

  /** False when the line ended the connection. */
  #onLine(lastPiece: Buffer): boolean {
    const line = this.#piecesBytes === 0 ? lastPiece : Buffer.concat([...this.#pieces, lastPiece]);
    this.#pieces = [];
    this.#piecesBytes = 0;
    if (line.length === 0) return true;
    if (line.length > LINE_BYTES_MAX) {
      this.#fail('stream-garbage', `a line is longer than ${LINE_BYTES_MAX} bytes`);
      return false;
    }
    try {
      this.#frames.push(decodeFrame(line.toString('utf8')));
      this.#framesBytes += line.length;
      return true;
    } catch (error) {
      this.#fail('stream-garbage', (error as Error).message, error);
      return false;
    }
  }

  #take(): readonly StreamFrame[] {
    const frames = this.#frames;
    this.#frames = [];
    this.#framesBytes = 0;
    if (this.#response.isPaused()) {
      this.#silence.refresh();
      this.#response.resume();
    }
    return frames;
  }

  /** A socket that this side holds back is not silent. */
  #onSilence(): void {
    if (this.#response.isPaused()) this.#silence.refresh();
    else this.#fail('stream-silent', `nothing arrived for ${SILENCE_MS_MAX} ms`);
  }

  #fail(code: string, message: string, cause?: unknown): void {
    if (this.#failure !== null) return;
    this.#failure = new PortError(code, 'retryable', `Stream from ${this.#peer}: ${message}`, cause);
    clearTimeout(this.#silence);
    this.#response.destroy();
    const waiting = this.#waiting;
    this.#waiting = null;
    if (waiting === null) return;
    if (this.#frames.length > 0) waiting.resolve(this.#take());
    else waiting.reject(this.#failure);
  }
}
