/**
 * Reads from this region's store: as it is, at or after a token, or behind a barrier through the log. Every answer
 * carries its positions and how long ago this region last knew itself at the logs' ends. Rows that are read together
 * come from one snapshot of the database, and so do their positions.
 */
import {
  answerJson,
  answerProblem,
  decodeToken,
  encodeToken,
  isConsistency,
  problem,
  readRowsRequest,
  routeKey,
  shardName,
  TIMEOUT_MS_MAX,
  type Answer,
  type Consistency,
  type Cursor,
  type DatasetName,
  type Position,
  type Problem,
  type ShardName,
  type Token,
} from '@lockstep/protocol';
import type { RowPlace, StoredRow } from '../ports/store.js';
import { askStore } from './ask-store.js';
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

export interface RowsCall {
  readonly body: string;
  readonly token: string | null;
  readonly caller: Caller;
}

/** How the rows are to be read. */
interface Reading {
  readonly consistency: Consistency;
  readonly token: string | null;
  readonly caller: Caller;
  readonly untilMs: number;
}

interface Place extends RowPlace {
  readonly dataset: GatewayDataset;
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
    const place = this.locate(call.dataset, call.key);
    if ('status' in place) return place;
    const strange = strangeName(call.query, ['consistency', 'timeoutMs']);
    if (strange !== null) return answerProblem(problem('malformed', strange));
    const { consistency = 'local' } = call.query;
    if (!isConsistency(consistency))
      return answerProblem(problem('malformed', '"consistency" must be local, session or strong'));
    const timeoutMs = readTimeout(call.query['timeoutMs']);
    if (timeoutMs === null)
      return answerProblem(problem('malformed', `"timeoutMs" must be 1 to ${TIMEOUT_MS_MAX}`));
    const { caller, token } = call;
    const untilMs = this.options.clock.monotonicMs() + timeoutMs;
    return this.answerRows([place], { consistency, token, caller, untilMs }, ([stored], headers) => {
      const { cursor, row } = stored!;
      const position = `${place.shard}@${cursor.logIncarnation ?? ''}.${cursor.sequence}`;
      const told = { ...headers, 'Lockstep-Position': position };
      if (row === null) return answerProblem(problem('not-found', `there is no row "${call.key}"`), told);
      const body = { key: call.key, version: Number(row.version), row: row.columns };
      return answerJson(200, body, { ...told, ETag: `"${row.version}"` });
    });
  }

  /** Rows of any shards and datasets, as they stood at one moment in this region's database. */
  async readTogether({ body, caller, token }: RowsCall): Promise<Answer> {
    const request = readRowsRequest(body);
    if (request.kind === 'refused') return answerProblem(request.problem);
    const { consistency, rows, timeoutMs } = request.value;
    const places: Place[] = [];
    for (const { dataset, key } of rows) {
      const place = this.locate(dataset, key);
      if ('status' in place) return place;
      places.push(place);
    }
    const untilMs = this.options.clock.monotonicMs() + timeoutMs;
    return this.answerRows(places, { consistency, token, caller, untilMs }, (stored, headers) => {
      const positions: Record<string, object> = {};
      const told = stored.map(({ cursor, row }, index) => {
        const { key, shard } = places[index]!;
        positions[shard] = { logIncarnation: cursor.logIncarnation, sequence: Number(cursor.sequence) };
        const { dataset } = rows[index]!;
        const version = row === null ? null : Number(row.version);
        return { dataset, key, shard, version, row: row?.columns ?? null };
      });
      return answerJson(200, { rows: told, positions }, headers);
    });
  }

  /** True once this region has folded every position of the token; false when the time is over. */
  async waitFor(token: Token, untilMs: number): Promise<boolean> {
    for (const [shard, position] of token) {
      if (!(await this.awaitPosition(shard, position, untilMs))) return false;
    }
    return true;
  }

  private locate(datasetName: string, key: string): Place | Answer {
    const dataset = this.options.datasets.get(datasetName as DatasetName);
    if (dataset === undefined) return unknownDataset(datasetName);
    const route = routeKey(dataset.configuration.content.groups, key);
    if (route.kind === 'malformed-key')
      return answerProblem(problem('malformed', `"${key.slice(0, 64)}" is not a key`));
    if (route.kind === 'unknown-group')
      return answerProblem(problem('unknown-group', `"${route.group}" is not a group`));
    const { table } = dataset;
    return { dataset, table, shard: shardName(table.dataset, route.partition), key };
  }

  private async answerRows(
    places: readonly Place[],
    reading: Reading,
    answer: (stored: readonly StoredRow[], headers: Readonly<Record<string, string>>) => Answer,
  ): Promise<Answer> {
    const datasets = new Map(places.map(({ dataset, shard }) => [shard, dataset]));
    const floors = new Map<ShardName, Floor & { readonly kind: 'reached' }>();
    const awaited = [...datasets].map(async ([shard, dataset]) => {
      const floor = await this.awaitFloor(dataset, shard, reading);
      if (floor.kind === 'reached') floors.set(shard, floor);
      return floor;
    });
    const refusal = (await Promise.all(awaited)).find((floor) => floor.kind === 'refused');
    if (refusal !== undefined) return refusal.answer;
    return answeringStore(this.options.region, () =>
      this.answerStored(places, floors, reading.untilMs, answer),
    );
  }

  private async awaitFloor(
    dataset: GatewayDataset,
    shard: ShardName,
    { caller, consistency, token, untilMs }: Reading,
  ): Promise<Floor> {
    switch (consistency) {
      case 'local':
        return NO_FLOOR;
      case 'session':
        return this.awaitToken(shard, token, untilMs);
      case 'strong':
        return this.awaitBarrier(dataset, shard, caller, untilMs);
    }
  }

  private async awaitToken(shard: ShardName, text: string | null, untilMs: number): Promise<Floor> {
    if (text === null)
      return refused(problem('malformed', 'consistency=session needs the header Lockstep-Token'));
    const token = decodeToken(text);
    if (token === null) return refused(problem('bad-token', 'the header Lockstep-Token cannot be read'));
    const position = token.get(shard);
    if (position === undefined) return NO_FLOOR;
    const asked = `the token asks for ${position.sequence}`;
    const isReached = (cursor: Cursor): boolean => isAtOrBehind(cursor, position);
    if (await this.awaitPosition(shard, position, untilMs)) return { kind: 'reached', isReached, asked };
    return this.unreached(shard, this.options.feed.own(shard)?.sequence ?? 0n, asked);
  }

  private async awaitPosition(shard: ShardName, position: Position, untilMs: number): Promise<boolean> {
    const { feed } = this.options;
    const isReachedHere = (): boolean => {
      const own = feed.own(shard);
      return own !== null && isAtOrBehind(own, position);
    };
    return feed.waitUntil(shard, isReachedHere, untilMs);
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
  private async answerStored(
    places: readonly Place[],
    floors: ReadonlyMap<ShardName, Floor & { readonly kind: 'reached' }>,
    untilMs: number,
    answer: (stored: readonly StoredRow[], headers: Readonly<Record<string, string>>) => Answer,
  ): Promise<Answer> {
    const { clock, store } = this.options;
    for (;;) {
      const stored = await askStore(store.rows(places), clock, untilMs);
      const behind = stored.find(({ cursor }) => !floors.get(cursor.shard)!.isReached(cursor));
      if (behind === undefined) {
        const doubted = places.map(({ shard }) => refusalOfDoubted(this.options, shard));
        return doubted.find((refusal) => refusal !== null) ?? answer(stored, this.headersOf(stored));
      }
      const leftMs = untilMs - clock.monotonicMs();
      const { sequence, shard } = behind.cursor;
      if (leftMs <= 0) return this.unreached(shard, sequence, floors.get(shard)!.asked).answer;
      await clock.sleep(Math.min(ASK_AGAIN_MS, leftMs)).done;
    }
  }

  /** Token of all positions, and the age of the oldest. */
  private headersOf(stored: readonly StoredRow[]): Readonly<Record<string, string>> {
    const { clock, feed } = this.options;
    const token = new Map<ShardName, Position>();
    const knownAtMs = stored.map(({ cursor: { logIncarnation, sequence, shard } }) => {
      if (logIncarnation !== null && sequence > 0n) token.set(shard, { logIncarnation, sequence });
      return feed.own(shard)?.caughtUpAtMs ?? null;
    });
    const headers: Record<string, string> = {};
    // Unknown is not zero: one shard of unknown age leaves the age of all unknown.
    if (knownAtMs.every((atMs) => atMs !== null)) {
      const ageMs = clock.nowMs() - Math.min(...knownAtMs);
      headers['Age'] = String(Math.max(0, Math.ceil(ageMs / 1000)));
    }
    if (token.size > 0) headers['Lockstep-Token'] = encodeToken(token);
    return headers;
  }
}

const isAtOrBehind = (at: Pick<Cursor, 'logIncarnation' | 'sequence'>, position: Position): boolean =>
  at.logIncarnation === position.logIncarnation && at.sequence >= position.sequence;
