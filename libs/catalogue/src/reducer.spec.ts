/** What a reducer may be: erasable types, no imports, nothing that answers differently elsewhere. */
import { describe, expect, test } from '@jest/globals';
import { isPortError } from '@lockstep/engine';
import { loadReducer } from './reducer-module.js';
import { compileReducer, importsAnything } from './reducer-source.js';

const javascriptOf = (typeScript: string): string => {
  const compiled = compileReducer(typeScript);
  if (compiled.kind === 'refused') throw new Error(JSON.stringify(compiled.problems));
  return compiled.javascript;
};
const problemsOf = (typeScript: string) => {
  const compiled = compileReducer(typeScript);
  return compiled.kind === 'refused' ? compiled.problems : [];
};
const body = (statements: string): string =>
  `export function reduce(state: unknown, event: { data: any }) {\n${statements}\n}`;

describe('compiling a reducer', () => {
  test('removes types and comments and keeps what runs', async () => {
    const javascript = javascriptOf(`
      import type { Reducer } from '@lockstep/protocol';
      type Row = { readonly total: number };
      /* block
         comment */
      export const reduce: Reducer = (state, event) => {
        const text = \`// not \${ /* yes */ '/* not */' } a   comment\`; // gone
        const { a, b } = event.data as { a: number; b: number };
        return { text, half: (a + b) / 2 / 1, found: /[/"]  x/.test('"  x'), fixed: 1 .toFixed(1), total: (state as Row | null)?.total ?? 0 };
      };
    `);
    expect(javascript).not.toMatch(/gone|block|yes|Reducer|Row/);
    const reduce = await loadReducer(javascript);
    expect(reduce(null, { key: 'eu:1', type: 't', v: 1, data: { a: 1, b: 4 } })).toEqual({
      text: '// not /* not */ a   comment',
      half: 2.5,
      found: true,
      fixed: '1.0',
      total: 0,
    });
  });

  test('keeps a line break where the end of a statement may depend on it', async () => {
    const reduce = await loadReducer(
      javascriptOf(
        'const one = 1 /*\n*/ const two = 2 // end\nexport const reduce = () => ({ n: one + two })',
      ),
    );
    expect(reduce(null, { key: 'eu:1', type: 't', v: 1, data: {} })).toEqual({ n: 3 });
  });

  test('gives one text to reducers that differ in comments, blanks and types only', () => {
    const first = javascriptOf(
      'export const reduce = (state) => {\n  // why\n  return { n: Math.max(1, state.n) };\n};\n',
    );
    const second = javascriptOf(
      '/** What. */\nexport const reduce = (state     : any) => {\n\n\treturn {   n: Math.max(1 as number, state!.n as number ) };\n};',
    );
    expect(first).toBe(second);
  });

  test.each([
    ['an enum', 'enum Kind { a }\n', 1, /erased.*enum/],
    ['a namespace', '\nnamespace A { export const b = 1 }', 2, /erased.*namespace/],
    [
      'a parameter property',
      'class A {\n  constructor(private x: number) {}\n}',
      2,
      /erased.*parameter property/,
    ],
    ['text that is not TypeScript', 'const a = 1;\n\nconst x = ;', 3, /not TypeScript/],
    ['an import', "const a = 1;\nimport b from 'b';\n", 2, /imports nothing/],
    ['an import whose names are types only', "import { type A } from 'b';\n", 1, /imports nothing/],
    ['an import while it runs', body("return import('node:fs')"), 2, /imports nothing/],
    ['a re-export', "export { a } from 'b';\n", 1, /imports nothing/],
    ['a re-export of everything', "export * as a from 'b';\n", 1, /imports nothing/],
    ['a clock', body('return { at: new Date().toISOString() }'), 2, /`Date`/],
    ['chance', body('const a = 1;\nreturn { n: Math.random() }'), 3, /`Math.random`/],
    [
      'a function of Math that engines round differently',
      body('return { n: Math.pow(2, 0.5) }'),
      2,
      /`Math.pow`/,
    ],
    ['Math under another name', body('const m = Math; return m'), 2, /`Math`/],
    ['globalThis', body('return globalThis.x'), 2, /`globalThis`/],
    ['process', body('return { home: process.env.HOME }'), 2, /`process`/],
    ['the network', body("fetch('http://a')"), 2, /`fetch`/],
    ['a timer', body('setTimeout(() => {}, 1)'), 2, /`setTimeout`/],
    ['eval', body("return eval('1')"), 2, /`eval`/],
    ['Function', body("return Function('return 1')()"), 2, /`Function`/],
    [
      'a constructor as a way to Function',
      body("return (() => 1).constructor('return 1')()"),
      2,
      /`constructor`/,
    ],
    ['a constructor by its name in brackets', body("return (() => 1)['constructor']"), 2, /`constructor`/],
    ['Intl', body("return new Intl.Collator('de')"), 2, /`Intl`/],
    ['a locale', body("return event.data.a.localeCompare('b')"), 2, /`localeCompare`/],
    ['a number in a locale', body('return { n: event.data.n.toLocaleString() }'), 2, /`toLocaleString`/],
    ['Symbol', body('return Symbol().description'), 2, /`Symbol`/],
    ['a clock inside a template', body('return { t: `now ${Date.now()}` }'), 2, /`Date`/],
    ['a clock spread into a list', body('return [...Date.prototype]'), 2, /`Date`/],
    ['a clock chosen by a condition', body('return state ? Date : null'), 2, /`Date`/],
    ['a name written with an escape', body('return D\\u0061te'), 2, /cannot be read reliably/],
    [
      'state between events',
      'let seen = 0;\nexport const reduce = () => ({ n: seen++ });',
      1,
      /keeps no state/,
    ],
    ['waiting', 'export const reduce = async () => ({})', 1, /`async`/],
  ] as const)('refuses %s, with its line', (_, text, line, reason) => {
    const problems = problemsOf(text);
    expect(problems.map((problem) => problem.reason).join('\n')).toMatch(reason);
    expect(problems.find((problem) => reason.test(problem.reason))?.line).toBe(line);
  });

  test('lets words that only look alike pass', () => {
    const text = body(`
      // Date.now() and process.exit()
      const label = 'Date fetch eval';
      const processed = event.data.Date ?? event.data?.fetch;
      const m = Math.floor(2.5) + Math.max(1, 2);
      return { Date: label, m, from: event.data.from, import: 1 };
    `);
    expect(problemsOf(text)).toEqual([]);
  });
});

describe('loading a reducer', () => {
  test.each([
    ['that is no JavaScript', 'export const reduce = (;'],
    ['that exports nothing', 'const reduce = () => ({});'],
    ['whose reduce is no function', 'export const reduce = 1;'],
    ['whose reduce is async', 'export const reduce = async () => ({});'],
    ['whose reduce is a generator', 'export function* reduce() {}'],
    ['that imports a module', "import { readFileSync } from 'node:fs'; export const reduce = () => ({});"],
    ['that throws', "export const reduce = () => ({}); throw new Error('no');"],
  ])('refuses a text %s', async (_, text) => {
    const error: unknown = await loadReducer(text).catch((reason: unknown) => reason);
    expect(isPortError(error) && [error.code, error.disposition]).toEqual(['reducer-unloadable', 'fatal']);
  });

  test('needs nothing but the text', async () => {
    const reduce = await loadReducer(
      'export const reduce = (state, event) => ({ n: (state?.n ?? 0) + event.data.n });',
    );
    const event = { key: 'eu:1', type: 't', v: 1, data: { n: 2 } };
    expect(reduce(reduce(null, event) as { n: number }, event)).toEqual({ n: 4 });
  });

  test('takes an unreadable text for one that imports', () => {
    expect(importsAnything("const a = 'open")).toBe(true);
    expect(importsAnything('export const reduce = () => import("a")')).toBe(true);
    expect(importsAnything('export const reduce = (s) => s.import')).toBe(false);
  });
});
