/** The bodies of POST /v1/pause and /v1/resume: where nothing shall be moved, until when, and why. */
import { A_SCOPE_IS, isScope, type Scope } from '../control/scope.js';
import { malformed, readObject, readReason, type Read } from './request-body.js';

export interface AskedPause {
  readonly scope: Scope;
  readonly reason: string;
  /** Null: from now on. */
  readonly fromMs: number | null;
  readonly untilMs: number;
}

export interface AskedResume {
  readonly scope: Scope;
  readonly reason: string;
}

export function readPauseRequest(body: string): Read<AskedPause> {
  const parsed = readObject(body, ['scope', 'reason', 'from', 'until']);
  if (parsed.kind === 'refused') return parsed;
  const asked = readScopeAndReason(parsed.value);
  if (asked.kind === 'refused') return asked;
  const { from, until } = parsed.value;
  const untilMs = readTime(until);
  if (untilMs === null) return malformed(`"until" must be ${A_TIME_IS}`);
  const fromMs = from === undefined ? null : readTime(from);
  if (from !== undefined && fromMs === null) return malformed(`"from" must be ${A_TIME_IS}`);
  return { kind: 'read', value: { ...asked.value, fromMs, untilMs } };
}

export function readResumeRequest(body: string): Read<AskedResume> {
  const parsed = readObject(body, ['scope', 'reason']);
  return parsed.kind === 'refused' ? parsed : readScopeAndReason(parsed.value);
}

function readScopeAndReason(values: { readonly [name: string]: unknown }): Read<AskedResume> {
  const { scope } = values;
  if (typeof scope !== 'string' || !isScope(scope)) return malformed(`"scope" must be ${A_SCOPE_IS}`);
  const reason = readReason(values);
  if (reason.kind === 'refused') return reason;
  return { kind: 'read', value: { scope, reason: reason.value } };
}

const A_TIME_IS = 'a time such as 2026-11-21T08:56:38Z (UTC, at most milliseconds)';

function readTime(text: unknown): number | null {
  if (typeof text !== 'string' || !/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,3})?Z$/.test(text)) return null;
  const ms = Date.parse(text);
  // A day or an hour that does not exist is read as a later one, or not at all.
  return Number.isNaN(ms) || !new Date(ms).toISOString().startsWith(text.slice(0, 19)) ? null : ms;
}
