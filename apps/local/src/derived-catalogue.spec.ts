import { describe, expect, test } from '@jest/globals';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse } from 'yaml';
import { projectFolder } from './data-folder.js';
import { deriveCatalogue, deriveDataset, deriveTopology, type RegionView } from './derived-catalogue.js';

const sample = join(projectFolder, 'infra/catalogue/sample');
const topology = readFileSync(join(sample, 'topology.yaml'), 'utf8');
const accounts = readFileSync(join(sample, 'datasets/accounts.yaml'), 'utf8');

const addresses = (host: string) => ({
  gateway: `http://${host}:1`,
  replicator: `http://${host}:2`,
  coordinator: `http://${host}:3`,
});
const view: RegionView = {
  brokers: ['127.0.0.1:5', '127.1.1.2:6', '127.1.1.3:7'],
  replicationFactor: 3,
  minInsyncReplicas: 2,
  regions: { eu: addresses('127.0.0.1'), us: addresses('127.1.1.2') },
};

describe('the derived catalogue', () => {
  test('the topology names this cluster and keeps the labels of the regions that run', () => {
    const derived = parse(deriveTopology(topology, view)) as {
      clusters: object;
      regions: Record<string, Record<string, string>>;
    };
    expect(derived.clusters).toEqual({
      main: { brokers: view.brokers, replicationFactor: 3, minInsyncReplicas: 2 },
    });
    expect(Object.keys(derived.regions)).toEqual(['eu', 'us']);
    expect(derived.regions['us']).toMatchObject({
      jurisdiction: 'us',
      cluster: 'main',
      ...addresses('127.1.1.2'),
    });
  });

  test('a region with several replicators names them all', () => {
    const replicator = ['http://127.0.0.1:2', 'http://127.0.0.1:8'];
    const regions = { ...view.regions, eu: { ...addresses('127.0.0.1'), replicator } };
    const derived = parse(deriveTopology(topology, { ...view, regions })) as {
      regions: Record<string, { replicator: unknown }>;
    };
    expect(derived.regions['eu']?.replicator).toEqual(replicator);
    expect(derived.regions['us']?.replicator).toBe('http://127.1.1.2:2');
  });

  test('a dataset is untouched, byte for byte, when all its regions run', () => {
    expect(deriveDataset(accounts, ['eu', 'us', 'ap'])).toBe(accounts);
  });

  test('a dataset without any home here leaves the catalogue', () => {
    expect(deriveDataset(accounts, ['elsewhere'])).toBeNull();
  });

  test('what is added stands beside the catalogue, which keeps its own files', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'lockstep-derived-'));
    const added = join(folder, 'added');
    mkdirSync(join(added, 'datasets'), { recursive: true });
    for (const name of ['accounts', 'extra'])
      writeFileSync(join(added, `datasets/${name}.yaml`), 'groups: { eu: { home: eu, regions: [eu] } }\n');
    const target = join(folder, 'target');
    await deriveCatalogue([sample, added], target, { ...view, regions: { eu: addresses('127.0.0.1') } });
    const groupsOf = (name: string): object =>
      (parse(readFileSync(join(target, `datasets/${name}.yaml`), 'utf8')) as { groups: object }).groups;
    expect(groupsOf('accounts')).toEqual({ eu: { home: 'eu', shards: 2, regions: ['eu'] } });
    expect(groupsOf('extra')).toEqual({ eu: { home: 'eu', regions: ['eu'] } });
    rmSync(folder, { recursive: true });
  });

  test('a region that is not here leaves the groups, and a group without its home leaves the dataset', () => {
    const derived = parse(deriveDataset(accounts, ['eu', 'us'])!) as { groups: object };
    expect(derived.groups).toEqual({
      eu: { home: 'eu', shards: 2, regions: ['eu', 'us'] },
      us: { home: 'us', shards: 2, regions: ['eu', 'us'] },
    });
  });
});
