/** The sample catalogue with every dataset moved without a person, in a folder of its own that the caller removes. */
import { cpSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** @param policy how often regions may be failed over, as topology.yaml says it; without it the defaults. */
export function automaticCatalogue(policy?: string): string {
  const folder = mkdtempSync(
    join(tmpdir(), `${process.env['LOCKSTEP_TEST_RUN'] ?? 'lockstep-test'}-catalogue-`),
  );
  cpSync(join(import.meta.dirname, '../../infra/catalogue/sample'), folder, { recursive: true });
  const edit = (path: string, change: (text: string) => string): void =>
    writeFileSync(path, change(readFileSync(path, 'utf8')));
  const datasets = join(folder, 'datasets');
  for (const file of readdirSync(datasets))
    edit(join(datasets, file), (text) => text.replace(/^failover: manual$/m, 'failover: automatic'));
  if (policy !== undefined) edit(join(folder, 'topology.yaml'), (text) => `${text}\nfailover: ${policy}\n`);
  return folder;
}
