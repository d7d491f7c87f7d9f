/**
 * A small run in which everything went right and something of each kind happened, as a structure that a test may break:
 * a pair of accounts, an order, readings; a repeat, a version conflict, a refusal, unknown ends of each kind, a fault.
 */
import type { KeyHash, Receipt, Sequence, ShardName, Verdict } from '@lockstep/protocol';
import type { HistoryEvent, HistoryLine, CompletionLine, InvokeLine } from './history.js';
import type { JudgedRun } from './judge.js';
import type { LoggedEntry } from './refold.js';
import type { AskedAgain } from './standing.js';

export const RUN = 'r1';
export const REGIONS = ['eu', 'us', 'ap'] as const;
export const X = 'eu:r1-a0/x';
export const Y = 'eu:r1-a0/y';
export const ORDER = 'eu:r1-o0';
export const READING = 'eu:r1-d0';
export const READING_UNANSWERED = 'eu:r1-d1';
export const PUBLISHER = 'b'.repeat(32);
export const keyHash = (key: string): string => `hash of ${key}`;

type Mutable<T> = { -readonly [K in keyof T]: T[K] };
export interface BrokenRun {
  lines: HistoryLine[];
  asked: Map<number, AskedAgain>;
  entries: Mutable<LoggedEntry>[];
  unrest: string[];
  shards: Map<string, Mutable<BrokenCursor> & { verdicts: Map<Verdict, number>; halted: null | Halted }>;
  regions: Map<string, { cursors: Map<string, BrokenCursor>; rows: Map<string, Map<string, BrokenRow>> }>;
}
interface Halted {
  readonly code: 'configuration-missing';
  readonly detail: string;
}
interface BrokenCursor {
  logIncarnation: string | null;
  sequence: bigint;
  inputHash: string;
  effectsHash: string;
}
interface BrokenRow {
  version: bigint;
  columns: { [column: string]: string | number | null };
}

export const event = (
  key: string,
  type: string,
  data: HistoryEvent['data'],
  expectedVersion?: number,
): HistoryEvent => ({
  key,
  type,
  data,
  ...(expectedVersion === undefined ? {} : { expectedVersion }),
});

export function invoke(
  op: number,
  dataset: string,
  key: string | null,
  events: readonly HistoryEvent[],
): InvokeLine {
  return {
    type: 'invoke',
    i: 0,
    t: op,
    p: op,
    f: 'append',
    op,
    region: 'eu',
    dataset,
    key,
    repeats: null,
    wrongVersion: false,
    ack: null,
    timeoutMs: 5_000,
    events,
  };
}

export function end(
  op: number,
  type: CompletionLine['type'],
  receipt: Receipt | null,
  code: string | null = null,
): CompletionLine {
  const status = type === 'ok' ? 200 : type === 'fail' ? 409 : null;
  return {
    type,
    i: 0,
    t: op,
    p: op,
    f: 'append',
    op,
    status,
    code,
    replayed: false,
    receipt,
    location: null,
  };
}

export function accepted(id: string, shard: string, sequence: number, keys: readonly string[]): Receipt {
  const versions = Object.fromEntries(keys.map((key) => [key, sequence]));
  return { ...receiptOf(id, shard), outcome: 'accepted', stage: 'everywhere', epoch: 1, sequence, versions };
}

export const rejected = (id: string, shard: string, sequence: number, code: string): Receipt => ({
  ...receiptOf(id, shard),
  outcome: 'rejected',
  stage: 'logged',
  sequence,
  code,
});

export const unknown = (id: string, shard: string): Receipt => ({
  ...receiptOf(id, shard),
  outcome: 'unknown',
  stage: 'logged',
});

const receiptOf = (
  id: string,
  shard: string,
): Pick<Receipt, 'id' | 'dataset' | 'shard' | 'stages' | 'traceId'> => ({
  id,
  dataset: shard.slice(0, shard.indexOf('/')),
  shard,
  stages: {},
  traceId: 'c'.repeat(32),
});

export function logged(
  shard: string,
  sequence: number,
  key: string | null,
  events: readonly HistoryEvent[],
  verdict: Verdict = 'accepted',
): Mutable<LoggedEntry> {
  return {
    shard: shard as ShardName,
    sequence: BigInt(sequence) as Sequence,
    verdict,
    keyHash: key === null ? null : (keyHash(key) as KeyHash),
    id: `${PUBLISHER}:${sequence}`,
    events: events.map((one) => ({
      ...one,
      v: 1,
      expectedVersion: one.expectedVersion === undefined ? null : (BigInt(one.expectedVersion) as Sequence),
    })),
  };
}

const OPENED = [X, Y].map((key) => event(key, 'opened', { owner: 'Ada', currency: 'EUR' }));
const CREDITED = [event(X, 'credited', { amount: 100 })];
const MOVED = [event(X, 'debited', { amount: 30 }), event(Y, 'credited', { amount: 30 })];
const PLACED = [event(ORDER, 'placed', { customer: 'Bo', total: 5 }, 0)];
const PAID_WRONG = [event(ORDER, 'paid', {}, 9)];
const PAID = [event(ORDER, 'paid', {}, 2)];
export const READ = [event(READING, 'recorded', { sensor: 's', value: 1.5, at: '2026-11-21T08:00:00.500Z' })];
const READ_UNANSWERED = [
  event(READING_UNANSWERED, 'recorded', { sensor: 's', value: -2, at: '2026-11-21T08:00:01Z' }),
];
const REFUSED = [event('eu:r1-d2', 'recorded', { sensor: 's', value: 0, at: '2026-11-21T08:00:02Z' })];

export function correctRun(): BrokenRun {
  const lines: HistoryLine[] = [
    { type: 'run', version: 1, run: RUN, seed: 7, startedAt: '2026-11-21T08:00:00.000Z', options: {} },
    invoke(0, 'accounts', 'k0', OPENED),
    end(0, 'ok', accepted('k0', 'accounts/0', 2, [X, Y])),
    invoke(1, 'accounts', 'k1', CREDITED),
    end(1, 'ok', accepted('k1', 'accounts/0', 3, [X])),
    { type: 'fault', i: 0, t: 2, f: 'kill', value: 'us replicator' },
    // Cut off; found accepted when it was asked for again.
    invoke(2, 'accounts', 'k2', MOVED),
    end(2, 'info', null, 'ECONNRESET'),
    { ...invoke(3, 'accounts', 'k1', CREDITED), repeats: 1 },
    { ...end(3, 'ok', accepted('k1', 'accounts/0', 3, [X])), replayed: true },
    invoke(4, 'orders', 'k4', PLACED),
    end(4, 'ok', accepted('k4', 'orders/0', 2, [ORDER])),
    { ...invoke(5, 'orders', 'k5', PAID_WRONG), wrongVersion: true },
    end(5, 'fail', rejected('k5', 'orders/0', 3, 'version-conflict'), 'version-conflict'),
    // The gateway minted the key, as its receipt tells.
    invoke(6, 'orders', null, PAID),
    end(6, 'ok', accepted('minted', 'orders/0', 4, [ORDER])),
    invoke(7, 'readings', null, READ),
    end(7, 'ok', unknown(`${PUBLISHER}:2`, 'readings/0')),
    // Nobody knows a name for it; it stands in the log.
    invoke(8, 'readings', null, READ_UNANSWERED),
    end(8, 'info', null, 'no-answer-in-time'),
    invoke(9, 'readings', null, REFUSED),
    end(9, 'fail', null, 'log-unavailable'),
    // Never arrived; settled when it was asked for again.
    invoke(10, 'accounts', 'k10', [event(X, 'credited', { amount: 7 })]),
    end(10, 'info', null, 'ECONNRESET'),
  ];
  const entries = [
    logged('accounts/0', 2, 'k0', OPENED),
    logged('accounts/0', 3, 'k1', CREDITED),
    logged('accounts/0', 4, 'k2', MOVED),
    // The attempt whose answer was lost was sent again by the gateway.
    logged('accounts/0', 5, 'k2', MOVED, 'repeated'),
    logged('orders/0', 2, 'k4', PLACED),
    logged('orders/0', 3, 'k5', PAID_WRONG, 'version-conflict'),
    logged('orders/0', 4, 'minted', PAID),
    logged('readings/0', 2, null, READ),
    logged('readings/0', 3, null, READ_UNANSWERED),
  ];
  const cursors = (): Map<string, BrokenCursor> =>
    new Map(
      (
        [
          ['accounts/0', 7n],
          ['orders/0', 4n],
          ['readings/0', 3n],
        ] as const
      ).map(([shard, sequence]) => [
        shard,
        { logIncarnation: 'log', sequence, inputHash: `input ${shard}`, effectsHash: `effects ${shard}` },
      ]),
    );
  const verdicts = new Map<Verdict, number>([
    ['accepted', 3],
    ['repeated', 1],
  ]);
  return {
    lines,
    asked: new Map<number, AskedAgain>([
      [2, { kind: 'receipt', receipt: accepted('k2', 'accounts/0', 4, [X, Y]) }],
      [10, { kind: 'receipt', receipt: rejected('k10', 'accounts/0', 6, 'expired') }],
    ]),
    entries,
    unrest: [],
    shards: new Map([...cursors()].map(([shard, cursor]) => [shard, { ...cursor, verdicts, halted: null }])),
    regions: new Map(REGIONS.map((region) => [region, { cursors: cursors(), rows: rows() }])),
  };
}

const rows = (): Map<string, Map<string, BrokenRow>> =>
  new Map<string, Map<string, BrokenRow>>([
    [
      'accounts',
      new Map([
        [X, { version: 4n, columns: { owner: 'Ada', currency: 'EUR', balance: 70 } }],
        [Y, { version: 4n, columns: { owner: 'Ada', currency: 'EUR', balance: 30 } }],
      ]),
    ],
    [
      'orders',
      new Map([
        [
          ORDER,
          { version: 4n, columns: { customer: 'Bo', total: 5, status: 'paid', carrier: null, reason: null } },
        ],
      ]),
    ],
    [
      'readings',
      new Map([
        // As a database prints it.
        [READING, { version: 2n, columns: { sensor: 's', value: 1.5, at: '2026-11-21T08:00:00.5Z' } }],
        [
          READING_UNANSWERED,
          { version: 3n, columns: { sensor: 's', value: -2, at: '2026-11-21T08:00:01Z' } },
        ],
      ]),
    ],
  ]);

export const judgeable = ({ lines, asked, entries, shards, regions, unrest }: BrokenRun): JudgedRun =>
  ({ lines, asked, log: { shards, entries }, regions, unrest, keyHash }) as unknown as JudgedRun;
