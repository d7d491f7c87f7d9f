/**
 * Reads of one row from this region's store: as it is, at or after a token, or behind a barrier through the log. Every
 * answer carries its position and how long ago this region last knew itself at the log's end.
 */
import {
  answerJson,
  answerProblem,
  decodeToken,
  encodeToken,
  problem,
  routeKey,
  shardName,
  TIMEOUT_MS_MAX,
  type Answer,
  type DatasetName,
  type ShardName,
} from '@lockstep/protocol';
import type { Caller, GatewayDataset, GatewayOptions } from './gateway-options.js';
import type { Publishers } from './publishers.js';
import { readTimeout, strangeName } from './query.js';
import { answeringStore, refusalOfDoubted, unknownDataset } from './refusals.js';

export interface RowCall {
  readonly dataset: string;
  readonly key: string;
  readonly query: { readonly [name: string]: string };
  readonly token: string | null;
  readonly caller: Caller;
}

export class Rows {
  constructor(
    private readonly options: GatewayOptions,
    private readonly publishers: Publishers,
  ) {}

  async read(call: RowCall): Promise<Answer> {
    const dataset = this.options.datasets.get(call.dataset as DatasetName);
    if (dataset === undefined) return unknownDataset(call.dataset);
    const route = routeKey(dataset.configuration.content.groups, call.key);
    if (route.kind === 'malformed-key')
      return answerProblem(problem('malformed', `"${call.key.slice(0, 64)}" is not a key`));
    if (route.kind === 'unknown-group')
      return answerProblem(problem('unknown-group', `"${route.group}" is not a group`));
    const shard = shardName(dataset.table.dataset, route.partition);
    const strange = strangeName(call.query, ['consistency', 'timeoutMs']);
    if (strange !== null) return answerProblem(problem('malformed', strange));
    const { consistency = 'local' } = call.query;
    const timeoutMs = readTimeout(call.query['timeoutMs']);
    if (timeoutMs === null)
      return answerProblem(problem('malformed', `"timeoutMs" must be 1 to ${TIMEOUT_MS_MAX}`));
    const untilMs = this.options.clock.monotonicMs() + timeoutMs;
    switch (consistency) {
      case 'local':
        break;
      case 'session': {
        const refusal = await this.awaitToken(shard, call.token, untilMs);
        if (refusal !== null) return refusal;
        break;
      }
      case 'strong': {
        const refusal = await this.awaitBarrier(dataset, shard, call.caller, untilMs);
        if (refusal !== null) return refusal;
        break;
      }
      default:
        return answerProblem(problem('malformed', '"consistency" must be local, session or strong'));
    }
    return answeringStore(this.options.region, () => this.answerRow(dataset, shard, call.key));
  }

  private async awaitToken(shard: ShardName, text: string | null, untilMs: number): Promise<Answer | null> {
    const { feed, region } = this.options;
    if (text === null)
      return answerProblem(problem('malformed', 'consistency=session needs the header Lockstep-Token'));
    const token = decodeToken(text);
    if (token === null)
      return answerProblem(problem('bad-token', 'the header Lockstep-Token cannot be read'));
    const position = token.get(shard);
    if (position === undefined) return null;
    const isReachedHere = (): boolean => {
      const own = feed.own(shard);
      return own?.logIncarnation === position.logIncarnation && own.sequence >= position.sequence;
    };
    if (await feed.waitUntil(shard, isReachedHere, untilMs)) return null;
    const at = feed.own(shard)?.sequence ?? 0n;
    return answerProblem(
      problem(
        'token-unreachable',
        `${region} is at ${at} of ${shard}, the token asks for ${position.sequence}`,
      ),
    );
  }

  /** A barrier through the log: this region has folded everything that stood in the log when the read began. */
  private async awaitBarrier(
    dataset: GatewayDataset,
    shard: ShardName,
    caller: Caller,
    untilMs: number,
  ): Promise<Answer | null> {
    const end = await this.publishers.appendControl(dataset, shard, { kind: 'probe' }, caller, untilMs);
    switch (end.kind) {
      case 'folded':
        return null;
      case 'refused':
        return end.answer;
      case 'unknown':
        return answerProblem(problem('token-unreachable', `no barrier: ${end.detail}`));
    }
  }

  private async answerRow(dataset: GatewayDataset, shard: ShardName, key: string): Promise<Answer> {
    const { clock, feed, store } = this.options;
    const { cursor, row } = await store.row(dataset.table, shard, key);
    const refusal = refusalOfDoubted(this.options, shard);
    if (refusal !== null) return refusal;
    const { logIncarnation, sequence } = cursor;
    const caughtUpAtMs = feed.own(shard)?.caughtUpAtMs ?? null;
    const headers: Record<string, string> = {
      'Lockstep-Position': `${shard}@${logIncarnation ?? ''}.${sequence}`,
    };
    if (caughtUpAtMs !== null)
      headers['Age'] = String(Math.max(0, Math.ceil((clock.nowMs() - caughtUpAtMs) / 1000)));
    if (logIncarnation !== null && sequence > 0n) {
      headers['Lockstep-Token'] = encodeToken(new Map([[shard, { logIncarnation, sequence }]]));
    }
    if (row === null) return answerProblem(problem('not-found', `there is no row "${key}"`), headers);
    headers['ETag'] = `"${row.version}"`;
    return answerJson(200, { key, version: Number(row.version), row: row.columns }, headers);
  }
}
