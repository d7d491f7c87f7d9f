/**
 * The bans that lint enforces, each shown a line that breaks it, so that a renamed rule or a wrong pattern in
 * .oxlintrc.json cannot pass unnoticed.
 */
import { execFile } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { root } from './repository.js';

const anywhere: readonly (readonly [rule: string, line: string])[] = [
  ['typescript(no-explicit-any)', 'export const a: any = 1;'],
  ['typescript(no-floating-promises)', 'export function f(p: Promise<void>): void { p; }'],
  ['typescript(no-misused-promises)', 'export const f = (p: Promise<boolean>): number => (p ? 1 : 2);'],
  [
    'typescript(switch-exhaustiveness-check)',
    "export function f(x: 'a' | 'b'): void { switch (x) { case 'a': break; } }",
  ],
  [
    'typescript(switch-exhaustiveness-check)',
    "export function f(x: 'a' | 'b'): void { switch (x) { case 'a': break; default: } }",
  ],
  ['eslint(no-console)', "export const f = (): void => console.log('x');"],
  ['eslint(eqeqeq)', 'export const f = (x: unknown): boolean => x == 1;'],
];

const protocol = [
  'Date.now()',
  'Math.random()',
  "'a'.localeCompare('b')",
  '(1).toLocaleString()',
  "'a'.toLocaleUpperCase()",
  'new Intl.NumberFormat()',
  'setTimeout(() => undefined, 1)',
  'queueMicrotask(() => undefined)',
  'globalThis.Date',
  'process.pid',
  'performance.now()',
  'crypto.randomUUID()',
];

const engine = [
  'Date.now()',
  'new Date()',
  'Math.random()',
  'Promise.race([])',
  'Promise.any([])',
  'AbortSignal.timeout(1)',
  'new AbortController()',
  'setTimeout(() => undefined, 1)',
  'setInterval(() => undefined, 1)',
  'setImmediate(() => undefined)',
  'clearTimeout(1)',
  'queueMicrotask(() => undefined)',
  'globalThis.setTimeout',
  'process.pid',
  'console.log(1)',
];

interface Finding {
  readonly code: string;
  readonly filename: string;
}

let repository: string;
let found: readonly Finding[];

function place(path: string, content: string): void {
  mkdirSync(dirname(join(repository, path)), { recursive: true });
  writeFileSync(join(repository, path), content);
}

const codesIn = (file: string): readonly string[] =>
  found.filter((finding) => finding.filename === file).map((finding) => finding.code);

beforeAll(async () => {
  repository = realpathSync(mkdtempSync(join(tmpdir(), 'lockstep-lint-')));
  copyFileSync(join(root, '.oxlintrc.json'), join(repository, '.oxlintrc.json'));
  place('tsconfig.json', '{"compilerOptions":{"strict":true,"target":"ES2024"},"include":["libs"]}');
  anywhere.forEach(([, line], n) => place(`libs/transport/src/case-${n}.ts`, line));
  protocol.forEach((use, n) => place(`libs/protocol/src/case-${n}.ts`, `export const x: unknown = ${use};`));
  engine.forEach((use, n) => place(`libs/engine/src/case-${n}.ts`, `export const x: unknown = ${use};`));
  place(
    'libs/protocol/src/time.ts',
    'export const time = (ms: number): string => new Date(ms).toISOString();',
  );
  place('libs/engine/src/time.spec.ts', 'export const start = Date.now() + Math.random();');
  const report = await promisify(execFile)(
    process.execPath,
    [join(root, 'node_modules/.bin/oxlint'), '--type-aware', '--format', 'json'],
    {
      cwd: repository,
      maxBuffer: 64 * 1024 * 1024,
      env: { ...process.env, OXLINT_TSGOLINT_PATH: join(root, 'node_modules/.bin/tsgolint') },
    },
    // The exit code says that something was found, so a report is awaited from a failed run too.
  ).catch((error: { stdout?: string }) => {
    if (!error.stdout) throw error;
    return { stdout: error.stdout };
  });
  found = (JSON.parse(report.stdout) as { diagnostics: Finding[] }).diagnostics;
}, 30_000);

afterAll(() => rmSync(repository, { recursive: true, force: true }));

describe('lint', () => {
  test.each(anywhere.map(([rule, line], n) => ({ rule, line, n })))('$rule reports $line', ({ rule, n }) => {
    expect(codesIn(`libs/transport/src/case-${n}.ts`)).toContain(rule);
  });

  test.each(protocol.map((use, n) => ({ use, n })))('keeps $use out of protocol', ({ n }) => {
    expect(codesIn(`libs/protocol/src/case-${n}.ts`).join()).toMatch(/no-restricted-(globals|properties)/);
  });

  test.each(engine.map((use, n) => ({ use, n })))('keeps $use out of the engine', ({ n }) => {
    expect(codesIn(`libs/engine/src/case-${n}.ts`).join()).toMatch(
      /no-restricted-(globals|properties)|no-console/,
    );
  });

  test('lets protocol print a given time, and specs use clock and chance', () => {
    expect(codesIn('libs/protocol/src/time.ts')).toEqual([]);
    expect(codesIn('libs/engine/src/time.spec.ts')).toEqual([]);
  });
});
