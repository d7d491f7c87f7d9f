/**
 * A shard as the control plane sees it while it moves: what an operator reads, and where writes go. It follows from the
 * stage of the open move (`shardPhase`); a test holds both machines against each other.
 */
import { ignoring, type Machine } from '../machine/machine.js';
import type { MoveStage } from './promotion-machine.js';

export const SHARD_EVENTS = [
  'decide',
  'hold',
  'release',
  'send-fence',
  'fence',
  'fold',
  'open',
  'end',
] as const;
export type ShardEvent = (typeof SHARD_EVENTS)[number];
export type ShardPhase = 'owned' | 'moving' | 'held' | 'fencing' | 'fenced' | 'proving' | 'opened';

const IGNORED = ignoring(SHARD_EVENTS);

export const SHARD_MACHINE: Machine<ShardPhase, ShardEvent, never> = {
  id: 'shard',
  description: 'A shard between two homes.',
  initial: 'owned',
  states: {
    owned: {
      description: 'Its home takes writes; no move is open.',
      on: { ...IGNORED, decide: { target: 'moving' } },
    },
    moving: {
      description: 'A move is open; its home takes writes as ever.',
      on: {
        ...IGNORED,
        hold: { target: 'held' },
        'send-fence': { target: 'fencing' },
        end: { target: 'owned' },
      },
    },
    held: {
      description: 'Gateways hold new writes for a bounded time.',
      on: {
        ...IGNORED,
        release: { target: 'moving' },
        'send-fence': { target: 'fencing' },
        end: { target: 'owned' },
      },
    },
    fencing: {
      description: 'A fence may stand in the log soon; the former home takes writes until it does.',
      on: { ...IGNORED, fence: { target: 'fenced' }, end: { target: 'owned' } },
    },
    fenced: {
      description: 'The former home is fenced, the next one has not folded it: nobody takes writes.',
      on: { ...IGNORED, fold: { target: 'proving' }, end: { target: 'owned' } },
    },
    proving: {
      description: 'The next home has folded its fence and proves that it can write.',
      on: { ...IGNORED, open: { target: 'opened' }, end: { target: 'owned' } },
    },
    opened: {
      description: 'The next home takes writes; its log is being placed.',
      on: { ...IGNORED, end: { target: 'owned' } },
    },
  },
};

/** @param stage of the shard's open move; null when none is open. */
export function shardPhase(stage: MoveStage | null): ShardPhase {
  switch (stage) {
    case null:
    case 'done':
    case 'cancelled':
    case 'lost':
    case 'replaced':
      return 'owned';
    case 'decided':
    case 'caught-up':
      return 'moving';
    case 'parked':
    case 'drained':
      return 'held';
    case 'fencing':
    case 'withdrawing':
      return 'fencing';
    case 'fenced':
      return 'fenced';
    case 'folded':
    case 'canary':
    case 'share':
      return 'proving';
    case 'open':
    case 'placed':
      return 'opened';
  }
}
