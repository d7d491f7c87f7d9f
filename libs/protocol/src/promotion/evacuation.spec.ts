/** Evacuations: in order, so many at once, and not what is paused. */
import { expect, test } from '@jest/globals';
import { AP, decision, EU, ledByEu, US, type ControlLog } from '../control/control.fixture.js';
import type { ShardName } from '../identity/identity.js';
import { dueOfEvacuation, isRefusedForGood } from './evacuation.js';

const shards = ['accounts/0', 'accounts/1', 'orders/0'].map((shard) => ({
  shard: shard as ShardName,
  to: US,
}));
const due = ({ state }: ControlLog): readonly string[] =>
  dueOfEvacuation(state, state.evacuations[0]!).map(({ shard }) => shard);

test('shards are moved in their order, as many at once as were asked for', () => {
  const log = ledByEu();
  const { at } = log.say(EU, {
    kind: 'evacuate',
    term: 1n,
    region: EU,
    move: 'failover',
    concurrency: 2,
    shards,
    reason: '',
    actor: '',
  });
  expect(due(log)).toEqual(['accounts/0', 'accounts/1']);
  log.say(EU, decision({ evacuation: at, move: 'failover' }));
  expect(due(log)).toEqual(['accounts/1']);
  log.say(AP, {
    kind: 'pause',
    scope: 'dataset:accounts' as never,
    owner: 'a',
    reason: 'r',
    untilMs: log.nowMs + 1,
  });
  expect(due(log)).toEqual(['orders/0']);
  log.say(AP, { kind: 'cancel', decision: at, reason: '', actor: '' });
  expect(due(log)).toEqual([]);
});

test('moves that are no part of it do not count, and none of its shards moves when it is cancelled', () => {
  const log = ledByEu();
  const evacuate = {
    kind: 'evacuate',
    term: 1n,
    region: EU,
    move: 'failover',
    reason: '',
    actor: '',
  } as const;
  log.say(EU, { ...evacuate, concurrency: 1, shards });
  log.say(EU, decision({ shard: 'readings/0' as ShardName }));
  expect(due(log)).toEqual(['accounts/0']);
  const [evacuation] = log.state.evacuations;
  expect(dueOfEvacuation(log.state, { ...evacuation!, isCancelled: true })).toEqual([]);
});

test('a refusal is for good where no waiting mends it', () => {
  expect(isRefusedForGood(['lag', 'residency'])).toBe(true);
  expect(isRefusedForGood(['lag', 'candidate', 'paused'])).toBe(false);
});
