import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { METRICS, metricTableMarkdown } from './metric-table.js';

test('the README shows the table of metrics as it is; `npm run readme` in this folder renews it', () => {
  const readme = readFileSync(join(import.meta.dirname, '../README.md'), 'utf8');
  expect(readme).toContain(`<!-- metrics -->\n\n${metricTableMarkdown()}\n\n<!-- /metrics -->`);
});

test('names are unique, in the style of Prometheus, and end with a unit or what is counted', () => {
  const names = Object.values(METRICS).map(({ name }) => name);
  expect(new Set(names).size).toBe(names.length);
  for (const { name, kind, unit } of Object.values(METRICS)) {
    expect(name).toMatch(/^(lockstep|process)(_[a-z]+)+$/);
    expect(name.endsWith('_total')).toBe(kind.endsWith('counter'));
    if (unit === 'seconds' || unit === 'bytes') expect(name).toMatch(new RegExp(`_${unit}(_total)?$`));
  }
});
