/**
 * A cursor as a row of `lockstep.cursor`, and back. One list drives what a commit writes, so that no part of a cursor
 * can be forgotten in one of two places.
 */
import { epoch, hashFromHex, hashToHex, offset, sequence } from '@lockstep/protocol';
import type {
  ConfigurationHash,
  Cursor,
  LogIncarnation,
  Mark,
  RegionName,
  RuleInForce,
  ShardName,
} from '@lockstep/protocol';
import type { Row } from './connection.js';

interface CursorColumn {
  readonly name: string;
  readonly type: 'text' | 'bigint';
  readonly textOf: (cursor: Cursor) => string | null;
}

export const CURSOR_COLUMNS: readonly CursorColumn[] = [
  { name: 'log_offset', type: 'bigint', textOf: (cursor) => cursor.offset.toString() },
  { name: 'sequence', type: 'bigint', textOf: (cursor) => cursor.sequence.toString() },
  { name: 'log_incarnation', type: 'text', textOf: (cursor) => cursor.logIncarnation },
  { name: 'epoch', type: 'bigint', textOf: (cursor) => cursor.epoch.toString() },
  { name: 'home', type: 'text', textOf: (cursor) => cursor.home },
  { name: 'term', type: 'bigint', textOf: (cursor) => cursor.term.toString() },
  { name: 'decision', type: 'bigint', textOf: (cursor) => cursor.decision.toString() },
  { name: 'log_time_ms', type: 'bigint', textOf: (cursor) => cursor.logTimeMs.toString() },
  { name: 'sessions_since_ms', type: 'bigint', textOf: (cursor) => cursor.sessionsSinceMs.toString() },
  { name: 'outcomes_since_ms', type: 'bigint', textOf: (cursor) => cursor.outcomesSinceMs.toString() },
  { name: 'input_hash', type: 'text', textOf: (cursor) => hashToHex(cursor.inputHash) },
  { name: 'effects_hash', type: 'text', textOf: (cursor) => hashToHex(cursor.effectsHash) },
  { name: 'configuration', type: 'text', textOf: (cursor) => cursor.configuration },
  { name: 'rules', type: 'text', textOf: ({ rules }) => rulesText(rules) },
  { name: 'record_digest', type: 'text', textOf: (cursor) => hashToHex(cursor.recordDigest) },
  { name: 'mark_sequence', type: 'bigint', textOf: ({ mark }) => mark && mark.sequence.toString() },
  { name: 'mark_input_hash', type: 'text', textOf: ({ mark }) => mark && hashToHex(mark.inputHash) },
  { name: 'mark_effects_hash', type: 'text', textOf: ({ mark }) => mark && hashToHex(mark.effectsHash) },
];

/** `c.` must be `lockstep.cursor`. */
export const CURSOR_LIST = ['shard', ...CURSOR_COLUMNS.map((column) => column.name)]
  .map((name) => `c.${name}`)
  .join(', ');

export function cursorOf(row: Row): Cursor {
  return {
    shard: row['shard'] as ShardName,
    logIncarnation: row['log_incarnation'] as LogIncarnation | null,
    offset: offset(BigInt(row['log_offset']!)),
    sequence: sequence(BigInt(row['sequence']!)),
    epoch: epoch(BigInt(row['epoch']!)),
    home: row['home'] as RegionName | null,
    term: BigInt(row['term']!),
    decision: BigInt(row['decision']!),
    logTimeMs: Number(row['log_time_ms']),
    sessionsSinceMs: Number(row['sessions_since_ms']),
    outcomesSinceMs: Number(row['outcomes_since_ms']),
    inputHash: hashFromHex(row['input_hash']!),
    effectsHash: hashFromHex(row['effects_hash']!),
    configuration: row['configuration'] as ConfigurationHash | null,
    rules: rulesOf(row['rules']!),
    recordDigest: hashFromHex(row['record_digest']!),
    mark: markOf(row),
  };
}

/** Rules change rarely and are written with every commit. */
const texts = new WeakMap<Cursor['rules'], string>();

function rulesText(rules: Cursor['rules']): string {
  const known = texts.get(rules);
  if (known !== undefined) return known;
  const text = JSON.stringify(rules.map((rule) => ({ ...rule, from: rule.from.toString() })));
  texts.set(rules, text);
  return text;
}

const rulesOf = (text: string): Cursor['rules'] =>
  (JSON.parse(text) as (Omit<RuleInForce, 'from'> & { readonly from: string })[]).map((rule) => ({
    ...rule,
    from: sequence(BigInt(rule.from)),
  }));

function markOf(row: Row): Mark | null {
  const markSequence = row['mark_sequence'];
  if (markSequence === null || markSequence === undefined) return null;
  return {
    sequence: sequence(BigInt(markSequence)),
    inputHash: hashFromHex(row['mark_input_hash']!),
    effectsHash: hashFromHex(row['mark_effects_hash']!),
  };
}
