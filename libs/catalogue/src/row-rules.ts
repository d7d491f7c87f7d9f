/**
 * Checks the reducer of a rows projection against its columns and events, so that every effect the fold can compute
 * fits its column: the database never refuses a row, and operations on one row always combine to one operation.
 */
import {
  compileSchema,
  type ColumnContent,
  type ColumnType,
  type ColumnValue,
  type EventContent,
  type RowRule,
  type Schema,
} from '@lockstep/protocol';
import type { ObjectSchema } from './closed-schema.js';
import type { FindingList } from './finding.js';
import type { PositionedDocument } from './positioned-document.js';
import { nearestOrKnown } from './suggestion.js';

type Operation = 'set' | 'add' | 'max' | 'min';
const OPERATIONS: readonly Operation[] = ['set', 'add', 'max', 'min'];

/** A rule as the catalogue's shape lets it through: `delete` may still stand beside others. */
export type WrittenRule = {
  readonly delete?: true | undefined;
} & { readonly [operation in Operation]?: { readonly [column: string]: ColumnValue } | undefined };

export interface RowRulesInput {
  readonly document: PositionedDocument;
  readonly rules: { readonly [eventType: string]: WrittenRule };
  readonly columns: readonly ColumnContent[];
  /** Types as written; a type whose schema could not be read has no entry in `events`. */
  readonly eventTypes: readonly string[];
  readonly events: readonly EventContent[];
}

export function readRowRules(
  input: RowRulesInput,
  findings: FindingList,
): { readonly [eventType: string]: RowRule } {
  const { document, rules, columns, eventTypes, events } = input;
  const uses = new Map<string, Operation>();
  const read: { [eventType: string]: RowRule } = {};

  for (const [eventType, rule] of Object.entries(rules)) {
    const path = ['projection', 'reducer', eventType];
    if (!eventTypes.includes(eventType)) {
      findings.at(
        document,
        path,
        `there is no event \`${eventType}\``,
        nearestOrKnown(eventType, eventTypes),
      );
      continue;
    }
    const operations = OPERATIONS.filter((operation) => rule[operation] !== undefined);
    if (rule.delete === true) {
      if (operations.length > 0) {
        findings.at(document, path, `\`delete\` stands beside \`${operations[0]}\``, 'keep one of them');
      }
      read[eventType] = { delete: true };
      continue;
    }
    const versions = events.filter((event) => event.type === eventType);
    let columnCount = 0;
    for (const operation of operations) {
      for (const [columnName, value] of Object.entries(rule[operation] ?? {})) {
        columnCount += 1;
        const place = [...path, operation, columnName];
        const column = columns.find((candidate) => candidate.name === columnName);
        if (column === undefined) {
          const known = columns.map((candidate) => candidate.name);
          findings.at(
            document,
            place,
            `there is no column \`${columnName}\``,
            nearestOrKnown(columnName, known),
          );
          continue;
        }
        const use = uses.get(columnName) ?? operation;
        uses.set(columnName, use);
        const problem =
          (use === operation ? null : twoUses(columnName, use, operation)) ??
          problemOfOperation(operation, column) ??
          problemOfValue(operation, column, value, versions);
        if (problem !== null) findings.at(document, place, problem.reason, problem.nextStep);
      }
    }
    if (columnCount === 0) {
      findings.at(
        document,
        path,
        `the rule of \`${eventType}\` changes no column`,
        'remove it, or name a column',
      );
    }
    read[eventType] = Object.fromEntries(operations.map((operation) => [operation, rule[operation]]));
  }
  return read;
}

interface Problem {
  readonly reason: string;
  readonly nextStep: string;
}

const twoUses = (column: string, first: Operation, second: Operation): Problem => ({
  reason: `the column \`${column}\` is used with both \`${first}\` and \`${second}\``,
  nextStep: 'use one operation for a column in the whole projection, or a second column',
});

function problemOfOperation(operation: Operation, column: ColumnContent): Problem | null {
  switch (operation) {
    case 'set':
      return null;
    case 'add':
      if (column.type === 'numeric') return null;
      return {
        reason: `\`add\` needs a numeric column, and \`${column.name}\` is ${column.type}`,
        nextStep: `make \`${column.name}\` numeric, so that no sum can overflow`,
      };
    case 'max':
    case 'min':
      if (column.type === 'bigint' || column.type === 'double precision' || column.type === 'timestamptz')
        return null;
      return {
        reason: `\`${operation}\` has no agreed order on \`${column.name}\`, which is ${column.type}`,
        nextStep: 'use a column of bigint, double precision or timestamptz',
      };
  }
}

function problemOfValue(
  operation: Operation,
  column: ColumnContent,
  value: ColumnValue,
  versions: readonly EventContent[],
): Problem | null {
  if (typeof value === 'string' && value.startsWith('$')) return problemOfProperty(column, value, versions);
  if (value === null && operation === 'set') return null;
  if (literalFits(column.type, value)) return null;
  return {
    reason: `${JSON.stringify(value)} does not fit \`${column.name}\`, which is ${column.type}`,
    nextStep: `write ${LITERALS[column.type]}, or $.name for a property of the event`,
  };
}

function problemOfProperty(
  column: ColumnContent,
  value: string,
  versions: readonly EventContent[],
): Problem | null {
  const name = /^\$\.([A-Za-z_][A-Za-z0-9_]*)$/.exec(value)?.[1];
  if (name === undefined) {
    return {
      reason: `\`${value}\` does not name a property`,
      nextStep: 'write $.name for a property of the event',
    };
  }
  for (const event of versions) {
    const { properties } = event.schema as ObjectSchema;
    const schema = Object.hasOwn(properties, name) ? properties[name] : undefined;
    if (schema === undefined) {
      return {
        reason: `version ${event.version} of \`${event.type}\` has no property \`${name}\``,
        nextStep: `${nearestOrKnown(name, Object.keys(properties))}, or add it to the schema`,
      };
    }
    const fitting = columnTypesOf(schema);
    if (!fitting.includes(column.type)) {
      return {
        reason: `\`${name}\` (${nameOf(schema)}) of \`${event.type}\` does not fit \`${column.name}\`, which is ${column.type}`,
        nextStep:
          fitting.length === 0
            ? 'keep its parts in columns of their own'
            : `use a column of ${fitting.join(', ')}`,
      };
    }
  }
  return null;
}

function columnTypesOf(schema: Schema): readonly ColumnType[] {
  switch (schema.type) {
    case 'object':
      return [];
    case 'string':
      return 'format' in schema ? ['timestamptz'] : ['text'];
    case 'integer':
      return ['bigint', 'numeric', 'double precision'];
    case 'number':
      return ['double precision'];
    case 'boolean':
      return ['boolean'];
  }
}

const nameOf = (schema: Schema): string =>
  schema.type === 'string' && 'format' in schema ? 'date-time' : schema.type;

const checkTimestamp = compileSchema({ type: 'string', format: 'date-time' });

const LITERALS: { readonly [type in ColumnType]: string } = {
  text: 'a string without NUL',
  bigint: 'a whole number within ±(2^53 - 1)',
  numeric: 'a whole number within ±(2^53 - 1)',
  'double precision': 'a number',
  boolean: 'true or false',
  timestamptz: 'a time such as "2026-01-31T12:00:00Z"',
};

function literalFits(type: ColumnType, value: ColumnValue): boolean {
  switch (type) {
    case 'text':
      return typeof value === 'string' && value.isWellFormed() && !value.includes('\u0000');
    case 'bigint':
    case 'numeric':
      return Number.isSafeInteger(value);
    case 'double precision':
      return typeof value === 'number' && Number.isFinite(value);
    case 'boolean':
      return typeof value === 'boolean';
    case 'timestamptz':
      return typeof value === 'string' && checkTimestamp(value, '') === null;
  }
}
