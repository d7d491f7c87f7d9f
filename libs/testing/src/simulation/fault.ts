/**
 * The faults that a seed can draw, each by its name. A fault begins, lasts and is over; what it hits and how strong it is
 * are part of it, so that a run is repeated from its faults, and made smaller by leaving some out.
 */

/** `survivable`: every promise holds. `beyond`: more than was promised is taken away; then a right answer or a named halt. */
export const FAULTS = {
  crash: {
    of: 'process',
    is: 'survivable',
    sentence: 'a process is killed and starts again from durable state',
  },
  pause: {
    of: 'process',
    is: 'survivable',
    sentence: 'a process stands still, and goes on as if nothing had been',
  },
  'clock-jump': { of: 'process', is: 'survivable', sentence: 'the wall clock of a process is set wrong' },
  'cut-one-way': {
    of: 'network',
    is: 'survivable',
    sentence: 'what one place sends does not reach another one',
  },
  'cut-both-ways': { of: 'network', is: 'survivable', sentence: 'two places do not reach each other' },
  isolation: {
    of: 'network',
    is: 'survivable',
    sentence: 'a region reaches neither the log nor other regions',
  },
  'broker-cut': {
    of: 'network',
    is: 'survivable',
    sentence: 'a place reaches all brokers but one',
  },
  bridge: {
    of: 'network',
    is: 'survivable',
    sentence: 'two sides reach each other neither in regions nor in brokers, and one region reaches both',
  },
  'frames-delayed': { of: 'stream', is: 'survivable', sentence: 'streams are late' },
  'frames-duplicated': { of: 'stream', is: 'survivable', sentence: 'streams tell what they told before' },
  'frames-reordered': { of: 'stream', is: 'survivable', sentence: 'streams tell in another order' },
  'frames-verdicts-dropped': { of: 'stream', is: 'survivable', sentence: 'streams tell no verdicts' },
  'frames-broken': { of: 'stream', is: 'survivable', sentence: 'streams break' },
  'forward-refused': { of: 'stream', is: 'survivable', sentence: 'forwarded writes do not arrive' },
  'forward-answer-lost': { of: 'stream', is: 'survivable', sentence: 'answers to forwarded writes get lost' },
  'append-refused': { of: 'log', is: 'survivable', sentence: 'appends are refused' },
  'append-answer-lost': { of: 'log', is: 'survivable', sentence: 'appends stand, and nobody is told' },
  'append-silent': { of: 'log', is: 'survivable', sentence: 'appends stand, and their callers wait in vain' },
  'append-late': { of: 'log', is: 'survivable', sentence: 'appends come to stand after they were given up' },
  'append-lost': { of: 'log', is: 'survivable', sentence: 'appends get lost on their way' },
  'append-unreplicated': {
    of: 'log',
    is: 'survivable',
    sentence: 'appends stand at the leader alone until replicas are back, and are gone with it',
  },
  'fetch-failed': { of: 'log', is: 'survivable', sentence: 'fetches fail' },
  'fetch-slow': { of: 'log', is: 'survivable', sentence: 'fetches take seconds' },
  'fetch-stuck': { of: 'log', is: 'survivable', sentence: 'fetches are never answered' },
  'offset-gaps': { of: 'log', is: 'survivable', sentence: 'offsets are left out' },
  'leader-change': { of: 'log', is: 'survivable', sentence: 'a broker stops, and others lead what it led' },
  'in-sync-shrinks': { of: 'log', is: 'survivable', sentence: 'a broker falls behind' },
  'broker-clock': { of: 'log', is: 'survivable', sentence: 'the clock of a broker is wrong' },
  retention: { of: 'log', is: 'survivable', sentence: 'the log drops what every region has folded' },
  'store-conflict': { of: 'store', is: 'survivable', sentence: 'transactions are rolled back for others' },
  'store-lost-before': {
    of: 'store',
    is: 'survivable',
    sentence: 'connections end before a call takes effect',
  },
  'store-lost-after': { of: 'store', is: 'survivable', sentence: 'connections end after a call took effect' },
  'store-late': { of: 'store', is: 'survivable', sentence: 'connections end, and calls take effect later' },
  'commit-late': {
    of: 'store',
    is: 'survivable',
    sentence: 'commits take effect after their connections ended',
  },
  'store-crash': { of: 'store', is: 'survivable', sentence: 'a database is killed and comes back' },
  'disk-full': { of: 'store', is: 'survivable', sentence: 'a database cannot write' },
  'slow-flush': { of: 'store', is: 'survivable', sentence: 'commits take seconds' },
  'store-slow': { of: 'store', is: 'survivable', sentence: 'every call to a database takes seconds' },
  'store-restored': { of: 'store', is: 'survivable', sentence: 'a database is put back to an earlier copy' },
  'unclean-election': { of: 'log', is: 'beyond', sentence: 'the log loses records that it had acknowledged' },
  'topic-replaced': { of: 'log', is: 'beyond', sentence: 'a topic is made anew under its name' },
  'retention-overrun': { of: 'log', is: 'beyond', sentence: 'the log drops what a region has not folded' },
  'restore-and-loss': {
    of: 'store',
    is: 'beyond',
    sentence: 'a database is put back to an earlier copy, and the log loses its end',
  },
  'flushing-off': {
    of: 'store',
    is: 'beyond',
    sentence: 'a database answers before it has flushed, and crashes',
  },
} as const satisfies {
  readonly [kind: string]: {
    readonly of: 'process' | 'network' | 'stream' | 'log' | 'store';
    readonly is: 'survivable' | 'beyond';
    readonly sentence: string;
  };
};

export type FaultKind = keyof typeof FAULTS;

export interface Fault {
  readonly kind: FaultKind;
  /** Since the chaos began. */
  readonly atMs: number;
  readonly forMs: number;
  /** A place (`eu/gateway`), two places (`eu>us`), a region, a broker, a shard; empty where everything is hit. */
  readonly target: string;
  /** Share of the calls that are hit, milliseconds of a clock, or records that are lost; 0 where nothing is measured. */
  readonly strength: number;
}

export const faultText = ({ kind, atMs, forMs, target, strength }: Fault): string =>
  `${kind}${target === '' ? '' : ` ${target}`} at ${atMs} ms for ${forMs} ms${strength === 0 ? '' : ` by ${strength}`}`;

export const faultKinds = (): readonly FaultKind[] => Object.keys(FAULTS) as FaultKind[];
