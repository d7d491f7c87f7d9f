/**
 * Reads a write as a client sent it. Total: a request, or the problem that refuses it; nothing has been written then.
 *
 * Judged here is the form (JSON, names, keys, one shard, size). Whether events fit their schemas is the fold's to say
 * where the client gave an idempotency key, because that answer binds the key; without one `checkSchemas` says it
 * before anything is appended.
 */
import type { FoldConfiguration } from '../configuration/fold-configuration.js';
import { EVENT_NAMES, eventsText, isRecord, toEvent, type EntryEvent } from '../entry/body.js';
import { utf8Length } from '../entry/utf8.js';
import { parseKey, routeKey } from '../routing/key.js';
import type { GroupContent } from '../configuration/content.js';
import { problem, type Problem } from './problem.js';
import { malformed, readObject, readTimeoutMs, refused, type Read } from './request-body.js';
import { isStage, STAGES, type Stage } from './stage.js';

export const BATCH_ENTRIES_MAX = 1_000;
export const IDEMPOTENCY_KEY_PATTERN = /^[\x20-\x7e]{1,128}$/;

export interface WriteEntry {
  readonly events: readonly EntryEvent[];
  /** The canonical text: body of the record, source of the fingerprint. */
  readonly text: string;
  /** Size of the text in UTF-8. */
  readonly bytes: number;
  readonly partition: number;
  readonly group: GroupContent;
}

export interface WriteRequest {
  readonly entry: WriteEntry;
  /** Null: the dataset's default. */
  readonly ack: Stage | null;
  readonly timeoutMs: number;
}

export interface BatchItem {
  readonly entry: WriteEntry;
  readonly idempotencyKey: string | null;
}

export interface BatchRequest {
  readonly items: readonly (BatchItem | Problem)[];
  readonly ack: Stage | null;
  readonly timeoutMs: number;
}

export function readWrite(body: string, configuration: FoldConfiguration): Read<WriteRequest> {
  const parsed = readObject(body, ['events', 'ack', 'timeoutMs']);
  if (parsed.kind === 'refused') return parsed;
  const options = readOptions(parsed.value);
  if (options.kind === 'refused') return options;
  const entry = readEntry(parsed.value['events'], configuration);
  if (entry.kind === 'refused') return entry;
  return { kind: 'read', value: { entry: entry.value, ...options.value } };
}

/** One bad entry does not refuse its neighbours: its place holds the problem. */
export function readBatch(body: string, configuration: FoldConfiguration): Read<BatchRequest> {
  const parsed = readObject(body, ['entries', 'ack', 'timeoutMs']);
  if (parsed.kind === 'refused') return parsed;
  const options = readOptions(parsed.value);
  if (options.kind === 'refused') return options;
  const { entries } = parsed.value;
  if (!Array.isArray(entries) || entries.length === 0)
    return malformed('"entries" must be a list of at least one entry');
  if (entries.length > BATCH_ENTRIES_MAX) {
    return refused(problem('too-large', `a batch holds at most ${BATCH_ENTRIES_MAX} entries`));
  }
  const items = entries.map((item: unknown, index) => readBatchItem(item, index, configuration));
  return { kind: 'read', value: { items, ...options.value } };
}

function readBatchItem(item: unknown, index: number, configuration: FoldConfiguration): BatchItem | Problem {
  const where = `entries[${index}]`;
  if (!isRecord(item)) return problem('malformed', `${where} must be an object`);
  const unknown = Object.keys(item).find((name) => name !== 'events' && name !== 'idempotencyKey');
  if (unknown !== undefined)
    return problem('malformed', `${where} has an unknown name "${unknown.slice(0, 64)}"`);
  const { idempotencyKey = null } = item;
  if (idempotencyKey !== null && !isIdempotencyKey(idempotencyKey)) {
    return problem('malformed', `${where}.idempotencyKey must be 1-128 printable ASCII characters`);
  }
  if (idempotencyKey !== null && idempotencyKey.trim() !== idempotencyKey) {
    // A header loses blanks at its ends: behind a forwarding gateway the key would be another one.
    return problem('malformed', `${where}.idempotencyKey must not begin or end with a blank`);
  }
  const entry = readEntry(item['events'], configuration);
  return entry.kind === 'refused' ? entry.problem : { entry: entry.value, idempotencyKey };
}

export const isIdempotencyKey = (value: unknown): value is string =>
  typeof value === 'string' && IDEMPOTENCY_KEY_PATTERN.test(value);

/** Null when every event fits its schema; otherwise the problem that the fold would find. */
export function checkSchemas(entry: WriteEntry, configuration: FoldConfiguration): Problem | null {
  for (const [index, event] of entry.events.entries()) {
    const reason = configuration.checkEvent(event);
    if (reason !== null) return problem('schema', `events[${index}]: ${reason}`);
  }
  return null;
}

function readOptions(body: {
  readonly [name: string]: unknown;
}): Read<{ ack: Stage | null; timeoutMs: number }> {
  const { ack = null } = body;
  if (ack !== null && (!isStage(ack) || ack === 'stored')) {
    return malformed(`"ack" must be one of ${STAGES.filter((stage) => stage !== 'stored').join(', ')}`);
  }
  const timeoutMs = readTimeoutMs(body);
  if (timeoutMs.kind === 'refused') return timeoutMs;
  return { kind: 'read', value: { ack, timeoutMs: timeoutMs.value } };
}

function readEntry(value: unknown, configuration: FoldConfiguration): Read<WriteEntry> {
  const { groups, limits } = configuration.content;
  if (!Array.isArray(value) || value.length === 0)
    return malformed('"events" must be a list of at least one event');
  if (value.length > limits.eventsPerEntryMax) {
    return refused(problem('too-large', `an entry holds at most ${limits.eventsPerEntryMax} events`));
  }
  const events: EntryEvent[] = [];
  for (const [index, item] of value.entries()) {
    const event = toEvent(item);
    if (event === null) return malformed(`events[${index}]: ${whyNoEvent(item)}`);
    events.push(event);
  }
  const text = eventsText(events);
  const bytes = utf8Length(text);
  if (bytes > limits.entryBytesMax) {
    return refused(problem('too-large', `an entry holds at most ${limits.entryBytesMax} bytes`));
  }
  const routes = new Map<number, { readonly key: string; readonly group: GroupContent }>();
  for (const { key } of events) {
    const route = routeKey(groups, key);
    if (route.kind === 'malformed-key') return malformed(`"${key}" is not a key`);
    if (route.kind === 'unknown-group') {
      const known = groups.map((group) => group.name).join(', ');
      return refused(problem('unknown-group', `"${route.group}" is not a group; known are ${known}`));
    }
    routes.set(route.partition, { key, group: route.group });
  }
  const [[partition, { group }], ...others] = [...routes] as [
    [number, { group: GroupContent }],
    ...unknown[],
  ];
  if (others.length > 0) {
    const { dataset } = configuration.content;
    const named = [...routes].map(([number, { key }]) => `${dataset}/${number} (${key})`).join(', ');
    return refused(problem('several-shards', `the keys live in ${named}`));
  }
  return { kind: 'read', value: { events, text, bytes, partition, group } };
}

/** The first thing that is wrong with an event, in words. */
function whyNoEvent(item: unknown): string {
  if (!isRecord(item)) return 'an event must be an object';
  const unknown = Object.keys(item).find((name) => !EVENT_NAMES.has(name));
  if (unknown !== undefined) return `unknown name "${unknown.slice(0, 64)}"`;
  if (typeof item['key'] !== 'string' || parseKey(item['key']) === null) {
    return '"key" must be "group:id": group a-z, 0-9, "-"; id 1-200 bytes without control characters';
  }
  if (!isRecord(item['data'])) return '"data" must be an object';
  if (item['expectedVersion'] !== undefined && toEvent({ ...item, expectedVersion: 0 }) !== null) {
    return '"expectedVersion" must be an integer from 0';
  }
  if (item['v'] !== undefined && toEvent({ ...item, v: 1 }) !== null) return '"v" must be an integer from 1';
  return '"type" must be a-z, 0-9, "-", at most 64 characters';
}
