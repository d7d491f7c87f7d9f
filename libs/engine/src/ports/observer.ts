/**
 * Facts that the engine reports; telemetry turns them into logs, spans and metrics. Reporting never fails, never
 * waits and never changes what the engine does. Times are wall clock milliseconds, for display only.
 */
import type { Disposition } from './port-error.js';
import type {
  DatasetName,
  ControlState,
  Epoch,
  FinishedMove,
  Halt,
  LeaseNumber,
  Offset,
  RegionName,
  Sequence,
  ShardName,
  StoreIncarnation,
  Verdict,
  Watermark,
  Withheld,
} from '@lockstep/protocol';

export interface Observer {
  report(fact: Fact): void;
}

export type Fact =
  | EntryAppended
  | BatchCommitted
  | WriteAnswered
  | MoveEnded
  | {
      readonly kind: 'append-failed';
      readonly shard: ShardName;
      readonly code: string;
      readonly disposition: Disposition;
      readonly message: string;
    }
  | {
      readonly kind: 'commit-unknown' | 'commit-lost';
      readonly dataset: DatasetName;
      readonly shards: readonly ShardName[];
      readonly message: string;
    }
  | { readonly kind: 'lease-taken' | 'lease-lost'; readonly shard: ShardName; readonly lease: LeaseNumber }
  | { readonly kind: 'shard-halted'; readonly shard: ShardName; readonly halt: Halt }
  /** A halted shard moves on: the cause of the halt is gone. */
  | { readonly kind: 'shard-resumed'; readonly shard: ShardName }
  /** This region's vote on the shard counts again (null), or no more. */
  | { readonly kind: 'vote'; readonly shard: ShardName; readonly withheld: Withheld | null }
  /** The store lacks what was told of it, and has begun a new life. */
  | {
      readonly kind: 'store-went-back';
      readonly region: RegionName;
      readonly shards: readonly ShardName[];
      readonly from: StoreIncarnation;
      readonly to: StoreIncarnation;
    }
  /** A loop failed and is built anew after a pause; `loop` is for example `lane accounts`, `stream us`. */
  | {
      readonly kind: 'loop-failed';
      readonly loop: string;
      readonly code: string;
      readonly disposition: Disposition | null;
      readonly message: string;
    }
  /** Own region's newest watermark of a shard: lag, epoch, home. */
  | { readonly kind: 'watermark'; readonly watermark: Watermark }
  /** A write is acknowledged though its rule was not met in time. */
  | { readonly kind: 'write-degraded'; readonly shard: ShardName; readonly sequence: Sequence }
  | { readonly kind: 'entry-resubmitted'; readonly shard: ShardName; readonly verdict: Verdict }
  /** A claim of this process began a term. `leaderlessMs`: since the last sign of the leader before, in log time; null for the first. */
  | {
      readonly kind: 'term-begun';
      readonly term: bigint;
      readonly because: ControlState['election']['phase'];
      readonly leaderlessMs: number | null;
    };

/** One entry stands in the log. */
export interface EntryAppended {
  readonly kind: 'entry-appended';
  readonly shard: ShardName;
  readonly epoch: Epoch;
  readonly offset: Offset;
  readonly bytes: number;
  readonly span: SpanContext | null;
  /** When it was handed to the publisher; the log was asked later, and perhaps more than once. */
  readonly queuedAtMs: number;
  /** Of the attempt that the log answered. */
  readonly startedAtMs: number;
  readonly endedAtMs: number;
}

/** One apply transaction was committed. */
export interface BatchCommitted {
  readonly kind: 'batch-committed';
  readonly region: RegionName;
  readonly dataset: DatasetName;
  readonly records: number;
  readonly events: number;
  readonly rows: number;
  readonly bytes: number;
  readonly readMs: number;
  readonly foldMs: number;
  readonly commitMs: number;
  readonly startedAtMs: number;
  readonly endedAtMs: number;
  readonly verdicts: ReadonlyMap<Verdict, number>;
  /** One for each shard in it. */
  readonly ages: readonly EntryAge[];
  /** Entries that carried a trace context; empty when tracing is off. */
  readonly traced: readonly TracedEntry[];
}

/** How old the newest entry of a shard was when a batch with it was committed: from its log time, so by two clocks. */
export interface EntryAge {
  readonly home: RegionName;
  readonly ms: number;
}

export interface TracedEntry {
  /** As it stood in the record: the append span, parent of the apply span. */
  readonly traceparent: string;
  readonly shard: ShardName;
  readonly sequence: Sequence;
  readonly epoch: Epoch;
  readonly offset: Offset;
  readonly verdict: Verdict;
}

/** A write was answered by the gateway that its client called. */
export interface WriteAnswered {
  readonly kind: 'write-answered';
  readonly dataset: DatasetName;
  readonly shard: ShardName | null;
  readonly status: number;
  readonly code: string | null;
  readonly stage: string | null;
  readonly forwardedTo: RegionName | null;
  readonly startedAtMs: number;
  readonly endedAtMs: number;
  /** Milliseconds from the start until each stage was known. */
  readonly stageMs: ReadonlyMap<string, number>;
  readonly span: SpanContext | null;
}

/** A move of a shard to another home has ended; told by the coordinator whose entry ended it, for all its stages. */
export interface MoveEnded extends FinishedMove {
  readonly kind: 'move-ended';
  /** How long nobody took writes; null where no fence stood. */
  readonly gapMs: number | null;
  /** Oldest first; the last is the outcome. */
  readonly stages: readonly TracedStage[];
  readonly startedAtMs: number;
  readonly endedAtMs: number;
  readonly span: SpanContext;
}

export interface TracedStage {
  /** Of the promotion machine; `doubted` before them, where regions had said that the home is unfit. */
  readonly stage: string;
  /** Of the leader; null, as the evidence, where this process began to read the log behind it. */
  readonly term: bigint | null;
  readonly epoch: bigint;
  readonly evidence: string | null;
  /** Log times. */
  readonly startedAtMs: number;
  readonly endedAtMs: number;
  readonly span: SpanContext;
}

/** Where a span stands in its trace; ids as in W3C trace context. */
export interface SpanContext {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId: string | null;
  readonly sampled: boolean;
}
