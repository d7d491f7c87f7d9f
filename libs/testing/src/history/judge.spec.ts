import { describe, expect, test } from '@jest/globals';
import type { ShardName } from '@lockstep/protocol';
import { EXAMPLES_MAX, FINDINGS, type FindingCode } from './finding.js';
import type { CompletionLine, InvokeLine } from './history.js';
import {
  accepted,
  correctRun,
  end,
  event,
  invoke,
  judgeable,
  keyHash,
  logged,
  ORDER,
  READ,
  READING,
  rejected,
  unknown,
  X,
  Y,
  type BrokenRun,
} from './judge.fixture.js';
import { judge } from './judge.js';

const codesOf = (run: BrokenRun): readonly string[] => judge(judgeable(run)).findings.map(({ code }) => code);

const endOf = (run: BrokenRun, op: number): number =>
  run.lines.findIndex((line) => 'op' in line && line.op === op && line.type !== 'invoke');

function told(run: BrokenRun, op: number, change: Partial<CompletionLine>): void {
  const at = endOf(run, op);
  run.lines[at] = { ...run.lines[at], ...change } as CompletionLine;
}

const entryAt = (run: BrokenRun, shard: string, sequence: number): BrokenRun['entries'][number] =>
  run.entries.find((entry) => entry.shard === shard && entry.sequence === BigInt(sequence))!;

const removeEntry = (run: BrokenRun, shard: string, sequence: number): void => {
  run.entries = run.entries.filter((entry) => entry !== entryAt(run, shard, sequence));
};

const rowOf = (run: BrokenRun, region: string, dataset: string, key: string) =>
  run.regions.get(region)!.rows.get(dataset)!.get(key)!;

const everywhere = (run: BrokenRun, change: (region: string) => void): void =>
  [...run.regions.keys()].forEach(change);

/** One defect each, and what it must be called; others may be called too, as one defect has several effects. */
const defects: readonly (readonly [code: FindingCode, title: string, plant: (run: BrokenRun) => void])[] = [
  ['history-broken', 'an operation that ends twice', (run) => run.lines.push(run.lines[endOf(run, 1)]!)],
  ['history-broken', 'an end without a beginning', (run) => run.lines.push(end(99, 'info', null))],
  ['history-broken', 'a file without its first line', (run) => run.lines.shift()],
  [
    'nothing-accepted',
    'a run in which everything was refused',
    (run) => {
      run.lines = [run.lines[0]!, invoke(0, 'orders', 'k', []), end(0, 'fail', null, 'not-ready')];
      run.entries = [];
      run.asked.clear();
      everywhere(run, (region) => run.regions.get(region)!.rows.clear());
    },
  ],
  ['accepted-lost', 'a told write that is not in the log', (run) => removeEntry(run, 'accounts/0', 3)],
  [
    'accepted-lost',
    'a told write that the fold rejected',
    (run) => (entryAt(run, 'accounts/0', 3).verdict = 'expired'),
  ],
  [
    'accepted-lost',
    'a write that was found accepted when asked again, and is not in the log',
    (run) => removeEntry(run, 'accounts/0', 4),
  ],
  [
    'accepted-differs',
    'other events in the place that was told',
    (run) => {
      const entry = entryAt(run, 'orders/0', 2);
      entry.events = [{ ...entry.events[0]!, data: { customer: 'Cy', total: 5 } }];
    },
  ],
  [
    'accepted-differs',
    'the same events under another key',
    (run) => (entryAt(run, 'orders/0', 2).keyHash = keyHash('other') as never),
  ],
  [
    'versions-untrue',
    'a version that is not the sequence',
    (run) => told(run, 1, { receipt: { ...accepted('k1', 'accounts/0', 3, [X]), versions: { [X]: 2 } } }),
  ],
  [
    'versions-untrue',
    'a key whose version is not told',
    (run) => told(run, 0, { receipt: accepted('k0', 'accounts/0', 2, [X]) }),
  ],
  ['logged-lost', 'a logged write that is not in the log', (run) => removeEntry(run, 'readings/0', 2)],
  [
    'rejection-untrue',
    'a rejection of which the log knows nothing',
    (run) => removeEntry(run, 'orders/0', 3),
  ],
  [
    'rejection-untrue',
    'a rejection with another code',
    (run) => (entryAt(run, 'orders/0', 3).verdict = 'schema'),
  ],
  [
    'conflict-unfounded',
    'a conflict on the present version',
    (run) => {
      const entry = entryAt(run, 'orders/0', 3);
      entry.events = [{ ...entry.events[0]!, expectedVersion: 2n as never }];
      const at = run.lines.findIndex((line) => line.type === 'invoke' && line.op === 5);
      run.lines[at] = { ...(run.lines[at] as InvokeLine), events: [event(ORDER, 'paid', {}, 2)] };
    },
  ],
  [
    'rejection-took-effect',
    'a rejected write that was accepted too',
    (run) => run.entries.push(logged('orders/0', 5, 'k5', [event(ORDER, 'paid', {}, 9)])),
  ],
  [
    'rejection-took-effect',
    'a write that was found expired when asked again, and was accepted',
    (run) => run.entries.push(logged('accounts/0', 7, 'k10', [event(X, 'credited', { amount: 7 })])),
  ],
  [
    'rejection-took-effect',
    'a write that was never seen when asked again, and was accepted',
    (run) => {
      run.asked.set(10, { kind: 'never' });
      run.entries.push(logged('accounts/0', 7, 'k10', [event(X, 'credited', { amount: 7 })]));
    },
  ],
  [
    'refusal-took-effect',
    'a keyless write that was refused and stands in the log',
    (run) =>
      run.entries.push(
        logged('readings/0', 4, null, [
          event('eu:r1-d2', 'recorded', { sensor: 's', value: 0, at: '2026-11-21T08:00:02Z' }),
        ]),
      ),
  ],
  [
    'refusal-took-effect',
    'a keyed write that was refused and stands in the log',
    (run) => {
      const events = [event('eu:r1-o1', 'placed', { customer: 'Di', total: 1 }, 0)];
      run.lines.push(invoke(11, 'orders', 'k11', events), end(11, 'fail', null, 'too-many-requests'));
      run.entries.push(logged('orders/0', 5, 'k11', events));
    },
  ],
  ['unknown-stays-unknown', 'an unknown write that was not asked for', (run) => run.asked.delete(10)],
  [
    'unknown-stays-unknown',
    'an unknown write whose receipt stays open',
    (run) => run.asked.set(10, { kind: 'open', reason: 'not-seen' }),
  ],
  [
    'unknown-stays-unknown',
    'an operation whose end nobody saw',
    (run) => run.lines.push(invoke(11, 'accounts', 'k11', [event(X, 'credited', { amount: 1 })])),
  ],
  [
    'repeat-answered-differently',
    'a repeat with another sequence',
    (run) => told(run, 3, { receipt: accepted('k1', 'accounts/0', 5, [X]) }),
  ],
  [
    'repeat-answered-differently',
    'a repeat that is rejected',
    (run) => told(run, 3, { type: 'fail', receipt: rejected('k1', 'accounts/0', 3, 'key-reused') }),
  ],
  [
    'effect-twice',
    'a key that was accepted twice',
    (run) => run.entries.push(logged('accounts/0', 7, 'k1', [event(X, 'credited', { amount: 100 })])),
  ],
  [
    'effect-twice',
    'a keyless write that stands twice',
    (run) => run.entries.push(logged('readings/0', 9, null, READ)),
  ],
  [
    'phantom-entry',
    'an entry that nobody asked for',
    (run) => run.entries.push(logged('orders/0', 5, 'nobody', [event(ORDER, 'shipped', { carrier: 'sea' })])),
  ],
  [
    'place-told-twice',
    'one place for two writes',
    (run) => told(run, 6, { receipt: accepted('minted', 'orders/0', 2, [ORDER]) }),
  ],
  [
    'order-reversed',
    'a later write that stands before an acknowledged one',
    (run) => {
      for (const op of [4, 6]) {
        const sequence = op === 4 ? 4 : 2;
        told(run, op, { receipt: accepted(op === 4 ? 'k4' : 'minted', 'orders/0', sequence, [ORDER]) });
      }
      const [placed, paid] = [entryAt(run, 'orders/0', 2), entryAt(run, 'orders/0', 4)];
      [placed.sequence, paid.sequence] = [paid.sequence, placed.sequence];
    },
  ],
  [
    'order-reversed',
    'a write that stands before one that was told logged',
    (run) => {
      const events = [{ ...READ[0]!, key: 'eu:r1-d3' }];
      run.lines.push(
        invoke(11, 'readings', 'k11', events),
        end(11, 'ok', accepted('k11', 'readings/0', 1, ['eu:r1-d3'])),
      );
      run.entries.push(logged('readings/0', 1, 'k11', events));
    },
  ],
  [
    'expected-version-ignored',
    'an event that was accepted on another version',
    (run) => {
      const entry = entryAt(run, 'orders/0', 4);
      entry.events = [{ ...entry.events[0]!, expectedVersion: 1n as never }];
    },
  ],
  [
    'effect-missing',
    'a region without the row of a told write',
    (run) => run.regions.get('us')!.rows.get('orders')!.delete(ORDER),
  ],
  ['effect-missing', 'a region with an older row', (run) => (rowOf(run, 'ap', 'orders', ORDER).version = 2n)],
  [
    'entry-torn',
    'a transfer of which one half is missing',
    (run) => (rowOf(run, 'us', 'accounts', Y).version = 2n),
  ],
  [
    'row-missing',
    'a region without the row of an unanswered write that is in the log',
    (run) => run.regions.get('us')!.rows.get('readings')!.delete('eu:r1-d1'),
  ],
  [
    'row-phantom',
    'a row that no entry made',
    (run) =>
      run.regions
        .get('eu')!
        .rows.get('readings')!
        .set('eu:r1-d9', { version: 9n, columns: { sensor: 's' } }),
  ],
  [
    'row-version-differs',
    'a version that no entry of the key has',
    (run) => everywhere(run, (region) => (rowOf(run, region, 'orders', ORDER).version = 6n)),
  ],
  [
    'row-differs',
    'an order that missed an event, in all regions alike',
    (run) => everywhere(run, (region) => (rowOf(run, region, 'orders', ORDER).columns['status'] = 'placed')),
  ],
  [
    'row-differs',
    'a reading at another time',
    (run) => (rowOf(run, 'eu', 'readings', READING).columns['at'] = '2026-11-21T08:00:00.05Z'),
  ],
  [
    'balance-differs',
    'money that went to another account, in all regions alike',
    (run) =>
      everywhere(run, (region) => {
        rowOf(run, region, 'accounts', X).columns['balance'] = 60;
        rowOf(run, region, 'accounts', Y).columns['balance'] = 40;
      }),
  ],
  [
    'balance-negative',
    'a debit beyond the balance that was accepted',
    (run) => {
      const entry = entryAt(run, 'accounts/0', 4);
      entry.events = [{ ...entry.events[0]!, data: { amount: 101 } }, entry.events[1]!];
    },
  ],
  [
    'balance-negative',
    'a balance below zero in one database',
    (run) => (rowOf(run, 'us', 'accounts', Y).columns['balance'] = -1),
  ],
  [
    'total-differs',
    'money that came from nowhere, in all regions alike',
    (run) => everywhere(run, (region) => (rowOf(run, region, 'accounts', Y).columns['balance'] = 31)),
  ],
  [
    'regions-differ',
    'a region with another row',
    (run) => (rowOf(run, 'ap', 'readings', READING).columns['value'] = 2),
  ],
  ['not-quiet', 'a gateway that does not answer', (run) => run.unrest.push('no answer')],
  [
    'region-behind',
    'a region that has not reached the others',
    (run) => (run.regions.get('ap')!.cursors.get('orders/0')!.sequence = 3n),
  ],
  [
    'region-behind',
    'a region that has not taken a shard up',
    (run) => run.regions.get('ap')!.cursors.delete('orders/0'),
  ],
  [
    'hashes-differ',
    'other effects at the same sequence',
    (run) => (run.regions.get('us')!.cursors.get('accounts/0')!.effectsHash = 'other'),
  ],
  [
    'hashes-differ',
    'another input at the same sequence, behind the others',
    (run) => {
      for (const [region, inputHash] of [
        ['us', 'one'],
        ['ap', 'other'],
      ] as const) {
        Object.assign(run.regions.get(region)!.cursors.get('orders/0')!, { sequence: 3n, inputHash });
      }
    },
  ],
  [
    'hashes-differ',
    'another life of the log',
    (run) => (run.regions.get('us')!.cursors.get('accounts/0')!.logIncarnation = 'other'),
  ],
  [
    'refold-differs',
    'regions that agree on what the log does not say',
    (run) =>
      everywhere(run, (region) => (run.regions.get(region)!.cursors.get('orders/0')!.effectsHash = 'other')),
  ],
  [
    'refold-differs',
    'regions that stand beyond the end of the log',
    (run) => everywhere(run, (region) => (run.regions.get(region)!.cursors.get('orders/0')!.sequence = 5n)),
  ],
  ['refold-differs', 'a shard whose log nobody could read', (run) => run.shards.delete('orders/0')],
  [
    'refold-halted',
    'a configuration that nobody keeps',
    (run) =>
      (run.shards.get('orders/0')!.halted = {
        code: 'configuration-missing',
        detail: 'lacks a configuration',
      }),
  ],
];

describe('a run in which everything went right', () => {
  test('has no finding', () => {
    expect(judge(judgeable(correctRun())).findings).toEqual([]);
  });

  test('is summed up by what was asked, told, repeated, ambiguous and disturbed', () => {
    expect(judge(judgeable(correctRun())).summary).toEqual({
      run: 'r1',
      seed: 7,
      operations: { asked: 11, accepted: 5, logged: 1, failed: 2, open: 3 },
      failures: { 'version-conflict': 1, 'log-unavailable': 1 },
      repeats: 1,
      replayed: 1,
      wrongVersions: 1,
      faults: { kill: 1 },
      unknown: { tookEffect: 2, withoutEffect: 1, keyless: 1 },
      entries: 7,
      events: 9,
      verdicts: {
        accounts: { accepted: 3, repeated: 1 },
        orders: { accepted: 3, repeated: 1 },
        readings: { accepted: 3, repeated: 1 },
      },
      rows: { eu: 5, us: 5, ap: 5 },
      shards: 3,
      regions: ['eu', 'us', 'ap'],
      remarks: [],
    });
  });

  test('says where it shows nothing, which is no finding', () => {
    const run = correctRun();
    run.lines = run.lines.filter((line) => line.type !== 'fault');
    told(run, 2, { type: 'ok', receipt: accepted('k2', 'accounts/0', 4, [X, Y]) });
    told(run, 8, { type: 'ok', receipt: unknown(`${'b'.repeat(32)}:3`, 'readings/0') });
    told(run, 10, { type: 'fail', receipt: rejected('k10', 'accounts/0', 6, 'expired') });
    const { findings, summary } = judge(judgeable(run));
    expect(findings).toEqual([]);
    expect(summary.remarks).toEqual([
      'The history names no fault: nothing is shown about faults.',
      'No operation was ambiguous: nothing is shown about unknown ends.',
    ]);
  });

  test('may hold a logged write that the fold rejected by name', () => {
    const run = correctRun();
    entryAt(run, 'readings/0', 2).verdict = 'expired';
    everywhere(run, (region) => run.regions.get(region)!.rows.get('readings')!.delete(READING));
    expect(codesOf(run)).toEqual([]);
  });

  test('may hold an unanswered keyless write that never arrived', () => {
    const run = correctRun();
    removeEntry(run, 'readings/0', 3);
    everywhere(run, (region) => run.regions.get(region)!.rows.get('readings')!.delete('eu:r1-d1'));
    expect(codesOf(run)).toEqual([]);
  });

  test('may hold another payload under a known key, which is told so', () => {
    const run = correctRun();
    run.lines.push(
      invoke(11, 'accounts', 'k1', [event(X, 'credited', { amount: 101 })]),
      end(11, 'fail', rejected('k1', 'accounts/0', 7, 'key-reused'), 'key-reused'),
    );
    run.entries.push(logged('accounts/0', 7, 'k1', [event(X, 'credited', { amount: 101 })], 'key-reused'));
    expect(codesOf(run)).toEqual([]);
  });
});

describe('a planted defect is found and named', () => {
  test.each(defects)('%s: %s', (code, _title, plant) => {
    const run = correctRun();
    plant(run);
    const found = judge(judgeable(run)).findings.find((finding) => finding.code === code);
    expect(found).toMatchObject(FINDINGS[code]);
    expect(found!.count).toBeGreaterThanOrEqual(found!.examples.length);
    expect(Object.keys(found!.examples[0]!)).not.toEqual([]);
  });

  test('every code has a defect here', () => {
    expect(new Set(defects.map(([code]) => code))).toEqual(new Set(Object.keys(FINDINGS)));
  });

  test('examples are bounded, the count is not', () => {
    const run = correctRun();
    for (let i = 0; i < 100; i += 1) {
      const key = `eu:r1-z${i}`;
      run.entries.push(logged('orders/0', 100 + i, `z${i}`, [event(key, 'paid', {})]));
    }
    const phantoms = judge(judgeable(run)).findings.find(({ code }) => code === 'phantom-entry')!;
    expect(phantoms.count).toBe(100);
    expect(phantoms.examples).toHaveLength(EXAMPLES_MAX);
    expect(phantoms.examples[0]).toEqual({
      shard: 'orders/0' as ShardName,
      sequence: 100,
      keys: ['eu:r1-z0'],
    });
  });
});
