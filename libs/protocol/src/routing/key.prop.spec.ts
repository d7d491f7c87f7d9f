/** Laws of routing: total, stable, inside the group's shards, blind to what follows the first slash (I1). */
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { GroupContent } from '../configuration/content.js';
import type { GroupName, RegionName } from '../identity/identity.js';
import { parseKey, routeKey } from './key.js';

const home = 'eu' as RegionName;
const layouts: fc.Arbitrary<readonly GroupContent[]> = fc
  .uniqueArray(fc.stringMatching(/^[a-z][a-z0-9-]{0,5}$/), { minLength: 1, maxLength: 4 })
  .chain((names) =>
    fc.tuple(...names.map((name) => fc.tuple(fc.constant(name), fc.integer({ min: 1, max: 256 })))),
  )
  .map((groups) => {
    let firstShard = 0;
    return groups.map(([name, shards]) => {
      const group = { name: name as GroupName, home, firstShard, shards, regions: [home] };
      firstShard += shards;
      return group;
    });
  });
const ids = fc.string({
  unit: fc.constantFrom('a', 'b', '7', 'é', '😀', ':', ' ', '/'),
  minLength: 1,
  maxLength: 40,
  size: 'max',
});

test('a key lives in one shard of its group, and no later group changes that', () => {
  fc.assert(
    fc.property(layouts, ids, fc.nat(), (groups, id, which) => {
      const group = groups[which % groups.length]!;
      const key = `${group.name}:${id}`;
      const route = routeKey(groups, key);
      if (route.kind !== 'shard') throw new Error(`${key} has no shard`);
      expect(route.group).toBe(group);
      expect(route.partition).toBeGreaterThanOrEqual(group.firstShard);
      expect(route.partition).toBeLessThan(group.firstShard + group.shards);
      const later = { ...groups[0]!, name: 'zzzzzzz' as GroupName, firstShard: 9_999 };
      expect(routeKey([...groups, later], key)).toEqual(route);
    }),
    { numRuns: 300 },
  );
});

test('what follows the first slash does not matter', () => {
  fc.assert(
    fc.property(layouts, ids, ids, ids, (groups, id, one, other) => {
      const [{ name }] = groups as [GroupContent];
      expect(routeKey(groups, `${name}:${id}/${one}`)).toEqual(routeKey(groups, `${name}:${id}/${other}`));
    }),
    { numRuns: 300 },
  );
});

test('any text is a key that reads back as itself, or none', () => {
  fc.assert(
    fc.property(
      layouts,
      fc.oneof(
        fc.string({ unit: 'binary' }),
        ids.map((id) => `eu:${id}`),
      ),
      (groups, text) => {
        const parsed = parseKey(text);
        expect(routeKey(groups, text).kind === 'malformed-key').toBe(parsed === null);
        if (parsed !== null) expect(`${parsed.group}:${parsed.id}`).toBe(text);
      },
    ),
    { numRuns: 300 },
  );
});

test('many keys use every shard of a group', () => {
  const groups: readonly GroupContent[] = [
    { name: 'eu' as GroupName, home, firstShard: 3, shards: 8, regions: [home] },
  ];
  const used = new Set<number>();
  for (let i = 0; i < 200; i += 1) {
    const route = routeKey(groups, `eu:customer-${i}`);
    if (route.kind === 'shard') used.add(route.partition);
  }
  expect([...used].sort((x, y) => x - y)).toEqual([3, 4, 5, 6, 7, 8, 9, 10]);
});
