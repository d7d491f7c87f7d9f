/** What stands behind the coordinator's routes; the promises of `GatewayApi` hold here too. */
import type { MoveKind } from '@lockstep/protocol';
import type { IncomingHeaders, IncomingQuery } from './gateway-api.js';
import type { HttpAnswer } from './http-answer.js';

/** Asked of a region's own gateway or coordinator; the names are those of its call. */
export interface RegionQuestion {
  readonly about: RegionFact;
  readonly query: IncomingQuery;
  readonly headers: IncomingHeaders;
}

export type RegionFact =
  | { readonly kind: 'shards' | 'status' | 'quarantine' | 'canaries' }
  /** As they stand in the path. */
  | { readonly kind: 'receipt'; readonly dataset: string; readonly idempotencyKey: string };

export interface CoordinatorApi {
  cluster(): Promise<HttpAnswer>;
  changeRule(dataset: string, body: string): Promise<HttpAnswer>;
  /**
   * @param shard its dataset and number as they stand in the path; not necessarily a shard.
   * @param isForwarded a coordinator that does not lead has passed it on: it is not passed on again.
   */
  move(
    kind: MoveKind,
    shard: { readonly dataset: string; readonly n: string },
    body: string,
    isForwarded: boolean,
  ): Promise<HttpAnswer>;
  /** Any coordinator may record it. */
  approve(shard: { readonly dataset: string; readonly n: string }, body: string): Promise<HttpAnswer>;
  preflight(query: IncomingQuery): Promise<HttpAnswer>;
  /** @param region as it stands in the path; not necessarily a region. */
  evacuate(region: string, body: string, isForwarded: boolean): Promise<HttpAnswer>;
  /** @param decision as it stands in the path; not necessarily a number. */
  cancel(decision: string, body: string): Promise<HttpAnswer>;
  acknowledge(failover: string, body: string): Promise<HttpAnswer>;
  pause(body: string): Promise<HttpAnswer>;
  resume(body: string): Promise<HttpAnswer>;
  decisions(query: IncomingQuery): Promise<HttpAnswer>;
  history(): Promise<HttpAnswer>;
  records(query: IncomingQuery): Promise<HttpAnswer>;
  /** What a console in a browser has to know before it asks anything. */
  console(): Promise<HttpAnswer>;
  /** What its canaries to other regions met lately. */
  canaries(query: IncomingQuery): Promise<HttpAnswer>;
  /** Changes of quorum rules that it noticed lately. */
  ruleChanges(): Promise<HttpAnswer>;
  /** @param region as it stands in the path; not necessarily a region. */
  ofRegion(region: string, asked: RegionQuestion): Promise<HttpAnswer>;
}
