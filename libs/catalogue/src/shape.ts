/**
 * Checks a document against a zod shape and says every failure in the words of the catalogue: which setting, on which
 * line, what belongs there. Unknown settings are refused, with the known one that was probably meant.
 */
import { z } from 'zod';
import type { FindingList, SettingPath } from './finding.js';
import type { PositionedDocument } from './positioned-document.js';
import { nearestOrKnown } from './suggestion.js';

/** What belongs into a setting, by path pattern; `*` stands for any name. */
export type SettingSentences = { readonly [pattern: string]: string };

/** An object without unknown keys; the message of that issue lists the known ones for `nextStepOf`. */
export function closed<Shape extends z.core.$ZodLooseShape>(shape: Shape) {
  return z.strictObject(shape, {
    error: (issue) => (issue.code === 'unrecognized_keys' ? Object.keys(shape).join(' ') : undefined),
  });
}

/** The document in its shape; null after findings. */
export function readShape<Shape extends z.ZodType>(
  shape: Shape,
  document: PositionedDocument,
  sentences: SettingSentences,
  findings: FindingList,
): z.output<Shape> | null {
  const parsed = shape.safeParse(document.value);
  if (parsed.success) return parsed.data;
  for (const issue of parsed.error.issues) {
    const path = issue.path.map((segment) => (typeof segment === 'number' ? segment : String(segment)));
    if (issue.code === 'unrecognized_keys') {
      for (const key of issue.keys) {
        const nextStep = nearestOrKnown(key, issue.message.split(' '));
        findings.at(document, [...path, key], `unknown setting \`${[...path, key].join('.')}\``, nextStep);
      }
      continue;
    }
    const name = path.join('.');
    const written = valueAt(document.value, path);
    const reason =
      path.length === 0
        ? 'the file is not a list of settings'
        : written === undefined
          ? `\`${name}\` is missing`
          : `\`${name}\` cannot be ${shown(written)}`;
    findings.at(document, path, reason, sentenceFor(path, sentences));
  }
  return null;
}

function sentenceFor(path: SettingPath, sentences: SettingSentences): string {
  const fits = (pattern: string): boolean => {
    const parts = pattern.split('.');
    return (
      parts.length <= path.length &&
      parts.every((part, index) => part === '*' || part === String(path[index]))
    );
  };
  // The longest pattern is the closest one: a wrong list item is explained by its list.
  const pattern = Object.keys(sentences)
    .filter(fits)
    .toSorted((x, y) => y.split('.').length - x.split('.').length)[0];
  const name = path.length === 0 ? 'the file' : `\`${path.join('.')}\``;
  return pattern === undefined ? `correct ${name}` : `give ${name} ${sentences[pattern]}`;
}

function valueAt(value: unknown, path: SettingPath): unknown {
  let inner = value;
  for (const segment of path) {
    if (typeof inner !== 'object' || inner === null || !Object.hasOwn(inner, segment)) return undefined;
    inner = (inner as { readonly [name: string | number]: unknown })[segment];
  }
  return inner;
}

function shown(value: unknown): string {
  if (Array.isArray(value)) return value.length === 0 ? 'an empty list' : 'this list';
  if (typeof value === 'object' && value !== null) return 'a group of settings';
  return typeof value === 'string' ? JSON.stringify(value.slice(0, 60)) : String(value);
}
