/**
 * What operators ask of a coordinator about homes: POST switchover, failover and approve of a shard, POST evacuate of a region,
 * GET preflight, POST cancel of a decision, GET decisions and the records of the control log. Read here, judged by that log.
 */
import { MOVE_KINDS, type MoveKind } from '../control/command.js';
import { isOffset } from '../control/page.js';
import { GOVERNOR } from '../failover/vote.js';
import {
  isRegionName,
  offset,
  parseShardName,
  type Offset,
  type RegionName,
  type ShardName,
} from '../identity/identity.js';
import { malformed, readNames, readObject, readReason, readTimeoutMs, type Read } from './request-body.js';

export interface AskedMove {
  readonly to: RegionName;
  readonly reason: string;
  /** Tell what would happen, and decide nothing. */
  readonly dryRun: boolean;
  readonly acceptLoss: boolean;
  readonly timeoutMs: number;
  /** Who asks, where callers are not known otherwise; null: whoever the process takes them for. */
  readonly actor: string | null;
}

/** That another person accepts what a failover may lose. */
export interface AskedApproval {
  readonly to: RegionName;
  readonly reason: string;
  readonly actor: string | null;
}

export interface AskedEvacuation {
  readonly move: MoveKind;
  /** Moves that may be under way at once. */
  readonly concurrency: number;
  readonly reason: string;
  readonly dryRun: boolean;
  readonly timeoutMs: number;
}

export interface AskedPreflight {
  readonly shard: ShardName;
  readonly to: RegionName;
  readonly move: MoveKind;
}

export interface AskedDecisions {
  /** Null for those of every shard. */
  readonly shard: ShardName | null;
  /** Null for every one. */
  readonly decision: bigint | null;
  readonly limit: number;
}

export interface AskedControlPage {
  /** Null for the first record that the log holds. */
  readonly from: Offset | null;
}

interface Values {
  readonly [name: string]: unknown;
}

const CONCURRENCY_DEFAULT = 2;
const CONCURRENCY_MAX = 16;
const DECISIONS_DEFAULT = 50;
const DECISIONS_MAX = 256;

export function readMoveRequest(body: string): Read<AskedMove> {
  const parsed = readObject(body, ['to', 'reason', 'dryRun', 'acceptLoss', 'timeoutMs', 'actor']);
  if (parsed.kind === 'refused') return parsed;
  const to = readDestination(parsed.value);
  if (to.kind === 'refused') return to;
  const reason = readReason(parsed.value);
  if (reason.kind === 'refused') return reason;
  const dryRun = readFlag(parsed.value, 'dryRun');
  if (dryRun.kind === 'refused') return dryRun;
  const acceptLoss = readFlag(parsed.value, 'acceptLoss');
  if (acceptLoss.kind === 'refused') return acceptLoss;
  const timeoutMs = readTimeoutMs(parsed.value);
  if (timeoutMs.kind === 'refused') return timeoutMs;
  const actor = readActor(parsed.value);
  if (actor.kind === 'refused') return actor;
  return {
    kind: 'read',
    value: {
      to: to.value,
      reason: reason.value,
      dryRun: dryRun.value,
      acceptLoss: acceptLoss.value,
      timeoutMs: timeoutMs.value,
      actor: actor.value,
    },
  };
}

export function readApproveRequest(body: string): Read<AskedApproval> {
  const parsed = readObject(body, ['to', 'reason', 'actor']);
  if (parsed.kind === 'refused') return parsed;
  const to = readDestination(parsed.value);
  if (to.kind === 'refused') return to;
  const reason = readReason(parsed.value);
  if (reason.kind === 'refused') return reason;
  const actor = readActor(parsed.value);
  if (actor.kind === 'refused') return actor;
  return { kind: 'read', value: { to: to.value, reason: reason.value, actor: actor.value } };
}

export function readEvacuateRequest(body: string): Read<AskedEvacuation> {
  const parsed = readObject(body, ['reason', 'move', 'concurrency', 'dryRun', 'timeoutMs']);
  if (parsed.kind === 'refused') return parsed;
  const reason = readReason(parsed.value);
  if (reason.kind === 'refused') return reason;
  const move = readMoveKind(parsed.value);
  if (move.kind === 'refused') return move;
  const { concurrency = CONCURRENCY_DEFAULT } = parsed.value;
  if (!isIntegerWithin(concurrency, CONCURRENCY_MAX))
    return malformed(`"concurrency" must be an integer between 1 and ${CONCURRENCY_MAX}`);
  const dryRun = readFlag(parsed.value, 'dryRun');
  if (dryRun.kind === 'refused') return dryRun;
  const timeoutMs = readTimeoutMs(parsed.value);
  if (timeoutMs.kind === 'refused') return timeoutMs;
  return {
    kind: 'read',
    value: {
      move: move.value,
      concurrency,
      reason: reason.value,
      dryRun: dryRun.value,
      timeoutMs: timeoutMs.value,
    },
  };
}

export function readPreflightQuery(query: { readonly [name: string]: string }): Read<AskedPreflight> {
  const known = readNames(query, ['shard', 'to', 'move']);
  if (known.kind === 'refused') return known;
  const shard = readShard(query['shard']);
  if (shard.kind === 'refused') return shard;
  const to = readDestination(query);
  if (to.kind === 'refused') return to;
  const move = readMoveKind(query);
  if (move.kind === 'refused') return move;
  return { kind: 'read', value: { shard: shard.value, to: to.value, move: move.value } };
}

/** The body of POST cancel and acknowledge: why. */
export function readReasonRequest(body: string): Read<string> {
  const parsed = readObject(body, ['reason']);
  return parsed.kind === 'refused' ? parsed : readReason(parsed.value);
}

export function readDecisionsQuery(query: { readonly [name: string]: string }): Read<AskedDecisions> {
  const known = readNames(query, ['shard', 'decision', 'limit']);
  if (known.kind === 'refused') return known;
  const shard = query['shard'] === undefined ? null : readShard(query['shard']);
  if (shard?.kind === 'refused') return shard;
  const decision = query['decision'] === undefined ? null : readDecisionNumber(query['decision']);
  if (decision === null && query['decision'] !== undefined)
    return malformed('"decision" must be the number of a decision');
  const limit = Number(query['limit'] ?? DECISIONS_DEFAULT);
  if (!/^[0-9]*$/.test(query['limit'] ?? '') || !isIntegerWithin(limit, DECISIONS_MAX))
    return malformed(`"limit" must be an integer between 1 and ${DECISIONS_MAX}`);
  return { kind: 'read', value: { shard: shard?.value ?? null, decision, limit } };
}

export function readControlPageQuery(query: { readonly [name: string]: string }): Read<AskedControlPage> {
  const known = readNames(query, ['from']);
  if (known.kind === 'refused') return known;
  const { from } = query;
  if (from === undefined) return { kind: 'read', value: { from: null } };
  if (!isOffset(from)) return malformed('"from" must be an offset of the control log, in digits');
  return { kind: 'read', value: { from: offset(BigInt(from)) } };
}

/** As it stands in a path or a query; null when it is no number of a decision. */
export const readDecisionNumber = (text: string): bigint | null =>
  /^[1-9][0-9]{0,15}$/.test(text) && Number.isSafeInteger(Number(text)) ? BigInt(text) : null;

export function readActor({ actor = null }: Values): Read<string | null> {
  const isPerson = typeof actor === 'string' && /^[\x21-\x7e]{1,64}$/.test(actor) && actor !== GOVERNOR;
  return actor === null || isPerson
    ? { kind: 'read', value: actor }
    : malformed(`"actor" must name a person in 1-64 printable ASCII characters without spaces`);
}

function readDestination({ to }: Values): Read<RegionName> {
  return typeof to === 'string' && isRegionName(to)
    ? { kind: 'read', value: to }
    : malformed('"to" must name the region that shall be home');
}

function readShard(shard: string | undefined): Read<ShardName> {
  return shard !== undefined && parseShardName(shard) !== null
    ? { kind: 'read', value: shard as ShardName }
    : malformed('"shard" must name a shard such as accounts/0');
}

function readMoveKind({ move = 'switchover' }: Values): Read<MoveKind> {
  const kind = MOVE_KINDS.find((one) => one === move);
  return kind === undefined
    ? malformed(`"move" must be ${MOVE_KINDS.map((one) => `"${one}"`).join(' or ')}`)
    : { kind: 'read', value: kind };
}

export function readFlag(values: Values, name: string): Read<boolean> {
  const { [name]: flag = false } = values;
  return typeof flag === 'boolean'
    ? { kind: 'read', value: flag }
    : malformed(`"${name}" must be true or false`);
}

const isIntegerWithin = (value: unknown, max: number): value is number =>
  typeof value === 'number' && Number.isSafeInteger(value) && value >= 1 && value <= max;
