/** Whether a term has a leader, as the control log tells it. Drives `electionAfter`. */
import { ignoring, type Machine } from '../machine/machine.js';

export const ELECTION_EVENTS = ['claim', 'heartbeat', 'suspect', 'silent', 'resign', 'leave'] as const;
export type ElectionEvent = (typeof ELECTION_EVENTS)[number];
export type ElectionPhase = 'vacant' | 'led' | 'suspected' | 'silenced';
export type ElectionGuard = 'leaseIsOver' | 'majorityIsSilent';

const IGNORED = ignoring(ELECTION_EVENTS);
const LEFT = { resign: { target: 'vacant' }, leave: { target: 'vacant' } } as const;

export const ELECTION_MACHINE: Machine<ElectionPhase, ElectionEvent, ElectionGuard> = {
  id: 'election',
  description: 'Who leads, by the order of the control log. A claim opens the next term.',
  initial: 'vacant',
  states: {
    vacant: {
      description: 'Nobody leads: before the first term, or the leader resigned or its process was replaced.',
      on: { ...IGNORED, claim: { target: 'led' } },
    },
    led: {
      description: 'The leader was heard, and nobody has doubted it since.',
      on: {
        ...IGNORED,
        ...LEFT,
        heartbeat: { target: 'led' },
        suspect: { target: 'suspected' },
        silent: [{ guard: 'majorityIsSilent', target: 'silenced' }, {}],
      },
    },
    suspected: {
      description:
        'A member doubts the leader. A claim needs the grace and the lease, both in log time, to be over.',
      on: {
        ...IGNORED,
        ...LEFT,
        claim: [{ guard: 'leaseIsOver', target: 'led' }, {}],
        heartbeat: { target: 'led' },
        silent: [{ guard: 'majorityIsSilent', target: 'silenced' }, {}],
      },
    },
    silenced: {
      description:
        'A majority has not heard the leader since its last heartbeat: a claim is valid, without any clock.',
      on: { ...IGNORED, ...LEFT, claim: { target: 'led' }, heartbeat: { target: 'led' } },
    },
  },
};
