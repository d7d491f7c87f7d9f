/**
 * A YAML or JSON file as plain values that still know their lines.
 *
 * Integers that a double would round stay bigint, so that a check sees what was written. Aliases, keys that are not
 * plain words, and `__proto__` are refused: every setting stands where it applies, under a name that can be shown.
 */
import {
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  parseDocument,
  visit,
  type Document,
  type Node,
} from 'yaml';
import type { Finding, FindingList, PlacedSettings, SettingPath } from './finding.js';

export interface PositionedDocument extends PlacedSettings {
  readonly value: unknown;
}

/** Null after a finding. */
export function readYaml(file: string, text: string, findings: FindingList): PositionedDocument | null {
  const lines = new LineCounter();
  const report = (position: number, reason: string, nextStep: string): void =>
    findings.add({ file, line: lineAt(lines, position), path: '', reason, nextStep });

  let document: Document;
  try {
    document = parseDocument(text, { lineCounter: lines, intAsBigInt: true, prettyErrors: false });
  } catch (error) {
    // The parser's stack is the only bound on nesting that it knows.
    report(0, `the file cannot be parsed (${messageOf(error)})`, 'check that its nesting is what you meant');
    return null;
  }
  const before = findings.count;
  for (const problem of [...document.errors, ...document.warnings]) {
    report(problem.pos[0], `not readable: ${firstLine(problem.message)}`, 'correct the syntax at this place');
  }
  visit(document, {
    Alias: (_, alias) =>
      report(
        alias.range?.[0] ?? 0,
        `the alias \`*${alias.source}\` is not allowed`,
        'write the value out here',
      ),
    Pair: (_, pair) => {
      const place = startOf(pair.key) ?? startOf(pair.value) ?? 0;
      if (!isScalar(pair.key)) {
        if (!isAlias(pair.key)) report(place, 'a key is not a plain word', 'use a plain word as key');
      } else if (pair.key.value === '__proto__') {
        report(place, 'the key `__proto__` is not allowed', 'use another name');
      }
    },
  });
  if (findings.count > before) return null;

  const value = withExactNumbers(document.toJS());
  return { file, value, lineOf: (path) => lineAt(lines, positionOf(document, path)) };
}

/** As `readYaml`, and the text must be JSON. Null after a finding. */
export function readJson(file: string, text: string, findings: FindingList): PositionedDocument | null {
  try {
    JSON.parse(text);
  } catch (error) {
    const problem = jsonProblem(file, text, messageOf(error));
    findings.add(problem);
    return null;
  }
  return readYaml(file, text, findings);
}

function jsonProblem(file: string, text: string, message: string): Finding {
  const place = /\(line (\d+) column \d+\)/.exec(message);
  const atEnd = /unexpected end/i.test(message);
  return {
    file,
    line: place !== null ? Number(place[1]) : atEnd ? text.trimEnd().split('\n').length : 1,
    path: '',
    reason: `not JSON: ${message}`,
    nextStep: 'correct the syntax at this place',
  };
}

function positionOf(document: Document, path: SettingPath): number {
  let node: unknown = document.contents;
  let position = startOf(node) ?? 0;
  for (const segment of path) {
    if (isMap(node)) {
      const pair = node.items.find(
        (item) => isScalar(item.key) && String(item.key.value) === String(segment),
      );
      if (pair === undefined) return position;
      position = startOf(pair.key) ?? position;
      node = pair.value;
    } else if (isSeq(node)) {
      node = node.items[Number(segment)];
      const start = startOf(node);
      if (start === undefined) return position;
      position = start;
    } else {
      return position;
    }
  }
  return position;
}

function startOf(node: unknown): number | undefined {
  return (node as Node | null | undefined)?.range?.[0];
}

function lineAt(lines: LineCounter, position: number): number {
  return Math.max(1, lines.linePos(position).line);
}

/** Bigints become numbers where nothing is lost. */
function withExactNumbers(value: unknown): unknown {
  if (typeof value === 'bigint') {
    const number = Number(value);
    return Number.isSafeInteger(number) ? number : value;
  }
  if (Array.isArray(value)) return value.map(withExactNumbers);
  if (typeof value === 'object' && value !== null) {
    return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, withExactNumbers(inner)]));
  }
  return value;
}

const firstLine = (text: string): string => text.split('\n', 1)[0]!;

const messageOf = (error: unknown): string =>
  firstLine(error instanceof Error ? error.message : String(error));
