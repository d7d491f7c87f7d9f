/**
 * How much may happen in one exploration. One shard, home eu, regions eu and us, each with a store, a replicator and a
 * gateway with its publisher. What is bounded here is what keeps the states finite; everything else may happen in
 * any order and at any time.
 */
export const REGIONS = ['eu', 'us'] as const;
/** Index of a region, of its gateway and of its store. */
export type Place = 0 | 1;
export const PLACES: readonly Place[] = [0, 1];
export const other = (place: Place): Place => (place === 0 ? 1 : 0);

/** A write that a client wants; its effect is its amount, a power of ten, so that a sum tells each effect's count. */
export interface Wish {
  readonly name: string;
  readonly gateway: Place;
  /** Idempotency key that the client chose; null for none. */
  readonly key: string | null;
  readonly amount: number;
  readonly expectedVersion: bigint | null;
  readonly ack: 'accepted' | 'quorum';
}

/** How often each of these may still happen. */
export interface Budget {
  /** An append whose answer is lost, or of which a copy lands later. */
  readonly appendFaults: number;
  /** A commit whose answer is lost, that does not happen, or that takes effect later. */
  readonly commitFaults: number;
  readonly gatewayCrashes: number;
  readonly replicatorCrashes: number;
  /** A caller's time is over; a publisher gives a batch up. */
  readonly timeouts: number;
  /** A client asks for a keyed write again, through the other gateway. */
  readonly repeats: number;
  /** A client asks for a receipt after the deadline; what nobody knows is settled. */
  readonly receipts: number;
  readonly fences: number;
  /** A leader settles every fence that may be decided. */
  readonly terms: number;
  /** The store of us is copied, and put back to the copy. */
  readonly copies: number;
  readonly restores: number;
  /** Verdicts on their way to a gateway are dropped. */
  readonly droppedVerdicts: number;
  /** The home's coordinators begin the log; 0: it has begun, and every region has folded it. */
  readonly beginnings: number;
}

export interface Scope {
  readonly name: string;
  readonly wishes: readonly Wish[];
  readonly budget: Budget;
  /** Attempts of one call. */
  readonly attemptsMax: number;
  /** How many records one batch may take; the cut between batches is free below it. */
  readonly batchMax: number;
  /**
   * By what a gateway knows the home and the epoch: what it heard at some time, or the newest that its region has told.
   * The newest is nearly as nasty, as an entry may be stamped long before it lands, and makes far fewer states.
   */
  readonly knowledge: 'heard' | 'newest';
}

export const NOTHING: Budget = {
  appendFaults: 0,
  commitFaults: 0,
  gatewayCrashes: 0,
  replicatorCrashes: 0,
  timeouts: 0,
  repeats: 0,
  receipts: 0,
  fences: 0,
  terms: 0,
  copies: 0,
  restores: 0,
  droppedVerdicts: 0,
  beginnings: 0,
};

/** Four writes through two publishers; the first two share a key, the second with another payload. */
export const WISHES: readonly Wish[] = [
  { name: 'w1', gateway: 0, key: 'K', amount: 1, expectedVersion: null, ack: 'quorum' },
  { name: 'w2', gateway: 1, key: 'K', amount: 10, expectedVersion: null, ack: 'accepted' },
  { name: 'w3', gateway: 0, key: null, amount: 100, expectedVersion: null, ack: 'accepted' },
  { name: 'w4', gateway: 1, key: 'L', amount: 1_000, expectedVersion: 0n, ack: 'accepted' },
];

const scope = (name: string, wishes: readonly string[], budget: Partial<Budget>): Scope => ({
  name,
  wishes: WISHES.filter((wish) => wishes.includes(wish.name)),
  budget: { ...NOTHING, ...budget },
  attemptsMax: 2,
  batchMax: 2,
  knowledge: 'newest',
});

/** Small enough for every change. */
export const SMALL_SCOPES: readonly Scope[] = [
  scope('four writes', ['w1', 'w2', 'w3', 'w4'], {}),
  scope('the log begins', ['w1'], { beginnings: 2, replicatorCrashes: 1 }),
  scope('two epochs', ['w1', 'w2'], { fences: 1 }),
  scope('a fence is settled', ['w1'], { fences: 1, terms: 1 }),
  scope('a gateway crashes', ['w1', 'w2'], { gatewayCrashes: 1, repeats: 1 }),
  scope('unknown becomes definite', ['w1'], { appendFaults: 1, timeouts: 1, receipts: 1 }),
  scope('commits without an answer', ['w1', 'w3'], { commitFaults: 1 }),
  scope('a store goes back', ['w1'], { copies: 1, restores: 2, replicatorCrashes: 1 }),
];

/** Explored by `npm run sim:explore` besides; no one scope can hold everything to its end. */
export const LARGE_SCOPES: readonly Scope[] = [
  scope('four writes in two epochs', ['w1', 'w2', 'w3', 'w4'], { fences: 1 }),
  scope('two writes, two fences and what settles them', ['w1', 'w2'], { fences: 2, terms: 1 }),
  scope('two writes in three epochs', ['w1', 'w2'], { fences: 2 }),
  { ...scope('stale knowledge of two epochs', ['w1', 'w4'], { fences: 1 }), knowledge: 'heard' },
  scope('a gateway crashes in two epochs', ['w1', 'w2'], { fences: 1, gatewayCrashes: 1, repeats: 1 }),
  scope('appends without an answer in two epochs', ['w1', 'w3'], { appendFaults: 1, timeouts: 1, fences: 1 }),
  scope('unknown becomes definite, and is asked for again', ['w1'], {
    appendFaults: 1,
    timeouts: 1,
    receipts: 1,
    repeats: 1,
  }),
  scope('unknown becomes definite for two of one key', ['w1', 'w2'], {
    appendFaults: 1,
    timeouts: 1,
    receipts: 1,
  }),
  scope('verdicts are dropped in two epochs', ['w1', 'w4'], { droppedVerdicts: 2, fences: 1 }),
  scope('two writes and commits without an answer', ['w1', 'w3'], { commitFaults: 2, replicatorCrashes: 1 }),
  scope('a store goes back under commits without an answer', ['w1'], {
    copies: 1,
    restores: 1,
    commitFaults: 1,
    replicatorCrashes: 1,
  }),
  scope('everything at once', ['w1', 'w2', 'w3', 'w4'], {
    appendFaults: 1,
    commitFaults: 1,
    gatewayCrashes: 1,
    replicatorCrashes: 1,
    timeouts: 1,
    repeats: 1,
    receipts: 1,
    fences: 1,
    copies: 1,
    restores: 1,
    droppedVerdicts: 1,
  }),
];
