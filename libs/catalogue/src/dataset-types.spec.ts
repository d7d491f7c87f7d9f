/** What is generated from a catalogue is TypeScript that takes what the fold takes, and refuses what a type can refuse. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import ts from 'typescript';
import { loadCatalogue } from './catalogue.js';
import { datasetTypes } from './dataset-types.js';
import { describeFindings } from './finding.js';

const SAMPLE = join(import.meta.dirname, '../../../infra/catalogue/sample');

/** Every form that a schema, a name and a note can have. */
const ODD = {
  'datasets/odd_1.yaml': `
class: standard
placement: stretched
writers: log
keys: always
groups:
  eu-west: { home: eu, shards: 1, regions: [eu] }
  a1: { home: eu, shards: 1, regions: [eu] }
events:
  moved-in: { 1: schemas/odd/moved.v1.json, 2: schemas/odd/moved.v2.json, 11: schemas/odd/moved.v1.json }
  delete: { 3: schemas/odd/moved.v1.json }
projection:
  kind: rows
  version: 1
  table: odd
  columns:
    class: text
    count: bigint
    share: double precision
    open: boolean
    since: timestamptz
    sum: numeric
  reducer:
    moved-in: { set: { open: true } }
`,
  'schemas/odd/moved.v1.json': JSON.stringify({
    type: 'object',
    title: 'Ends here */ and goes on\n * @deprecated no',
    properties: {},
    additionalProperties: false,
  }),
  'schemas/odd/moved.v2.json': JSON.stringify({
    type: 'object',
    required: ['into', 'word', 'flag'],
    properties: {
      into: {
        type: 'object',
        title: 'Where',
        description: 'Two lines\r\nof text',
        required: ['street'],
        properties: {
          street: { type: 'string', minLength: 1, maxLength: 9 },
          floor: { type: 'integer', minimum: -2, maximum: 99, title: 5 },
        },
        additionalProperties: false,
      },
      word: { type: 'string', maxLength: 9, enum: ["it's", '"', '\\', '${x}', '*/', '\u2028', 'é'] },
      many: { type: 'string', maxLength: 20, enum: [1, 2, 3, 4, 5].map((n) => `a rather long word ${n}`) },
      share: { type: 'number', minimum: 0, maximum: 1 },
      least: { type: 'number', minimum: 0.5, description: 'Of all' },
      most: { type: 'number', maximum: 7 },
      at: { type: 'string', format: 'date-time' },
      code: { type: 'string', minLength: 3, maxLength: 3 },
      flag: { type: 'boolean' },
    },
    additionalProperties: false,
  }),
};

let folder: string;
let text: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'lockstep-types-'));
  cpSync(SAMPLE, folder, { recursive: true });
  cpSync(join(folder, 'schemas/orders'), join(folder, 'schemas/odd'), { recursive: true });
  for (const [file, content] of Object.entries(ODD)) writeFileSync(join(folder, file), content);
  text = await typesOf(folder);
});
afterAll(() => rmSync(folder, { recursive: true }));

async function typesOf(catalogue: string): Promise<string> {
  const result = await loadCatalogue(catalogue);
  if (result.kind === 'invalid') throw new Error(describeFindings(result.findings));
  return datasetTypes(result.catalogue, 'npx lockstep catalogue types');
}

/** What the compiler has to say about files that use the types, each by itself. */
function complaintsAbout(uses: readonly string[]): readonly (readonly string[])[] {
  const files = uses.map((_, index) => join(folder, `use-${index}.ts`));
  writeFileSync(join(folder, 'package.json'), '{"type":"module"}');
  writeFileSync(join(folder, 'datasets.ts'), text);
  for (const [index, use] of uses.entries()) {
    writeFileSync(files[index]!, `import type { EventOf, KeyOf, RowOf } from './datasets.js';\n${use}`);
  }
  const program = ts.createProgram(files, {
    strict: true,
    exactOptionalPropertyTypes: true,
    noUncheckedIndexedAccess: true,
    target: ts.ScriptTarget.ES2024,
    module: ts.ModuleKind.NodeNext,
    noEmit: true,
    types: [],
  });
  const own = ['use-0.ts', 'datasets.ts'].map((name) => program.getSourceFile(join(folder, name)));
  if (own.includes(undefined)) throw new Error('the compiler does not see the files');
  return files.map((file) =>
    [
      ...ts.getPreEmitDiagnostics(program, program.getSourceFile(file)),
      ...program.getSemanticDiagnostics(own[1]),
    ].map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, '\n')),
  );
}

const odd = (event: string): string => `export const event: EventOf<'odd_1'> = ${event};`;
const MOVED = `key: 'a1:x', type: 'moved-in', v: 2`;
const DATA = `into: { street: 'High' }, word: "it's", flag: true`;

const compiling: readonly (readonly [title: string, use: string])[] = [
  ['every required property', odd(`{ ${MOVED}, data: { ${DATA} } }`)],
  [
    'every property there is, and the expected version',
    odd(
      `{ ${MOVED}, expectedVersion: 0, data: { ${DATA}, many: 'a rather long word 2', share: 0.5, least: 1, most: 1,
        at: '2026-01-31T12:00:00Z', code: 'abc', into: { street: 'High', floor: -1 } } }`.replace(
        `${DATA}, `,
        `word: '"', flag: false, `,
      ),
    ),
  ],
  ['no version, which is the first', odd(`{ key: 'eu-west:x', type: 'moved-in', data: {} }`)],
  ['the first version, named', odd(`{ key: 'eu-west:x', type: 'moved-in', v: 1, data: {} }`)],
  ['a later version with the same schema', odd(`{ key: 'eu-west:x', type: 'moved-in', v: 11, data: {} }`)],
  ['a word of the language as type', odd(`{ key: 'eu-west:x', type: 'delete', v: 3, data: {} }`)],
  [
    'every word of an enumeration',
    `const words = ["it's", '"', '\\\\', '\${x}', '*/', '\\u2028', 'é'] as const;
       type Word = Extract<EventOf<'odd_1', 'moved-in'>, { v: 2 }>['data']['word'];
       export const all: readonly Word[] = words; export const back: (typeof words)[number] = all[0]!;`,
  ],
  [
    'a row with a value, and with null, in each column',
    `export const rows: readonly RowOf<'odd_1'>[] = [
         { class: 'a', count: 1, share: 0.5, open: true, since: '2026-01-31T12:00:00Z', sum: '1' },
         { class: null, count: null, share: null, open: null, since: null, sum: null }];`,
  ],
  ['a key that is put together', "export const key = (id: string): KeyOf<'accounts'> => `eu:${id}`;"],
];

const refused: readonly (readonly [title: string, use: string, complaint: RegExp])[] = [
  ['an unknown event', odd(`{ key: 'a1:x', type: 'moved-out', data: {} }`), /"moved-out"' is not assignable/],
  [
    'an event of another dataset',
    odd(`{ key: 'a1:x', type: 'opened', data: {} }`),
    /"opened"' is not assignable/,
  ],
  ['an unknown version', odd(`{ key: 'a1:x', type: 'moved-in', v: 4, data: {} }`), /is not assignable/],
  ['no version where the first is none', odd(`{ key: 'a1:x', type: 'delete', data: {} }`), /'v' is missing/],
  [
    'data of another version',
    odd(`{ key: 'a1:x', type: 'moved-in', v: 1, data: { ${DATA} } }`),
    /not assignable/,
  ],
  ['another group', odd(`{ key: 'eu:x', type: 'moved-in', data: {} }`), /`eu-west:\$\{string\}`/],
  ['a key without a group', odd(`{ key: 'x', type: 'moved-in', data: {} }`), /`eu-west:\$\{string\}`/],
  ['a key that is any text', `export const key: KeyOf<'odd_1'> = String(1);`, /not assignable/],
  ['a missing property', odd(`{ ${MOVED}, data: { word: '*/', flag: true } }`), /'into' is missing/],
  [
    'a missing property of a property',
    odd(`{ ${MOVED}, data: { word: '*/', flag: true, into: {} } }`),
    /'street' is missing/,
  ],
  [
    'an unknown property',
    `export const event: EventOf<'accounts'> = { key: 'eu:x', type: 'credited', data: { amount: 1, flat: 1 } };`,
    /'flat' does not exist/,
  ],
  [
    'a property where there is none',
    odd(`{ key: 'a1:x', type: 'moved-in', data: { a: 1 } }`),
    /not assignable/,
  ],
  [
    'undefined where a property may be absent',
    odd(`{ ${MOVED}, data: { ${DATA}, share: undefined } }`),
    /not assignable/,
  ],
  ['null', odd(`{ ${MOVED}, data: { ${DATA}, share: null } }`), /'null' is not assignable/],
  [
    'another word',
    odd(`{ ${MOVED}, data: { word: 'its', flag: true, into: { street: '' } } }`),
    /"its"' is not assignable/,
  ],
  ['text for a number', odd(`{ ${MOVED}, data: { ${DATA}, share: '1' } }`), /'string' is not assignable/],
  ['a date for a time', odd(`{ ${MOVED}, data: { ${DATA}, at: new Date(0) } }`), /'Date' is not assignable/],
  [
    'a bigint for an expected version',
    odd(`{ ${MOVED}, expectedVersion: 1n, data: { ${DATA} } }`),
    /'bigint' is not/,
  ],
  [
    'a column of another type',
    `export const sum = (row: RowOf<'odd_1'>): number | null => row.sum;`,
    /'string' is not/,
  ],
  [
    'a column that may be null',
    `export const n = (row: RowOf<'accounts'>): number => row.balance;`,
    /'null' is not/,
  ],
  [
    'a column that is not there',
    `export const id = (row: RowOf<'accounts'>): unknown => row.id;`,
    /'id' does not exist/,
  ],
];

describe('what is written', () => {
  let complaints: readonly (readonly string[])[];
  beforeAll(() => {
    complaints = complaintsAbout([...compiling, ...refused].map(([, use]) => use));
  });

  test.each(compiling.map(([title], index) => [title, index] as const))('compiles: %s', (_, index) => {
    expect(complaints[index]).toEqual([]);
  });

  test.each(refused.map(([title, , complaint], index) => [title, complaint, index] as const))(
    'does not compile: %s',
    (_, complaint, index) => {
      const found = complaints[compiling.length + index]!;
      expect(found).toHaveLength(1);
      expect(found[0]).toMatch(complaint);
    },
  );
});

describe('the text', () => {
  test('names the command that makes it', () => {
    expect(text).toContain(' *   npx lockstep catalogue types\n */');
  });

  test('tells what the schemas say, and no note ends its comment', () => {
    expect(text).toContain('/** Of all (at least 0.5) */');
    expect(text).toContain('/** 3 characters */');
    expect(text).toContain('/** whole, -2 to 99 */');
    expect(text).toContain('             * Where\n             * Two lines\n             * of text\n');
    expect(text).toContain('* Ends here *\\/ and goes on\n');
  });

  test('is the same for the same meaning, and another one when a schema changes', async () => {
    expect(await typesOf(folder)).toBe(text);
    writeFileSync(
      join(folder, 'schemas/odd/moved.v1.json'),
      ODD['schemas/odd/moved.v1.json'].replace('{}', '{"late":{"type":"boolean"}}'),
    );
    expect(await typesOf(folder)).not.toBe(text);
  });
});
