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
  type Cursor,
  type DatasetName,
  type Problem,
  type ShardName,
} from '@lockstep/protocol';
import type { StoredRow } from '../ports/store.js';
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

/** From where on the store may be shown. */
type Floor =
  | { readonly kind: 'reached'; readonly isReached: (cursor: Cursor) => boolean; readonly asked: string }
  | { readonly kind: 'refused'; readonly answer: Answer };

const NO_FLOOR: Floor = { kind: 'reached', isReached: () => true, asked: 'nothing is asked for' };

const refused = (why: Problem): Floor & { readonly kind: 'refused' } => ({
  kind: 'refused',
  answer: answerProblem(why),
});

/** How often a store is asked that is behind what it had told. */
const ASK_AGAIN_MS = 100;

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
    const floor = await this.awaitFloor(consistency, dataset, shard, call, untilMs);
    if (floor.kind === 'refused') return floor.answer;
    return answeringStore(this.options.region, () =>
      this.answerRow(dataset, shard, call.key, floor, untilMs),
    );
  }

  private async awaitFloor(
    consistency: string,
    dataset: GatewayDataset,
    shard: ShardName,
    { caller, token }: RowCall,
    untilMs: number,
  ): Promise<Floor> {
    switch (consistency) {
      case 'local':
        return NO_FLOOR;
      case 'session':
        return this.awaitToken(shard, token, untilMs);
      case 'strong':
        return this.awaitBarrier(dataset, shard, caller, untilMs);
      default:
        return refused(problem('malformed', '"consistency" must be local, session or strong'));
    }
  }

  private async awaitToken(shard: ShardName, text: string | null, untilMs: number): Promise<Floor> {
    const { feed } = this.options;
    if (text === null)
      return refused(problem('malformed', 'consistency=session needs the header Lockstep-Token'));
    const token = decodeToken(text);
    if (token === null) return refused(problem('bad-token', 'the header Lockstep-Token cannot be read'));
    const position = token.get(shard);
    if (position === undefined) return NO_FLOOR;
    const isReached = (at: Pick<Cursor, 'logIncarnation' | 'sequence'>): boolean =>
      at.logIncarnation === position.logIncarnation && at.sequence >= position.sequence;
    const isReachedHere = (): boolean => {
      const own = feed.own(shard);
      return own !== null && isReached(own);
    };
    const asked = `the token asks for ${position.sequence}`;
    if (await feed.waitUntil(shard, isReachedHere, untilMs)) return { kind: 'reached', isReached, asked };
    return this.unreached(shard, feed.own(shard)?.sequence ?? 0n, asked);
  }

  /** A barrier through the log: this region has folded everything that stood in the log when the read began. */
  private async awaitBarrier(
    dataset: GatewayDataset,
    shard: ShardName,
    caller: Caller,
    untilMs: number,
  ): Promise<Floor> {
    const end = await this.publishers.appendControl(dataset, shard, { kind: 'probe' }, caller, untilMs);
    switch (end.kind) {
      case 'folded': {
        const asked = `the barrier stands at offset ${end.offset}`;
        return { kind: 'reached', isReached: ({ offset }) => offset >= end.offset, asked };
      }
      case 'refused':
        return end;
      case 'unknown':
        return refused(problem('token-unreachable', `no barrier: ${end.detail}`));
    }
  }

  private unreached(shard: ShardName, at: bigint, asked: string): Floor & { readonly kind: 'refused' } {
    const detail = `${this.options.region} is at ${at} of ${shard}, ${asked}`;
    return refused(problem('token-unreachable', detail));
  }

  /** A store that went back is behind what it had told: it is asked again until it has folded that anew. */
  private async answerRow(
    dataset: GatewayDataset,
    shard: ShardName,
    key: string,
    { asked, isReached }: Floor & { readonly kind: 'reached' },
    untilMs: number,
  ): Promise<Answer> {
    const { clock, store } = this.options;
    for (;;) {
      const stored = await store.row(dataset.table, shard, key);
      const { cursor } = stored;
      if (isReached(cursor)) return this.answerStored(shard, key, stored);
      const leftMs = untilMs - clock.monotonicMs();
      if (leftMs <= 0) return this.unreached(shard, cursor.sequence, asked).answer;
      await clock.sleep(Math.min(ASK_AGAIN_MS, leftMs)).done;
    }
  }

  private answerStored(shard: ShardName, key: string, { cursor, row }: StoredRow): Answer {
    const { clock, feed } = this.options;
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
