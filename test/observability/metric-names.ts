/** Names of metrics in texts, compared with the table of what roles tell, as the README of telemetry shows it. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const readme = readFileSync(join(import.meta.dirname, '../../libs/telemetry/README.md'), 'utf8');

const rows = [...readme.matchAll(/^\| `(\w+)` \| (\w+) \|/gm)].map(([, name, type]) => ({
  name: name!,
  series: type === 'histogram' ? ['_bucket', '_sum', '_count'].map((suffix) => `${name}${suffix}`) : [name!],
}));

/** What an expression can ask for. */
export const SERIES: ReadonlySet<string> = new Set(rows.flatMap(({ series }) => series));
/** What a page can speak of. */
export const METRICS: ReadonlySet<string> = new Set([...SERIES, ...rows.map(({ name }) => name)]);

/** Names in the style of this project's metrics that no role tells; those of recorded rules have colons and do not count. */
export function metricsMissingIn(texts: readonly string[], known: ReadonlySet<string>): readonly string[] {
  const named = texts.flatMap((text) => text.match(/(?<![\w:])(?:lockstep|process)_\w+/g) ?? []);
  if (named.length === 0) throw new Error('no metric is named at all: the texts are not read as they are');
  return [...new Set(named)].filter((name) => !known.has(name));
}
