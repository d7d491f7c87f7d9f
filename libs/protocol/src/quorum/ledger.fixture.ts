/** Watermarks for tests of the ledger: regions whose hashes follow from their history. */
import { hashToHex, recordDigest, type Hash128 } from '../entry/digest.js';
import { utf8 } from '../entry/utf8.js';
import {
  epoch,
  offset,
  sequence,
  type LogIncarnation,
  type RegionName,
  type Sequence,
  type ShardName,
  type StoreIncarnation,
} from '../identity/identity.js';
import { MARK_INTERVAL, type Mark } from '../fold/state.js';
import type { Watermark } from '../position/watermark.js';

export const [EU, US, AP] = ['eu', 'us', 'ap'] as readonly string[] as readonly [
  RegionName,
  RegionName,
  RegionName,
];
export const log = (digit: string): LogIncarnation => digit.repeat(32) as LogIncarnation;
export const store = (digit: string): StoreIncarnation => digit.repeat(32) as StoreIncarnation;
export const LOG = log('a');

const hashOf = (text: string): Hash128 =>
  recordDigest({ key: utf8(text), value: null, header: null, appendTimeMs: 0 });

export interface Told {
  readonly region: RegionName;
  readonly at: number;
  readonly store?: StoreIncarnation;
  readonly log?: LogIncarnation | null;
  /** What the region has folded, as far as hashes can tell: regions with equal histories are equal. */
  readonly history?: string;
  /** Whether input or effects differ with the history. */
  readonly differs?: 'input' | 'effects';
  readonly withheld?: Watermark['withheld'];
  readonly rules?: Watermark['rules'];
}

/** The watermark of a region that has committed the sequence `at`, with the mark at the last multiple of 256. */
export function watermark(told: Told): Watermark {
  const { region, at, history = 'same', differs = 'effects' } = told;
  const hashes = (place: bigint): Omit<Mark, 'sequence'> => ({
    inputHash: hashOf(`${differs === 'input' ? history : 'same'} ${place}`),
    effectsHash: hashOf(`${differs === 'effects' ? history : 'same'} ${place}`),
  });
  const place: Sequence = sequence(BigInt(at));
  const marked = place - (place % MARK_INTERVAL);
  return {
    region,
    storeIncarnation: told.store ?? store('1'),
    shard: 'accounts/0' as ShardName,
    logIncarnation: told.log === undefined ? LOG : told.log,
    sequence: place,
    offset: offset(place - 1n),
    epoch: epoch(1n),
    home: EU,
    term: 0n,
    decision: 0n,
    logTimeMs: 0,
    rules: told.rules ?? [],
    inputHash: hashToHex(hashes(place).inputHash),
    effectsHash: hashToHex(hashes(place).effectsHash),
    marks: marked === 0n ? [] : [{ sequence: sequence(marked), ...hashes(marked) }],
    caughtUpAtMs: null,
    lagRecords: null,
    halted: null,
    withheld: told.withheld ?? null,
  };
}
