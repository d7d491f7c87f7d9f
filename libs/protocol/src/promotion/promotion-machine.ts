/**
 * The stages of one move of a shard to another home. `fencing` is the point of no return: it is an entry of the control
 * log, so whatever cancels or pauses stands either before it (then no fence was ever sent) or behind it (then a
 * `term` entry in the shard's log decides whether the fence won).
 */
import { ignoring, type Machine } from '../machine/machine.js';

/** What a leader reports of a move that it carries out. */
export const STAGE_EVENTS = [
  'caught-up',
  'parked',
  'drained',
  'undrained',
  'fencing',
  'fenced',
  'folded',
  'canary',
  'share',
  'open',
  'placed',
  'done',
  'abort',
  'withdrawn',
  'lost',
] as const;
export type StageEvent = (typeof STAGE_EVENTS)[number];

/** What else happens to a move. */
const OTHER_EVENTS = ['cancel', 'pause', 'replace'] as const;
export type MoveEvent = StageEvent | (typeof OTHER_EVENTS)[number];
export const MOVE_EVENTS: readonly MoveEvent[] = [...STAGE_EVENTS, ...OTHER_EVENTS];

export const OPEN_STAGES = [
  'decided',
  'caught-up',
  'parked',
  'drained',
  'fencing',
  'withdrawing',
  'fenced',
  'folded',
  'canary',
  'share',
  'open',
  'placed',
] as const;
export type OpenStage = (typeof OPEN_STAGES)[number];
export const OUTCOMES = ['done', 'cancelled', 'lost', 'replaced'] as const;
export type MoveOutcome = (typeof OUTCOMES)[number];
export type MoveStage = OpenStage | MoveOutcome;
export type MoveGuard = 'isSwitchover' | 'isFailover';

const IGNORED = ignoring(MOVE_EVENTS);
const BEFORE_THE_FENCE = {
  ...IGNORED,
  cancel: { target: 'cancelled' },
  pause: { target: 'cancelled' },
  abort: { target: 'cancelled' },
  lost: { target: 'lost' },
} as const;
const BEHIND_THE_FENCE = { ...IGNORED, lost: { target: 'lost' }, replace: { target: 'replaced' } } as const;

export const PROMOTION_MACHINE: Machine<MoveStage, MoveEvent, MoveGuard> = {
  id: 'promotion',
  description:
    'One move of a shard to another home. Free to end before `fencing`; behind the fence only forward.',
  initial: 'decided',
  states: {
    decided: {
      description: 'Accepted; the candidate is awaited.',
      on: { ...BEFORE_THE_FENCE, 'caught-up': { target: 'caught-up' } },
    },
    'caught-up': {
      description: 'The candidate lags less than the bound.',
      on: {
        ...BEFORE_THE_FENCE,
        parked: { guard: 'isSwitchover', target: 'parked' },
        fencing: { guard: 'isFailover', target: 'fencing' },
      },
    },
    parked: {
      description: "The home's gateways hold new writes, for a bounded time.",
      on: { ...BEFORE_THE_FENCE, drained: { target: 'drained' }, undrained: { target: 'caught-up' } },
    },
    drained: {
      description: 'The candidate has folded all that the home took.',
      on: { ...BEFORE_THE_FENCE, fencing: { target: 'fencing' }, undrained: { target: 'caught-up' } },
    },
    fencing: {
      description: 'The fence may be sent from here on.',
      on: {
        ...IGNORED,
        fenced: { target: 'fenced' },
        lost: { target: 'lost' },
        cancel: { target: 'withdrawing' },
        pause: { target: 'withdrawing' },
      },
    },
    withdrawing: {
      description:
        'Cancelled or paused while the fence was on its way: a `term` entry decides whether it won.',
      on: {
        ...IGNORED,
        fenced: { target: 'fenced' },
        withdrawn: { target: 'cancelled' },
        lost: { target: 'lost' },
      },
    },
    fenced: {
      description: 'The fence stands in the log: the former home owns nothing more.',
      on: { ...BEHIND_THE_FENCE, folded: { target: 'folded' } },
    },
    folded: {
      description: 'The candidate has folded its own fence (I13).',
      on: { ...BEHIND_THE_FENCE, canary: { target: 'canary' } },
    },
    canary: {
      description: 'A probe of the candidate is at quorum: the new home can write.',
      on: { ...BEHIND_THE_FENCE, share: { target: 'share' }, open: { target: 'open' } },
    },
    share: {
      description: 'The new home takes writes of a share of the keys, where the dataset says so.',
      on: { ...BEHIND_THE_FENCE, open: { target: 'open' } },
    },
    open: {
      description: 'Held writes were let go to the new home.',
      on: { ...BEHIND_THE_FENCE, placed: { target: 'placed' } },
    },
    placed: {
      description: "The log's leader was asked to the new home; what became of it is known.",
      on: { ...BEHIND_THE_FENCE, done: { target: 'done' } },
    },
    done: { description: 'The candidate is home.', type: 'final' },
    cancelled: { description: 'Ended before its fence; everything is as before.', type: 'final' },
    lost: { description: 'Another fence came first.', type: 'final' },
    replaced: { description: 'A later decision gives the shard a further epoch.', type: 'final' },
  },
};
