/** What is generated from a catalogue, where it goes, and when a file is not current. */
import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runProgram } from './program.js';

const SAMPLE = join(import.meta.dirname, '../../../infra/catalogue/sample');

let folder: string;
let catalogue: string;
let out: string;
let told: string[];
let written: string[];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'lockstep-cli-catalogue-'));
  catalogue = join(folder, "a team's catalogue");
  out = join(folder, 'src/datasets.ts');
  cpSync(SAMPLE, catalogue, { recursive: true });
  mkdirSync(join(folder, 'src'));
  told = [];
  written = [];
  jest.spyOn(console, 'error').mockImplementation((text: unknown) => void told.push(String(text)));
  jest
    .spyOn(process.stdout, 'write')
    .mockImplementation((text: unknown) => (written.push(String(text)), true));
  jest.spyOn(process.stderr, 'write').mockImplementation((text: unknown) => (told.push(String(text)), true));
});
afterEach(() => {
  jest.restoreAllMocks();
  rmSync(folder, { recursive: true });
});

const run = (...words: readonly string[]): Promise<number> => runProgram(['catalogue', ...words]);
const types = (...words: readonly string[]): Promise<number> =>
  run('types', '--catalogue', catalogue, ...words);

function change(file: string, from: string, to: string): void {
  const text = readFileSync(join(catalogue, file), 'utf8');
  if (!text.includes(from)) throw new Error(`${file} does not contain ${from}`);
  writeFileSync(join(catalogue, file), text.replace(from, to));
}

describe('lockstep catalogue types', () => {
  test('without --out says them on stdout, and nothing else', async () => {
    expect(await types()).toBe(0);
    expect(told).toEqual([]);
    expect(written.join('')).toMatch(/^\/\*\*\n[^]*export interface Datasets \{[^]*\n$/);
  });

  test('is about the sample when no catalogue is named', async () => {
    expect(await run('types')).toBe(0);
    expect(written.join('')).toContain("readonly key: KeyOf<'accounts'>;");
  });

  test('takes the catalogue of a role from its environment', async () => {
    change('schemas/orders/paid.v1.json', 'The order was paid', 'Somebody paid');
    process.env['LOCKSTEP_CATALOGUE'] = catalogue;
    try {
      expect(await run('types')).toBe(0);
    } finally {
      delete process.env['LOCKSTEP_CATALOGUE'];
    }
    expect(written.join('')).toContain('/** Somebody paid */');
  });

  test('of a folder that is no catalogue says so before anything in it is read', async () => {
    expect(await run('types', '--catalogue', folder)).toBe(2);
    expect(told.join('\n')).toContain(
      'is no catalogue: it has no topology.yaml. Name its folder by --catalogue.',
    );
  });

  test('with --out writes a file that is current until the catalogue changes', async () => {
    expect(await types('--out', out)).toBe(0);
    expect(written).toEqual([]);
    expect(await types('--out', out, '--check')).toBe(0);
    change('schemas/orders/paid.v1.json', '"required": []', '"required": [], "description": "By whom"');
    const before = readFileSync(out, 'utf8');
    told = [];
    expect(await types('--out', out, '--check')).toBe(1);
    expect(told.join('\n')).toMatch(
      /datasets\.ts is not what the catalogue says, from line \d+ on\. Run the same command without --check\./,
    );
    expect(readFileSync(out, 'utf8')).toBe(before);
    expect(await types('--out', out)).toBe(0);
    expect(await types('--out', out, '--check')).toBe(0);
  });

  test.each([
    ['goes on behind its end', (text: string) => `${text}// more\n`],
    ['ends too early', (text: string) => text.slice(0, -20)],
    ['was changed by hand', (text: string) => text.replace('number | null', 'number')],
  ])('with --check refuses a file that %s', async (_, spoil) => {
    await types('--out', out);
    writeFileSync(out, spoil(readFileSync(out, 'utf8')));
    expect(await types('--out', out, '--check')).toBe(1);
  });

  test('writes a head whose command makes the file anew, in its folder', async () => {
    await types('--out', out);
    const command = /^ \* {3}npx lockstep (.*)$/m.exec(readFileSync(out, 'utf8'))?.[1];
    expect(command).toBe(
      String.raw`catalogue types --catalogue '../a team'\''s catalogue' --out datasets.ts`,
    );
    // As the shell takes it apart.
    const words = execFileSync('sh', ['-c', `printf '%s\\n' ${command}`], { encoding: 'utf8' });
    expect(words.trimEnd().split('\n')).toEqual([
      'catalogue',
      'types',
      '--catalogue',
      "../a team's catalogue",
      '--out',
      'datasets.ts',
    ]);
  });

  test('of a catalogue with findings writes nothing and names them', async () => {
    change('datasets/orders.yaml', 'class: standard', 'class: standart');
    expect(await types('--out', out)).toBe(1);
    expect(told.join('\n')).toContain(
      'datasets/orders.yaml:3: `class` cannot be "standart". Next: give `class`',
    );
    expect(() => readFileSync(out)).toThrow(/ENOENT/);
  });

  test.each([
    [['--check'], 2, '--check needs --out'],
    [['--out', 'nowhere/at/all/datasets.ts'], 1, 'cannot be written (ENOENT). Check its folder and rights.'],
    [
      ['--out', 'nowhere/at/all/datasets.ts', '--check'],
      1,
      'cannot be read (ENOENT). Run the same command without',
    ],
  ])('%j exits with what to do', async (words, exitCode, sentence) => {
    expect(await types(...words)).toBe(exitCode);
    expect(told.join('\n')).toContain(sentence);
  });
});

describe('lockstep catalogue asyncapi', () => {
  test('says a document on stdout, or keeps a file of it current', async () => {
    expect(await run('asyncapi', '--catalogue', catalogue)).toBe(0);
    expect(JSON.parse(written.join(''))).toMatchObject({ asyncapi: '3.1.0' });
    const file = join(folder, 'asyncapi.json');
    expect(await run('asyncapi', '--catalogue', catalogue, '--out', file)).toBe(0);
    expect(readFileSync(file, 'utf8')).toBe(written.join(''));
    change('topology.yaml', '127.0.0.1:19092', 'kafka:9092');
    expect(await run('asyncapi', '--catalogue', catalogue, '--out', file, '--check')).toBe(1);
  });
});
