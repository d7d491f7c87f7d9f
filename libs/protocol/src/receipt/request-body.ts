/** What the bodies of all requests have in common: a bounded JSON object with known names. Total: read or refused. */
import { REASON_CHARACTERS_MAX } from '../control/command.js';
import { isRecord } from '../entry/body.js';
import { JSON_DEPTH_MAX, parseJson } from '../entry/json.js';
import { problem, type Problem } from './problem.js';

export const TIMEOUT_MS_DEFAULT = 10_000;
export const TIMEOUT_MS_MAX = 60_000;

export type Read<T> =
  { readonly kind: 'read'; readonly value: T } | { readonly kind: 'refused'; readonly problem: Problem };

export const refused = (refusal: Problem): { readonly kind: 'refused'; readonly problem: Problem } => ({
  kind: 'refused',
  problem: refusal,
});
export const malformed = (detail: string): { readonly kind: 'refused'; readonly problem: Problem } =>
  refused(problem('malformed', detail));

export function readObject(
  body: string,
  names: readonly string[],
): Read<{ readonly [name: string]: unknown }> {
  const parsed = parseJson(body, JSON_DEPTH_MAX);
  if (parsed.kind === 'refused') return malformed(parsed.reason);
  if (!isRecord(parsed.value)) return malformed('the body must be a JSON object');
  return readNames(parsed.value, names);
}

/** A misspelt name would silently mean something else. */
export function readNames<Values extends object>(values: Values, names: readonly string[]): Read<Values> {
  const unknown = Object.keys(values).find((name) => !names.includes(name));
  if (unknown !== undefined)
    return malformed(`unknown name "${unknown.slice(0, 64)}"; known are ${names.join(', ')}`);
  return { kind: 'read', value: values };
}

/** Why an operator does it; it is kept in a log. */
export function readReason({ reason }: { readonly [name: string]: unknown }): Read<string> {
  const isReason = typeof reason === 'string' && reason.trim() !== '' && reason.isWellFormed();
  if (!isReason || reason.length > REASON_CHARACTERS_MAX)
    return malformed(`"reason" must say why, in 1 to ${REASON_CHARACTERS_MAX} characters`);
  return { kind: 'read', value: reason };
}

/** How long the caller waits, 10 s unless it says so. */
export function readTimeoutMs({
  timeoutMs = TIMEOUT_MS_DEFAULT,
}: {
  readonly [name: string]: unknown;
}): Read<number> {
  const isTimeout = typeof timeoutMs === 'number' && Number.isSafeInteger(timeoutMs);
  if (!isTimeout || timeoutMs < 1 || timeoutMs > TIMEOUT_MS_MAX)
    return malformed(`"timeoutMs" must be an integer between 1 and ${TIMEOUT_MS_MAX}`);
  return { kind: 'read', value: timeoutMs };
}
