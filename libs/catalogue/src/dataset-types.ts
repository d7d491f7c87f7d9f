/**
 * TypeScript types of everything that may be written to a catalogue's datasets, and of what their rows hold.
 *
 * Pure, and stable to the byte: the same catalogue gives the same text, so a check can compare. The text stands alone: it
 * imports nothing. Nothing in it is named after two names joined, because two pairs of them could join to one.
 *
 * Types say less than schemas do: lengths and bounds stand in comments, and the fold judges them (decision 0049).
 */
import { JAVASCRIPT_TYPES } from '@lockstep/protocol';
import type { Catalogue, CatalogueDataset } from './catalogue.js';
import type { DescribedSchema } from './closed-schema.js';
import type { DescribedEvent } from './dataset.js';

/** Beyond this a union stands on lines of its own. */
const UNION_LENGTH_MAX = 80;

/** @param command makes the text anew; it stands in its head. */
export function datasetTypes(catalogue: Catalogue, command: string): string {
  const lines = [
    ...comment('', [
      'What may be written to each dataset of the catalogue, and what its rows hold.',
      '',
      'Generated: what is changed here is lost. Made anew, in the folder of this file, by the command below; with `--check`',
      'behind it nothing is written, and it fails where this file is not what the catalogue says.',
      '',
      `  ${command}`,
    ]),
    '',
    'export interface Datasets {',
    ...[...catalogue.datasets].flatMap(([name, dataset]) => datasetText(name, dataset)),
    '}',
    '',
    ...ALIASES,
  ];
  return `${lines.join('\n')}\n`;
}

const ALIASES = [
  'export type DatasetName = keyof Datasets;',
  '',
  '/** `group:id`. */',
  "export type KeyOf<Name extends DatasetName> = Datasets[Name]['key'];",
  '',
  '/** One change as it stands in `events` of a write: of any type, or of the one that is named. */',
  'export type EventOf<',
  '  Name extends DatasetName,',
  "  Type extends Datasets[Name]['event']['type'] = Datasets[Name]['event']['type'],",
  "> = Extract<Datasets[Name]['event'], { readonly type: Type }>;",
  '',
  '/** The columns of a row as a gateway answers them: null where nothing was set. */',
  "export type RowOf<Name extends DatasetName> = Datasets[Name]['row'];",
];

function datasetText(name: string, { content, describedEvents }: CatalogueDataset): readonly string[] {
  const groups = content.groups.map((group) => literal(group.name)).join(' | ');
  return [
    `  readonly ${name}: {`,
    `    readonly key: \`\${${groups}}:\${string}\`;`,
    '    readonly event:',
    ...describedEvents.flatMap((event, index) => {
      const end = index === describedEvents.length - 1 ? ';' : '';
      return eventText(name, event, end);
    }),
    '    readonly row: {',
    ...content.projection.columns.map(
      (column) => `      readonly ${column.name}: ${JAVASCRIPT_TYPES[column.type]} | null;`,
    ),
    '    };',
    '  };',
  ];
}

function eventText(
  dataset: string,
  { type, version, schema }: DescribedEvent,
  end: string,
): readonly string[] {
  const indent = ' '.repeat(10);
  return [
    '      | {',
    `${indent}readonly key: KeyOf<${literal(dataset)}>;`,
    `${indent}readonly type: ${literal(type)};`,
    // An event that names no version is of version 1.
    `${indent}readonly v${version === 1 ? '?' : ''}: ${version};`,
    ...propertyText('data', schema, { indent, isRequired: true }),
    `${indent}readonly expectedVersion?: number;`,
    `        }${end}`,
  ];
}

function propertyText(
  name: string,
  schema: DescribedSchema,
  { indent, isRequired }: { readonly indent: string; readonly isRequired: boolean },
): readonly string[] {
  const [first, ...others] = typeText(schema, indent);
  const lines = [`${indent}readonly ${name}${isRequired ? '' : '?'}: ${first}`, ...others];
  return [...comment(indent, notesOf(schema)), ...lines.slice(0, -1), `${lines.at(-1)};`];
}

/** The first line goes on behind what stands before it; the others are indented. */
function typeText(schema: DescribedSchema, indent: string): readonly string[] {
  switch (schema.type) {
    case 'object': {
      const properties = Object.entries(schema.properties);
      // An object without properties would take every value but null.
      if (properties.length === 0) return ['Readonly<Record<string, never>>'];
      const inner = `${indent}  `;
      return [
        '{',
        ...properties.flatMap(([name, property]) =>
          propertyText(name, property, { indent: inner, isRequired: schema.required.includes(name) }),
        ),
        `${indent}}`,
      ];
    }
    case 'string': {
      if (!('enum' in schema) || schema.enum === undefined) return ['string'];
      const words = schema.enum.map(literal);
      const line = words.join(' | ');
      return line.length > UNION_LENGTH_MAX ? ['', ...words.map((word) => `${indent}  | ${word}`)] : [line];
    }
    case 'integer':
    case 'number':
      return ['number'];
    case 'boolean':
      return ['boolean'];
  }
}

/** What the file says of it, and what its schema demands beyond the type. */
function notesOf(schema: DescribedSchema): readonly string[] {
  const { title, description } = schema;
  const demand = demandOf(schema);
  if (demand === null) return [title, description].filter((note) => note !== undefined);
  const said = description ?? title;
  if (said === undefined) return [demand];
  return [...(description === undefined || title === undefined ? [] : [title]), `${said} (${demand})`];
}

function demandOf(schema: DescribedSchema): string | null {
  switch (schema.type) {
    case 'object':
    case 'boolean':
      return null;
    case 'string': {
      if ('format' in schema) return 'such as 2026-01-31T12:00:00Z';
      const { minLength = 0, maxLength } = schema;
      if (schema.enum !== undefined) return null;
      return minLength === maxLength ? `${maxLength} characters` : `${minLength} to ${maxLength} characters`;
    }
    case 'integer':
      return `whole, ${schema.minimum} to ${schema.maximum}`;
    case 'number': {
      const { minimum, maximum } = schema;
      if (minimum === undefined) return maximum === undefined ? null : `at most ${maximum}`;
      return maximum === undefined ? `at least ${minimum}` : `${minimum} to ${maximum}`;
    }
  }
}

/** Nothing in a note can end the comment. */
function comment(indent: string, notes: readonly string[]): readonly string[] {
  const lines = notes.flatMap((note) => note.replaceAll('*/', '*\\/').split(/\r\n|[\r\n\u2028\u2029]/));
  if (lines.length === 0) return [];
  if (lines.length === 1) return [`${indent}/** ${lines[0]} */`];
  const body = lines.map((line) => `${indent} * ${line}`.trimEnd());
  return [`${indent}/**`, ...body, `${indent} */`];
}

/** A word as a string literal in single quotes, whatever it holds. */
function literal(word: string): string {
  const inner = JSON.stringify(word).slice(1, -1).replaceAll('\\"', '"').replaceAll("'", "\\'");
  return `'${inner}'`;
}
