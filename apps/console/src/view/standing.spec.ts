/** What is not known is never told as zero or as well, and the worst is told first. */
import { describe, expect, test } from '@jest/globals';
import type { Cluster } from '../facts.js';
import { at, canaries, cluster, forecast, region, REGIONS, shard, shards } from './facts.fixture.js';
import { headline } from './headline.js';
import { latencyRows } from './latencies.js';
import { lossRows } from './losses.js';
import { lastToldQuorum, quorumRows } from './quorum-rows.js';
import { lastTold, regionRows } from './region-rows.js';
import { shardRows } from './shard-rows.js';
import { statusHeadline, statusRows } from './write-status.js';

/** The cluster, but for one region. */
const withRegion = (changed: ReturnType<typeof region>, changes: Partial<Cluster> = {}): Cluster =>
  cluster({ regions: REGIONS.map((name) => (name === changed.region ? changed : region(name))), ...changes });
const rowOf = (of: Cluster, name: string) => regionRows(of, shards()).find((row) => row.region === name);
const changedShards = (changes: object) =>
  region('ap').shards.map((one, index) => (index === 0 ? { ...one, ...changes } : one));

describe('a region', () => {
  test('that is heard and goes on is well', () => {
    expect(rowOf(cluster(), 'us')).toMatchObject({ tone: 'well', isLeader: true, behind: '0', homes: '0' });
    expect(rowOf(cluster(), 'eu')).toMatchObject({ isLeader: false, homes: '3' });
  });

  test('that is not heard is unknown, and its last figures are not present ones', () => {
    const silent = withRegion(region('ap', { stream: 'disconnected' }));
    expect(rowOf(silent, 'ap')).toMatchObject({
      tone: 'unknown',
      state: 'not heard',
      behind: 'unknown (last told 0)',
    });
  });

  test.each([
    [{ differs: true }, 'bad', 'differs'],
    [{ halted: { code: 'log-lost', detail: 'the log ends before the cursor' } }, 'bad', 'halted'],
    [{ lagRecords: null }, 'unknown', 'partly unknown'],
    [{ withheld: 'restored' }, 'warning', 'does not vote'],
    [{ lagRecords: 10_001 }, 'warning', 'far behind'],
    [{ lagRecords: 10_000 }, 'well', 'well'],
  ])('of whose shards one is %j is %s', (changes, tone, state) => {
    expect(rowOf(withRegion(region('ap', { shards: changedShards(changes) })), 'ap')).toMatchObject({
      tone,
      state,
    });
  });

  test('that is silent and doubted is told with the evidence', () => {
    const doubt = { region: 'ap', by: 'us', kinds: ['stream'], evidence: 'silent for 3 s', at: at(0) };
    const doubted = withRegion(region('ap', { stream: 'disconnected' }), { doubts: [doubt] });
    expect(rowOf(doubted, 'ap')).toMatchObject({ tone: 'bad', detail: 'Found unfit by us: silent for 3 s.' });
  });

  test('names the shard that is furthest behind, unless one is unknown', () => {
    const behind = withRegion(region('ap', { shards: changedShards({ lagRecords: 1_234 }) }));
    expect(rowOf(behind, 'ap')?.behind).toBe('1 234 (accounts/0)');
    const untold = withRegion(region('ap', { shards: changedShards({ lagRecords: null }) }));
    expect(rowOf(untold, 'ap')?.behind).toBe('unknown in 1 shard');
  });

  test('owns an unknown number of shards while nobody told who owns what', () => {
    expect(regionRows(cluster(), null)[0]?.homes).toBe('unknown');
    const homeless = shards(shard('orders/0', { home: null }));
    expect(regionRows(cluster(), homeless)[0]?.homes).toBe('2, 1 of unknown home');
  });
});

test('once its teller does not answer, nothing is well any more', () => {
  const [eu, us] = regionRows(cluster(), shards()).map(lastTold);
  expect(us).toEqual({
    region: 'us',
    isLeader: false,
    tone: 'unknown',
    state: 'unknown',
    detail: 'Last told: well.',
    homes: 'unknown (last told 0)',
    behind: 'unknown (last told 0)',
  });
  expect(eu?.homes).toBe('unknown (last told 3)');
  for (const row of quorumRows(cluster().quorums, shards()).map(lastToldQuorum))
    expect(row).toMatchObject({ tone: 'unknown', state: expect.stringContaining('last told: can be met') });
});

describe('the headline', () => {
  test('says that all is well only where all is', () => {
    expect(headline(cluster())).toMatchObject({ tone: 'well', also: [] });
  });

  test('tells the worst first, and the rest below', () => {
    const bad = withRegion(region('ap', { stream: 'disconnected' }), {
      leader: null,
      quorums: [{ shard: 'accounts/0', voters: 1, reachable: false }],
    });
    expect(headline(bad)).toMatchObject({
      tone: 'bad',
      text: 'The quorum of accounts/0 cannot be met now.',
      also: [expect.stringContaining('ap: '), expect.stringContaining('No coordinator leads')],
    });
  });

  test.each<[Partial<Cluster>, string]>([
    [{ control: { sequence: null, current: false, halted: null } }, 'unknown'],
    [{ control: { sequence: 4, current: true, halted: 'a strange record' } }, 'bad'],
    [{ quorums: [{ shard: 'accounts/0', voters: 0, reachable: null }] }, 'unknown'],
    [
      {
        paused: [{ pause: 1, scope: 'all', owner: 'ada', reason: 'x', until: at(90), confirmed: true }],
      },
      'warning',
    ],
  ])('of %j is %s', (changes, tone) => {
    expect(headline(cluster(changes)).tone).toBe(tone);
  });
});

describe('latency between regions', () => {
  const cells = (told: Parameters<typeof latencyRows>[1]) =>
    latencyRows(REGIONS, told).map((row) => row.cells.map(({ text }) => text));

  test('is the newest slice, and unknown where no coordinator told or none was sent lately', () => {
    const told = new Map([
      ['eu', canaries('eu', { us: [8, 12.34], ap: [8, null, null, null, null, null] })],
      ['us', null],
    ]);
    expect(cells(told)).toEqual([
      ['–', '12 ms', 'unknown'],
      ['unknown', '–', 'unknown'],
      ['unknown', 'unknown', '–'],
    ]);
  });

  test('says what had no good answer', () => {
    const eu = canaries('eu', { us: [12] });
    const slice = { ...eu.regions[0]!.slices[0]!, answered: 1, refused: 1, failed: 2 };
    const some = { ...eu, regions: [{ region: 'us', slices: [slice] }] };
    const none = { ...eu, regions: [{ region: 'us', slices: [{ ...slice, answered: 0, meanMs: null }] }] };
    expect(cells(new Map([['eu', some]]))[0]![1]).toBe('12 ms, 3 of 4 failed');
    expect(cells(new Map([['eu', none]]))[0]![1]).toBe('no answer');
  });
});

describe('what the loss of a region would cost', () => {
  const ofEu = (
    forecasts: readonly ReturnType<typeof forecast>[],
    known: ReturnType<typeof shards> | null = shards(),
  ) => lossRows(REGIONS, forecasts, known)[0];

  test('is the sum of its shards; the slowest counts', () => {
    const costly = forecast('accounts/1', {
      allowed: false,
      entriesLost: 2,
      expectedMs: 900,
      atRisk: { logged: 9, accepted: 5, quorum: 1 },
    });
    expect(ofEu([forecast('accounts/0'), costly, forecast('orders/0')])).toEqual({
      region: 'eu',
      shards: '3',
      possible: '2 of 3',
      lost: '2',
      atRiskAccepted: '5',
      atRiskQuorum: '1',
      gap: '900 ms',
    });
  });

  test.each([
    [{ entriesLost: null }, { lost: 'unknown', gap: '60 ms' }],
    [{ expectedMs: null }, { lost: '0', gap: 'unknown' }],
  ])('is unknown as far as one shard is: %j', (changes, row) => {
    expect(
      ofEu([forecast('accounts/0', changes), forecast('accounts/1'), forecast('orders/0')]),
    ).toMatchObject(row);
  });

  test('is unknown where a shard has no forecast, or nobody told who owns what', () => {
    expect(ofEu([forecast('accounts/0')])).toMatchObject({ shards: '3', lost: 'unknown' });
    expect(ofEu([forecast('accounts/0')], null)).toMatchObject({ shards: 'unknown', lost: 'unknown' });
  });
});

test('a quorum is met, not met, or unknown; each dataset tells its rules', () => {
  const told = shards(
    shard('accounts/1', { rule: { text: 'all', withdrawn: ['ap'], joint: true } }),
    shard('orders/0', { rule: null }),
  );
  const quorums = [
    { shard: 'orders/0', voters: 0, reachable: null },
    { shard: 'accounts/0', voters: 3, reachable: true },
    { shard: 'accounts/1', voters: 1, reachable: false },
  ];
  expect(quorumRows(quorums, told)).toEqual([
    {
      dataset: 'accounts',
      rule: 'majority; all without ap (and the rule before, for now)',
      tone: 'bad',
      state: 'cannot be met in accounts/1',
    },
    { dataset: 'orders', rule: 'unknown', tone: 'unknown', state: 'unknown in orders/0' },
  ]);
  expect(quorumRows(cluster().quorums, null)[0]).toMatchObject({
    rule: 'unknown',
    state: 'can be met; 3 regions count',
  });
});

describe('the table of shards', () => {
  const names = (filter: string, told = shards(shard('orders/0', { home: 'us' }))) =>
    shardRows(told, REGIONS, filter).map((row) => row.shard);

  test.each([
    ['', ['accounts/0', 'accounts/1', 'orders/0']],
    ['accounts/1', ['accounts/1']],
    ['US', ['orders/0']],
    ['accounts home:eu', ['accounts/0', 'accounts/1']],
    ['accounts us', []],
  ])('filtered by "%s"', (filter, left) => {
    expect(names(filter)).toEqual(left);
  });

  test('is in the order of numbers', () => {
    expect(names('', { shards: ['readings/10', 'readings/9'].map((name) => shard(name)) })).toEqual([
      'readings/9',
      'readings/10',
    ]);
  });

  test('tells each region apart, and what it does not know', () => {
    const told = shard('accounts/0').regions['eu']!;
    const regions = {
      eu: { ...told, halted: { code: 'log-lost', detail: '' } },
      us: { ...told, lagRecords: 7, parked: [{}, {}] },
      ap: null,
    };
    const [row] = shardRows(
      shards(shard('accounts/0', { regions, home: null, epoch: null })),
      REGIONS,
      'accounts/0',
    );
    expect(row).toMatchObject({ home: 'unknown', epoch: 'unknown', parked: 2 });
    expect(row?.regions.map(({ text }) => text)).toEqual([
      '10, halted (log-lost)',
      '10, 7 behind',
      'unknown',
    ]);
  });
});

test('people outside are told the worst of each kind of data', () => {
  const one = (name: string, writes: 'here' | 'waiting' | 'refused') => ({
    shard: name,
    writes,
    reason: null,
    home: 'eu',
  });
  const told = [one('accounts/0', 'here'), one('orders/0', 'waiting'), one('orders/1', 'here')];
  const rows = statusRows({ region: 'eu', at: at(0), shards: told });
  expect(rows.map(({ tone }) => tone)).toEqual(['well', 'warning']);
  expect(statusHeadline(rows).tone).toBe('warning');
  const refused = statusRows({ region: 'eu', at: at(0), shards: [...told, one('orders/2', 'refused')] });
  expect(refused[1]?.text).toBe('Writes to 1 of 3 parts are not taken now.');
  expect(statusHeadline(refused).tone).toBe('bad');
  expect(statusHeadline(rows.slice(0, 1)).text).toBe('Everything can be written.');
});
