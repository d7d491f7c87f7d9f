/**
 * One row operation on one stored row, as Postgres executes it: the reference that the adapter is compared with.
 *
 * Values are kept as Postgres gives them back: timestamps without trailing zeros, numerics in plain digits; text is
 * compared by its UTF-8 bytes (collation C).
 */
import { PortError } from '@lockstep/engine';
import type { ProjectedTable } from '@lockstep/engine';
import type { ColumnContent, ColumnOperation, ColumnValue, RowOperation, Sequence } from '@lockstep/protocol';

export interface MemoryRow {
  readonly version: Sequence;
  readonly columns: { readonly [column: string]: ColumnValue };
}

/** The row after the operation, or null when there is none. */
export function applyRowOperation(
  table: ProjectedTable,
  row: MemoryRow | null,
  operation: RowOperation,
): MemoryRow | null {
  if (row !== null && row.version >= operation.version) return row;
  if (operation.kind === 'delete') return null;
  for (const name of operation.columns.keys()) {
    if (!table.columns.some((column) => column.name === name))
      throw refused(`table "${table.table}" has no column "${name}"`);
  }
  const before = operation.replaces ? null : row;
  const columns: Record<string, ColumnValue> = {};
  for (const column of table.columns) {
    const old = before?.columns[column.name] ?? null;
    const change = operation.columns.get(column.name);
    columns[column.name] = change === undefined ? old : changed(column, old, change);
  }
  return { version: operation.version, columns };
}

function changed(column: ColumnContent, old: ColumnValue, change: ColumnOperation): ColumnValue {
  if (change.kind === 'add') {
    if (column.type !== 'numeric') throw refused(`column "${column.name}" cannot be added to`);
    return decimalText(
      addDecimals(decimalOf(column, (old ?? '0') as string), { units: change.value, scale: 0 }),
    );
  }
  const value = storedValue(column, change.value);
  if (change.kind === 'set' || old === null) return value;
  const order = compareValues(column, value, old);
  // Equal values are not always the same text (1.0 and 1.00): the old one stays.
  return change.kind === 'max' ? (order > 0 ? value : old) : order < 0 ? value : old;
}

/** The value as it is read back. */
function storedValue(column: ColumnContent, value: ColumnValue): ColumnValue {
  if (value === null) return null;
  switch (column.type) {
    case 'text':
      if (typeof value === 'string' && !value.includes('\0')) return value;
      break;
    case 'bigint':
      if (Number.isSafeInteger(value)) return (value as number) + 0;
      break;
    case 'double precision':
      if (Number.isFinite(value)) return value;
      break;
    case 'boolean':
      if (typeof value === 'boolean') return value;
      break;
    case 'numeric':
      if (typeof value === 'string') return decimalText(decimalOf(column, value));
      break;
    case 'timestamptz':
      if (typeof value === 'string') return timestampOf(column, value);
      break;
  }
  throw refused(`column "${column.name}" (${column.type}) cannot hold this ${typeof value}`);
}

function compareValues(column: ColumnContent, x: ColumnValue, y: ColumnValue): number {
  switch (column.type) {
    case 'text':
      return Buffer.compare(Buffer.from(x as string), Buffer.from(y as string));
    case 'timestamptz':
      // Without the zone, a shorter fraction is a prefix of the longer one and sorts before it.
      return compare((x as string).slice(0, -1), (y as string).slice(0, -1));
    case 'numeric': {
      const [left, right] = sameScale(decimalOf(column, x as string), decimalOf(column, y as string));
      return compare(left.units, right.units);
    }
    case 'bigint':
    case 'double precision':
    case 'boolean':
      return compare(x as number, y as number);
  }
}

const compare = <T extends string | number | bigint>(x: T, y: T): number => (x < y ? -1 : x > y ? 1 : 0);

function timestampOf(column: ColumnContent, text: string): string {
  const match = /^((?!0000)\d{4}-\d\d-\d\d)T([01]\d|2[0-3])(:[0-5]\d:[0-5]\d)(?:\.(\d{1,6}))?Z$/.exec(text);
  const time = match === null ? Number.NaN : Date.parse(`${match[1]}T00:00:00Z`);
  if (match === null || Number.isNaN(time) || new Date(time).toISOString().slice(0, 10) !== match[1]) {
    throw refused(`column "${column.name}" (timestamptz) cannot hold this text`);
  }
  const fraction = (match[4] ?? '').replace(/0+$/, '');
  return `${match[1]}T${match[2]}${match[3]}${fraction === '' ? '' : `.${fraction}`}Z`;
}

/** `units` over ten to the power of `scale`. */
interface Decimal {
  readonly units: bigint;
  readonly scale: number;
}

function decimalOf(column: ColumnContent, text: string): Decimal {
  const match = /^([+-]?)(\d+)(?:\.(\d*))?$/.exec(text);
  if (match === null) throw refused(`column "${column.name}" (numeric) cannot hold this text`);
  const fraction = match[3] ?? '';
  const units = BigInt(match[2]! + fraction);
  return { units: match[1] === '-' ? -units : units, scale: fraction.length };
}

function decimalText({ units, scale }: Decimal): string {
  const digits = (units < 0n ? -units : units).toString().padStart(scale + 1, '0');
  const sign = units < 0n ? '-' : '';
  if (scale === 0) return sign + digits;
  return `${sign}${digits.slice(0, -scale)}.${digits.slice(-scale)}`;
}

function sameScale(x: Decimal, y: Decimal): readonly [Decimal, Decimal] {
  const scale = Math.max(x.scale, y.scale);
  const scaled = (decimal: Decimal): Decimal => ({
    units: decimal.units * 10n ** BigInt(scale - decimal.scale),
    scale,
  });
  return [scaled(x), scaled(y)];
}

function addDecimals(x: Decimal, y: Decimal): Decimal {
  const [left, right] = sameScale(x, y);
  return { units: left.units + right.units, scale: left.scale };
}

function refused(reason: string): PortError {
  return new PortError('effects-refused', 'fatal', `The database refuses the data of a commit: ${reason}.`);
}
