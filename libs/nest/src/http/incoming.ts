/**
 * Reads what a request brings, in bounds: body as strict UTF-8, query decoded once, headers without doubles of those
 * that must be unique. Whatever is wrong is a Refusal; nothing is repaired.
 */
import type { IncomingMessage } from 'node:http';
import { FORWARDED_HEADER } from '@lockstep/transport';
import type { IncomingHeaders, IncomingQuery } from './gateway-api.js';
import { Refusal } from './http-answer.js';

export const BODY_BYTES_MAX = 1024 * 1024;
export const BATCH_BODY_BYTES_MAX = 8 * 1024 * 1024;
/** Of all requests of this process together, from the first byte to the answer. */
export const BODIES_HELD_BYTES_MAX = 64 * 1024 * 1024;

/** Counts the bodies that this process holds (I17). */
export class IncomingBodies {
  #heldBytes = 0;

  /** Calls `use` with the body's text; its bytes count as held until `use` has ended. */
  async withBody(
    request: IncomingMessage,
    bytesMax: number,
    use: (body: string) => Promise<void>,
  ): Promise<void> {
    const encoding = request.headers['content-encoding'] ?? 'identity';
    if (encoding.toLowerCase() !== 'identity')
      throw new Refusal('unsupported-encoding', `Content-Encoding is ${encoding}.`);
    let takenBytes = 0;
    const take = (bytes: number): void => {
      if (takenBytes + bytes > bytesMax)
        throw new Refusal('too-large', `The body is larger than ${bytesMax} bytes.`);
      if (this.#heldBytes + bytes > BODIES_HELD_BYTES_MAX) {
        throw new Refusal(
          'overloaded',
          'The bodies of requests under way fill the memory set aside for them.',
        );
      }
      takenBytes += bytes;
      this.#heldBytes += bytes;
    };
    try {
      if (Number(request.headers['content-length'] ?? 0) > bytesMax) take(bytesMax + 1);
      await use(strictText(await readBytes(request, take)));
    } finally {
      this.#heldBytes -= takenBytes;
    }
  }
}

/** Not an async iterator: leaving one destroys the socket, and the caller would not see the refusal. */
function readBytes(request: IncomingMessage, take: (bytes: number) => void): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    const settle = (): void => {
      request.off('data', onData);
      request.off('end', onEnd);
      request.off('close', onGone);
    };
    const onData = (chunk: Buffer): void => {
      try {
        take(chunk.length);
        chunks.push(chunk);
      } catch (error) {
        // Without a listener the stream flows on: the rest is received and thrown away, so that the caller reads the
        // answer; the request time-out bounds it.
        settle();
        reject(error as Error);
      }
    };
    const onEnd = (): void => {
      settle();
      resolve(Buffer.concat(chunks));
    };
    const onGone = (): void => {
      settle();
      reject(new Refusal('malformed', 'The body broke off.'));
    };
    request.on('data', onData);
    request.on('end', onEnd);
    request.on('close', onGone);
    // A reset in the middle of the body: `close` follows.
    request.on('error', () => undefined);
  });
}

function strictText(bytes: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new Refusal('malformed', 'The body is not well-formed UTF-8.');
  }
}

/** A second one would be joined to the first and mean something that nobody said. */
const mustBeUnique = (name: string): boolean =>
  name === 'idempotency-key' || name === 'traceparent' || name.startsWith('lockstep-');

export const isForwarded = ({ headers }: IncomingMessage): boolean => headers[FORWARDED_HEADER] !== undefined;

export function incomingHeaders(request: IncomingMessage): IncomingHeaders {
  for (const [name, values] of Object.entries(request.headersDistinct)) {
    if (values !== undefined && values.length > 1 && mustBeUnique(name)) {
      throw new Refusal('malformed', `The header ${name} stands ${values.length} times.`);
    }
  }
  const headers: [string, string][] = [];
  for (const [name, value] of Object.entries(request.headers)) {
    if (value !== undefined) headers.push([name, Array.isArray(value) ? value.join(', ') : value]);
  }
  return Object.fromEntries(headers);
}

export function incomingQuery(request: IncomingMessage): IncomingQuery {
  const url = request.url ?? '';
  const at = url.indexOf('?');
  const query = new Map<string, string>();
  for (const pair of at === -1 ? [] : url.slice(at + 1).split('&')) {
    if (pair === '') continue;
    const equals = pair.indexOf('=');
    const name = decodedOnce(equals === -1 ? pair : pair.slice(0, equals));
    const value = equals === -1 ? '' : decodedOnce(pair.slice(equals + 1));
    if (query.has(name)) throw new Refusal('malformed', `The query names ${JSON.stringify(name)} twice.`);
    query.set(name, value);
  }
  return Object.fromEntries(query);
}

/** As forms and URLSearchParams write it: a plus is a space. */
function decodedOnce(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '));
  } catch {
    throw new Refusal(
      'malformed',
      'The query has a percent sign that is no escape of UTF-8; write it as %25.',
    );
  }
}
