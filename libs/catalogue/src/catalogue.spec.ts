/** The sample catalogue compiles, its meaning and not its wording makes the hash, and mistakes are named by place. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  compileConfiguration,
  DEFAULT_FAILOVER_POLICY,
  DEFAULT_THRESHOLDS,
  type DatasetName,
  type RegionName,
} from '@lockstep/protocol';
import { configurationHash, loadCatalogue, type Catalogue } from './catalogue.js';
import { describeFindings, type Finding } from './finding.js';
import { loadReducer } from './reducer-module.js';

const SAMPLE = fileURLToPath(new URL('../../../infra/catalogue/sample', import.meta.url));

let scratch: string;
let folders = 0;

beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'lockstep-catalogue-'));
});
afterAll(() => rm(scratch, { recursive: true }));

type Edit =
  | { readonly file: string; readonly from: string; readonly to: string }
  | { readonly file: string; readonly content: string }
  | { readonly file: string; readonly removed: true };

/** A copy of the sample with edits; an edit that changes nothing is a mistake of the test. */
async function edited(...edits: readonly Edit[]): Promise<string> {
  folders += 1;
  const folder = join(scratch, String(folders));
  await cp(SAMPLE, folder, { recursive: true });
  for (const edit of edits) {
    const path = join(folder, edit.file);
    if ('removed' in edit) {
      await rm(path, { recursive: true });
    } else if ('content' in edit) {
      await mkdir(dirname(path), { recursive: true });
      await writeFile(path, edit.content);
    } else {
      const text = await readFile(path, 'utf8');
      if (!text.includes(edit.from)) throw new Error(`${edit.file} does not contain ${edit.from}`);
      await writeFile(path, text.replace(edit.from, edit.to));
    }
  }
  return folder;
}

async function validCatalogue(folder: string): Promise<Catalogue> {
  const result = await loadCatalogue(folder);
  if (result.kind === 'invalid') throw new Error(describeFindings(result.findings));
  return result.catalogue;
}

async function findingsOf(folder: string): Promise<readonly Finding[]> {
  const result = await loadCatalogue(folder);
  return result.kind === 'invalid' ? result.findings : [];
}

const hashesOf = (catalogue: Catalogue): readonly string[] =>
  [...catalogue.datasets.values()].map((dataset) => dataset.hash);

const named = (catalogue: Catalogue, name: string) => catalogue.datasets.get(name as DatasetName)!;

const PEM_ONE = `-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=
-----END PUBLIC KEY-----
`;
const PUBLIC_ONE = 'd75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a';
const PEM_TWO = PEM_ONE.replace(
  'MCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=',
  'MCowBQYDK2VwAyEAPUAXw+hDiVqStwqnTRt+vJyYLM8uxJaMwM1V8Sr0Zgw=',
);
const PUBLIC_TWO = '3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c';
/** Before the regions of the sample. */
const withKeys = (...lines: readonly string[]): Edit => ({
  file: 'topology.yaml',
  from: 'regions:\n',
  to: ['keys:', ...lines.map((line) => `  ${line}`), 'regions:', ''].join('\n'),
});

describe('keys by which control entries are signed', () => {
  test('come from files or stand inline, and are in every fold configuration in the order of their ids', async () => {
    const inline = [
      'b-inline: |',
      ...PEM_TWO.trim()
        .split('\n')
        .map((line) => `  ${line}`),
    ];
    const folder = await edited(
      { file: 'keys/one.pem', content: PEM_ONE },
      withKeys(...inline, 'a-file: keys/one.pem'),
    );
    const catalogue = await validCatalogue(folder);
    const keys = [
      { id: 'a-file', publicKey: PUBLIC_ONE },
      { id: 'b-inline', publicKey: PUBLIC_TWO },
    ];
    expect(catalogue.topology.signingKeys).toEqual(keys);
    for (const { content } of catalogue.datasets.values()) expect(content.signingKeys).toEqual(keys);
    expect(hashesOf(catalogue)).not.toEqual(hashesOf(await validCatalogue(SAMPLE)));
  });

  test('are none in the sample, whose configurations do not speak of them', async () => {
    const { datasets, topology } = await validCatalogue(SAMPLE);
    expect(topology.signingKeys).toEqual([]);
    for (const { content } of datasets.values()) expect(content).not.toHaveProperty('signingKeys');
  });
});

describe('how often regions are failed over without a person', () => {
  const withFailover = (settings: string): Edit => ({
    file: 'topology.yaml',
    from: 'regions:\n',
    to: `failover: ${settings}\nregions:\n`,
  });

  test('is what the topology says, in no hash; what it does not say has a default', async () => {
    const sample = await validCatalogue(SAMPLE);
    expect(sample.topology.failover).toEqual(DEFAULT_FAILOVER_POLICY);
    const written = await validCatalogue(
      await edited(withFailover('{ coolDown: 1s, budget: 32, window: 2h }')),
    );
    expect(written.topology.failover).toEqual({ coolDownMs: 1_000, budget: 32, windowMs: 7_200_000 });
    expect(hashesOf(written)).toEqual(hashesOf(sample));
    const { topology } = await validCatalogue(await edited(withFailover('{ coolDown: 5m }')));
    expect(topology.failover).toEqual({ ...DEFAULT_FAILOVER_POLICY, coolDownMs: 300_000 });
  });

  test('rests on what is borne of a region, which is what its provider asks for, in no hash', async () => {
    const sample = await validCatalogue(SAMPLE);
    const written = await validCatalogue(
      await edited(
        {
          file: 'topology.yaml',
          from: '  us:\n    provider: local',
          to: '  us:\n    provider: other',
        },
        withFailover('{ providers: { other: { silent: 3s, refused: 1m } } }'),
      ),
    );
    const borneOf = ({ topology }: Catalogue, region: string) =>
      topology.regions.get(region as RegionName)!.thresholds;
    expect(borneOf(sample, 'us')).toEqual(DEFAULT_THRESHOLDS);
    expect(borneOf(written, 'eu')).toEqual(DEFAULT_THRESHOLDS);
    expect(borneOf(written, 'us')).toEqual({ ...DEFAULT_THRESHOLDS, silentMs: 3_000, refusedMs: 60_000 });
    expect(written.topology.failover).toEqual(DEFAULT_FAILOVER_POLICY);
  });
});

describe('the sample catalogue', () => {
  test('compiles to the three datasets with contiguous groups, their tables and the documented defaults', async () => {
    const catalogue = await validCatalogue(SAMPLE);
    expect([...catalogue.datasets.keys()]).toEqual(['accounts', 'orders', 'readings']);
    const { content, logRetentionMs } = named(catalogue, 'readings');
    expect(
      content.groups.map(({ name, home, firstShard, shards }) => [name, home, firstShard, shards]),
    ).toEqual([
      ['eu', 'eu', 0, 4],
      ['us', 'us', 4, 4],
      ['ap', 'ap', 8, 4],
    ]);
    expect(content.projection.columns).toEqual([
      { name: 'sensor', type: 'text' },
      { name: 'value', type: 'double precision' },
      { name: 'at', type: 'timestamptz' },
    ]);
    expect(content.quorum).toBeNull();
    expect(content.retention).toEqual({ outcomesMs: 86_400_000, sessionsMs: 604_800_000 });
    expect(content.limits).toEqual({
      entryBytesMax: 524_288,
      eventsPerEntryMax: 100,
      notAfterAheadMsMax: 3_600_000,
    });
    expect(logRetentionMs).toBe(604_800_000);
    expect(named(catalogue, 'accounts').content).toMatchObject({
      class: 'critical',
      quorum: 'majority',
      keys: 'always',
    });
    expect(
      named(catalogue, 'accounts').content.events.map(({ type, version }) => `${type}@${version}`),
    ).toEqual(['credited@1', 'debited@1', 'opened@1']);
  });

  test('names the addresses of the local cluster', async () => {
    const { topology } = await validCatalogue(SAMPLE);
    expect(topology.clusters.get('main')).toMatchObject({
      brokers: ['127.0.0.1:19092'],
      compression: 'none',
    });
    expect([...topology.regions.keys()]).toEqual(['eu', 'us', 'ap']);
    expect(topology.regions.get('us' as RegionName)).toMatchObject({
      gateway: 'http://127.0.0.1:7102',
      coordinator: 'http://127.0.0.1:7202',
      replicators: ['http://127.0.0.1:7302'],
    });
  });

  test('compiles in protocol, and its rules write what the events say', async () => {
    const { hash, content } = named(await validCatalogue(SAMPLE), 'orders');
    const configuration = compileConfiguration(hash, content, null);
    const event = {
      key: 'eu:1',
      type: 'placed',
      v: 1,
      data: { customer: 'a', total: 5 },
      expectedVersion: null,
    };
    expect(configuration.checkEvent(event)).toBeNull();
    if (configuration.projector.kind !== 'rows') throw new Error('orders are rows');
    const effect = configuration.projector.project(event);
    expect(effect.kind === 'put' && Object.fromEntries(effect.columns)).toEqual({
      customer: { kind: 'set', value: 'a' },
      total: { kind: 'set', value: 5 },
      status: { kind: 'set', value: 'placed' },
    });
  });

  test('has the same hashes in every load, and a content that survives JSON', async () => {
    const first = await validCatalogue(SAMPLE);
    const second = await validCatalogue(SAMPLE);
    expect(hashesOf(first)).toEqual(hashesOf(second));
    expect(new Set(hashesOf(first)).size).toBe(3);
    for (const { content, hash } of first.datasets.values()) {
      expect(configurationHash(JSON.parse(JSON.stringify(content)) as typeof content)).toBe(hash);
    }
  });
});

describe('the hash of a configuration', () => {
  const keepsHash: readonly (readonly [string, Edit])[] = [
    [
      'a comment and blank lines in YAML',
      { file: 'datasets/accounts.yaml', from: 'class: critical', to: '\n# why\nclass:   critical' },
    ],
    ['quotes', { file: 'datasets/accounts.yaml', from: 'quorum: majority', to: 'quorum: "majority"' }],
    [
      'a title of a schema',
      { file: 'schemas/accounts/opened.v1.json', from: 'An account was opened', to: 'Opened' },
    ],
    [
      'a comment and indentation in a reducer',
      { file: 'reducers/accounts.ts', from: '  const balance =', to: '  // now\n      const   balance =' },
    ],
    [
      'a type in a reducer',
      { file: 'reducers/accounts.ts', from: 'const BALANCE_MAX =', to: 'const BALANCE_MAX: number =' },
    ],
    ['the addresses of a region', { file: 'topology.yaml', from: '7101', to: '8101' }],
    ['how long the log is kept', { file: 'datasets/accounts.yaml', from: 'log: 7d', to: 'log: 14d' }],
  ];
  test.each(keepsHash)('stays when only %s changes', async (_, edit) => {
    expect(hashesOf(await validCatalogue(await edited(edit)))).toEqual(
      hashesOf(await validCatalogue(SAMPLE)),
    );
  });

  test('stays when events change their order in the file', async () => {
    const lines = [
      '  credited:\n    1: schemas/accounts/credited.v1.json\n',
      '  debited:\n    1: schemas/accounts/debited.v1.json\n',
    ];
    const folder = await edited({
      file: 'datasets/accounts.yaml',
      from: lines.join(''),
      to: lines.toReversed().join(''),
    });
    expect(hashesOf(await validCatalogue(folder))).toEqual(hashesOf(await validCatalogue(SAMPLE)));
  });

  test.each<readonly [string, Edit]>([
    ['a bound of a schema', { file: 'schemas/accounts/opened.v1.json', from: '200', to: '201' }],
    [
      'a limit',
      { file: 'datasets/accounts.yaml', from: 'eventsPerEntryMax: 100', to: 'eventsPerEntryMax: 99' },
    ],
    ['a home', { file: 'datasets/accounts.yaml', from: 'home: eu', to: 'home: us' }],
    ['a statement of the reducer', { file: 'reducers/accounts.ts', from: 'balance: 0', to: 'balance: 1' }],
    [
      'blanks inside a string of the reducer',
      { file: 'reducers/accounts.ts', from: 'no such account', to: 'no  such account' },
    ],
  ])('changes with %s, for that dataset alone', async (_, edit) => {
    const before = await validCatalogue(SAMPLE);
    const after = await validCatalogue(await edited(edit));
    expect(named(after, 'accounts').hash).not.toBe(named(before, 'accounts').hash);
    expect(named(after, 'orders').hash).toBe(named(before, 'orders').hash);
  });
});

test('a column that only grows, sums and optional properties compile', async () => {
  const folder = await edited(
    {
      file: 'datasets/readings.yaml',
      from: 'at: timestamptz',
      to: 'at: timestamptz\n    seen: numeric\n    note: text',
    },
    {
      file: 'datasets/readings.yaml',
      from: 'set: { sensor: $.sensor, value: $.value, at: $.at }',
      to: 'set: { sensor: $.sensor, note: null }\n      add: { seen: 1 }\n      max: { value: $.value, at: $.at }',
    },
    {
      file: 'datasets/readings.yaml',
      from: 'class: bulk',
      to: 'class: bulk\nquorum: any 2 of [eu, ap]\nretention: { log: 36h }',
    },
  );
  const { content, logRetentionMs } = named(await validCatalogue(folder), 'readings');
  expect(content.quorum).toBe('any 2 of [eu, ap]');
  expect(logRetentionMs).toBe(36 * 3_600_000);
  expect(content.projection.kind === 'rows' && content.projection.reducer).toEqual({
    recorded: {
      set: { sensor: '$.sensor', note: null },
      add: { seen: 1 },
      max: { value: '$.value', at: '$.at' },
    },
  });
});

test('a folder of links, as a mounted configuration is, loads like the folder itself', async () => {
  folders += 1;
  const folder = join(scratch, String(folders));
  await mkdir(folder);
  for (const name of ['topology.yaml', 'datasets', 'schemas', 'reducers'])
    await symlink(join(SAMPLE, name), join(folder, name));
  expect(hashesOf(await validCatalogue(folder))).toEqual(hashesOf(await validCatalogue(SAMPLE)));
});

interface BadCatalogue {
  readonly title: string;
  readonly edits: readonly Edit[];
  readonly file: string;
  /** Text that stands on the line named; absent where the file as a whole is meant. */
  readonly marker?: string;
  readonly reason: RegExp;
  readonly next?: RegExp;
}

const bad = (
  title: string,
  edit: Edit,
  expected: Omit<BadCatalogue, 'title' | 'edits' | 'file'>,
): BadCatalogue => ({
  title,
  edits: [edit],
  file: edit.file,
  ...expected,
});
const change = (file: string, from: string, to: string): Edit => ({ file, from, to });

const ACCOUNTS = 'datasets/accounts.yaml';
const ORDERS = 'datasets/orders.yaml';
const READINGS = 'datasets/readings.yaml';
const TOPOLOGY = 'topology.yaml';
const OPENED = 'schemas/accounts/opened.v1.json';
const CREDITED = 'schemas/accounts/credited.v1.json';
const RECORDED = 'schemas/readings/recorded.v1.json';
const REDUCER = 'reducers/accounts.ts';

const BAD_CATALOGUES: readonly BadCatalogue[] = [
  // Files
  bad('without a topology', { file: TOPOLOGY, removed: true }, { reason: /no topology/ }),
  bad(
    'with another file among the datasets',
    { file: 'datasets/notes.yml', content: 'a: 1\n' },
    { reason: /only <dataset>\.yaml/ },
  ),
  bad(
    'with a dataset named as a topic of the system',
    { file: 'datasets/control.yaml', content: 'a: 1\n' },
    { reason: /`control` is not a name/ },
  ),
  bad('with broken YAML', change(ORDERS, 'keys: always', 'keys: [always'), {
    marker: 'groups:',
    reason: /not readable/,
  }),
  bad('with a setting given twice', change(ORDERS, 'keys: always', 'keys: always\nkeys: given'), {
    marker: 'keys: given',
    reason: /keys must be unique/i,
  }),
  bad('with an alias', change(ORDERS, 'quorum: majority', 'quorum: &rule majority\nlimits: *rule'), {
    marker: '*rule',
    reason: /alias `\*rule` is not allowed/,
  }),
  bad('with a key __proto__', change(ORDERS, 'keys: always', 'keys: always\n__proto__: {}'), {
    marker: '__proto__',
    reason: /__proto__/,
  }),
  bad('with an empty dataset', { file: ORDERS, content: '\n' }, { reason: /not a list of settings/ }),

  // Topology
  bad('with a key whose file is missing', withKeys('one: keys/one.pem'), {
    marker: 'one: keys',
    reason: /key `one` names no file/,
    next: /\.pem file/,
  }),
  bad('with a key that leaves the folder', withKeys('one: ../one.pem'), {
    marker: 'one: ..',
    reason: /names no file of this catalogue/,
  }),
  bad('with a key whose name is none', withKeys('One: keys/one.pem'), {
    marker: 'One:',
    reason: /no name for a key/,
  }),
  bad('with a key that is no text', withKeys('one: 7'), {
    marker: 'one: 7',
    reason: /`keys.one` cannot be 7/,
  }),
  bad('with a private key', withKeys('one: "-----BEGIN PRIVATE KEY-----"'), {
    marker: 'one:',
    reason: /key `one` is a private key/,
    next: /never use it again/,
  }),
  bad('with a key that is garbage', withKeys('one: "-----BEGIN PUBLIC KEY-----"'), {
    marker: 'one:',
    reason: /cannot be read as a public key/,
  }),
  bad(
    'with the same key twice',
    withKeys(`one: ${JSON.stringify(PEM_ONE)}`, `two: ${JSON.stringify(PEM_ONE)}`),
    { marker: 'two:', reason: /`two` is the same as `one`/ },
  ),
  bad(
    'with more keys than a rotation needs',
    withKeys(...[1, 2, 3, 4, 5].map((n) => `key-${n}: keys/none.pem`)),
    { marker: 'keys:\n  key-1', reason: /5 keys are more than 4/ },
  ),
  bad(
    'with an unknown setting of a region',
    change(TOPOLOGY, 'zone: local-us', 'zone: local-us\n    zones: b'),
    { marker: 'zones: b', reason: /unknown setting `regions.us.zones`/, next: /`zone`/ },
  ),
  bad(
    'with a region in no cluster',
    change(
      TOPOLOGY,
      'cluster: main\n    gateway: http://127.0.0.1:7102',
      'cluster: mian\n    gateway: http://127.0.0.1:7102',
    ),
    { marker: 'mian', reason: /no cluster `mian`/, next: /`main`/ },
  ),
  bad('with a gateway that has no URL', change(TOPOLOGY, 'http://127.0.0.1:7103', '127.0.0.1:7103'), {
    marker: 'gateway: 127.0.0.1:7103',
    reason: /gateway of ap has no http address/,
  }),
  bad(
    'with a password in an address',
    change(TOPOLOGY, 'http://127.0.0.1:7103', 'http://me:secret@127.0.0.1:7103'),
    { marker: 'secret', reason: /carries a user or password/ },
  ),
  bad('with two roles at one address', change(TOPOLOGY, 'http://127.0.0.1:7203', 'http://127.0.0.1:7103'), {
    marker: 'coordinator: http://127.0.0.1:7103',
    reason: /same address as ap.gateway/,
  }),
  bad('with a broker that has no port', change(TOPOLOGY, '[127.0.0.1:19092]', '[localhost]'), {
    marker: 'localhost',
    reason: /not the address of a broker/,
  }),
  bad(
    'with more failovers than are remembered',
    change(TOPOLOGY, 'regions:\n', 'failover:\n  budget: 33\nregions:\n'),
    { marker: 'budget: 33', reason: /`failover.budget` cannot be 33/, next: /from 1 to 32/ },
  ),
  bad(
    'with a cool-down that is longer than what is remembered',
    change(TOPOLOGY, 'regions:\n', 'failover:\n  coolDown: 2h\nregions:\n'),
    { marker: 'coolDown: 2h', reason: /7200000 ms is longer than the window/, next: /lengthen window/ },
  ),
  bad(
    'that bears less of a provider than heartbeats need',
    change(TOPOLOGY, 'regions:\n', 'failover:\n  providers: { local: { silent: 1s } }\nregions:\n'),
    { marker: 'silent: 1s', reason: /borne of `local` cannot be 1s/, next: /from 1200ms to 300000ms/ },
  ),
  bad(
    'that bears a gateway with a word for less than one without',
    change(TOPOLOGY, 'regions:\n', 'failover:\n  providers: { local: { canary: 6s } }\nregions:\n'),
    { marker: 'canary: 6s', reason: /borne for less than one that says nothing/, next: /lengthen refused/ },
  ),
  bad(
    'that bears more of a provider that nobody has',
    change(TOPOLOGY, 'regions:\n', 'failover:\n  providers: { locla: { silent: 3s } }\nregions:\n'),
    { marker: 'locla', reason: /no region is of a provider `locla`/, next: /write `local`/ },
  ),
  bad(
    'with more in-sync replicas than replicas',
    change(TOPOLOGY, 'minInsyncReplicas: 1', 'minInsyncReplicas: 2'),
    { marker: 'minInsyncReplicas: 2', reason: /no write could be stored/ },
  ),
  bad(
    'with a codec that readers do not have',
    change(TOPOLOGY, '    minInsyncReplicas: 1\n', '    minInsyncReplicas: 1\n    compression: lz4\n'),
    { marker: 'compression: lz4', reason: /compression/, next: /`none` or `zstd`/ },
  ),
  bad('with a region name in capitals', change(TOPOLOGY, '  ap:', '  AP:'), {
    marker: '  AP:',
    reason: /`AP` is not a region name/,
  }),

  // Settings of a dataset
  bad('with an unknown class', change(ORDERS, 'class: standard', 'class: urgent'), {
    marker: 'class: urgent',
    reason: /`class` cannot be/,
    next: /bulk, standard, critical or local/,
  }),
  bad('without writers', change(ORDERS, 'writers: log\n', ''), {
    reason: /`writers` is missing/,
    next: /log, outbox or any/,
  }),
  bad('with an unknown value of keys', change(ORDERS, 'keys: always', 'keys: sometimes'), {
    marker: 'keys: sometimes',
    reason: /`keys` cannot be/,
  }),
  bad('with a misspelled setting', change(ORDERS, 'placement:', 'placment:'), {
    marker: 'placment:',
    reason: /unknown setting `placment`/,
    next: /`placement`/,
  }),
  bad('with a quorum rule in other words', change(ORDERS, 'quorum: majority', 'quorum: most of them'), {
    marker: 'quorum: most',
    reason: /quorum rule cannot be read/,
  }),
  bad(
    'with a quorum rule that the group cannot meet',
    change(ORDERS, 'quorum: majority', 'quorum: any 2 of [eu, mars]'),
    { marker: 'quorum: any', reason: /cannot be met in the group `eu`: mars may not hold this shard/ },
  ),
  bad('with a critical dataset without a rule', change(ACCOUNTS, 'quorum: majority\n', ''), {
    reason: /critical dataset needs a quorum rule/,
  }),
  bad('with an aggregate written through the outbox', change(ACCOUNTS, 'writers: log', 'writers: outbox'), {
    marker: 'writers: outbox',
    reason: /outbox cannot be an aggregate/,
  }),
  bad('with a local dataset without an outbox', change(ORDERS, 'class: standard', 'class: local'), {
    marker: 'class: local',
    reason: /answers from the outbox/,
  }),
  bad('with the placement that is not built', change(ORDERS, 'placement: stretched', 'placement: home'), {
    marker: 'placement: home',
    reason: /not built yet/,
  }),

  // Groups
  bad('with a home that is no region', change(ORDERS, 'home: us', 'home: uss'), {
    marker: 'home: uss',
    reason: /no region `uss`/,
    next: /`us`/,
  }),
  bad(
    'with a home outside the regions of its group',
    change(ORDERS, 'shards: 2, regions: [eu, us, ap] }\n  us', 'shards: 2, regions: [us, ap] }\n  us'),
    { marker: '[us, ap]', reason: /home `eu` is not among the regions/ },
  ),
  bad('with a region that does not exist', change(ORDERS, '[eu, us, ap]', '[eu, us, apac]'), {
    marker: 'apac',
    reason: /no region `apac`/,
  }),
  bad('with a group name that no key can carry', change(ORDERS, '  eu: {', '  e_u: {'), {
    marker: 'e_u',
    reason: /`e_u` is not a group name/,
  }),
  bad('with no shards', change(ORDERS, 'shards: 2', 'shards: 0'), {
    marker: 'shards: 0',
    reason: /`groups.eu.shards` cannot be/,
    next: /1 to 256/,
  }),

  // Events and schemas
  bad('with a schema file that is missing', change(ORDERS, 'placed.v1.json', 'palced.v1.json'), {
    marker: 'palced',
    reason: /no schema file/,
    next: /placed\.v1\.json/,
  }),
  bad(
    'with a schema outside the folder',
    change(ORDERS, 'schemas/orders/placed.v1.json', '../schemas/orders/placed.v1.json'),
    { marker: '../schemas', reason: /no schema file/ },
  ),
  bad(
    'with an event version that is no number',
    change(ORDERS, '    1: schemas/orders/paid.v1.json', '    v1: schemas/orders/paid.v1.json'),
    { marker: 'v1: schemas', reason: /`v1` is not a version/ },
  ),
  bad('with an event type in capitals', change(ORDERS, '  paid:\n    1', '  Paid:\n    1'), {
    marker: '  Paid:',
    reason: /`Paid` is not an event type/,
  }),
  bad('with a schema that is not JSON', change(OPENED, '"type": "object",', '"type": "object"'), {
    marker: '"required"',
    reason: /not JSON/,
  }),
  bad(
    'with a schema that ends too early',
    { file: OPENED, content: '{\n  "type": "object",' },
    { marker: '"type"', reason: /not JSON/ },
  ),
  bad(
    'with a name twice in a schema',
    change(OPENED, '"type": "object",', '"type": "object",\n  "type": "object",'),
    { reason: /unique/i },
  ),
  bad('with a string without a length', change(OPENED, ', "maxLength": 200', ''), {
    marker: '"owner": {',
    reason: /needs `maxLength`/,
  }),
  bad('with lengths that exclude everything', change(OPENED, '"minLength": 1,', '"minLength": 300,'), {
    marker: '"owner": {',
    reason: /`minLength` is not a length up to/,
  }),
  bad(
    'with a pattern, which is outside the subset',
    change(OPENED, '"minLength": 3,', '"pattern": "[A-Z]{3}",'),
    { marker: '"pattern"', reason: /`pattern` is outside the closed subset/ },
  ),
  bad(
    'with an unknown type',
    change(OPENED, '"type": "string", "minLength": 1', '"type": "text", "minLength": 1'),
    { marker: '"text"', reason: /type "text" is outside/ },
  ),
  bad('with an open object', change(OPENED, ',\n  "additionalProperties": false', ''), {
    marker: '{',
    reason: /no other properties/,
  }),
  bad(
    'with a required property that is not declared',
    change(OPENED, '["owner", "currency"]', '["owner", "curency"]'),
    { marker: '"required"', reason: /`curency` is not declared/, next: /`currency`/ },
  ),
  bad('with an integer beyond 2^53 - 1', change(CREDITED, '9007199254740991', '9007199254740993'), {
    marker: '9007199254740993',
    reason: /within ±\(2\^53 - 1\)/,
  }),
  bad('with an integer without a bound', change(CREDITED, '"minimum": 1, ', ''), {
    marker: '"amount": {',
    reason: /needs `minimum`/,
  }),
  bad('with crossed bounds', change(CREDITED, '"maximum": 9007199254740991', '"maximum": 0'), {
    marker: '"minimum"',
    reason: /`minimum` is above `maximum`/,
  }),
  bad('with an unknown format', change(RECORDED, 'date-time', 'date'), {
    marker: '"format"',
    reason: /format "date" is outside/,
  }),
  bad(
    'with an enum longer than its length',
    change(OPENED, '"maxLength": 3', '"maxLength": 3, "enum": ["EUR", "EURO"]'),
    { marker: '"enum"', reason: /`EURO` is outside/ },
  ),
  bad(
    'with a schema that is no object',
    { file: OPENED, content: '{ "type": "boolean" }' },
    { marker: 'boolean', reason: /data is an object/ },
  ),

  // Projection
  bad('with an unknown column type', change(ORDERS, 'total: bigint', 'total: money'), {
    marker: 'total: money',
    reason: /`projection.columns.total` cannot be/,
    next: /one of text, bigint/,
  }),
  bad(
    'with a column that the system adds',
    change(ORDERS, '    status: text', '    lockstep_version: text'),
    { marker: 'lockstep_version', reason: /taken by the system/ },
  ),
  bad('with a column name that is no identifier', change(ORDERS, '    status: text', '    Status: text'), {
    marker: 'Status: text',
    reason: /`Status` is not a column name/,
  }),
  bad('with an aggregate that keeps numeric', change(ACCOUNTS, 'balance: bigint', 'balance: numeric'), {
    marker: 'balance: numeric',
    reason: /no columns of type numeric/,
  }),
  bad('with a table of another dataset', change(ORDERS, 'table: orders', 'table: accounts'), {
    marker: 'table: accounts',
    reason: /already belongs to datasets\/accounts.yaml/,
  }),
  bad('with a table of the system', change(ORDERS, 'table: orders', 'table: lockstep_orders'), {
    marker: 'table: lockstep_orders',
    reason: /not a name for a table/,
  }),
  bad('with an unknown projection', change(ORDERS, 'kind: rows', 'kind: handler'), {
    marker: 'kind: handler',
    reason: /`projection.kind` cannot be/,
    next: /rows or aggregate/,
  }),
  bad(
    'with a rule for an unknown event',
    change(ORDERS, '    cancelled:\n      set', '    canceled:\n      set'),
    { marker: '    canceled:', reason: /no event `canceled`/, next: /`cancelled`/ },
  ),
  bad('with a rule for an unknown column', change(ORDERS, 'carrier: $.carrier', 'carier: $.carrier'), {
    marker: 'carier:',
    reason: /no column `carier`/,
    next: /`carrier`/,
  }),
  bad('with a property that the event lacks', change(ORDERS, '$.total', '$.totals'), {
    marker: '$.totals',
    reason: /version 1 of `placed` has no property `totals`/,
  }),
  bad(
    'with a share of no keys',
    change(ORDERS, 'failover: automatic', 'failover: automatic\nopenFirst: 0%'),
    {
      marker: 'openFirst: 0%',
      reason: /`openFirst` cannot be/,
      next: /from 1% to 99%/,
    },
  ),
  bad(
    'with a share of keys that gateways do not open',
    change(ORDERS, 'writers: log', 'writers: outbox\nopenFirst: 10%'),
    { marker: 'openFirst: 10%', reason: /opened first by the gateways of the home/, next: /writers log/ },
  ),
  bad('with a property of another type', change(ORDERS, 'total: $.total', 'total: $.customer'), {
    marker: 'total: $.customer',
    reason: /`customer` \(string\) of `placed` does not fit `total`/,
  }),
  bad('with a literal of another type', change(ORDERS, 'total: $.total', 'total: much'), {
    marker: 'total: much',
    reason: /"much" does not fit `total`/,
  }),
  bad('with a literal beyond 2^53 - 1', change(ORDERS, 'total: $.total', 'total: 9007199254740993'), {
    marker: '9007199254740993',
    reason: /`projection.reducer.placed.set.total` cannot be/,
  }),
  bad(
    'with a sum in a column that is not numeric',
    change(
      READINGS,
      'set: { sensor: $.sensor, value: $.value,',
      'add: { value: 1 }\n      set: { sensor: $.sensor,',
    ),
    { marker: 'add: {', reason: /`add` needs a numeric column, and `value` is double precision/ },
  ),
  bad(
    'with a sum of what is no integer',
    change(
      READINGS,
      'value: double precision\n    at: timestamptz\n  reducer:\n    recorded:\n      set: { sensor: $.sensor, value: $.value,',
      'value: numeric\n    at: timestamptz\n  reducer:\n    recorded:\n      add: { value: $.value }\n      set: { sensor: $.sensor,',
    ),
    { marker: 'add: {', reason: /`value` \(number\) of `recorded` does not fit `value`, which is numeric/ },
  ),
  bad('with a column that is set and summed', change(ORDERS, 'set: { status: paid }', 'add: { total: 1 }'), {
    marker: 'add: {',
    reason: /`total` is used with both `set` and `add`/,
  }),
  bad('with a property path that is none', change(ORDERS, 'total: $.total', 'total: $total'), {
    marker: '$total',
    reason: /`\$total` does not name a property/,
  }),
  bad(
    'with a column that is set and raised',
    change(READINGS, 'at: $.at }', 'at: $.at }\n      max: { value: $.value }'),
    { marker: 'max: {', reason: /`value` is used with both `set` and `max`/ },
  ),
  bad(
    'with the largest of texts',
    change(READINGS, 'set: { sensor: $.sensor,', 'max: { sensor: $.sensor }\n      set: {'),
    { marker: 'max: {', reason: /no agreed order on `sensor`/ },
  ),
  bad(
    'with delete beside set',
    change(ORDERS, 'set: { status: paid }', 'set: { status: paid }\n      delete: true'),
    { marker: '    paid:\n      set', reason: /`delete` stands beside `set`/ },
  ),
  bad('with a rule that changes nothing', change(ORDERS, '      set: { status: paid }', '      set: {}'), {
    marker: '    paid:\n      set',
    reason: /changes no column/,
  }),
  bad(
    'with a reducer file that is missing',
    change(ACCOUNTS, 'reducers/accounts.ts', 'reducers/account.ts'),
    { marker: 'reducers/account.ts', reason: /no reducer file/, next: /reducers\/accounts\.ts/ },
  ),
  bad('with a reducer that reads the clock', change(REDUCER, 'balance: 0 }', 'balance: Date.now() }'), {
    marker: 'Date.now',
    reason: /cannot use `Date`/,
  }),
  bad('with a reducer that imports at run time', change(REDUCER, 'import type', 'import'), {
    marker: "from '@lockstep/protocol'",
    reason: /imports nothing when it runs/,
    next: /import type/,
  }),

  // Limits and retention
  bad('with a time that has no unit', change(ACCOUNTS, 'outcomes: 24h', 'outcomes: 24'), {
    marker: 'outcomes: 24',
    reason: /`retention.outcomes` cannot be/,
    next: /24h/,
  }),
  bad('with outcomes forgotten before late copies end', change(ACCOUNTS, 'outcomes: 24h', 'outcomes: 90m'), {
    marker: 'outcomes: 90m',
    reason: /a late copy could take effect again/,
  }),
  bad('with a log that is hardly kept', change(ACCOUNTS, 'log: 7d', 'log: 10m'), {
    marker: 'log: 10m',
    reason: /`retention.log` is not between/,
  }),
  bad('with entries above the limit', change(ACCOUNTS, 'entryBytesMax: 524288', 'entryBytesMax: 524289'), {
    marker: '524289',
    reason: /`limits.entryBytesMax` cannot be/,
  }),
  bad('with a last moment too far ahead', change(ACCOUNTS, 'notAfterAhead: 1h', 'notAfterAhead: 2d'), {
    marker: 'notAfterAhead: 2d',
    reason: /not between 5m and 24h/,
  }),
];

/** Cases whose finding lies in another file than the edit, or that need two edits. */
const elsewhere: readonly BadCatalogue[] = [
  {
    title: 'with a stretched dataset over two clusters',
    edits: [
      change(
        TOPOLOGY,
        'clusters:\n',
        'clusters:\n  side: { brokers: ["127.0.0.1:1"], replicationFactor: 1, minInsyncReplicas: 1 }\n',
      ),
      change(
        TOPOLOGY,
        'cluster: main\n    gateway: http://127.0.0.1:7103',
        'cluster: side\n    gateway: http://127.0.0.1:7103',
      ),
    ],
    file: ACCOUNTS,
    marker: 'placement: stretched',
    reason: /use the clusters main, side/,
  },
  {
    title: 'with a reducer under another name',
    edits: [change(REDUCER, 'export const reduce:', 'export const reducer:')],
    file: ACCOUNTS,
    marker: 'reducer: reducers/accounts.ts',
    reason: /exports no function `reduce`/,
  },
  {
    title: 'with a property that an older version lacks',
    edits: [
      change(
        ORDERS,
        '    1: schemas/orders/placed.v1.json',
        '    1: schemas/orders/placed.v1.json\n    2: schemas/orders/placed.v2.json',
      ),
      {
        file: 'schemas/orders/placed.v2.json',
        content:
          '{"type":"object","properties":{"total":{"type":"integer","minimum":0,"maximum":9}},"additionalProperties":false}',
      },
    ],
    file: ORDERS,
    marker: 'customer: $.customer',
    reason: /version 2 of `placed` has no property `customer`/,
  },
  {
    title: 'without datasets',
    edits: [{ file: 'datasets', removed: true }],
    file: 'datasets',
    reason: /no dataset/,
  },
  {
    title: 'with a folder under another name',
    edits: [{ file: 'schema/a.json', content: '{}' }],
    file: 'schema',
    reason: /no folder of a catalogue/,
    next: /`schemas`/,
  },
];

const ALL_BAD = [...BAD_CATALOGUES, ...elsewhere];

describe('a catalogue', () => {
  test.each(ALL_BAD.map((one) => [one.title, one] as const))(
    '%s is refused with file, line and reason',
    async (_, one) => {
      const folder = await edited(...one.edits);
      const findings = await findingsOf(folder);
      const found = findings.find((finding) => finding.file === one.file && one.reason.test(finding.reason));
      if (found === undefined) throw new Error(`not found among:\n${describeFindings(findings)}`);
      if (one.marker !== undefined) {
        const text = await readFile(join(folder, one.file), 'utf8');
        expect(found.line).toBe(text.slice(0, text.indexOf(one.marker)).split('\n').length);
      }
      if (one.next !== undefined) expect(found.nextStep).toMatch(one.next);
    },
  );

  test('with mistakes in several files is told all of them at once, in order, one line each', async () => {
    const folder = await edited(
      change(ORDERS, 'class: standard', 'class: urgent'),
      change(OPENED, ', "maxLength": 200', ''),
      change(
        TOPOLOGY,
        'cluster: main\n    gateway: http://127.0.0.1:7102',
        'cluster: mian\n    gateway: http://127.0.0.1:7102',
      ),
    );
    const lines = describeFindings(await findingsOf(folder)).split('\n');
    expect(lines.map((line) => line.split(':')[0])).toEqual([ORDERS, OPENED, TOPOLOGY]);
    for (const line of lines) expect(line).toMatch(/^\S+:\d+: .+\. Next: .+\.$/);
  });

  test('that does not exist is refused, not thrown', async () => {
    const findings = await findingsOf(join(scratch, 'nowhere'));
    expect(describeFindings(findings)).toContain('the folder cannot be read (ENOENT)');
  });
});

describe('the reducer of accounts', () => {
  const reducer = async () => {
    const { projection } = named(await validCatalogue(SAMPLE), 'accounts').content;
    if (projection.kind !== 'aggregate') throw new Error('accounts are an aggregate');
    return loadReducer(projection.reducer);
  };
  const event = (type: string, data: { readonly [name: string]: unknown }) => ({
    key: 'eu:alice',
    type,
    v: 1,
    data,
  });
  const account = (balance: number) => ({ owner: 'Alice', currency: 'EUR', balance });

  test('opens an account once, with nothing in it', async () => {
    const reduce = await reducer();
    const opened = event('opened', { owner: 'Alice', currency: 'EUR' });
    expect(reduce(null, opened)).toEqual(account(0));
    expect(reduce(account(0), opened)).toEqual({ refuse: 'the account is already open' });
  });

  test('credits and debits, down to zero and not below', async () => {
    const reduce = await reducer();
    expect(reduce(account(5), event('credited', { amount: 7 }))).toEqual(account(12));
    expect(reduce(account(12), event('debited', { amount: 12 }))).toEqual(account(0));
    expect(reduce(account(12), event('debited', { amount: 13 }))).toEqual({
      refuse: 'the balance would fall below zero',
    });
  });

  test('refuses any move on a missing account', async () => {
    const reduce = await reducer();
    expect(reduce(null, event('credited', { amount: 1 }))).toEqual({ refuse: 'there is no such account' });
    expect(reduce(null, event('debited', { amount: 1 }))).toEqual({ refuse: 'there is no such account' });
  });

  test('fills an account up to 2^53 - 1 and refuses one more', async () => {
    const reduce = await reducer();
    const largest = Number.MAX_SAFE_INTEGER;
    expect(reduce(account(1), event('credited', { amount: largest - 1 }))).toEqual(account(largest));
    expect(reduce(account(1), event('credited', { amount: largest }))).toEqual({
      refuse: 'the balance would exceed 2^53 - 1',
    });
    expect(reduce(account(largest), event('credited', { amount: largest }))).toHaveProperty('refuse');
  });
});
