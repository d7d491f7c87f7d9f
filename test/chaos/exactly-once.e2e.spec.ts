/**
 * Exactly once, whatever dies: load through all gateways while replicators, gateways, a database and the broker are
 * killed, judged by what was told, the log folded a second time, and the databases of all regions (I2-I4, I8-I11, I20).
 * The full size is run by hand, with the same three commands (GUARANTEES).
 */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { LocalCluster } from '../e2e/local-cluster.js';

let cluster: LocalCluster;

beforeAll(async () => {
  cluster = await LocalCluster.start(['--wan', '0']);
}, 180_000);

afterAll(() => cluster?.stop(), 60_000);

interface Checked {
  readonly findings: readonly unknown[];
  readonly summary: {
    readonly operations: { readonly accepted: number; readonly open: number };
    readonly repeats: number;
    readonly wrongVersions: number;
  };
}

test('nothing that was told is missing, doubled, disordered or different between regions', async () => {
  const load = cluster.lockstep([
    ...['local', 'load', '--seed', '41', '--rate', '0', '--clients', '64'],
    ...['--readings', '6000', '--orders', '1200', '--accounts', '300'],
    ...['--repeated', '5', '--wrong-versions', '10', '--short-deadlines', '2', '--json'],
  ]);
  await cluster.lockstep([
    ...['local', 'chaos', '--seed', '41', '--minutes', '0.25'],
    ...['--kills', 'replicator=1,gateway=1,postgres=1,broker=1'],
  ]);
  await load;
  const printed = await cluster.lockstep(['local', 'check', '--json']);
  const { findings, summary } = JSON.parse(printed.slice(printed.indexOf('{'))) as Checked;
  expect(findings).toEqual([]);
  // A run in which nothing succeeded, or nothing was ambiguous, shows nothing.
  expect(summary.operations.accepted).toBeGreaterThan(100);
  expect(summary.operations.open).toBeGreaterThan(0);
  expect(summary.repeats).toBeGreaterThan(50);
  expect(summary.wrongVersions).toBeGreaterThan(50);
}, 170_000);
