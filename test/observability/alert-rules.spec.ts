/**
 * The alert rules as Prometheus reads them: valid, tested alert by alert, about metrics that exist, and leading whoever is
 * woken to a page that exists.
 */
import { execFile } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { beforeAll, describe, expect, test } from '@jest/globals';
import { parse } from 'yaml';
import { metricsMissingIn, SERIES } from './metric-names.js';
import { findPrometheus, type PrometheusPrograms } from './prometheus.js';

interface Rule {
  readonly alert?: string;
  readonly record?: string;
  readonly expr: string;
  readonly labels?: { readonly severity?: string };
  readonly annotations?: { readonly [name: string]: string };
}
interface RuleTests {
  readonly tests: readonly {
    readonly name: string;
    readonly promql_expr_test: readonly {
      readonly expr: string;
      readonly exp_samples: readonly { readonly labels: string }[];
    }[];
  }[];
}

const root = join(import.meta.dirname, '../..');
const folder = join(root, 'infra/observability/rules');
const yamlIn = (path: string): readonly string[] => readdirSync(path).filter((name) => name.endsWith('.yml'));
const readYaml = (path: string): unknown => parse(readFileSync(join(folder, path), 'utf8'));

const ruleFiles = yamlIn(folder);
const testFiles = yamlIn(join(folder, 'tests'));
const rules = ruleFiles.flatMap((file) =>
  (readYaml(file) as { groups: { rules: Rule[] }[] }).groups.flatMap((group) => group.rules),
);
const alerts = rules.filter(({ alert }) => alert !== undefined);
const tested = testFiles.flatMap((file) => (readYaml(`tests/${file}`) as RuleTests).tests);

const run = promisify(execFile);
let programs: PrometheusPrograms;
beforeAll(async () => {
  programs = await findPrometheus();
});

describe('promtool', () => {
  test('finds the rules valid', async () => {
    const { stdout } = await run(programs.promtool, ['check', 'rules', ...ruleFiles], { cwd: folder });
    expect(stdout.match(/SUCCESS: \d+ rules found/g)).toHaveLength(ruleFiles.length);
  });

  test('finds the configuration for a local cluster valid, and its rules', async () => {
    const config = join(root, 'infra/observability/prometheus.yml');
    const { stdout } = await run(programs.promtool, ['check', 'config', config]);
    expect(stdout).toContain(`SUCCESS: ${ruleFiles.length} rule files found`);
  });

  test.each(testFiles)('finds that alerts fire when they should, and only then: %s', async (file) => {
    // Its report of a failure is on stdout, its exit code makes this reject.
    const report = await run(programs.promtool, ['test', 'rules', file], { cwd: join(folder, 'tests') }).then(
      ({ stdout }) => stdout,
      (error: { stdout: string; stderr: string }) => `${error.stdout}${error.stderr}`,
    );
    expect(report.trim().split('\n').at(-1)?.trim()).toBe('SUCCESS');
    expect(report).not.toContain('FAILED');
  });
});

describe('each alert', () => {
  test('has a name of its own, a severity, and says what it means, what to do first and where to read on', () => {
    expect(new Set(alerts.map(({ alert }) => alert)).size).toBe(alerts.length);
    for (const { alert, annotations = {}, labels } of alerts) {
      expect(alert).toMatch(/^Lockstep[A-Z]\w+$/);
      expect(['page', 'ticket']).toContain(labels?.severity);
      expect(Object.keys(annotations).sort()).toEqual(['first_steps', 'meaning', 'runbook', 'summary']);
      expect(existsSync(join(root, annotations['runbook']!))).toBe(true);
      // Whoever searches the page for the name of the alert finds it.
      expect(readFileSync(join(root, annotations['runbook']!), 'utf8')).toContain(`\`${alert}\``);
    }
  });

  test('is seen firing by a test that also sees it silent', () => {
    const firing = (name: string): boolean =>
      tested.some(({ promql_expr_test: checks }) => {
        const fires = ({ exp_samples: samples }: (typeof checks)[number]): boolean =>
          samples.some(({ labels }) => labels.includes(`alertname="${name}"`));
        return checks.some(fires);
      });
    expect(alerts.filter(({ alert }) => !firing(alert!)).map(({ alert }) => alert)).toEqual([]);
    // Every check names all alerts that fire then, so that one check sees all others silent.
    for (const { promql_expr_test: checks } of tested)
      expect(checks.map(({ expr }) => expr)).toEqual(checks.map(() => 'ALERTS{alertstate="firing"}'));
  });
});

test('every metric that the rules or their tests name is told by some role', () => {
  const texts = [
    ...rules.map(({ expr }) => expr),
    ...testFiles.map((file) => readFileSync(join(folder, 'tests', file), 'utf8')),
  ];
  expect(metricsMissingIn(texts, SERIES)).toEqual([]);
});

test('every number that the rules compute is asked for by a rule', () => {
  const recorded = rules.flatMap(({ record }) => record ?? []);
  const asked = rules.flatMap(({ expr }) => expr.match(/\blockstep:[\w:]+/g) ?? []);
  expect(new Set(asked)).toEqual(new Set(recorded));
});
