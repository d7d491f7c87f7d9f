import { describe, expect, test } from '@jest/globals';
import {
  encodeToken,
  sequence as toSequence,
  shardName,
  type DatasetName,
  type LogIncarnation,
  type Receipt,
} from '@lockstep/protocol';
import { Chance } from '../world/chance.js';
import type { Ending } from './answer.js';
import type { Operation } from './operation.js';
import { judgeReadAnswer, readPath, Reads } from './reads.js';
import { Session } from './session.js';

const LOG = 'a'.repeat(32) as LogIncarnation;

const POSITION = `orders/1@${'a'.repeat(32)}.17`;
const headers = { 'lockstep-position': POSITION, 'lockstep-token': 'a token' };
const answer = (status: number, body: unknown, told: { readonly [name: string]: string } = headers) =>
  judgeReadAnswer({ status, headers: told, body: typeof body === 'string' ? body : JSON.stringify(body) });

describe('an answer to a read', () => {
  test('shows the row, its version, and the position and token that it names', () => {
    expect(answer(200, { key: 'eu:1', version: 9, row: { total: 5 } })).toEqual({
      ...{ type: 'ok', status: 200, code: null },
      seen: { shard: 'orders/1', sequence: 17, version: 9, columns: { total: 5 }, token: 'a token' },
    });
  });

  test('that there is no row is seen as well', () => {
    expect(answer(404, { code: 'not-found' })).toMatchObject({
      type: 'ok',
      seen: { sequence: 17, version: 0, columns: null },
    });
  });

  test.each([
    ['a token that cannot be reached', 412, { code: 'token-unreachable' }, headers, 'token-unreachable'],
    ['another thing that is not found', 404, { code: 'unknown-dataset' }, headers, 'unknown-dataset'],
    ['no JSON', 200, '{', headers, 'unreadable-answer'],
    ['a row without a position', 200, { version: 9, row: {} }, {}, 'unreadable-answer'],
    ['a row without a version', 200, { row: {} }, headers, 'unreadable-answer'],
  ])('%s shows nothing', (_title, status, body, told, code) => {
    expect(answer(status, body, told as never)).toEqual({ type: 'fail', status, code, seen: null });
  });
});

describe('reads that follow writes', () => {
  const shard = shardName('orders' as DatasetName, 0);
  const tokenOf = (sequence: number): string =>
    encodeToken(new Map([[shard, { logIncarnation: LOG, sequence: toSequence(BigInt(sequence)) }]]));
  const operationOn = (key: string): Operation =>
    ({ dataset: 'orders', events: [{ key }] }) as unknown as Operation;
  const operation = operationOn('eu:r-o1/x');
  const accepted = { receipt: { outcome: 'accepted' } as Receipt } as Ending;
  const unknown = { receipt: { outcome: 'unknown' } as Receipt } as Ending;
  const told = (): Session => {
    const session = new Session();
    session.take(tokenOf(4));
    return session;
  };

  test('are of a row of the write, in any region, as it is there, with all that was told, or strongly', () => {
    const reads = new Reads(new Chance(1), 100, ['eu', 'us']);
    let ordinal = 0;
    const questions = Array.from({ length: 100 }, () =>
      reads.after(operation, accepted, told(), () => ordinal++)!,
    );
    expect(questions.map(({ op }) => op)).toEqual(questions.map((_, index) => index));
    expect(new Set(questions.map(({ region }) => region))).toEqual(new Set(['eu', 'us']));
    expect(new Set(questions.map(({ consistency, token }) => `${consistency} ${token}`))).toEqual(
      new Set([`session ${tokenOf(4)}`, 'strong null', 'local null']),
    );
    const strong = questions.find(
      ({ consistency, timeoutMs }) => consistency === 'strong' && timeoutMs === 5_000,
    )!;
    expect(readPath(strong)).toBe('/v1/datasets/orders/rows/eu%3Ar-o1%2Fx?consistency=strong&timeoutMs=5000');
    expect(questions.some(({ timeoutMs }) => timeoutMs <= 50)).toBe(true);
  });

  test('are now and then of a row that another client wrote', () => {
    const reads = new Reads(new Chance(1), 100, ['eu']);
    reads.after(operationOn('eu:r-o2/x'), accepted, told(), () => 0);
    const rows = Array.from({ length: 50 }, () => reads.after(operation, accepted, told(), () => 0)!.row);
    expect(new Set(rows)).toEqual(new Set(['eu:r-o1/x', 'eu:r-o2/x']));
  });

  test('are as many as was asked for, and none where nothing was told accepted', () => {
    const reads = new Reads(new Chance(1), 20, ['eu']);
    const taken = Array.from({ length: 1_000 }, () => reads.after(operation, accepted, told(), () => 0));
    const count = taken.filter((question) => question !== null).length;
    expect(count).toBeGreaterThan(150);
    expect(count).toBeLessThan(250);
    expect(new Reads(new Chance(1), 100, ['eu']).after(operation, unknown, told(), () => 0)).toBeNull();
  });
});
