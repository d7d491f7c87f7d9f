/**
 * The types of the sample's datasets are current, the build checks what does not compile, and the fold gives the same answers:
 * what compiles is taken, what does not is refused.
 */
import { beforeAll, describe, expect, test } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { join, normalize } from 'node:path';
import { datasetTypes, loadCatalogue, loadReducer, type Catalogue } from '@lockstep/catalogue';
import { compileConfiguration, readWrite, type DatasetName } from '@lockstep/protocol';
import ts from 'typescript';
import { keyOf, REFUSED, ROW, WRITES } from './writes.fixture.js';

const ROOT = join(import.meta.dirname, '../../../..');
const SAMPLE = join(ROOT, 'infra/catalogue/sample');
const TYPES = join(import.meta.dirname, 'datasets.ts');
const FIXTURE = join(import.meta.dirname, 'writes.fixture.ts');
const EXPECTED = /^ *\/\/ @ts-expect-error -- .*$/gm;

let catalogue: Catalogue;

beforeAll(async () => {
  const result = await loadCatalogue(SAMPLE);
  if (result.kind === 'invalid') throw new Error('the sample is not valid');
  catalogue = result.catalogue;
});

test('the types of the sample are what its catalogue says; after a change, run the command in their head', () => {
  const text = readFileSync(TYPES, 'utf8');
  const command = /^ \* {3}(npx .*)$/m.exec(text)?.[1];
  expect(command).toBe(
    'npx lockstep catalogue types --catalogue ../../../../infra/catalogue/sample --out datasets.ts',
  );
  expect(text).toBe(datasetTypes(catalogue, command!));
});

describe('what does not compile', () => {
  const { config } = ts.readConfigFile(join(ROOT, 'test/tsconfig.json'), ts.sys.readFile) as {
    config: object;
  };
  const parsed = ts.parseJsonConfigFileContent(config, ts.sys, join(ROOT, 'test'));
  const source = readFileSync(FIXTURE, 'utf8');

  const options = { ...parsed.options, composite: false, incremental: false };
  delete options.tsBuildInfoFile;
  const host = ts.createCompilerHost(options, true);
  /** Most of the time goes into parsing what is the same for every text. */
  const others = new Map<string, ts.SourceFile | undefined>();

  /** Complaints of the build's own compiler and options about the fixture with another text, by line from 1. */
  function complaintsAbout(text: string): readonly { readonly line: number; readonly text: string }[] {
    const program = ts.createProgram([FIXTURE], options, {
      ...host,
      getSourceFile: (path, version) => {
        if (path === FIXTURE) return ts.createSourceFile(path, text, version, true);
        if (!others.has(path)) others.set(path, host.getSourceFile(path, version));
        return others.get(path);
      },
    });
    return program
      .getSemanticDiagnostics(program.getSourceFile(FIXTURE))
      .map(({ file, start, messageText }) => ({
        line: file!.getLineAndCharacterOfPosition(start!).line + 1,
        text: ts.flattenDiagnosticMessageText(messageText, '\n'),
      }));
  }

  test('stands in a file of the build, which has nothing to say about it', () => {
    expect(parsed.fileNames.map((path) => normalize(path))).toContain(FIXTURE);
    expect(complaintsAbout(source)).toEqual([]);
  });

  test('is refused line by line when it is not expected', () => {
    const expected = [...source.matchAll(EXPECTED)].map(
      ({ index }) => source.slice(0, index).split('\n').length + 1,
    );
    expect(expected).toHaveLength(REFUSED.length);
    const complaints = complaintsAbout(source.replaceAll(EXPECTED, '//'));
    expect([...new Set(complaints.map(({ line }) => line))]).toEqual(expected);
  });

  test('fails the build when it compiles after all', () => {
    const renamed = source.replace("type: 'renamed', data: {}", "type: 'credited', data: { amount: 1 }");
    expect(complaintsAbout(renamed).map(({ text }) => text)).toEqual([
      "Unused '@ts-expect-error' directive.",
    ]);
  });
});

describe('the fold agrees', () => {
  /** Null when a gateway takes the event and the fold finds that it fits. */
  async function refusalOf(dataset: string, event: unknown): Promise<string | null> {
    const { content, hash } = catalogue.datasets.get(dataset as DatasetName)!;
    const { projection } = content;
    const reduce = projection.kind === 'aggregate' ? await loadReducer(projection.reducer) : null;
    const configuration = compileConfiguration(hash, content, reduce);
    const request = readWrite(JSON.stringify({ events: [event] }), configuration);
    if (request.kind === 'refused') return request.problem.code;
    return configuration.checkEvent(request.value.entry.events[0]!);
  }

  test.each(
    Object.entries(WRITES).flatMap(([dataset, events]) =>
      events.map((event) => [dataset, event.type, event] as const),
    ),
  )('that %s take `%s`', async (dataset, _, event) => {
    expect(await refusalOf(dataset, event)).toBeNull();
  });

  test.each(REFUSED)('that accounts do not take %s', async (_, event) => {
    expect(await refusalOf('accounts', event)).not.toBeNull();
  });

  test('on keys and columns', async () => {
    const event = { key: keyOf('ada'), type: 'credited', data: { amount: 1 } };
    expect(await refusalOf('accounts', event)).toBeNull();
    const { columns } = catalogue.datasets.get('accounts' as DatasetName)!.content.projection;
    expect(Object.keys(ROW)).toEqual(columns.map(({ name }) => name));
  });
});
