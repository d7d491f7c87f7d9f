/** What operators ask is read before a coordinator hears of it: no coordinator stands behind these answers. */
import { expect, test } from '@jest/globals';
import type { Coordinator } from '@lockstep/engine';
import type { RegionName } from '@lockstep/protocol';
import { coordinatorApi } from './coordinator-answers.js';
import type { CoordinatorApi, RegionFact } from './coordinator-api.js';
import type { CanaryRecord } from '../role/canary-record.js';
import type { RuleRecord } from '../role/rule-record.js';
import type { HttpAnswer } from './http-answer.js';
import type { CallLeader } from './leader-call.js';
import type { RegionRead } from './region-reads.js';

const silent = new Proxy({} as Coordinator, {
  get: (_, name) => {
    if (name === 'operator') return silent;
    throw new Error(`the coordinator was asked for ${String(name)}`);
  },
});
const noLeader = (): Promise<HttpAnswer> => Promise.reject(new Error('the leader was asked'));
const surroundings = {
  callLeader: noLeader,
  canaries: { describe: (sinceMs: number) => ({ sinceMs }) } as CanaryRecord,
  ruleChanges: { describe: () => ({ changes: [] }) } as unknown as RuleRecord,
  regionReads: {
    ask: async (region: string, read: RegionRead) => ({ ...OK, body: JSON.stringify({ region, ...read }) }),
    close: () => undefined,
  },
  region: 'eu' as RegionName,
  tracesUrl: null,
};
const OK = { status: 200, headers: {} };
const SHARD = { dataset: 'accounts', n: '0' };
const WHY = '{"reason":"a drill"}';

const RECEIPT: RegionFact = { kind: 'receipt', dataset: 'accounts', idempotencyKey: 'a/b' };

type Asked = (api: CoordinatorApi) => Promise<HttpAnswer>;

test.each<[string, string, RegExp, Asked]>([
  ['a rule', 'malformed', /"rule"/, (api) => api.changeRule('accounts', '{}')],
  ['a move', 'malformed', /"to"/, (api) => api.move('switchover', SHARD, WHY, false)],
  ['a shard', 'not-found', /accounts\/00/, (api) => api.move('failover', { ...SHARD, n: '00' }, '', false)],
  ['a preflight', 'malformed', /"shard"/, (api) => api.preflight({ to: 'us' })],
  ['an evacuation', 'malformed', /"reason"/, (api) => api.evacuate('eu', '{}', false)],
  ['a region', 'not-found', /EU/, (api) => api.evacuate('EU', WHY, false)],
  ['a cancellation', 'malformed', /"reason"/, (api) => api.cancel('31', '{}')],
  ['a decision', 'not-found', /031/, (api) => api.cancel('031', WHY)],
  ['an acknowledgement', 'malformed', /"reason"/, (api) => api.acknowledge('31', '{}')],
  ['a failover', 'not-found', /031/, (api) => api.acknowledge('031', WHY)],
  ['a pause', 'malformed', /"scope"/, (api) => api.pause(WHY)],
  ['a resumption', 'malformed', /"scope"/, (api) => api.resume(WHY)],
  ['decisions', 'malformed', /"limit"/, (api) => api.decisions({ limit: '257' })],
  ['canaries', 'malformed', /"since"/, (api) => api.canaries({ since: 'yesterday' })],
  ['canaries by another name', 'malformed', /"since"/, (api) => api.canaries({ from: 'x' })],
  [
    'waiting for a receipt through a region read',
    'malformed',
    /"wait"/,
    (api) => api.ofRegion('us', { about: RECEIPT, query: { wait: 'quorum' }, headers: {} }),
  ],
  ['a record', 'malformed', /"from"/, (api) => api.records({ from: '-1' })],
])('%s that cannot be meant is %s', async (_, code, detail, ask) => {
  expect(JSON.parse((await ask(coordinatorApi(silent, surroundings))).body)).toMatchObject({
    code,
    detail: expect.stringMatching(detail),
  });
});

const MOVE = '{"to":"us","reason":"a drill"}';
const here = { status: 200, headers: {}, body: 'here', code: null };
const there = { status: 200, headers: {}, body: 'there' };

/** A coordinator whose leader is elsewhere, or nowhere. */
const led = (by: RegionName | null): Coordinator =>
  ({
    operator: { leaderElsewhere: () => by, move: async () => here, evacuate: async () => here },
  }) as unknown as Coordinator;

test.each<[string, string, Asked]>([
  ['a move', '/v1/shards/accounts/0/failover', (api) => api.move('failover', SHARD, MOVE, false)],
  ['an evacuation', '/v1/regions/eu/evacuate', (api) => api.evacuate('eu', WHY, false)],
])('%s is passed on to the coordinator that leads', async (what, path, ask) => {
  const called: unknown[] = [];
  const callLeader: CallLeader = async (...call) => {
    called.push(call);
    return there;
  };
  const api = coordinatorApi(led('us' as RegionName), { ...surroundings, callLeader });
  expect(await ask(api)).toBe(there);
  expect(called).toEqual([['us', path, what === 'a move' ? MOVE : WHY]]);
});

test.each<[string, RegionName | null, Asked]>([
  ['nobody leads elsewhere', null, (api) => api.move('failover', SHARD, MOVE, false)],
  ['it was passed on already', 'us' as RegionName, (api) => api.move('failover', SHARD, MOVE, true)],
  [
    'it is only asked what would happen',
    'us' as RegionName,
    (api) => api.move('failover', SHARD, '{"to":"us","reason":"a drill","dryRun":true}', false),
  ],
])('a move stays where it was asked for when %s', async (_, leader, ask) => {
  expect(await ask(coordinatorApi(led(leader), surroundings))).toBe(here);
});

test.each<[RegionFact, object]>([
  [{ kind: 'shards' }, { role: 'gateway', path: '/v1/shards' }],
  [{ kind: 'status' }, { role: 'gateway', path: '/v1/status' }],
  [{ kind: 'quarantine' }, { role: 'gateway', path: '/v1/quarantine' }],
  [{ kind: 'canaries' }, { role: 'coordinator', path: '/v1/canaries' }],
  [RECEIPT, { role: 'gateway', path: '/v1/datasets/accounts/receipts/a%2Fb' }],
])('of a region, $kind is asked where it is known', async (about, read) => {
  const answer = await coordinatorApi(silent, surroundings).ofRegion('us', { about, query: {}, headers: {} });
  expect(JSON.parse(answer.body)).toEqual({ region: 'us', query: {}, headers: {}, ...read });
});

test('canaries are told from a time on, and a console learns whose they are', async () => {
  const api = coordinatorApi(silent, surroundings);
  expect(JSON.parse((await api.canaries({ since: '1970-01-01T00:00:05Z' })).body)).toEqual({
    region: 'eu',
    sinceMs: 5_000,
  });
  expect(JSON.parse((await api.console()).body)).toEqual({ region: 'eu', tracesUrl: null });
});
