/**
 * Which gateway of a list is asked next, the nearest first, and how long it may take. Pure.
 *
 * - A gateway that failed is passed over for a time that grows with each failure, to a bound; then one call tries it.
 * - A call asks each gateway once before it asks one again, and whoever failed last of all rather than nobody.
 * - What is no answer of this region (it failed, or is behind what was asked for) may be another's; the time is the call's.
 */

/** What is known of one gateway of the list. */
export type Standing =
  | { readonly kind: 'answering' }
  | {
      readonly kind: 'failed';
      /** For how long it is passed over, and until when. */
      readonly forMs: number;
      readonly untilMs: number;
      /** One call is asking it whether it answers again. */
      readonly isTried: boolean;
    };

/** What a call met at a gateway. */
export type Met =
  | 'answered'
  /** It was not reached, broke off, or says that it can serve nothing now. */
  | 'failed'
  /** Its region has not got as far as the read wants. */
  | 'behind';

/**
 * Whether a call may be left half-way for another gateway. A write has to hear from the one that may have taken it, and a
 * receipt is waited for as long as asked: both get all of the time.
 */
export type CallKind = 'write' | 'receipt' | 'read' | 'read-behind-token';

export interface Attempt {
  readonly gateway: number;
  readonly met: Exclude<Met, 'answered'>;
}

export interface Choice {
  /** Its place in the list. */
  readonly gateway: number;
  /** Nobody is left after it of whom an answer is expected. */
  readonly isLast: boolean;
  /** The call by which a gateway that was passed over is asked again. */
  readonly isTrial: boolean;
}

export const ANSWERING: Standing = { kind: 'answering' };

const PASSED_OVER_MS_MIN = 1_000;
/** Longer, and calls would go the long way when all is well again; shorter, and many would wait for one who is not there. */
const PASSED_OVER_MS_MAX = 30_000;
/** A region is rarely further behind than this, and another answers within a round trip. */
const BEHIND_WAIT_MS_MAX = 500;

/** Null when there is nobody whom this call should ask (again). */
export function nextGateway({
  attempts,
  nowMs,
  standings,
}: {
  readonly standings: readonly Standing[];
  /** Of this call, in order. */
  readonly attempts: readonly Attempt[];
  readonly nowMs: number;
}): Choice | null {
  const fresh = standings
    .map((standing, gateway) => ({ gateway, standing, isTrial: isDue(standing, nowMs) }))
    .filter(({ gateway }) => attempts.every((attempt) => attempt.gateway !== gateway));
  const willing = fresh.filter(({ isTrial, standing }) => isTrial || standing.kind === 'answering');
  // No time is kept for those who are passed over while another may serve.
  const [chosen, ...others] = willing.length > 0 ? willing : fresh;
  if (chosen !== undefined)
    return { gateway: chosen.gateway, isTrial: chosen.isTrial, isLast: others.length === 0 };
  // Whoever was behind may have got there while the others failed; with the time that is left to it, it is waited for.
  if (attempts.at(-1)?.met !== 'failed') return null;
  const asked = (gateway: number): number => attempts.filter((attempt) => attempt.gateway === gateway).length;
  const behind = attempts.find(({ gateway, met }) => met === 'behind' && asked(gateway) === 1);
  return behind === undefined ? null : { gateway: behind.gateway, isTrial: false, isLast: true };
}

/** Of the time that is left, what the chosen gateway may take: while others can be asked, they get their share. */
export function shareMs({
  isLast,
  kind,
  leftMs,
}: {
  readonly kind: CallKind;
  readonly isLast: boolean;
  readonly leftMs: number;
}): number {
  switch (kind) {
    case 'write':
    case 'receipt':
      return leftMs;
    case 'read':
      return isLast ? leftMs : leftMs / 2;
    case 'read-behind-token':
      return isLast ? leftMs : Math.min(BEHIND_WAIT_MS_MAX, leftMs / 2);
  }
}

/** @param choice for which the gateway is asked now. */
export function standingWhileAsked(present: Standing, { isTrial }: Choice): Standing {
  return isTrial && present.kind === 'failed' ? { ...present, isTried: true } : present;
}

export function standingAfter({
  asked,
  choice,
  met,
  nowMs,
  present,
}: {
  /** When the call was sent. */
  readonly asked: Standing;
  readonly present: Standing;
  readonly choice: Choice;
  readonly met: Met;
  readonly nowMs: number;
}): Standing {
  // An answer to what was asked before the gateway failed does not say that it has come back.
  if (met !== 'failed') return asked.kind === 'failed' ? ANSWERING : present;
  if (present.kind === 'answering') return passedOver(PASSED_OVER_MS_MIN, nowMs);
  // Of the many that were under way when it failed, none counts as one more failure.
  return choice.isTrial ? passedOver(Math.min(PASSED_OVER_MS_MAX, present.forMs * 2), nowMs) : present;
}

/** The gateway that calls go to now; null while none is known to answer. */
export function presentGateway(standings: readonly Standing[]): number | null {
  const nearest = standings.findIndex(({ kind }) => kind === 'answering');
  return nearest < 0 ? null : nearest;
}

/** What a feed tells and what is read are of one region: a feed stays where calls go, and moves with them. */
export function isMisplaced(gateway: number, standings: readonly Standing[]): boolean {
  return standings[gateway]!.kind === 'failed' || presentGateway(standings) !== gateway;
}

const isDue = (standing: Standing, nowMs: number): boolean =>
  standing.kind === 'failed' && !standing.isTried && nowMs >= standing.untilMs;

const passedOver = (forMs: number, nowMs: number): Standing => ({
  kind: 'failed',
  forMs,
  untilMs: nowMs + forMs,
  isTried: false,
});
