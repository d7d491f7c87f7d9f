/** The words of votes about regions, as entries of the control log use them. */
import { MEMBERS_MAX } from '../quorum/demand.js';

/** `silent`: its streams tell nothing. `stalled`: it folds no further while others do. `canary`: it does not answer one. */
export const EVIDENCE_KINDS = ['silent', 'stalled', 'canary'] as const;
export type EvidenceKind = (typeof EVIDENCE_KINDS)[number];
export const OPINIONS = ['fit', 'unfit'] as const;

/** Who decides that a dataset's shards leave a lost home: a person, or the governor too. */
export type FailoverMode = 'manual' | 'automatic';

/** The actor of what the leader decides by itself. */
export const GOVERNOR = 'governor';

/** What a person approves who has looked into a failover: it holds no further one back. @param failover number of its entry. */
export const acknowledgementOf = (failover: bigint): string => `failover:${failover}`;

/** A vote counts for so long, in log time. */
export const VOTE_MS = 5_000;
export const VOTES_MAX = MEMBERS_MAX * (MEMBERS_MAX - 1);
export const EVIDENCE_CHARACTERS_MAX = 512;
