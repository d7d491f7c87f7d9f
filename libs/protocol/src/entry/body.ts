/**
 * Bodies of records: the events of a data entry, the fields of a control entry. Decoders are total: a body or `null`.
 */
import { isKey, isLowerName } from '../routing/key.js';
import {
  epoch,
  isConfigurationHash,
  isId128,
  isRegionName,
  sequence,
  type ConfigurationHash,
  type Epoch,
  type KeyHash,
  type LogIncarnation,
  type RegionName,
  type Sequence,
} from '../identity/identity.js';
import { parseRule } from '../quorum/rule.js';
import { canonicalJson } from './canonical-json.js';

/** One change. `data` is whatever the writer sent until its schema has been checked. */
export interface EntryEvent {
  readonly key: string;
  readonly type: string;
  /** Schema version of the event; 1 when not named. */
  readonly v: number;
  readonly data: unknown;
  /** Version that the key must have before the entry; 0 means absent. */
  readonly expectedVersion: Sequence | null;
}

const TYPE_LENGTH_MAX = 64;
export const EVENT_NAMES: ReadonlySet<string> = new Set(['key', 'type', 'v', 'data', 'expectedVersion']);

/** The canonical text of an entry's events: body of the record and source of the fingerprint. */
export function eventsText(events: readonly EntryEvent[]): string {
  return canonicalJson(
    events.map((event) => ({
      key: event.key,
      type: event.type,
      v: event.v === 1 ? undefined : event.v,
      data: event.data,
      expectedVersion: event.expectedVersion === null ? undefined : Number(event.expectedVersion),
    })),
  );
}

/** Events of a data entry; null when the text is anything else. */
export function decodeEvents(text: string): readonly EntryEvent[] | null {
  const parsed = parse(text);
  if (!Array.isArray(parsed) || parsed.length === 0) return null;
  const events: EntryEvent[] = [];
  for (const item of parsed) {
    const event = toEvent(item);
    if (event === null) return null;
    events.push(event);
  }
  return events;
}

/** One event of parsed JSON; null when a part is missing, of another type, or unknown. */
export function toEvent(item: unknown): EntryEvent | null {
  if (!isRecord(item)) return null;
  for (const name of Object.keys(item)) if (!EVENT_NAMES.has(name)) return null;
  const { key, type, v = 1, data, expectedVersion } = item;
  if (typeof key !== 'string' || !isKey(key)) return null;
  if (typeof type !== 'string' || !isLowerName(type, type.length, TYPE_LENGTH_MAX)) return null;
  if (typeof v !== 'number' || !Number.isSafeInteger(v) || v < 1) return null;
  if (!isRecord(data)) return null;
  if (expectedVersion === undefined) return { key, type, v, data, expectedVersion: null };
  if (typeof expectedVersion !== 'number' || !Number.isSafeInteger(expectedVersion) || expectedVersion < 0)
    return null;
  return { key, type, v, data, expectedVersion: sequence(BigInt(expectedVersion)) };
}

export type ControlBody =
  | {
      readonly kind: 'genesis';
      readonly logIncarnation: LogIncarnation;
      readonly home: RegionName;
      readonly configuration: ConfigurationHash;
    }
  | {
      readonly kind: 'fence';
      readonly expectedEpoch: Epoch;
      readonly epoch: Epoch;
      readonly home: RegionName;
      readonly term: bigint;
      readonly decision: bigint;
    }
  | {
      readonly kind: 'configuration';
      readonly expected: ConfigurationHash;
      readonly configuration: ConfigurationHash;
    }
  | {
      readonly kind: 'rule';
      /** `from` of the rule in force. */
      readonly expected: Sequence;
      readonly rule: string;
      /** Regions whose vote shall not count, in the order of their names. */
      readonly withdrawn: readonly RegionName[];
      /** Why and by whom, for people: the entry is its own audit record. */
      readonly reason: string;
      readonly actor: string;
    }
  /** Settles what leaders decided up to and including this pair: no such fence takes effect behind it. */
  | { readonly kind: 'term'; readonly term: bigint; readonly decision: bigint }
  | { readonly kind: 'probe' }
  | { readonly kind: 'settle'; readonly key: KeyHash; readonly deadlineMs: number }
  /** The accepted entry of the key was acknowledged though its rule was not met in time. */
  | { readonly kind: 'degrade'; readonly key: KeyHash; readonly sequence: Sequence };

export type ControlKind = ControlBody['kind'];

export function controlText(body: ControlBody): string {
  switch (body.kind) {
    case 'genesis':
      return canonicalJson({
        logIncarnation: body.logIncarnation,
        home: body.home,
        configuration: body.configuration,
      });
    case 'fence':
      return canonicalJson({
        expectedEpoch: Number(body.expectedEpoch),
        epoch: Number(body.epoch),
        home: body.home,
        term: Number(body.term),
        decision: Number(body.decision),
      });
    case 'configuration':
      return canonicalJson({ expected: body.expected, configuration: body.configuration });
    case 'rule': {
      const { actor, expected, reason, rule, withdrawn } = body;
      return canonicalJson({ expected: Number(expected), rule, withdrawn, reason, actor });
    }
    case 'term':
      return canonicalJson({ term: Number(body.term), decision: Number(body.decision) });
    case 'probe':
      return '{}';
    case 'settle':
      return canonicalJson({ key: body.key, deadlineMs: body.deadlineMs });
    case 'degrade':
      return canonicalJson({ key: body.key, sequence: Number(body.sequence) });
  }
}

/** Body of a control entry of that kind; null when the text is anything else. */
export function decodeControl(kind: ControlKind, text: string): ControlBody | null {
  const parsed = parse(text);
  if (!isRecord(parsed)) return null;
  switch (kind) {
    case 'genesis': {
      const { logIncarnation, home, configuration } = parsed;
      if (!hasOnly(parsed, 3) || !isId128(logIncarnation) || !isConfigurationHash(configuration)) return null;
      if (typeof home !== 'string' || !isRegionName(home)) return null;
      return { kind, logIncarnation: logIncarnation as LogIncarnation, home, configuration };
    }
    case 'fence': {
      const { home } = parsed;
      const expectedEpoch = ordinal(parsed['expectedEpoch']);
      const raised = ordinal(parsed['epoch']);
      const term = ordinal(parsed['term']);
      const decision = ordinal(parsed['decision']);
      if (!hasOnly(parsed, 5) || expectedEpoch === null || raised !== expectedEpoch + 1n) return null;
      if (term === null || decision === null || typeof home !== 'string' || !isRegionName(home)) return null;
      return { kind, expectedEpoch: epoch(expectedEpoch), epoch: epoch(raised), home, term, decision };
    }
    case 'configuration': {
      const { expected, configuration } = parsed;
      if (!hasOnly(parsed, 2) || !isConfigurationHash(expected) || !isConfigurationHash(configuration))
        return null;
      return { kind, expected, configuration };
    }
    case 'rule': {
      const { actor, reason, rule, withdrawn } = parsed;
      const expected = ordinal(parsed['expected']);
      if (!hasOnly(parsed, 5) || expected === null || !isTextUpTo(actor, 256) || !isTextUpTo(reason, 512))
        return null;
      if (typeof rule !== 'string' || parseRule(rule).kind === 'refused' || !isRegionList(withdrawn))
        return null;
      return { kind, expected: sequence(expected), rule, withdrawn, reason, actor };
    }
    case 'term': {
      const term = ordinal(parsed['term']);
      const decision = ordinal(parsed['decision']);
      return hasOnly(parsed, 2) && term !== null && decision !== null ? { kind, term, decision } : null;
    }
    case 'probe':
      return hasOnly(parsed, 0) ? { kind } : null;
    case 'settle': {
      const { key, deadlineMs } = parsed;
      if (!hasOnly(parsed, 2) || !isId128(key)) return null;
      if (typeof deadlineMs !== 'number' || !Number.isSafeInteger(deadlineMs)) return null;
      return { kind, key: key as KeyHash, deadlineMs };
    }
    case 'degrade': {
      const { key } = parsed;
      const at = ordinal(parsed['sequence']);
      return hasOnly(parsed, 2) && isId128(key) && at !== null
        ? { kind, key: key as KeyHash, sequence: sequence(at) }
        : null;
    }
  }
}

export function isRecord(value: unknown): value is { readonly [name: string]: unknown } {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

const isTextUpTo = (value: unknown, charactersMax: number): value is string =>
  typeof value === 'string' && value.length <= charactersMax && value.isWellFormed();

/** Region names, each once, in their order. */
const isRegionList = (value: unknown): value is readonly RegionName[] =>
  Array.isArray(value) &&
  value.every((name, index) => {
    const before: unknown = value[index - 1];
    return (
      typeof name === 'string' && isRegionName(name) && (before === undefined || name > (before as string))
    );
  });

const hasOnly = (value: object, names: number): boolean => Object.keys(value).length === names;

function ordinal(value: unknown): bigint | null {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? BigInt(value) : null;
}

/** The JSON object that a record of `lockstep.watermarks` holds; null for anything else, an empty record included. */
export function recordObject(text: string | null): { readonly [name: string]: unknown } | null {
  const parsed = text === null ? undefined : parse(text);
  return isRecord(parsed) ? parsed : null;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
