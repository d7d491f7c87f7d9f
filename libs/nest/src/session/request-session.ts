/**
 * What belongs to one request of a service: the token of all that was written and read in it, so that its reads see its
 * writes in any region, and the idempotency key that its caller gave.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import { decodeToken, encodeToken, hearToken, type Token } from '@lockstep/protocol';

/** Room is left for the number of a write and of an attempt within the gateway's 128 characters. */
export const REQUEST_KEY_PATTERN = /^[\x21-\x7e]([\x20-\x7e]{0,98}[\x21-\x7e])?$/;

export class RequestSession {
  private held: Token;
  private writes = 0;

  /** @param token as a caller sent it; one that cannot be read is for whoever reads the request to refuse. */
  constructor(
    token: string | null = null,
    private readonly requestKey: string | null = null,
  ) {
    this.held = (token === null ? null : decodeToken(token)) ?? new Map();
  }

  /** A token that an answer carried. */
  take(token: string | undefined): void {
    const heard = token === undefined ? null : decodeToken(token);
    if (heard !== null) this.held = hearToken(this.held, heard);
  }

  /** Null before anything was told. */
  get token(): string | null {
    return this.held.size === 0 ? null : encodeToken(this.held);
  }

  /**
   * Of the next write: the caller's key for the first, numbered for those after it. A repeat of the request finds its
   * writes again as long as it makes them in the same order. Null when the caller gave none.
   */
  nextKey(): string | null {
    if (this.requestKey === null) return null;
    this.writes += 1;
    return this.writes === 1 ? this.requestKey : `${this.requestKey}.${this.writes}`;
  }
}

const sessions = new AsyncLocalStorage<RequestSession>();

/** Of the request that this code runs for; null outside of any. */
export const presentSession = (): RequestSession | null => sessions.getStore() ?? null;

/** Runs a piece of work, for example a message of a queue, as a request of its own. */
export const inSession = <T>(session: RequestSession, work: () => T): T => sessions.run(session, work);
