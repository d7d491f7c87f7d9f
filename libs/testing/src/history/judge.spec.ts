import { describe, expect, test } from '@jest/globals';
import type { Receipt, ShardName, Verdict } from '@lockstep/protocol';
import { commandOf, decision, say, stage, withMove } from './control-audit.fixture.js';
import { CORRECT_GOVERNORS, GOVERNOR_DEFECTS } from './governor-audit.fixture.js';
import { EXAMPLES_MAX, FINDINGS, type FindingCode } from './finding.js';
import type { CompletionLine, InvokeLine, ReadCompletionLine, SeenRow } from './history.js';
import {
  accepted,
  correctRun,
  end,
  event,
  headerOf,
  invoke,
  judgeable,
  keyHash,
  logged,
  ORDER,
  PAID,
  PUBLISHER,
  READ,
  READING,
  readEnd,
  readInvoke,
  rejected,
  seen,
  storeLife,
  tokenOf,
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
    'an unknown write of which only another payload was told that its key is taken',
    (run) => {
      const asked = run.lines.find((line): line is InvokeLine => line.type === 'invoke' && line.op === 10)!;
      const { dataset, key } = asked;
      run.asked.delete(10);
      run.lines.push(
        invoke(11, dataset, key!, [event(X, 'credited', { amount: 12 })]),
        end(11, 'fail', rejected(key!, `${dataset}/0`, 7, 'key-reused'), 'key-reused'),
      );
    },
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

/** The same for what the log itself, its witnesses, the reads and the answers in time show. */
describe('a shard in which something is appended all the time', () => {
  const HASHES = { inputHash: 'at 3', effectsHash: 'at 3' };
  const restedAt = new Map([['orders/0', 3n]]);
  /** As it was read a moment before the other regions. */
  function readEarlier(): BrokenRun {
    const run = correctRun();
    Object.assign(run.regions.get('ap')!.cursors.get('orders/0')!, { sequence: 3n, ...HASHES });
    run.shards.get('orders/0')!.hashes.set(3n, HASHES);
    return run;
  }
  const codesAt = (run: BrokenRun, ends: ReadonlyMap<string, bigint>): readonly string[] =>
    judge({ ...judgeable(run), restedAt: ends }).findings.map(({ code }) => code);

  test('a region may be read before it has folded what came behind the end', () => {
    expect(codesAt(readEarlier(), restedAt)).toEqual([]);
    expect(codesAt(readEarlier(), new Map())).toEqual(['region-behind']);
    expect(codesAt(readEarlier(), new Map([['orders/0', 4n]]))).toEqual(['region-behind']);
  });

  test('its hashes are held against the log at its own place', () => {
    const run = readEarlier();
    run.regions.get('ap')!.cursors.get('orders/0')!.effectsHash = 'other';
    expect(codesAt(run, restedAt)).toEqual(['refold-differs']);
  });
});

const recordAt = (run: BrokenRun, shard: string, sequence: number): BrokenRun['records'][number] =>
  run.records.find((record) => record.shard === shard && record.sequence === BigInt(sequence))!;

const watermarkOf = (run: BrokenRun, region: string, shard: string) =>
  run.witnessed.watermarks.find((told) => told.region === region && told.shard === shard)!;

const heardOf = (run: BrokenRun, region: string, shard: string) =>
  run.witnessed.heard.find((told) => told.region === region && told.shard === shard)!;

const verdictAt = (run: BrokenRun, shard: string, sequence: number) =>
  run.witnessed.verdicts.find((told) => told.shard === shard && told.sequence === BigInt(sequence))!;

/** A fence behind everything that stands in orders, to epoch 2 unless said otherwise. */
function fence(run: BrokenRun, home: string, epoch = 2n, sequence = 5n): void {
  const pair = { term: 1n, decision: sequence };
  const control = { kind: 'fence', expectedEpoch: epoch - 1n, epoch, home, ...pair } as never;
  const place = { shard: 'orders/0', sequence, offset: sequence - 1n, appendTimeMs: 1_000 };
  run.records.push({ ...place, verdict: 'accepted', header: headerOf('fence', 0n), control });
}

/** An entry of orders behind the fence. */
function behindFence(run: BrokenRun, verdict: Verdict, from: { region: string; epoch: bigint }): void {
  fence(run, 'us');
  const place = { shard: 'orders/0', sequence: 6n, offset: 5n, appendTimeMs: 1_000, control: null };
  run.records.push({ ...place, verdict, header: { ...headerOf('data', 4n), ...from } as never });
}

function sawInstead(run: BrokenRun, op: number, change: Partial<SeenRow>): void {
  const at = endOf(run, op);
  const line = run.lines[at] as ReadCompletionLine;
  run.lines[at] = { ...line, seen: { ...line.seen!, ...change } };
}

const receiptOf = (run: BrokenRun, op: number): Receipt =>
  (run.lines[endOf(run, op)] as CompletionLine).receipt!;

const shown: readonly (readonly [code: FindingCode, title: string, plant: (run: BrokenRun) => void])[] = [
  [
    'history-broken',
    'a client that asks two things at once',
    (run) =>
      run.lines.push(
        { ...invoke(11, 'orders', 'k11', PAID), p: 70 },
        { ...invoke(12, 'orders', 'k12', PAID), p: 70 },
      ),
  ],
  [
    'history-broken',
    'a client that is heard of again after an unknown end',
    (run) => run.lines.push({ ...invoke(11, 'orders', 'k11', PAID), p: 2 }),
  ],
  [
    'history-broken',
    'an end that another client tells',
    (run) =>
      run.lines.push({ ...invoke(11, 'orders', 'k11', PAID), p: 70 }, { ...end(11, 'info', null), p: 71 }),
  ],
  [
    'history-broken',
    'a time that goes back',
    (run) => run.lines.push({ ...invoke(11, 'orders', 'k11', PAID), t: 9 }),
  ],
  [
    'key-reuse-unnoticed',
    'another payload under a known key that is told accepted',
    (run) =>
      run.lines.push(invoke(11, 'orders', 'k4', PAID), end(11, 'ok', accepted('k4', 'orders/0', 2, [ORDER]))),
  ],
  [
    'key-reuse-unnoticed',
    'the payload that has the key, told that the key is taken',
    (run) => {
      run.lines.push(
        invoke(11, 'orders', 'k4', PAID),
        end(11, 'fail', rejected('k4', 'orders/0', 9, 'key-reused')),
      );
      told(run, 4, { receipt: rejected('k4', 'orders/0', 2, 'key-reused') });
    },
  ],
  [
    'receipt-inconsistent',
    'an accepted write without the stage of it',
    (run) =>
      told(run, 1, { receipt: { ...receiptOf(run, 1), stage: 'logged', stages: { logged: { at: 'now' } } } }),
  ],
  [
    'receipt-inconsistent',
    'an unknown write that has reached a quorum',
    (run) => told(run, 7, { receipt: { ...receiptOf(run, 1), outcome: 'unknown' } }),
  ],
  [
    'receipt-inconsistent',
    'a highest stage that is not the highest',
    (run) => told(run, 1, { receipt: { ...receiptOf(run, 1), stage: 'quorum' } }),
  ],
  [
    'receipt-inconsistent',
    'a token of another position',
    (run) => told(run, 1, { receipt: { ...receiptOf(run, 1), token: tokenOf('accounts/0', 2) } }),
  ],
  [
    'receipt-inconsistent',
    'a status that says more than the receipt',
    (run) => {
      const { accepted: told1, logged: told0 } = receiptOf(run, 1).stages;
      const stages = { logged: told0!, accepted: told1! };
      told(run, 1, { receipt: { ...receiptOf(run, 1), stage: 'accepted', stages } });
      const at = run.lines.findIndex((line) => line.type === 'invoke' && line.op === 1);
      run.lines[at] = { ...run.lines[at], ack: 'everywhere' } as InvokeLine;
    },
  ],
  [
    'receipt-inconsistent',
    'a read whose token is not its position',
    (run) => sawInstead(run, 20, { token: tokenOf('orders/0', 3) }),
  ],
  [
    'quorum-too-small',
    'a quorum of one region in three',
    (run) => {
      const { stages } = receiptOf(run, 1);
      told(run, 1, {
        receipt: { ...receiptOf(run, 1), stages: { ...stages, quorum: { at: 'now', regions: ['eu'] } } },
      });
    },
  ],
  [
    'stage-untrue',
    'everywhere, told before the last region had committed',
    (run) => (run.witnessed.commits!.find((one) => one.region === 'ap' && one.shard === 'accounts/0')!.t = 5),
  ],
  [
    'stage-untrue',
    'accepted, told by a region that never committed',
    (run) => (run.witnessed.commits = run.witnessed.commits!.filter((one) => one.region !== 'eu')),
  ],
  [
    'former-life-counted',
    'everywhere with a store that has been put back, and whose former life is heard late',
    (run) => {
      const former = heardOf(run, 'ap', 'accounts/0');
      run.witnessed.heard.unshift({ ...former, storeIncarnation: storeLife(1), sequence: 1n });
    },
  ],
  [
    'former-life-counted',
    'everywhere with a region whose vote is withheld',
    (run) => (heardOf(run, 'ap', 'accounts/0').isWithheld = true),
  ],
  [
    'former-life-counted',
    'a holder whose store has been put back and is not that far again',
    (run) => {
      const { heard } = run.witnessed;
      const former = heardOf(run, 'ap', 'accounts/0');
      heard.push({ ...former, t: 2, storeIncarnation: storeLife(1), sequence: 1n }, { ...former, t: 2 });
    },
  ],
  [
    'told-before-commit',
    'a watermark beyond what the store had',
    (run) => (watermarkOf(run, 'us', 'accounts/0').sequence = 8n),
  ],
  [
    'told-before-commit',
    'a verdict that was told before its commit',
    (run) => {
      for (const commit of run.witnessed.commits!) if (commit.region === 'us') commit.t = 2;
      for (const told of run.witnessed.watermarks) told.t = 3;
    },
  ],
  [
    'epoch-untrue',
    'a receipt with another epoch',
    (run) => told(run, 1, { receipt: { ...receiptOf(run, 1), epoch: 2 } }),
  ],
  [
    'epoch-untrue',
    'a watermark with another home',
    (run) => (watermarkOf(run, 'us', 'orders/0').owner = { epoch: 1n, home: 'us' }),
  ],
  ['epoch-untrue', 'a verdict with another epoch', (run) => (verdictAt(run, 'orders/0', 2).epoch = 2n)],
  [
    'position-inconsistent',
    'one sequence at two offsets',
    (run) => (watermarkOf(run, 'us', 'orders/0').offset = 17n),
  ],
  [
    'position-inconsistent',
    'one sequence of two entries',
    (run) => (verdictAt(run, 'orders/0', 2).id = `${'d'.repeat(32)}:1`),
  ],
  [
    'sequence-gap',
    'a record that was left out',
    (run) => (run.records = run.records.filter((one) => one !== recordAt(run, 'orders/0', 3))),
  ],
  ['sequence-gap', 'a record that was folded twice', (run) => run.records.push(recordAt(run, 'orders/0', 4))],
  ['sequence-gap', 'records that changed places', (run) => (recordAt(run, 'orders/0', 4).offset = 1n)],
  [
    'number-twice',
    'a copy that was judged again',
    (run) => (recordAt(run, 'orders/0', 4).header = headerOf('data', 2n)),
  ],
  [
    'session-misjudged',
    'an entry behind a hole that was accepted',
    (run) => (recordAt(run, 'orders/0', 4).header = headerOf('data', 5n)),
  ],
  [
    'session-misjudged',
    'the next entry of a session that was taken for a copy',
    (run) => (recordAt(run, 'orders/0', 4).verdict = 'duplicate'),
  ],
  ['epoch-jumped', 'a fence that passes over an epoch', (run) => fence(run, 'us', 3n)],
  [
    'epoch-jumped',
    'a fence by a decision that a later one has overtaken',
    (run) => {
      fence(run, 'us', 2n, 6n);
      fence(run, 'ap', 3n, 5n);
    },
  ],
  [
    'two-owners',
    'a second fence to the same epoch',
    (run) => {
      fence(run, 'us');
      fence(run, 'ap', 2n, 6n);
    },
  ],
  [
    'owner-ignored',
    'an entry of the former owner that was accepted behind the fence',
    (run) => behindFence(run, 'accepted', { region: 'eu', epoch: 1n }),
  ],
  [
    'owner-ignored',
    'an entry of another region than the home',
    (run) => behindFence(run, 'guard', { region: 'ap', epoch: 2n }),
  ],
  [
    'fence-unfounded',
    'an entry of the owner that was fenced',
    (run) => behindFence(run, 'fenced', { region: 'us', epoch: 2n }),
  ],
  [
    'fence-unfounded',
    'a former owner that was told the wrong reason',
    (run) => behindFence(run, 'not-owner', { region: 'eu', epoch: 1n }),
  ],
  [
    'fence-undecided',
    'a fence that was sent before its stage',
    (run) => (commandOf(withMove(run), 'fencing').t = 8),
  ],
  [
    'fence-undecided',
    'a fence of a decision for another home',
    (run) =>
      (commandOf(withMove(run), 'decision').command = {
        kind: 'decision',
        shard: 'orders/0',
        to: 'ap',
        expectedEpoch: 1n,
      } as never),
  ],
  ['fence-undecided', 'a fence that nobody decided', (run) => withMove(run).commands.splice(2, 1)],
  [
    'move-ended-untrue',
    'a move that was cancelled, and its fence accepted',
    (run) => (withMove(run).finished[0]!.outcome = 'cancelled'),
  ],
  [
    'move-ended-untrue',
    'a move that is done without its fence',
    (run) => {
      withMove(run);
      run.records.splice(-2);
    },
  ],
  [
    'move-stage-untrue',
    'a fence that nobody had committed',
    (run) => (commandOf(withMove(run), 'fenced').t = 7),
  ],
  [
    'move-stage-untrue',
    'a fence that others had folded, and the new home had not',
    (run) => {
      withMove(run);
      for (const commit of run.witnessed.commits!)
        if (commit.region === 'us' && commit.sequence === 5n) commit.t = 11;
    },
  ],
  [
    'move-stage-untrue',
    'a canary that only the new home had committed',
    (run) => (commandOf(withMove(run), 'canary').t = 12),
  ],
  ['opened-early', 'a write before the fence was folded', (run) => withMove(run).stood.set(5n, 7.5)],
  [
    'opened-early',
    'a write of an epoch that never began',
    (run) => (withMove(run), run.records.splice(-2, 1)),
  ],
  [
    'moved-while-paused',
    'a fence that came to stand when a pause of its region was confirmed',
    (run) => {
      const control = withMove(run);
      say(control, 'eu', 5, { kind: 'pause', scope: 'region:eu', untilMs: 1_000_000 });
      say(control, 'eu', 6, { kind: 'paused', term: 1n, pause: 14n });
    },
  ],
  [
    'moved-while-paused',
    'a decision under a pause',
    (run) => {
      const control = withMove(run);
      say(control, 'eu', 21, { kind: 'pause', scope: 'shard:orders/0', untilMs: 1_000_000 });
      say(control, 'eu', 22, decision('us', 'ap', 2n));
    },
  ],
  [
    'moved-while-paused',
    'a decision within a maintenance window that has begun',
    (run) => {
      const control = withMove(run);
      say(control, 'eu', 21, { kind: 'window', scope: 'region:us', fromMs: 21_500, untilMs: 1_000_000 });
      say(control, 'eu', 22, { kind: 'begin', term: 1n, window: 14n });
      say(control, 'eu', 23, decision('us', 'ap', 2n));
    },
  ],
  [
    'two-leaders',
    'a command of another member',
    (run) => say(withMove(run), 'us', 21, { kind: 'heartbeat', term: 1n }),
  ],
  [
    'two-leaders',
    'a command of another process of the region that leads',
    (run) => say(withMove(run), 'eu', 21, { kind: 'heartbeat', term: 1n }, { session: 'other' }),
  ],
  [
    'two-leaders',
    'a leader that had resigned',
    (run) => {
      const control = withMove(run);
      say(control, 'eu', 21, { kind: 'resign', term: 1n });
      say(control, 'eu', 22, stage('lost'));
    },
  ],
  [
    'two-leaders',
    'a term that is claimed twice',
    (run) => {
      const control = withMove(run);
      say(control, 'eu', 21, { kind: 'resign', term: 1n });
      say(control, 'us', 22, { kind: 'claim', term: 1n, replaces: 0n });
    },
  ],
  [
    'claim-unfounded',
    'a claim while one member of three has not heard the leader',
    (run) => {
      const control = withMove(run);
      say(control, 'us', 21, { kind: 'silent', term: 1n, heartbeat: 2n });
      say(control, 'us', 22, { kind: 'claim', term: 2n, replaces: 1n });
    },
  ],
  [
    'claim-unfounded',
    'a claim before the grace of a suspected leader is over',
    (run) => {
      const control = withMove(run);
      say(control, 'us', 21, { kind: 'suspect', term: 1n, heartbeat: 2n });
      say(control, 'us', 21.5, { kind: 'claim', term: 2n, replaces: 1n });
    },
  ],
  [
    'verdict-told-untrue',
    'a region that told another verdict',
    (run) => (verdictAt(run, 'orders/0', 3).verdict = 'accepted'),
  ],
  [
    'told-hashes-differ',
    'hashes that only one region told for a while',
    (run) => {
      run.shards.get('orders/0')!.hashes.clear();
      watermarkOf(run, 'us', 'orders/0').effectsHash = 'other';
    },
  ],
  [
    'told-hashes-differ',
    'hashes that all regions told, and the log does not have',
    (run) => run.witnessed.watermarks.forEach((one) => (one.inputHash = 'other')),
  ],
  [
    'outcome-differs',
    'a store that answers a key with another place',
    (run) => {
      const kept = run.regions.get('ap')!.answers.outcomes.get('orders/0')!;
      kept.get(keyHash('k4'))!.sequence = 3n as never;
    },
  ],
  [
    'outcome-differs',
    'a store that forgot a key too early',
    (run) => run.regions.get('ap')!.answers.outcomes.get('orders/0')!.delete(keyHash('k4')),
  ],
  [
    'session-differs',
    'a store that counts a session otherwise',
    (run) => (run.regions.get('us')!.answers.sessions.get('orders/0')!.get(PUBLISHER)!.holed = true),
  ],
  ['read-untrue', 'an older version at a later position', (run) => sawInstead(run, 20, { version: 2 })],
  [
    'read-untrue',
    'a row that misses an event',
    (run) => sawInstead(run, 21, { columns: { owner: 'Ada', currency: 'EUR', balance: 0 } }),
  ],
  ['read-untrue', 'a row where there is none', (run) => sawInstead(run, 22, { version: 1, columns: {} })],
  [
    'session-read-stale',
    'a read from before the reader’s own write',
    (run) => sawInstead(run, 21, { sequence: 2, version: 2, token: tokenOf('accounts/0', 2) }),
  ],
  [
    'strong-read-stale',
    'a strong read from before an acknowledged write',
    (run) => sawInstead(run, 20, { sequence: 2, version: 2, token: tokenOf('orders/0', 2) }),
  ],
  [
    'strong-read-stale',
    'a strong read from before what another reader was shown',
    (run) => {
      run.lines.push(readInvoke(23, 'strong', 'accounts', Y), readEnd(23, seen('accounts/0', 2, 2)));
    },
  ],
  [
    'not-linearizable',
    'a strong read that missed a write, at a position that nobody can check',
    (run) => sawInstead(run, 20, { version: 2 }),
  ],
  [
    'not-linearizable',
    'a conflict that was told on the version that the row had',
    (run) => {
      const at = run.lines.findIndex((line) => line.type === 'invoke' && line.op === 5);
      run.lines[at] = { ...(run.lines[at] as InvokeLine), events: [event(ORDER, 'paid', {}, 2)] };
    },
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
      reads: 3,
      failures: { 'version-conflict': 1, 'log-unavailable': 1 },
      repeats: 1,
      replayed: 1,
      wrongVersions: 1,
      faults: { 'kill replicator': 1, 'kill broker': 1 },
      stagesToldLower: 0,
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
      registers: { judged: 1, undecided: 0 },
      told: 9,
      regions: ['eu', 'us', 'ap'],
      remarks: [],
    });
  });

  test('says where it shows nothing, which is no finding', () => {
    const run = correctRun();
    run.lines = run.lines.filter((line) => line.type !== 'fault');
    run.disturbances = [];
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
    verdictAt(run, 'readings/0', 2).verdict = 'expired';
    everywhere(run, (region) => run.regions.get(region)!.rows.get('readings')!.delete(READING));
    expect(codesOf(run)).toEqual([]);
  });

  test('may accept a logged write by a repeat, behind what was written since, where the fold had turned the first attempt down', () => {
    const run = correctRun();
    const events = [{ ...READ[0]!, key: 'eu:r1-d3' }];
    const later = [{ ...READ[0]!, key: 'eu:r1-d4' }];
    run.lines.push(
      invoke(11, 'readings', 'k11', events),
      end(11, 'ok', unknown('k11', 'readings/0')),
      invoke(12, 'readings', 'k12', later),
      end(12, 'ok', accepted('k12', 'readings/0', 5, ['eu:r1-d4'])),
    );
    run.entries.push(
      logged('readings/0', 4, 'k11', events, 'hole'),
      logged('readings/0', 5, 'k12', later),
      logged('readings/0', 9, 'k11', events),
    );
    expect(codesOf(run)).not.toContain('order-reversed');
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

describe('a run in which a home moved', () => {
  test('has no finding, and a pause holds nothing that is over', () => {
    const run = correctRun();
    withMove(run);
    expect(codesOf(run)).toEqual([]);
  });

  test.each([
    ['left', [['eu', { kind: 'resign', term: 1n }]]],
    ['was replaced by another process', [['eu', { kind: 'join', replaces: 'eu' }]]],
    [
      'was not heard by a majority',
      [
        ['us', { kind: 'silent', term: 1n, heartbeat: 2n }],
        ['ap', { kind: 'silent', term: 1n, heartbeat: 2n }],
      ],
    ],
    ['was suspected for longer than grace and lease', [['us', { kind: 'suspect', term: 1n, heartbeat: 2n }]]],
  ] as const)('may follow a leader that %s', (_why, said) => {
    const run = correctRun();
    const control = withMove(run);
    for (const [author, command] of said) say(control, author, 21, command);
    say(control, 'us', 22, { kind: 'claim', term: 2n, replaces: 1n });
    say(control, 'us', 23, { kind: 'heartbeat', term: 2n });
    expect(codesOf(run)).toEqual([]);
  });

  test('accuses no coordinator of a fence that somebody else put there', () => {
    const run = correctRun();
    const control = withMove(run);
    control.commands.splice(2, 8);
    control.stood.delete(4n);
    expect(codesOf(run)).toEqual([]);
  });

  test.each(CORRECT_GOVERNORS)('accuses no governor %s', (_title, plant) => {
    const run = correctRun();
    plant(run);
    expect(codesOf(run)).toEqual([]);
  });

  test('may move under a pause that time has ended', () => {
    const run = correctRun();
    const control = withMove(run);
    say(control, 'eu', 21, { kind: 'pause', scope: 'all', untilMs: 21_000 });
    say(control, 'eu', 22, decision('us', 'ap', 2n));
    expect(codesOf(run)).toEqual([]);
  });
});

const planted = [...defects, ...shown, ...GOVERNOR_DEFECTS];

describe('a planted defect is found and named', () => {
  test.each(planted)('%s: %s', (code, _title, plant) => {
    const run = correctRun();
    plant(run);
    const found = judge(judgeable(run)).findings.find((finding) => finding.code === code);
    expect(found).toMatchObject(FINDINGS[code]);
    expect(found!.count).toBeGreaterThanOrEqual(found!.examples.length);
    expect(Object.keys(found!.examples[0]!)).not.toEqual([]);
  });

  test('every code has a defect here', () => {
    expect(new Set(planted.map(([code]) => code))).toEqual(new Set(Object.keys(FINDINGS)));
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
