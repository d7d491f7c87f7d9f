/** Writes the table of metrics into the README; run it with Node 24, which reads TypeScript: `npm run readme`. */
import { readFileSync, writeFileSync } from 'node:fs';
import { metricTableMarkdown } from './src/metric-table.ts';

const path = new URL('README.md', import.meta.url);
const readme = readFileSync(path, 'utf8');
const table = `<!-- metrics -->\n\n${metricTableMarkdown()}\n\n<!-- /metrics -->`;
writeFileSync(
  path,
  readme.replace(/<!-- metrics -->[^]*<!-- \/metrics -->/, () => table),
);
