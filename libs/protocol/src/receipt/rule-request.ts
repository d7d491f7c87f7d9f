/** The body of POST /v1/datasets/{dataset}/rule: what an operator wants a dataset's writes to demand, and why. */
import { isRegionName, type RegionName } from '../identity/identity.js';
import { parseRule } from '../quorum/rule.js';
import { problem } from './problem.js';
import { malformed, readObject, readTimeoutMs, refused, type Read } from './request-body.js';

export interface RuleRequest {
  readonly rule: string;
  /** Regions whose vote shall not count, each once, in the order of their names. */
  readonly withdrawn: readonly RegionName[];
  readonly reason: string;
  readonly timeoutMs: number;
}

const REASON_CHARACTERS_MAX = 512;

export function readRuleRequest(body: string): Read<RuleRequest> {
  const parsed = readObject(body, ['rule', 'withdrawn', 'reason', 'timeoutMs']);
  if (parsed.kind === 'refused') return parsed;
  const { reason, rule, withdrawn = [] } = parsed.value;
  if (typeof rule !== 'string') return malformed('"rule" must be a text such as "majority"');
  const read = parseRule(rule);
  if (read.kind === 'refused') {
    const detail = `the rule cannot be read at character ${read.at + 1}: ${read.reason}`;
    return refused(problem('rule-refused', detail));
  }
  const isReason = typeof reason === 'string' && reason.trim() !== '' && reason.isWellFormed();
  if (!isReason || reason.length > REASON_CHARACTERS_MAX)
    return malformed(`"reason" must say why, in 1 to ${REASON_CHARACTERS_MAX} characters`);
  const isRegion = (name: unknown): name is RegionName => typeof name === 'string' && isRegionName(name);
  if (!Array.isArray(withdrawn) || !withdrawn.every(isRegion))
    return malformed('"withdrawn" must be a list of regions');
  const timeoutMs = readTimeoutMs(parsed.value);
  if (timeoutMs.kind === 'refused') return timeoutMs;
  const regions = [...new Set(withdrawn)].sort();
  return {
    kind: 'read',
    value: { rule: rule.trim(), withdrawn: regions, reason, timeoutMs: timeoutMs.value },
  };
}
