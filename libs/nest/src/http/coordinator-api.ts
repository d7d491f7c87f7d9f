/** What stands behind the coordinator's routes; the promises of `GatewayApi` hold here too. */
import type { IncomingQuery } from './gateway-api.js';
import type { HttpAnswer } from './http-answer.js';

export interface CoordinatorApi {
  cluster(): Promise<HttpAnswer>;
  decisions(query: IncomingQuery): Promise<HttpAnswer>;
  changeRule(dataset: string, body: string): Promise<HttpAnswer>;
  history(query: IncomingQuery): Promise<HttpAnswer>;
}
