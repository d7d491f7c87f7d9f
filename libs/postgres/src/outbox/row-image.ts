/** Rows as the database caught them, as events carry them. */
import type { ColumnContent, ColumnType, ColumnValue } from '@lockstep/protocol';
import type { ReplicatedRow } from './replicated.js';

/** Every value as text, as `jsonb_each_text` gives it: a numeric keeps all its digits. */
export type RowTexts = { readonly [column: string]: string | null };

const VALUES: { readonly [type in ColumnType]: (text: string) => ColumnValue } = {
  text: (text) => text,
  numeric: (text) => text,
  bigint: Number,
  'double precision': Number,
  boolean: (text) => text === 'true',
  // The image was made in UTC.
  timestamptz: (text) => text.replace(/\+00:00$/, 'Z'),
};

export const rowOf = (columns: readonly ColumnContent[], texts: RowTexts): ReplicatedRow =>
  Object.fromEntries(
    columns.map(({ name, type }) => {
      const text = texts[name] ?? null;
      return [name, text === null ? null : VALUES[type](text)];
    }),
  );
