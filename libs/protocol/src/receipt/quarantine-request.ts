/** What a person asks of a gateway about an entry in quarantine: POST reapply and discard. */
import { readActor, readFlag } from './move-request.js';
import { readObject, readReason, readTimeoutMs, type Read } from './request-body.js';

interface AskedOfEntry {
  /** Tell what would happen, and do nothing. */
  readonly dryRun: boolean;
  /** Who asks, where callers are not known otherwise; null: whoever the process takes them for. */
  readonly actor: string | null;
}

export interface AskedReapply extends AskedOfEntry {
  readonly timeoutMs: number;
}

export interface AskedDiscard extends AskedOfEntry {
  readonly reason: string;
}

export function readReapplyRequest(body: string): Read<AskedReapply> {
  const parsed = readObject(body, ['dryRun', 'actor', 'timeoutMs']);
  if (parsed.kind === 'refused') return parsed;
  const asked = readAsked(parsed.value);
  if (asked.kind === 'refused') return asked;
  const timeoutMs = readTimeoutMs(parsed.value);
  if (timeoutMs.kind === 'refused') return timeoutMs;
  return { kind: 'read', value: { ...asked.value, timeoutMs: timeoutMs.value } };
}

export function readDiscardRequest(body: string): Read<AskedDiscard> {
  const parsed = readObject(body, ['dryRun', 'actor', 'reason']);
  if (parsed.kind === 'refused') return parsed;
  const asked = readAsked(parsed.value);
  if (asked.kind === 'refused') return asked;
  const reason = readReason(parsed.value);
  if (reason.kind === 'refused') return reason;
  return { kind: 'read', value: { ...asked.value, reason: reason.value } };
}

function readAsked(values: { readonly [name: string]: unknown }): Read<AskedOfEntry> {
  const dryRun = readFlag(values, 'dryRun');
  if (dryRun.kind === 'refused') return dryRun;
  const actor = readActor(values);
  if (actor.kind === 'refused') return actor;
  return { kind: 'read', value: { dryRun: dryRun.value, actor: actor.value } };
}
