/** The sample catalogue with a change, in a folder of its own that the caller removes. */
import { chmodSync, cpSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** By file of the catalogue. */
export type Changes = Readonly<Record<string, (text: string) => string>>;

export function sampleCatalogue(changes: Changes): string {
  const folder = mkdtempSync(
    join(tmpdir(), `${process.env['LOCKSTEP_TEST_RUN'] ?? 'lockstep-test'}-catalogue-`),
  );
  // Open, so that whatever user a role runs as can read it.
  chmodSync(folder, 0o755);
  cpSync(join(import.meta.dirname, '../../infra/catalogue/sample'), folder, { recursive: true });
  for (const [file, change] of Object.entries(changes)) {
    const path = join(folder, file);
    const before = readFileSync(path, 'utf8');
    const after = change(before);
    if (after === before) throw new Error(`${file} has nothing to change`);
    writeFileSync(path, after);
  }
  return folder;
}

const attend = (text: string): string => text.replace(/^failover: automatic$/m, 'failover: manual');

/** People alone decide failovers: homes stay where they are while their processes fail. */
export const attended = {
  'datasets/accounts.yaml': attend,
  'datasets/orders.yaml': attend,
  'datasets/readings.yaml': attend,
};

/** Brokers compress what datasets append. */
export const compressed = {
  'topology.yaml': (text: string): string =>
    text.replace(/^( +)minInsyncReplicas: 1$/m, '$&\n$1compression: zstd'),
};

const openFirst = (text: string): string => `${text}\nopenFirst: 10%\n`;

/** A new home takes writes of a tenth of the orders first. */
export const ordersOpenFirst = { 'datasets/orders.yaml': openFirst };

/** The same, and people alone decide failovers. */
export const attendedOrdersOpenFirst = {
  ...attended,
  'datasets/orders.yaml': (text: string): string => openFirst(attend(text)),
};

/** How often regions may be failed over without a person: again and again, as one home fails again and again in a spec. */
export const frequentFailovers = {
  'topology.yaml': (text: string): string => `${text}\nfailover: { coolDown: 1s, budget: 32, window: 1s }\n`,
};
