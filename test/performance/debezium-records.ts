/** Readings as Debezium's source would write them, for its sink: one record an event, keyed by the row's. */
import type { Reading } from './sample-writes.ts';

export interface Row extends Reading {
  readonly id: string;
  readonly lockstep_version: number;
}

/** How records look in the topic, and how the sink is told to read them. */
export interface RecordForm {
  key(row: Row): string;
  value(row: Row): string;
  readonly converters: Readonly<Record<string, string>>;
}

const ID = { type: 'string', optional: false, field: 'id' };
const COLUMNS = [
  { type: 'int64', optional: false, field: 'lockstep_version' },
  { type: 'string', optional: true, field: 'sensor' },
  { type: 'double', optional: true, field: 'value' },
  { type: 'string', optional: true, name: 'io.debezium.time.ZonedTimestamp', version: 1, field: 'at' },
];

/** The row without its key, which the record has already; the sink is told once what the fields are. */
export const FLAT: RecordForm = {
  key: ({ id }) => JSON.stringify({ id }),
  value: ({ sensor, value, at, lockstep_version }) => JSON.stringify({ lockstep_version, sensor, value, at }),
  converters: {
    'key.converter': 'org.apache.kafka.connect.json.JsonConverter',
    'key.converter.schema.content': JSON.stringify({ type: 'struct', optional: false, fields: [ID] }),
    'value.converter': 'org.apache.kafka.connect.json.JsonConverter',
    'value.converter.schema.content': JSON.stringify({ type: 'struct', optional: false, fields: COLUMNS }),
  },
};

const NAME = 'bench.public.readings';
const KEY_SCHEMA = { type: 'struct', fields: [ID], optional: false, name: `${NAME}.Key` };
const rowSchema = (field: string): object => ({
  type: 'struct',
  fields: [ID, ...COLUMNS],
  optional: true,
  name: `${NAME}.Value`,
  field,
});
const int64 = (field: string, optional = true): object => ({ type: 'int64', optional, field });
const text = (field: string, optional = false): object => ({ type: 'string', optional, field });
const VALUE_SCHEMA = {
  type: 'struct',
  fields: [
    rowSchema('before'),
    rowSchema('after'),
    {
      type: 'struct',
      fields: [
        ...[text('version'), text('connector'), text('name'), int64('ts_ms', false)],
        {
          type: 'string',
          optional: true,
          name: 'io.debezium.data.Enum',
          version: 1,
          parameters: {
            allowed: 'true,first,first_in_data_collection,last_in_data_collection,last,false,incremental',
          },
          default: 'false',
          field: 'snapshot',
        },
        ...[
          text('db'),
          text('sequence', true),
          int64('ts_us'),
          int64('ts_ns'),
          text('schema'),
          text('table'),
        ],
        ...[int64('txId'), int64('lsn'), int64('xmin'), text('origin', true), int64('origin_lsn')],
      ],
      optional: false,
      name: 'io.debezium.connector.postgresql.Source',
      version: 1,
      field: 'source',
    },
    {
      type: 'struct',
      fields: [text('id'), int64('total_order', false), int64('data_collection_order', false)],
      optional: true,
      name: 'event.block',
      version: 1,
      field: 'transaction',
    },
    ...[text('op'), int64('ts_ms'), int64('ts_us'), int64('ts_ns')],
  ],
  optional: false,
  name: `${NAME}.Envelope`,
  version: 2,
};

const SOURCE = {
  ...{ version: '3.6.0.Final', connector: 'postgresql', name: 'bench' },
  ...{ snapshot: 'false', db: 'lockstep', schema: 'public', table: 'readings' },
};

/** What the source writes unless told otherwise: each record with its schema, before, after, and where it is from. */
export const ENVELOPE: RecordForm = {
  key: ({ id }) => JSON.stringify({ schema: KEY_SCHEMA, payload: { id } }),
  value: (after) => {
    const ts_ms = Date.parse(after.at);
    const clocks = { ts_ms, ts_us: ts_ms * 1_000, ts_ns: ts_ms * 1_000_000 };
    const lsn = 24_000_000 + after.lockstep_version;
    const source = {
      ...{ ...SOURCE, ...clocks, sequence: `["${lsn - 56}","${lsn}"]` },
      ...{ txId: 700 + after.lockstep_version, lsn, xmin: null, origin: null, origin_lsn: null },
    };
    const payload = { before: null, after, source, transaction: null, op: 'c', ...clocks };
    return JSON.stringify({ schema: VALUE_SCHEMA, payload });
  },
  // The worker's own.
  converters: {},
};
