/**
 * The steps of the protocol that a fault can meet, derived from the calls of ports that carry them out: the label of a
 * call begins with the port's word for it. A call that is no step is a defect of this table.
 */
import { WATERMARK_TOPIC } from '@lockstep/protocol';

/** By what they wait for. */
export const STEPS = {
  ask: { of: 'clients', sentence: 'a client waits for a gateway' },
  settle: { of: 'gateway', sentence: 'a gateway has a request at hand, up to its answer on the way back' },
  forward: { of: 'gateway', sentence: 'a gateway waits for the home of a write' },
  connect: { of: 'stream', sentence: 'a gateway or coordinator opens a stream' },
  frames: { of: 'stream', sentence: 'watermarks and verdicts are told' },
  append: { of: 'log', sentence: 'entries are appended' },
  fetch: { of: 'log', sentence: 'entries are fetched, or the last one that was folded is looked at again' },
  'slow-copy': { of: 'log', sentence: 'the copy of watermarks in the log is written or read' },
  topics: { of: 'log', sentence: 'topics are made, checked, or opened for reading' },
  fold: { of: 'store', sentence: 'the fold reads what it judges by' },
  commit: { of: 'store', sentence: 'effects and cursor are committed' },
  lease: { of: 'store', sentence: 'leases are renewed, and the life of the store is read' },
  'take-over': { of: 'store', sentence: 'free or expired leases are claimed' },
  recovery: { of: 'store', sentence: 'a connection is opened, shards are set up, cursors are read' },
  'new-life': { of: 'store', sentence: 'a store that went back begins a new life' },
  'look-up': { of: 'store', sentence: 'a gateway looks up an outcome, a row or a cursor' },
  relay: { of: 'store', sentence: 'a relay reads and stamps what waits in its outbox, or is told of it' },
  service: { of: 'store', sentence: 'a service has a transaction open that its outbox belongs to' },
  deploy: { of: 'store', sentence: 'tables and configurations are deployed' },
} as const satisfies {
  readonly [step: string]: {
    readonly of: 'clients' | 'gateway' | 'stream' | 'log' | 'store';
    readonly sentence: string;
  };
};

export type Step = keyof typeof STEPS;

export const STEP_NAMES = Object.keys(STEPS) as readonly Step[];

const STORE_CALLS: { readonly [method: string]: Step } = {
  read: 'fold',
  commit: 'commit',
  renew: 'lease',
  release: 'lease',
  incarnation: 'lease',
  claim: 'take-over',
  open: 'recovery',
  ensureShards: 'recovery',
  load: 'recovery',
  renewIncarnation: 'new-life',
  outcomes: 'look-up',
  rows: 'look-up',
  quarantined: 'look-up',
  cursors: 'look-up',
  clean: 'fold',
  pending: 'relay',
  stamp: 'relay',
  notify: 'relay',
  parkOutbox: 'relay',
  unparkOutbox: 'relay',
  outboxStanding: 'relay',
  enter: 'service',
  save: 'service',
  commitSaved: 'service',
  rollback: 'service',
  ensureTable: 'deploy',
  keepConfiguration: 'deploy',
  configurations: 'deploy',
  check: 'deploy',
};

const CALLS: { readonly [call: string]: Step } = {
  ask: 'ask',
  canary: 'ask',
  outbox: 'ask',
  forward: 'forward',
  connect: 'connect',
  append: 'append',
  fetch: 'fetch',
  open: 'topics',
  admin: 'topics',
};

export function stepOf(label: string): Step {
  const [call = '', on = ''] = label.split(' ', 2);
  const isCopy = (call === 'append' || call === 'fetch') && on.startsWith(WATERMARK_TOPIC);
  const step = isCopy ? 'slow-copy' : call === 'store' ? STORE_CALLS[on] : CALLS[call];
  if (step === undefined) throw new Error(`"${label}" is no step of the protocol`);
  return step;
}

/** How many of each are under way. */
export class StepCounts {
  private readonly counts = new Map<Step, number>();

  add(step: Step, by: 1 | -1): void {
    this.counts.set(step, (this.counts.get(step) ?? 0) + by);
  }

  present(): readonly Step[] {
    return [...this.counts].flatMap(([step, count]) => (count > 0 ? [step] : []));
  }
}
