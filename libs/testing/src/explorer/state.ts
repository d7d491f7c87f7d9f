/**
 * One state of the world: what is durable, what each process remembers, what is under way, and what callers were told.
 * Every part is immutable and interned, so that equal parts are the same object with the same number.
 */
import type {
  Epoch,
  RecordedWatermark,
  Sequence,
  ShardLedger,
  Standing,
  Verdict,
  Watermark,
} from '@lockstep/protocol';
import type { Entry, LogNode } from './entries.js';
import type { Batch, Image, Memory } from './images.js';
import type { Budget, Place } from './scope.js';

export interface Numbered {
  readonly id: number;
}

export interface State {
  readonly log: LogNode;
  /** Copies of batches that may still land, each as often as it is listed. */
  readonly late: Late;
  readonly regions: readonly [Region, Region];
  readonly gateways: readonly [Gateway, Gateway];
  /** One for each wish, and the one that settles. */
  readonly calls: readonly Call[];
  readonly left: Numbered & Budget;
}

export interface Late extends Numbered {
  readonly batches: readonly (readonly Entry[])[];
}

export interface Region extends Numbered {
  readonly place: Place;
  // The store.
  readonly image: Image;
  readonly lease: bigint;
  /** Generation of the store's incarnation. */
  readonly life: number;
  readonly copy: { readonly image: Image; readonly lease: bigint; readonly life: number } | null;
  /** A commit that may still take effect. */
  readonly lateCommit: { readonly batch: Batch; readonly lease: bigint } | null;
  // The slow copy in the log.
  readonly told: readonly Recorded[];
  // The replicator.
  readonly work: Work;
  /** What this process told last; null before. */
  readonly said: Said | null;
  /** Verdicts that were pushed and not heard yet, by gateway. */
  readonly pushed: readonly [readonly Told[], readonly Told[]];
  // History.
  /** The highest sequence that was ever durable here. */
  readonly committed: bigint;
}

export type Work =
  /** No lease is held. */
  | { readonly kind: 'idle' }
  /** The lease is held, the cursor is not known. */
  | { readonly kind: 'claimed'; readonly lease: bigint }
  | {
      readonly kind: 'applying';
      readonly lease: bigint;
      readonly memory: Memory;
      readonly standing: Standing;
      readonly toldBefore: readonly Recorded[];
      /** Offset of the next record to fold. */
      readonly from: number;
      /** A commit under way. */
      readonly batch: Batch | null;
    };

export type Said = Numbered & Watermark;
export type Recorded = Numbered & RecordedWatermark;

/** A verdict on its way to a gateway. */
export interface Told extends Numbered {
  readonly entry: Entry;
  readonly verdict: Verdict;
  readonly sequence: Sequence;
  readonly epoch: Epoch;
  readonly first: { readonly verdict: Verdict; readonly sequence: Sequence; readonly epoch: Epoch } | null;
}

export interface Gateway extends Numbered {
  readonly place: Place;
  /** Session of its publisher and the last number given in it. */
  readonly session: number;
  readonly last: number;
  /** Calls that wait for the batch in flight, each with the epoch that was stamped. */
  readonly queue: readonly { readonly call: number; readonly epoch: bigint }[];
  readonly flight: Flight | null;
  readonly ledger: Numbered & ShardLedger;
  /** The highest sequence at which the quorum rule was found reached; never falls. */
  readonly quorum: bigint;
}

export interface Flight {
  readonly entries: readonly Entry[];
  readonly calls: readonly number[];
  readonly mayStand: boolean;
}

export type CallStage =
  | 'unasked'
  /** Between two attempts, or before the first. */
  | 'waiting'
  | 'queued'
  | 'sent'
  /** The append was answered. */
  | 'logged'
  /** The verdict is known, the stage is not reached. */
  | 'judged'
  | 'ended';

export interface Call extends Numbered {
  readonly index: number;
  readonly stage: CallStage;
  /** The gateway that the client asked, and the one where the attempt is made. */
  readonly origin: Place;
  readonly at: Place;
  /** Epoch of the gateway that forwarded. */
  readonly forwardedEpoch: bigint;
  readonly attempts: number;
  /** An attempt may stand in the log. */
  readonly mayStand: boolean;
  readonly entry: Entry | null;
  readonly offset: number;
  readonly judged: Judged | null;
  /** How the client's latest request ended; null while it is open. */
  readonly answer: Answered | null;
  /** An earlier request for the same ended without an answer, so that "nothing was written" speaks of the latest only. */
  readonly wasDoubted: boolean;
  /** Definite answers to this and to earlier requests, each once. */
  readonly definite: readonly Answered[];
}

export interface Judged {
  readonly verdict:
    'accepted' | 'version-conflict' | 'key-reused' | 'expired' | 'malformed' | 'schema' | 'policy' | 'guard';
  readonly sequence: Sequence;
  readonly epoch: bigint;
}

export type Answered =
  | { readonly kind: 'accepted'; readonly sequence: bigint; readonly stage: 'accepted' | 'quorum' }
  | { readonly kind: 'rejected'; readonly code: string; readonly sequence: bigint }
  /** Nothing stands in the log, and nothing will. */
  | { readonly kind: 'failed' }
  | { readonly kind: 'unknown' }
  /** The connection broke. */
  | { readonly kind: 'broken' };
