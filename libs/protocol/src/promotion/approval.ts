/**
 * The word of a second person for a failover whose asker accepts loss (I14). It names one move of one epoch, so that it is void
 * once the shard has moved; it holds for a while of log time. Pure: from the approvals that the control log holds.
 */
import type { ControlState } from '../control/state.js';
import type { Epoch, RegionName, ShardName } from '../identity/identity.js';

/** In log time. */
export const APPROVED_MS = 15 * 60_000;

const SUBJECT = /^accept-loss:([^:]+):([^:]+):([0-9]+)$/;

export interface ApprovedMove {
  readonly shard: ShardName;
  readonly to: RegionName;
  /** The epoch that the move ends. */
  readonly expectedEpoch: Epoch;
}

/** The subject of its `approval` entry. */
export const lossSubjectOf = ({ expectedEpoch, shard, to }: ApprovedMove): string =>
  `accept-loss:${shard}:${to}:${expectedEpoch}`;

/** What an approval is about; null when it is about something else. */
export function lossApproved(subject: string): { readonly shard: string; readonly to: string } | null {
  const [, shard, to] = SUBJECT.exec(subject) ?? [];
  return shard === undefined || to === undefined ? null : { shard, to };
}

type Approval = ControlState['approvals'][number];

/** It is about this move, and of another person than the asker. */
export const approves = ({ actor, subject }: Approval, move: ApprovedMove, asker: string): boolean =>
  actor !== asker && subject === lossSubjectOf(move);

/** The latest that approves; null where none stands. Those that have expired are not in the state. */
export const approvalOf = (
  { approvals }: Pick<ControlState, 'approvals'>,
  move: ApprovedMove,
  asker: string,
): Approval | null => approvals.findLast((one) => approves(one, move, asker)) ?? null;
