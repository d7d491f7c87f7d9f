/**
 * A small run in which everything went right and something of each kind happened, as a structure that a test may break:
 * a pair of accounts, an order, readings; a repeat, a version conflict, a refusal, unknown ends of each kind, reads, faults.
 */
import { encodeToken } from '@lockstep/protocol';
import type {
  KeyHash,
  LogIncarnation,
  Outcome,
  Receipt,
  RegionName,
  RuleInForce,
  Sequence,
  Session,
  ShardName,
  StoreIncarnation,
  Verdict,
} from '@lockstep/protocol';
import type { Commit } from './commits.js';
import type { ControlHistory } from './control-audit.js';
import type {
  CompletionLine,
  FaultLine,
  HistoryEvent,
  HistoryLine,
  InvokeLine,
  ReadInvokeLine,
  SeenRow,
} from './history.js';
import type { HeardWatermark, ToldHolders } from './heard-lives.js';
import type { JudgedRun } from './judge.js';
import { LogAudit, type AuditedRecord } from './log-audit.js';
import type { LoggedEntry } from './refold.js';
import type { AskedAgain } from './standing.js';
import type { WitnessedVerdict, WitnessedWatermark } from './witnessed.js';

export const RUN = 'r1';
export const REGIONS = ['eu', 'us', 'ap'] as const;
export const X = 'eu:r1-a0/x';
export const Y = 'eu:r1-a0/y';
export const ORDER = 'eu:r1-o0';
export const READING = 'eu:r1-d0';
export const READING_UNANSWERED = 'eu:r1-d1';
export const PUBLISHER = 'b'.repeat(32);
export const LOG = 'a'.repeat(32) as LogIncarnation;
const PLACES = [
  ['accounts/0', 7n],
  ['orders/0', 4n],
  ['readings/0', 3n],
] as const;
export const storeLife = (generation: number): StoreIncarnation =>
  `${generation}`.padStart(8, '0').padEnd(32, '0') as StoreIncarnation;
export const keyHash = (key: string): string => `hash of ${key}`;

type Mutable<T> = { -readonly [K in keyof T]: T[K] };
export interface BrokenRun {
  lines: HistoryLine[];
  asked: Map<number, AskedAgain>;
  entries: Mutable<LoggedEntry>[];
  /** Of the whole log, as the audit takes them. */
  records: Mutable<AuditedRecord>[];
  witnessed: {
    commits: Mutable<Commit>[] | null;
    watermarks: Mutable<WitnessedWatermark>[];
    verdicts: Mutable<WitnessedVerdict>[];
    heard: Mutable<HeardWatermark>[];
    toldHolders: Mutable<ToldHolders>[];
    control: ControlHistory | null;
  };
  disturbances: FaultLine[];
  unrest: string[];
  shards: Map<string, BrokenShard>;
  regions: Map<string, BrokenRegion>;
}
interface BrokenShard extends BrokenCursor, BrokenAnswers {
  verdicts: Map<Verdict, number>;
  halted: null | Halted;
  hashes: Map<bigint, { inputHash: string; effectsHash: string }>;
  outcomesSinceMs: number;
  sessionsSinceMs: number;
}
/** What a store keeps of one shard. */
interface BrokenAnswers {
  outcomes: Map<string, Mutable<Outcome>>;
  sessions: Map<string, Mutable<Session>>;
}
interface BrokenRegion {
  cursors: Map<string, BrokenCursor>;
  rows: Map<string, Map<string, BrokenRow>>;
  answers: { [Kept in keyof BrokenAnswers]: Map<string, BrokenAnswers[Kept]> };
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

export function readInvoke(
  op: number,
  consistency: ReadInvokeLine['consistency'],
  dataset: string,
  row: string,
  token: string | null = null,
): ReadInvokeLine {
  const asked = { op, region: 'us', dataset, row, consistency, token, timeoutMs: 1_000 };
  return { type: 'invoke', i: 0, t: 10, p: op, f: 'read', ...asked };
}

export const readEnd = (op: number, seen: SeenRow): HistoryLine => ({
  ...{ type: 'ok', i: 0, t: 10, p: op, f: 'read', op, status: 200, code: null, seen },
});

export function seen(
  shard: string,
  sequence: number,
  version: number,
  columns: SeenRow['columns'] = null,
): SeenRow {
  return { shard, sequence, version, columns, token: tokenOf(shard, sequence) };
}

export function accepted(id: string, shard: string, sequence: number, keys: readonly string[]): Receipt {
  const versions = Object.fromEntries(keys.map((key) => [key, sequence]));
  const stages = {
    logged: { at: AT },
    accepted: { at: AT, region: 'eu' },
    quorum: { at: AT, regions: REGIONS },
    everywhere: { at: AT },
  };
  const { traceId, ...base } = receiptOf(id, shard);
  const told = { outcome: 'accepted', stage: 'everywhere', stages, epoch: 1, sequence, versions } as const;
  return { ...base, ...told, token: tokenOf(shard, sequence), traceId };
}

export const rejected = (id: string, shard: string, sequence: number, code: string): Receipt => ({
  ...receiptOf(id, shard),
  outcome: 'rejected',
  stage: 'logged',
  epoch: 1,
  sequence,
  code,
  token: tokenOf(shard, sequence),
});

export const unknown = (id: string, shard: string): Receipt => ({
  ...receiptOf(id, shard),
  outcome: 'unknown',
  stage: 'logged',
});

const AT = '2026-11-21T08:00:00.000Z';

const receiptOf = (
  id: string,
  shard: string,
): Pick<Receipt, 'id' | 'dataset' | 'shard' | 'stages' | 'traceId'> => ({
  id,
  dataset: shard.slice(0, shard.indexOf('/')),
  shard,
  stages: { logged: { at: AT } },
  traceId: 'c'.repeat(32),
});

export const tokenOf = (shard: string, sequence: number): string =>
  encodeToken(
    new Map([[shard as ShardName, { logIncarnation: LOG, sequence: BigInt(sequence) as Sequence }]]),
  );

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
export const PAID = [event(ORDER, 'paid', {}, 2)];
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
    readInvoke(20, 'strong', 'orders', ORDER),
    readEnd(20, seen('orders/0', 4, 4, rows().get('orders')!.get(ORDER)!.columns)),
    readInvoke(21, 'session', 'accounts', X, tokenOf('accounts/0', 3)),
    readEnd(21, seen('accounts/0', 3, 3, { owner: 'Ada', currency: 'EUR', balance: 100 })),
    readInvoke(22, 'local', 'orders', 'eu:r1-nobody'),
    readEnd(22, seen('orders/0', 1, 0)),
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
      PLACES.map(([shard, sequence]) => [shard, { logIncarnation: LOG, sequence, ...hashesOf(shard) }]),
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
    records: entries.flatMap((entry) => [...genesisBefore(entry), recordOf(entry)]),
    witnessed: {
      commits: PLACES.flatMap(([shard, sequence]) =>
        REGIONS.map((region) => ({ t: 0, region, shard, sequence })),
      ),
      watermarks: PLACES.flatMap(([shard, sequence]) =>
        REGIONS.map((region) => ({
          ...{ t: 1, region, shard, logIncarnation: LOG, sequence, offset: sequence - 1n },
          ...{ ...hashesOf(shard), owner: { epoch: 1n, home: 'eu' } },
        })),
      ),
      verdicts: entries.map(({ id, sequence, shard, verdict }) => ({
        ...{ t: 1, region: 'us', shard, sequence, epoch: 1n, id, verdict },
      })),
      heard: PLACES.flatMap(([shard, sequence]) =>
        REGIONS.map((region) => ({
          ...{ t: 1, place: 'eu/gateway', life: 1, region, shard, sequence, isWithheld: false },
          storeIncarnation: storeLife(0),
        })),
      ),
      toldHolders: PLACES.map(([shard, sequence]) => ({
        ...{ askedAt: 2, t: 3, place: 'eu/gateway', shard, sequence, regions: REGIONS },
      })),
      control: null,
    },
    disturbances: [
      { type: 'fault', i: 0, t: 3, f: 'kill', value: 'kafka 1' },
      { type: 'fault', i: 1, t: 4, f: 'start', value: 'kafka 1' },
    ],
    unrest: [],
    shards: new Map(
      [...cursors()].map(([shard, cursor]) => [
        shard,
        {
          ...{ ...cursor, verdicts, halted: null, hashes: new Map([[cursor.sequence, hashesOf(shard)]]) },
          ...{ ...answers(shard, entries), outcomesSinceMs: 0, sessionsSinceMs: 0, rules: MAJORITY },
        },
      ]),
    ),
    regions: new Map(
      REGIONS.map((region) => {
        const kept = PLACES.map(([shard]) => [shard, answers(shard, entries)] as const);
        const outcomes = new Map(kept.map(([shard, one]) => [shard as string, one.outcomes]));
        const sessions = new Map(kept.map(([shard, one]) => [shard as string, one.sessions]));
        return [region, { cursors: cursors(), rows: rows(), answers: { outcomes, sessions } }];
      }),
    ),
  };
}

const hashesOf = (shard: string) => ({ inputHash: `input ${shard}`, effectsHash: `effects ${shard}` });

function answers(shard: string, entries: readonly LoggedEntry[]): BrokenAnswers {
  const outcomes = new Map<string, Mutable<Outcome>>();
  for (const entry of entries.filter((one) => one.shard === shard)) {
    const { events, keyHash: key, sequence, verdict } = entry;
    if (key === null || verdict === 'repeated') continue;
    const kept = { key, verdict, sequence, epoch: 1n, logTimeMs: 1, appendTimeMs: 1, fingerprint: null };
    outcomes.set(key, { ...kept, eventKeys: events.map((one) => one.key) } as never);
  }
  const sessions = new Map<string, Mutable<Session>>();
  const session = { publisher: PUBLISHER, last: 3n, holed: false, logTimeMs: 1 };
  sessions.set(PUBLISHER, session as Session);
  return { outcomes, sessions };
}

/** The first entry of each shard stands behind its genesis, in these logs. */
function genesisBefore({ sequence, shard }: LoggedEntry): readonly AuditedRecord[] {
  if (sequence !== 2n) return [];
  const control = { kind: 'genesis', logIncarnation: LOG, home: 'eu', configuration: '' } as never;
  const place = { shard, sequence: 1n, offset: 0n, appendTimeMs: 1_000 };
  return [{ ...place, verdict: 'accepted', header: headerOf('genesis', 0n), control }];
}

const recordOf = ({ sequence, shard, verdict }: LoggedEntry): Mutable<AuditedRecord> => ({
  ...{ shard, sequence, offset: sequence - 1n, appendTimeMs: 1_000, verdict, control: null },
  header: headerOf('data', sequence - 1n),
});

export const headerOf = (
  kind: 'data' | 'genesis' | 'fence',
  number: bigint,
): NonNullable<AuditedRecord['header']> =>
  ({ kind, epoch: 1n, publisher: PUBLISHER, number, region: 'eu', publisherClockMs: 1_000 }) as never;

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

const MAJORITY: readonly RuleInForce[] = [
  {
    from: 1n as Sequence,
    text: 'majority',
    withdrawn: [],
    demands: [{ needed: 2, domains: REGIONS.map((region) => [region as RegionName]) }],
    jointly: [],
  },
];

/** The audit is made of the records here, as a fold of the log makes it. */
export function judgeable({ entries, records, shards, ...run }: BrokenRun): JudgedRun {
  const audit = new LogAudit();
  for (const record of records) audit.note(record, { writers: 'log', sessionsMs: 7 * 86_400_000 });
  const log = { shards, entries, audit };
  return { ...run, log, keyHash, members: () => REGIONS } as unknown as JudgedRun;
}
