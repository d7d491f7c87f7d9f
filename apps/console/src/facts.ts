/**
 * What coordinators and gateways tell, as far as the console shows it; `/openapi.json` describes all of it. Null means that it
 * is not known, which is neither zero nor well.
 */
export interface Cluster {
  /** Of the coordinator that answers. */
  readonly region: string;
  readonly term: number | null;
  readonly leader: string | null;
  readonly members: readonly string[];
  readonly doubts: readonly Doubt[];
  readonly paused: readonly Pause[] | null;
  readonly windows: readonly {
    readonly window: number;
    readonly scope: string;
    readonly owner: string;
    readonly reason: string;
    readonly from: string;
    readonly until: string;
  }[];
  readonly control: {
    readonly sequence: number | null;
    readonly current: boolean;
    readonly halted: string | null;
  };
  readonly regions: readonly ClusterRegion[];
  readonly failovers: readonly Forecast[];
  readonly quorums: readonly Quorum[];
}

export interface Doubt {
  readonly region: string;
  readonly by: string;
  readonly kinds: readonly string[];
  readonly evidence: string;
  readonly at: string;
}

export interface Pause {
  readonly pause: number;
  readonly scope: string;
  readonly owner: string;
  readonly reason: string;
  readonly until: string;
  readonly confirmed: boolean;
}

export interface ClusterRegion {
  readonly region: string;
  readonly stream: 'connected' | 'disconnected';
  /** As told last; of a region that is not connected, what is true now is unknown. */
  readonly shards: readonly {
    readonly shard: string;
    readonly sequence: number | null;
    readonly lagRecords: number | null;
    readonly halted: Halt | null;
    readonly withheld: string | null;
    readonly differs: boolean;
  }[];
}

export interface Halt {
  readonly code: string;
  readonly detail: string;
}

export interface Quorum {
  readonly shard: string;
  readonly voters: number;
  readonly reachable: boolean | null;
}

export interface Prediction {
  readonly entriesLost: number | null;
  readonly atRisk: Readonly<Record<'logged' | 'accepted' | 'quorum', number | null>>;
  readonly recordsToFold: number | null;
  readonly expectedMs: number | null;
  readonly worstMs: number | null;
  readonly measuredMoves: number;
}

export type Forecast = Partial<Prediction> & {
  readonly shard: string;
  readonly to: string | null;
  readonly allowed: boolean;
};

export interface Check {
  readonly code: string;
  readonly passed: boolean;
  readonly detail: string;
  readonly next?: string | null;
}

export interface Preflight extends Prediction {
  readonly shard: string;
  readonly from: string;
  readonly to: string;
  readonly move: MoveKind;
  readonly allowed: boolean;
  readonly checks: readonly Check[];
  readonly expectedUnknown: string | null;
  readonly writesHeldMsMax: number;
  readonly loss: string;
}

export type MoveKind = 'switchover' | 'failover';

export interface Decision {
  readonly decision: number;
  readonly move: MoveKind;
  readonly shard: string;
  readonly from: string;
  readonly to: string;
  readonly epoch: number;
  readonly outcome: string | null;
  readonly stage?: string;
  readonly stages: readonly { readonly stage: string; readonly sequence: number; readonly at: string }[];
  readonly detail: string;
  readonly reason?: string;
  readonly actor?: string;
  readonly evacuation?: number | null;
  readonly predicted?: Prediction | null;
  readonly real?: { readonly gapMs: number | null; readonly entriesLost: number | null };
}

export interface Governed {
  readonly decision: number;
  readonly act: 'fail-over' | 'held';
  readonly region: string;
  readonly at: string;
  readonly votes: readonly {
    readonly observer: string;
    readonly kinds: readonly string[];
    readonly evidence: string;
    readonly at: string;
  }[];
  readonly checks: readonly Check[];
  readonly shards: readonly {
    readonly shard: string;
    readonly to: string;
    readonly decision: number | null;
    readonly outcome: string | null;
  }[];
}

export interface Decisions {
  readonly decisions: readonly Decision[];
  readonly governed: readonly Governed[];
}

export interface History {
  readonly terms: readonly {
    readonly term: number;
    readonly leader: string;
    readonly at: string;
    readonly because: string;
  }[];
}

export interface RuleChanges {
  readonly changes: readonly {
    readonly at: string;
    readonly shard: string;
    readonly rule: string;
    readonly before: string;
  }[];
}

export interface Canaries {
  /** That sent them. */
  readonly region: string;
  readonly at: string;
  readonly sliceMs: number;
  readonly regions: readonly { readonly region: string; readonly slices: readonly Slice[] }[];
}

export interface Slice {
  readonly at: string;
  readonly answered: number;
  readonly refused: number;
  readonly failed: number;
  readonly meanMs: number | null;
  readonly maxMs: number | null;
}

export interface Shards {
  readonly shards: readonly Shard[];
}

export interface Shard {
  readonly shard: string;
  readonly home: string | null;
  readonly epoch: number | null;
  readonly state: string;
  readonly reason: string | null;
  readonly rule: {
    readonly text: string;
    readonly joint?: boolean;
    readonly withdrawn: readonly string[];
  } | null;
  readonly regions: Readonly<Record<string, ShardInRegion | null>>;
}

export interface ShardInRegion {
  readonly sequence: number;
  readonly epoch: number;
  readonly lagRecords: number | null;
  readonly halted: Halt | null;
  readonly withheld: string | null;
  readonly differs: boolean;
  readonly parked: readonly unknown[];
}

export interface WriteStatuses {
  readonly region: string;
  readonly at: string;
  readonly shards: readonly {
    readonly shard: string;
    readonly writes: 'here' | 'forwarded' | 'waiting' | 'refused';
    readonly reason: string | null;
    readonly home: string | null;
  }[];
}

export interface Receipt {
  readonly id: string;
  readonly dataset: string;
  readonly shard: string;
  readonly epoch?: number;
  readonly sequence?: number;
  readonly outcome: 'accepted' | 'rejected' | 'unknown';
  readonly code?: string;
  readonly stage: string | null;
  readonly stages: Readonly<
    Record<string, { readonly at: string; readonly region?: string; readonly regions?: readonly string[] }>
  >;
  readonly holders?: readonly string[];
  readonly degraded?: boolean;
  readonly traceId: string;
}

export interface Quarantine {
  readonly region: string;
  readonly attempts: readonly {
    readonly shard: string;
    readonly sequence: number;
    readonly region: string;
    readonly id: string;
    readonly epoch: number;
    readonly shardEpoch: number;
    readonly key: string;
    readonly at: string;
    readonly outcome: { readonly verdict: string; readonly sequence: number } | null;
  }[];
  /** Not of a gateway from before people could settle them. */
  readonly undone?: readonly {
    readonly id: string;
    readonly shard: string;
    readonly key: string;
    readonly reason: string;
    readonly storedAt: string;
    readonly asked: { readonly by: string } | null;
    readonly settled: { readonly as: string; readonly why: string; readonly by: string } | null;
  }[];
}

export interface ConsoleFacts {
  readonly region: string;
  readonly tracesUrl: string | null;
}

export interface Problem {
  readonly code: string;
  readonly title: string;
  readonly detail: string;
  readonly next: string;
  readonly checks?: readonly Check[];
  /** Of a write that was refused. */
  readonly receipt?: Receipt;
}
