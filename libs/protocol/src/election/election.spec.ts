/** Elections by the real decisions in virtual time: who leads after what, how soon, and when nobody must be elected. */
import { describe, expect, test } from '@jest/globals';
import { AP, EU, US } from '../control/control.fixture.js';
import type { RegionName } from '../identity/identity.js';
import { Electorate } from './election.fixture.js';

function led(members: readonly RegionName[] = [EU, US, AP]): Electorate {
  const electorate = new Electorate(members);
  expect(electorate.runUntil(() => electorate.leader !== null, 2_000)).not.toBeNull();
  electorate.run(5_000);
  expect(electorate).toMatchObject({ leader: EU, term: 1n });
  return electorate;
}

test('the first in the order of priority leads first, and nobody doubts it while its heartbeats come', () => {
  const electorate = led();
  electorate.run(60_000);
  expect(electorate).toMatchObject({ leader: EU, term: 1n });
  expect(electorate.said.filter(({ what }) => /silent|suspect/.test(what))).toEqual([]);
});

test('a leader that dies is followed within 3 s, by the next in priority', () => {
  const electorate = led();
  electorate.coordinators[0]!.isAlive = false;
  const tookMs = electorate.runUntil(() => electorate.leader !== null, 10_000);
  expect(electorate).toMatchObject({ leader: US, term: 2n });
  expect(tookMs).toBeLessThanOrEqual(3_000);
});

test('the last of three still leads, after the lease', () => {
  const electorate = led();
  electorate.coordinators[0]!.isAlive = false;
  electorate.coordinators[1]!.isAlive = false;
  electorate.runUntil(() => electorate.leader !== null, 20_000);
  expect(electorate).toMatchObject({ leader: AP, term: 2n });
});

test('of two the other one leads, after the lease', () => {
  const electorate = led([EU, US]);
  electorate.coordinators[0]!.isAlive = false;
  electorate.runUntil(() => electorate.leader !== null, 20_000);
  expect(electorate).toMatchObject({ leader: US, term: 2n });
});

test('a leader that stops resigns, and is followed at once', () => {
  const electorate = led();
  electorate.coordinators[0]!.isStopping = true;
  const tookMs = electorate.runUntil(() => electorate.term === 2n, 10_000);
  expect(tookMs).toBeLessThanOrEqual(1_000);
  expect(electorate.leader).toBe(US);
});

test('the region of a leader that is started again leads again: the incumbent is preferred', () => {
  const electorate = led();
  electorate.restart(0);
  electorate.runUntil(() => electorate.term === 2n, 10_000);
  expect(electorate).toMatchObject({ leader: EU, term: 2n });
});

test('a process whose place was taken says nothing more', () => {
  const electorate = led();
  const former = electorate.coordinators[0]!;
  electorate.restart(0);
  electorate.coordinators.push(former);
  electorate.run(10_000);
  expect(former.watch.hasJoined).toBe(true);
  expect(electorate.said.filter(({ what }) => what === 'eu join')).toHaveLength(1);
});

describe('nobody is elected who need not be', () => {
  test.each([5_000, 30_000])('when the control log stalls for %i ms and is back', (ms) => {
    const electorate = led();
    electorate.isStalled = true;
    electorate.run(ms);
    electorate.isStalled = false;
    electorate.run(20_000);
    expect(electorate).toMatchObject({ leader: EU, term: 1n });
  });

  test.each([-600_000, 600_000])('when the clock of the broker is off by %i ms', (ms) => {
    const electorate = led();
    electorate.brokerAheadMs = ms;
    electorate.run(20_000);
    electorate.brokerAheadMs = 0;
    electorate.run(20_000);
    expect(electorate).toMatchObject({ leader: EU, term: 1n });
  });

  test('when a follower was paused for a minute', () => {
    const electorate = led();
    const [, us] = electorate.coordinators;
    us!.isAlive = false;
    electorate.run(60_000);
    us!.isAlive = true;
    electorate.run(20_000);
    expect(electorate).toMatchObject({ leader: EU, term: 1n });
  });
});

test.each([-600_000, 600_000])(
  'a broker clock that is off by %i ms keeps nobody from following within 3 s',
  (ms) => {
    const electorate = led();
    electorate.brokerAheadMs = ms;
    electorate.run(1_000);
    electorate.coordinators[0]!.isAlive = false;
    const tookMs = electorate.runUntil(() => electorate.leader !== null, 10_000);
    expect(electorate.term).toBe(2n);
    expect(tookMs).toBeLessThanOrEqual(3_000);
  },
);

test('a leader that was paused and wakes finds its term over, and follows', () => {
  const electorate = led();
  const [eu] = electorate.coordinators;
  eu!.isAlive = false;
  electorate.runUntil(() => electorate.term === 2n, 10_000);
  eu!.isAlive = true;
  electorate.run(20_000);
  expect(electorate).toMatchObject({ leader: US, term: 2n });
});
