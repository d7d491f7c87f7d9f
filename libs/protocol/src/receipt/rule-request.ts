/** The body of POST /v1/datasets/{dataset}/rule: what an operator wants a dataset's writes to demand, and why. */
import { isRegionName, type RegionName } from '../identity/identity.js';
import { parseRule } from '../quorum/rule.js';
import { problem } from './problem.js';
import { malformed, readObject, readReason, readTimeoutMs, refused, type Read } from './request-body.js';

export interface RuleRequest {
  readonly rule: string;
  /** Regions whose vote shall not count, each once, in the order of their names. */
  readonly withdrawn: readonly RegionName[];
  readonly reason: string;
  readonly timeoutMs: number;
}

export function readRuleRequest(body: string): Read<RuleRequest> {
  const parsed = readObject(body, ['rule', 'withdrawn', 'reason', 'timeoutMs']);
  if (parsed.kind === 'refused') return parsed;
  const { rule, withdrawn = [] } = parsed.value;
  if (typeof rule !== 'string') return malformed('"rule" must be a text such as "majority"');
  const read = parseRule(rule);
  if (read.kind === 'refused') {
    const detail = `the rule cannot be read at character ${read.at + 1}: ${read.reason}`;
    return refused(problem('rule-refused', detail));
  }
  const reason = readReason(parsed.value);
  if (reason.kind === 'refused') return reason;
  const isRegion = (name: unknown): name is RegionName => typeof name === 'string' && isRegionName(name);
  if (!Array.isArray(withdrawn) || !withdrawn.every(isRegion))
    return malformed('"withdrawn" must be a list of regions');
  const timeoutMs = readTimeoutMs(parsed.value);
  if (timeoutMs.kind === 'refused') return timeoutMs;
  const regions = [...new Set(withdrawn)].sort();
  return {
    kind: 'read',
    value: { rule: rule.trim(), withdrawn: regions, reason: reason.value, timeoutMs: timeoutMs.value },
  };
}
