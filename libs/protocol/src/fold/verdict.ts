/**
 * The fold's judgement of one entry: `accepted`, or `rejected` with a code. The order of the list is the order of
 * judgement (design section 5): the first that applies is the verdict. One exception: an entry beyond a configured
 * limit is `malformed` only after its key was looked at (decision 0019).
 */
export const VERDICTS = [
  'malformed',
  'forged',
  'superseded',
  'duplicate',
  'hole',
  'repeated',
  'key-reused',
  'fenced',
  'not-owner',
  'expired',
  'schema',
  'policy',
  'version-conflict',
  'guard',
  'accepted',
] as const;

export type Verdict = (typeof VERDICTS)[number];

/** Verdicts that bind an idempotency key: from `expired` on, rejections included (I10). */
export type BindingVerdict = 'expired' | 'schema' | 'policy' | 'version-conflict' | 'guard' | 'accepted';

export function binds(verdict: Verdict): verdict is BindingVerdict {
  switch (verdict) {
    case 'expired':
    case 'schema':
    case 'policy':
    case 'version-conflict':
    case 'guard':
    case 'accepted':
      return true;
    case 'malformed':
    case 'forged':
    case 'superseded':
    case 'duplicate':
    case 'hole':
    case 'repeated':
    case 'key-reused':
    case 'fenced':
    case 'not-owner':
      return false;
  }
}

/**
 * True for verdicts that judge the attempt and not the key: never told after an append; the gateway resubmits a new
 * entry under the same key until the deadline, then answers `unknown`. (`superseded`: a data entry before genesis.)
 */
export function judgesAttempt(
  verdict: Verdict,
): verdict is 'fenced' | 'not-owner' | 'hole' | 'duplicate' | 'superseded' | 'forged' {
  switch (verdict) {
    case 'fenced':
    case 'not-owner':
    case 'hole':
    case 'duplicate':
    case 'superseded':
    case 'forged':
      return true;
    case 'malformed':
    case 'repeated':
    case 'key-reused':
    case 'expired':
    case 'schema':
    case 'policy':
    case 'version-conflict':
    case 'guard':
    case 'accepted':
      return false;
  }
}
