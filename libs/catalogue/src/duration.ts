/** Lengths of time as people write them: `250ms`, `30s`, `5m`, `24h`, `7d`. */
const UNIT_MS: { readonly [unit: string]: number } = {
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

export const DURATION_PATTERN = /^([1-9][0-9]{0,8})(ms|s|m|h|d)$/;

/** Milliseconds; null when the text is not a duration. */
export function parseDuration(text: string): number | null {
  const match = DURATION_PATTERN.exec(text);
  return match === null ? null : Number(match[1]) * UNIT_MS[match[2]!]!;
}
