/**
 * What the sample datasets promise of their rows, told once more and without the product's projections and reducers:
 * an account's balance is the sum of its moves, an order is what its events set last, a reading is the last one.
 *
 * Only accepted entries are given, in the order of their shard; whether they were rightly accepted is not asked here,
 * except that no move may leave a balance outside of 0..2^53-1.
 */
import type { ColumnValue, EntryEvent, Sequence } from '@lockstep/protocol';

export interface Columns {
  readonly [column: string]: ColumnValue;
}

export interface ExpectedRow {
  readonly version: Sequence;
  readonly columns: Columns;
}

type Data = { readonly [name: string]: string | number | boolean };

const ORDER: Columns = { customer: null, total: null, status: null, carrier: null, reason: null };

/** The columns after one event; null for an event that the dataset does not have. */
export function columnsAfter(dataset: string, before: Columns | null, event: EntryEvent): Columns | null {
  const data = event.data as Data;
  switch (`${dataset} ${event.type}`) {
    case 'accounts opened':
      return { owner: data['owner']!, currency: data['currency']!, balance: 0 };
    case 'accounts credited':
    case 'accounts debited':
      return { ...before, balance: Number(before?.['balance'] ?? 0) + moved(event) };
    case 'orders placed':
      return { ...(before ?? ORDER), customer: data['customer']!, total: data['total']!, status: 'placed' };
    case 'orders paid':
      return { ...(before ?? ORDER), status: 'paid' };
    case 'orders shipped':
      return { ...(before ?? ORDER), status: 'shipped', carrier: data['carrier']! };
    case 'orders cancelled':
      return { ...(before ?? ORDER), status: 'cancelled', reason: data['reason']! };
    case 'readings recorded':
      return { sensor: data['sensor']!, value: data['value']!, at: data['at']! };
    default:
      return null;
  }
}

/** What an event adds to its account's balance; 0 for an event that moves nothing. */
export function moved(event: Pick<EntryEvent, 'type' | 'data'>): number {
  const amount = Number((event.data as Data)['amount']);
  return event.type === 'credited' ? amount : event.type === 'debited' ? -amount : 0;
}

/** Names of the columns that differ. Times are compared as times, whatever the digits of their fractions. */
export function differingColumns(expected: Columns, found: Columns): readonly string[] {
  return Object.keys(expected).filter((name) => {
    const [x, y] = [expected[name], found[name]];
    return x !== y && withoutZeros(x) !== withoutZeros(y);
  });
}

const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/;

const withoutZeros = (value: ColumnValue | undefined): ColumnValue | undefined =>
  typeof value === 'string' && TIME.test(value)
    ? value.replace(/(\.\d*?)0*Z$/, '$1Z').replace('.Z', 'Z')
    : value;
