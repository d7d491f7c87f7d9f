/**
 * What stands behind the gateway's routes. The shell has read bytes and names only: the text is well-formed UTF-8
 * within its limit, path and query are decoded exactly once; what they mean is for the API to judge. An API answers
 * refusals too; what it throws is a defect.
 */
import type { FeedMessage, KnockingWrite } from '@lockstep/engine';
import type { Telling } from '@lockstep/transport';
import type { HttpAnswer } from './http-answer.js';

/** Lower-case names; a header that must be unique stands once, others joined with a comma. */
export interface IncomingHeaders {
  readonly [lowerCaseName: string]: string;
}

/** Each name stands once. */
export interface IncomingQuery {
  readonly [name: string]: string;
}

/** Whoever is admitted calls `release` when the request is answered. */
export type Admission = { readonly refused: HttpAnswer } | { readonly release: () => void };

/** About an entry that was undone. */
export interface EntryRequest {
  readonly id: string;
  readonly body: string;
  readonly headers: IncomingHeaders;
}

export interface GatewayApi {
  /** Asked at the door, before a write is routed: null when it may go on. */
  refusal(write: KnockingWrite): HttpAnswer | null;
  /** Asked before a write is read. */
  admit(write: KnockingWrite): Admission;
  write(request: {
    readonly dataset: string;
    readonly body: string;
    readonly headers: IncomingHeaders;
  }): Promise<HttpAnswer>;
  writeBatch(request: {
    readonly dataset: string;
    readonly body: string;
    readonly headers: IncomingHeaders;
  }): Promise<HttpAnswer>;
  receipt(request: {
    readonly dataset: string;
    readonly idempotencyKey: string;
    readonly query: IncomingQuery;
    readonly headers: IncomingHeaders;
  }): Promise<HttpAnswer>;
  row(request: {
    readonly dataset: string;
    readonly key: string;
    readonly query: IncomingQuery;
    readonly headers: IncomingHeaders;
  }): Promise<HttpAnswer>;
  rows(request: { readonly body: string; readonly headers: IncomingHeaders }): Promise<HttpAnswer>;
  /** Whoever is given a feed closes it. */
  changes(request: {
    readonly dataset: string;
    readonly query: IncomingQuery;
    readonly headers: IncomingHeaders;
  }): Promise<Telling<FeedMessage> | HttpAnswer>;
  quarantine(request: { readonly query: IncomingQuery }): Promise<HttpAnswer>;
  /** @param id the idempotency key of an entry that was undone. */
  quarantined(id: string): Promise<HttpAnswer>;
  reapply(request: EntryRequest): Promise<HttpAnswer>;
  discard(request: EntryRequest): Promise<HttpAnswer>;
  status(request: { readonly query: IncomingQuery }): Promise<HttpAnswer>;
  shards(): Promise<HttpAnswer>;
  /** @param n as it stands in the path; not necessarily a number. */
  shard(dataset: string, n: string): Promise<HttpAnswer>;
  outbox(dataset: string, n: string): Promise<HttpAnswer>;
}
