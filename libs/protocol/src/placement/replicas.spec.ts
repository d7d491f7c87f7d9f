import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { RegionName } from '../identity/identity.js';
import { placeReplicas, replicasLedFrom } from './replicas.js';

const EU = 'eu' as RegionName;
const US = 'us' as RegionName;
const AP = 'ap' as RegionName;
const THREE = [
  { id: 1, rack: 'eu' },
  { id: 2, rack: 'us' },
  { id: 3, rack: 'ap' },
];

test('the leader stands at home, and every region has a replica', () => {
  expect(placeReplicas(THREE, [EU, EU, US, AP], 3)).toEqual([
    [1, 2, 3],
    [1, 2, 3],
    [2, 3, 1],
    [3, 1, 2],
  ]);
});

test('a second broker of a region is taken only when every region has one', () => {
  const four = [...THREE, { id: 4, rack: 'eu' }];
  for (const [, second, third] of placeReplicas(four, [EU, EU, EU, EU], 3)!) {
    expect(new Set([second, third])).toEqual(new Set([2, 3]));
  }
});

test('one broker without a rack holds everything; too few brokers are left to the cluster to refuse', () => {
  expect(placeReplicas([{ id: 7, rack: null }], [EU, US], 1)).toEqual([[7], [7]]);
  expect(placeReplicas([{ id: 7, rack: null }], [EU], 2)).toBeNull();
});

test('whatever the cluster: distinct brokers, as many as asked for, a home broker first where there is one', () => {
  const rack = fc.constantFrom<string | null>('eu', 'us', 'ap', null);
  fc.assert(
    fc.property(
      fc.array(rack, { minLength: 1, maxLength: 7 }),
      fc.array(fc.constantFrom(EU, US, AP), { maxLength: 9 }),
      fc.integer({ min: 1, max: 5 }),
      (racks, homes, factor) => {
        const brokers = racks.map((name, id) => ({ id, rack: name }));
        const placed = placeReplicas(brokers, homes, factor);
        if (placed === null) return expect(brokers.length).toBeLessThan(factor);
        for (const [partition, ids] of placed.entries()) {
          expect(new Set(ids).size).toBe(factor);
          if (racks.includes(homes[partition]!)) expect(racks[ids[0]!]).toBe(homes[partition]);
        }
      },
    ),
  );
});

test('when a home moves its replica comes first, and the others keep their places', () => {
  expect(replicasLedFrom([1, 2, 3], THREE, AP)).toEqual([3, 1, 2]);
  expect(replicasLedFrom([1, 2, 3], THREE, EU)).toEqual([1, 2, 3]);
  expect(replicasLedFrom([1, 2, 4], [...THREE, { id: 4, rack: 'us' }], US)).toEqual([2, 1, 4]);
});

test('a region whose brokers hold no replica, or are away, is led from elsewhere', () => {
  expect(replicasLedFrom([1, 2], THREE, AP)).toBeNull();
  expect(replicasLedFrom([1, 2, 3], THREE.slice(0, 2), AP)).toBeNull();
  expect(replicasLedFrom([7], [{ id: 7, rack: null }], EU)).toBeNull();
});
