/** Keys and routing: pinned, because a key that moves to another shard loses its order (I1, B12). */
import { describe, expect, test } from '@jest/globals';
import type { GroupContent } from '../configuration/content.js';
import { utf8 } from '../entry/utf8.js';
import type { GroupName, RegionName } from '../identity/identity.js';
import { murmur2, parseKey, routeKey } from './key.js';

const group = (name: string, firstShard: number, shards: number): GroupContent => ({
  name: name as GroupName,
  home: 'eu' as RegionName,
  firstShard,
  shards,
  regions: ['eu' as RegionName],
});
const GROUPS = [group('eu', 0, 2), group('us', 2, 4), group('eu-west', 6, 1)];

describe('the grammar of keys', () => {
  test.each<[string, string, string]>([
    ['eu:ada', 'eu', 'ada'],
    ['eu-west:ada', 'eu-west', 'ada'],
    ['a9-:x', 'a9-', 'x'],
    ['eu:a:b', 'eu', 'a:b'],
    ['eu:book/a/b', 'eu', 'book/a/b'],
    ['eu:/', 'eu', '/'],
    ['eu: ', 'eu', ' '],
    ['eu:Zoë 日本 😀', 'eu', 'Zoë 日本 😀'],
    [`${'g'.repeat(32)}:x`, 'g'.repeat(32), 'x'],
    [`eu:${'x'.repeat(200)}`, 'eu', 'x'.repeat(200)],
    [`eu:${'é'.repeat(100)}`, 'eu', 'é'.repeat(100)],
    [`eu:${'😀'.repeat(50)}`, 'eu', '😀'.repeat(50)],
  ])('%j', (key, name, id) => {
    expect(parseKey(key)).toEqual({ group: name, id });
  });

  test.each<[string, string]>([
    ['nothing', ''],
    ['no group', 'ada'],
    ['an empty group', ':ada'],
    ['an empty id', 'eu:'],
    ['a group in capitals', 'EU:ada'],
    ['a group that begins with a digit', '1eu:ada'],
    ['a group with a blank before it', ' eu:ada'],
    ['a group with a line end', 'eu\n:ada'],
    ['a group of 33 characters', `${'g'.repeat(33)}:x`],
    ['an id of 201 bytes', `eu:${'x'.repeat(201)}`],
    ['an id of 201 bytes in 101 characters', `eu:${'é'.repeat(100)}x`],
    ['an id of 204 bytes in 102 code units', `eu:${'😀'.repeat(51)}`],
    ['NUL', 'eu:a\u0000'],
    ['a line end', 'eu:a\n'],
    ['DEL', 'eu:a\u007f'],
    ['a C1 control character', 'eu:a\u0085'],
    ['a lone surrogate', 'eu:a\ud83d'],
  ])('not a key: %s', (_, key) => {
    expect(parseKey(key)).toBeNull();
    expect(routeKey(GROUPS, key)).toEqual({ kind: 'malformed-key' });
  });
});

describe('murmur2', () => {
  // As Kafka's default partitioner computes it, with the sign bit cleared.
  test.each<[string, number]>([
    ['', 275646681],
    ['a', 584102524],
    ['ab', 316155434],
    ['abc', 479470107],
    ['21', 1173551340],
    ['foobar', 1357151166],
    ['a-little-bit-long-string', 1161502112],
    ['a-little-bit-longer-string', 661178819],
    ['lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8', 2088585677],
    ['book', 1593247217],
    ['ada', 313287821],
    ['Zoë', 841026334],
    ['日本', 1446672627],
    ['😀', 131881617],
    ['x'.repeat(200), 857794333],
  ])('of %j is what Kafka says', (text, hash) => {
    expect(murmur2(utf8(text))).toBe(hash);
  });
});

describe('routing', () => {
  test.each<[string, number]>([
    ['eu:ada', 1], // 313287821 mod 2
    ['eu:foobar', 0], // 1357151166 mod 2
    ['us:ada', 2 + 1], // 313287821 mod 4
    ['us:日本', 2 + 3], // 1446672627 mod 4
    ['us:foobar', 2 + 2], // 1357151166 mod 4
    ['eu-west:ada', 6],
    ['us:/a', 2 + 1], // nothing before the slash: 275646681 mod 4
  ])('%s lives in shard %i', (key, partition) => {
    expect(routeKey(GROUPS, key)).toMatchObject({ kind: 'shard', partition });
  });

  test('keys with the same part before the first slash share a shard', () => {
    const partitions = ['us:book', 'us:book/a', 'us:book/b', 'us:book/', 'us:book/a/c'].map((key) => {
      const route = routeKey(GROUPS, key);
      return route.kind === 'shard' ? route.partition : null;
    });
    expect(partitions).toEqual([3, 3, 3, 3, 3]);
  });

  test('the group is named with the shard', () => {
    expect(routeKey(GROUPS, 'us:ada')).toMatchObject({ kind: 'shard', group: GROUPS[1] });
  });

  test('a group that the dataset does not have is named', () => {
    expect(routeKey(GROUPS, 'ap:ada')).toEqual({ kind: 'unknown-group', group: 'ap' });
    expect(routeKey([], 'eu:ada')).toEqual({ kind: 'unknown-group', group: 'eu' });
  });
});
