/**
 * Every refusal that a caller can meet: code, HTTP status, and what to do next. A code is written here once.
 */
export const PROBLEMS = {
  malformed: {
    status: 400,
    title: 'The request cannot be read',
    next: 'Correct the request; nothing was written.',
  },
  'bad-token': {
    status: 400,
    title: 'The token is damaged',
    next: 'Send the token as a receipt, a read or a change feed gave it.',
  },
  'unknown-dataset': { status: 404, title: 'No such dataset', next: 'Name a dataset of the catalogue.' },
  'not-found': { status: 404, title: 'Nothing here', next: 'See /openapi.json for the calls of this role.' },
  'not-seen': {
    status: 404,
    title: 'The key has not been seen',
    next: 'Ask again, with `wait`, or after the deadline.',
  },
  'never-or-expired': {
    status: 404,
    title: 'The key was never seen, or its outcome is no longer kept',
    next: 'Outcomes are kept for the time that the dataset states; read the rows to see what is there.',
  },
  'version-conflict': {
    status: 409,
    title: 'An expected version is not the present one',
    next: 'Read the row again, decide again, and write under a new idempotency key.',
  },
  guard: {
    status: 409,
    title: 'The aggregate refuses the entry',
    next: 'Read the row; send what its rules allow, under a new key.',
  },
  expired: {
    status: 409,
    title: 'The entry came too late',
    next: 'It will never take effect; write again under a new key.',
  },
  'several-shards-hit': {
    status: 409,
    title: 'The key is known in several shards',
    next: 'Ask again with `shard`.',
  },
  'outbox-only': {
    status: 409,
    title: 'The dataset is written through the outbox of its services',
    next: 'Save the entity in a service at the home of the shard; nothing was written.',
  },
  'entry-settled': {
    status: 409,
    title: 'The entry in quarantine is settled otherwise',
    next: 'Nothing was changed; the detail says by whom and how.',
  },
  'entry-may-stand': {
    status: 409,
    title: 'The entry in quarantine has its effect, or may yet have it',
    next: 'Ask to apply it again, under its key that has one effect at most, until its outcome is told; nothing was discarded.',
  },
  'reapply-too-late': {
    status: 409,
    title: 'The key of the entry may be forgotten',
    next: 'Read the rows to see whether it has had its effect; then discard it, and save anew what is missing.',
  },
  'move-refused': {
    status: 409,
    title: 'The move is refused',
    next: 'Act on the checks that did not pass, then ask again; nothing was decided.',
  },
  'approval-needed': {
    status: 409,
    title: 'Accepting loss needs a second person',
    next: 'Let another person approve the move (POST /v1/shards/{dataset}/{n}/approve), then ask again while that holds; nothing was decided.',
  },
  'move-ended': {
    status: 409,
    title: 'The move ended otherwise than asked',
    next: 'Read the outcome and the stages of the decision; ask for a new move if it is still wanted.',
  },
  'not-paused': {
    status: 409,
    title: 'Nothing is paused in this scope',
    next: 'Name the scope of a pause that /v1/cluster lists.',
  },
  'feed-expired': {
    status: 410,
    title: 'The log does not hold this position of the feed any more',
    next: 'Open the feed without a position, read the rows again, and go on from there.',
  },
  'token-unreachable': {
    status: 412,
    title: 'This region has not reached the token in time',
    next: 'Ask again, ask another region, or read with consistency=local.',
  },
  'too-large': {
    status: 413,
    title: 'Larger than the limit',
    next: 'Send less in one call; the limit is named in the detail.',
  },
  'not-owner': {
    status: 421,
    title: 'This region is not the home of the shard',
    next: 'Call the home named in the detail, or allow forwarding.',
  },
  'key-reused': {
    status: 422,
    title: 'The idempotency key belongs to another entry',
    next: 'Use a new key for a new entry; send the same events for the same key.',
  },
  schema: {
    status: 422,
    title: 'An event does not fit its schema',
    next: 'Correct the event; see the dataset in the catalogue.',
  },
  'unknown-group': {
    status: 422,
    title: 'The key names no group of the dataset',
    next: 'Begin the key with a group of the catalogue and ":".',
  },
  'several-shards': {
    status: 422,
    title: 'The keys live in several shards',
    next: 'Write one entry per shard, or give the keys a common part before "/".',
  },
  policy: {
    status: 422,
    title: 'Residency or policy forbids it',
    next: 'Write it in a region that may hold this group.',
  },
  'rule-refused': {
    status: 422,
    title: 'The quorum rule cannot be met',
    next: 'Correct the rule, or list regions that may hold the data; no shard was changed.',
  },
  'too-many-requests': {
    status: 429,
    title: 'More is asked than is taken now',
    next: 'Nothing was written; wait as long as Retry-After says.',
  },
  internal: {
    status: 500,
    title: 'A defect of this service',
    next: 'Report the trace id; ask for the outcome under the idempotency key.',
  },
  'not-yet': { status: 501, title: 'Not part of this version', next: 'See README.md for what exists.' },
  'log-unavailable': {
    status: 503,
    title: 'The log cannot be reached',
    next: 'Nothing was written; try again as Retry-After says.',
  },
  'control-unavailable': {
    status: 503,
    title: 'The control log cannot be reached',
    next: 'Nothing was decided; try again as Retry-After says.',
  },
  'no-leader': {
    status: 503,
    title: 'No coordinator leads',
    next: 'Nothing was decided; try again as Retry-After says, or see who stands for election in /v1/cluster.',
  },
  'store-unavailable': {
    status: 503,
    title: 'The store of this region cannot be reached',
    next: 'Try again as Retry-After says, or ask another region.',
  },
  'region-differs': {
    status: 503,
    title: 'This region holds other data than the others',
    next: 'Ask another region; an operator rebuilds this one.',
  },
  'home-unavailable': {
    status: 503,
    title: 'The home region cannot be reached',
    next: 'Nothing was written; try again as Retry-After says.',
  },
  'home-opening': {
    status: 503,
    title: 'The new home of the shard takes writes of a share of the keys first',
    next: 'Nothing was written; try again as Retry-After says.',
  },
  'not-ready': {
    status: 503,
    title: 'This role is not ready',
    next: 'Wait; the detail names what is missing.',
  },
  'shard-halted': {
    status: 503,
    title: 'This shard is halted in this region',
    next: 'An operator acts on the reason in /v1/shards.',
  },
} as const satisfies {
  readonly [code: string]: { readonly status: number; readonly title: string; readonly next: string };
};

export type ProblemCode = keyof typeof PROBLEMS;

export interface Problem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly code: string;
  readonly detail: string;
  readonly next: string;
}

/** The document for one refusal; the code told for `several-shards-hit` is `several-shards`. */
export function problem(code: ProblemCode, detail: string): Problem {
  const { status, title, next } = PROBLEMS[code];
  const told = code === 'several-shards-hit' ? 'several-shards' : code;
  return { type: `urn:lockstep:problem:${told}`, title, status, code: told, detail, next };
}
