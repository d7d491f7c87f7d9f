/**
 * A record, decoded once for planning and folding. Total: whatever stands in a log decodes to one of these.
 */
import {
  decodeControl,
  decodeEvents,
  type ControlBody,
  type ControlKind,
  type EntryEvent,
} from '../entry/body.js';
import { decodeHeader, type EntryHeader } from '../entry/header.js';
import type { LogRecord } from '../entry/record.js';
import type { ConfigurationContent } from '../configuration/content.js';

export type DecodedEntry =
  | {
      readonly kind: 'data';
      readonly record: LogRecord;
      readonly header: EntryHeader;
      readonly events: readonly EntryEvent[];
    }
  | {
      readonly kind: 'control';
      readonly record: LogRecord;
      readonly header: EntryHeader;
      readonly body: ControlBody;
    }
  /** Header null: not even the header decodes; then the record moves neither log time nor a session. */
  | { readonly kind: 'malformed'; readonly record: LogRecord; readonly header: EntryHeader | null };

/** Header and body bytes are refused beyond this before anything is parsed, whatever the configuration says. */
const VALUE_BYTES_CEILING = 8 * 1024 * 1024;

export function decodeEntry(record: LogRecord): DecodedEntry {
  const header = record.header === null ? null : decodeHeader(record.header);
  if (header === null) return { kind: 'malformed', record, header };
  if (record.valueText === null || record.valueBytes > VALUE_BYTES_CEILING)
    return { kind: 'malformed', record, header };
  if (header.kind === 'data') {
    const events = decodeEvents(record.valueText);
    return events === null ? { kind: 'malformed', record, header } : { kind: 'data', record, header, events };
  }
  if (header.idempotency !== null || !isControlKind(header.kind))
    return { kind: 'malformed', record, header };
  const body = decodeControl(header.kind, record.valueText);
  return body === null ? { kind: 'malformed', record, header } : { kind: 'control', record, header, body };
}

/** The other kinds are reserved: until a version of the fold knows them they are malformed. */
function isControlKind(kind: EntryHeader['kind']): kind is ControlKind {
  return (
    kind === 'genesis' ||
    kind === 'fence' ||
    kind === 'configuration' ||
    kind === 'rule' ||
    kind === 'term' ||
    kind === 'probe' ||
    kind === 'settle' ||
    kind === 'degrade'
  );
}

/** True when the entry must be the last of its batch, because reads of what follows depend on it. */
export function endsBatch(entry: DecodedEntry): boolean {
  return entry.kind === 'control' && (entry.body.kind === 'genesis' || entry.body.kind === 'configuration');
}

export function isTooLarge(entry: DecodedEntry, limits: ConfigurationContent['limits']): boolean {
  if (entry.record.valueBytes > limits.entryBytesMax) return true;
  return entry.kind === 'data' && entry.events.length > limits.eventsPerEntryMax;
}
