/** The dashboards as they lie in files: what their writer makes now, valid for Prometheus, and about metrics that exist. */
import { execFile } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from '@jest/globals';
import { stringify } from 'yaml';
import { metricsMissingIn, SERIES } from './metric-names.js';
import { findPrometheus } from './prometheus.js';

interface Dashboard {
  readonly annotations: { readonly list: readonly { readonly expr: string }[] };
  readonly panels: readonly {
    readonly title: string;
    readonly id: number;
    readonly targets?: readonly { readonly expr: string; readonly refId: string }[];
  }[];
}

const observability = join(import.meta.dirname, '../../infra/observability');
const folder = join(observability, 'dashboards');
const files = readdirSync(folder);
const textOf = (file: string): string => readFileSync(join(folder, file), 'utf8');
const read = (file: string): Dashboard => JSON.parse(textOf(file)) as Dashboard;

const expressionsIn = (file: string): readonly string[] => {
  const { annotations, panels } = read(file);
  return [...annotations.list, ...panels.flatMap(({ targets }) => targets ?? [])].map(({ expr }) => expr);
};

test('files are what `node infra/observability/write-dashboards.mjs` writes', async () => {
  const writer = (await import(join(observability, 'write-dashboards.mjs'))) as {
    dashboards: () => readonly { readonly file: string; readonly built: object }[];
    textOf: (built: object) => string;
  };
  const made = writer.dashboards();
  expect([...files].sort()).toEqual(made.map(({ file }) => file).sort());
  for (const { built, file } of made) expect(textOf(file)).toBe(writer.textOf(built));
});

test.each(files)('%s asks for what some role tells, or some rule computes', (file) => {
  const expressions = expressionsIn(file);
  expect(metricsMissingIn(expressions, SERIES)).toEqual([]);
  const rules = ['recorded.yml', 'budgets.yml'].map((name) =>
    readFileSync(join(observability, 'rules', name), 'utf8'),
  );
  for (const name of expressions.flatMap((expression) => expression.match(/lockstep:[\w:]+/g) ?? []))
    expect(rules.join('\n')).toContain(`record: ${name}\n`);
});

test.each(files)('%s tells its panels and queries apart', (file) => {
  const { panels } = read(file);
  expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
  for (const { targets = [] } of panels) {
    expect(new Set(targets.map(({ refId }) => refId)).size).toBe(targets.length);
  }
});

test('Prometheus can read every query', async () => {
  const { promtool } = await findPrometheus();
  const rules = files.flatMap(expressionsIn).map((expression, index) => ({
    record: `query:${index}`,
    expr: expression.replaceAll('$__rate_interval', '1m'),
  }));
  const place = mkdtempSync(join(tmpdir(), 'lockstep-dashboards-'));
  try {
    const file = join(place, 'queries.yml');
    writeFileSync(file, stringify({ groups: [{ name: 'queries', rules }] }));
    const { stdout } = await promisify(execFile)(promtool, ['check', 'rules', '--lint=none', file]);
    expect(stdout).toContain(`SUCCESS: ${rules.length} rules found`);
  } finally {
    rmSync(place, { recursive: true, force: true });
  }
});
