/** The description of the topics is valid AsyncAPI 3.1, and true: what it says of records fits those that are appended. */
import { beforeAll, describe, expect, test } from '@jest/globals';
import { Parser } from '@asyncapi/parser';
import { Ajv, type ValidateFunction } from 'ajv';
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventsText, type EntryEvent } from '@lockstep/protocol';
import { asyncApi } from './async-api.js';
import { loadCatalogue } from './catalogue.js';

const SAMPLE = join(import.meta.dirname, '../../../infra/catalogue/sample');

interface Described {
  readonly info: { readonly version: string };
  readonly servers: { readonly [name: string]: { readonly host: string } };
  readonly channels: {
    readonly [name: string]: {
      readonly address: string;
      readonly servers: readonly { readonly $ref: string }[];
      readonly bindings: { readonly kafka: object };
    };
  };
}

/** Of the sample, with replacements in one file. */
async function described(
  file = 'topology.yaml',
  ...changes: readonly (readonly [string, string])[]
): Promise<Described> {
  const folder = await mkdtemp(join(tmpdir(), 'lockstep-async-api-'));
  try {
    await cp(SAMPLE, folder, { recursive: true });
    let text = await readFile(join(folder, file), 'utf8');
    for (const [from, to] of changes) {
      if (!text.includes(from)) throw new Error(`${file} does not contain ${from}`);
      text = text.replace(from, to);
    }
    await writeFile(join(folder, file), text);
    const result = await loadCatalogue(folder);
    if (result.kind === 'invalid') throw new Error(JSON.stringify(result.findings));
    return asyncApi(result.catalogue) as Described;
  } finally {
    await rm(folder, { recursive: true });
  }
}

let sample: Described;
beforeAll(async () => {
  sample = await described();
});

/** What AsyncAPI's own parser finds, down to hints. */
async function findingsOf(document: unknown): Promise<readonly string[]> {
  const { diagnostics } = await new Parser().parse(JSON.stringify(document));
  return diagnostics.map(({ code, message, path }) => `${path.join('.')}: ${message} (${code})`);
}

describe('the parser of AsyncAPI', () => {
  test('finds nothing in that of the sample', async () => {
    expect(await findingsOf(sample)).toEqual([]);
  });

  test('finds nothing where there are several clusters and brokers', async () => {
    const several = await described(
      'topology.yaml',
      ['brokers: [127.0.0.1:19092]', 'brokers: [one:9092, two:9092]'],
      [
        'regions:\n',
        '  main-1:\n    brokers: [three:9092]\n    replicationFactor: 1\n    minInsyncReplicas: 1\nregions:\n',
      ],
    );
    expect(await findingsOf(several)).toEqual([]);
    expect(Object.entries(several.servers).map(([name, { host }]) => [name, host])).toEqual([
      ['main-1', 'one:9092'],
      ['main-2', 'two:9092'],
      ['main-1-1', 'three:9092'],
    ]);
    expect(several.channels['orders']!.servers.map(({ $ref }) => $ref)).toEqual([
      '#/servers/main-1',
      '#/servers/main-2',
    ]);
  });

  test('finds a part that is missing, and a reference to nothing', async () => {
    const { info: _, ...rest } = sample;
    expect((await findingsOf(rest)).join()).toMatch(/must have required property "?'?info/i);
    const channels = {
      ...sample.channels,
      orders: { ...sample.channels['orders'], servers: [{ $ref: '#/servers/none' }] },
    };
    expect((await findingsOf({ ...sample, channels })).join()).toMatch(/none/);
  });
});

describe('what it says', () => {
  test('of a topic is what a coordinator creates', () => {
    const { address, bindings } = sample.channels['readings']!;
    expect(address).toBe('lockstep.readings');
    expect(bindings.kafka).toEqual({
      bindingVersion: '0.5.0',
      topic: 'lockstep.readings',
      partitions: 12,
      replicas: 1,
      topicConfiguration: { 'cleanup.policy': ['delete'], 'retention.ms': 7 * 86_400_000 },
    });
  });

  test('has another version when a meaning changes, and the same one when an address does', async () => {
    const shorter = await described('schemas/orders/cancelled.v1.json', ['500', '499']);
    expect(shorter.info.version).not.toBe(sample.info.version);
    const moved = await described('topology.yaml', ['127.0.0.1:19092', 'kafka:9092']);
    expect(moved.info.version).toBe(sample.info.version);
  });
});

describe('what it says of a record', () => {
  let payload: ValidateFunction;
  let key: ValidateFunction;
  beforeAll(() => {
    payload = schemaIn(sample, '/components/messages/accounts.entry/payload');
    key = schemaIn(sample, '/components/schemas/accounts.key');
  });

  function schemaIn(document: Described, place: string): ValidateFunction {
    const ajv = new Ajv({ formats: { binary: true, 'date-time': true } })
      // Schemas stand within a document that is none.
      .addVocabulary(Object.keys(document))
      .addSchema(document, 'document');
    return ajv.getSchema(`document#${place}`)!;
  }

  const event = (of: Partial<EntryEvent>): EntryEvent => ({
    key: 'eu:ada/1',
    type: 'credited',
    v: 1,
    data: { amount: 1 },
    expectedVersion: null,
    ...of,
  });
  const fits = (...events: readonly EntryEvent[]): boolean => payload(JSON.parse(eventsText(events)));

  test('fits the bytes that a publisher appends', () => {
    expect(fits(event({}))).toBe(true);
    expect(
      fits(event({ expectedVersion: 7n as EntryEvent['expectedVersion'] }), event({ type: 'debited' })),
    ).toBe(true);
    expect(fits(event({ type: 'opened', data: { owner: 'Ä', currency: 'EUR' } }))).toBe(true);
  });

  test('does not fit what a fold would reject', () => {
    expect(payload([])).toBe(false);
    expect(fits(event({ type: 'renamed' }))).toBe(false);
    expect(fits(event({ v: 2 }))).toBe(false);
    expect(fits(event({ data: {} }))).toBe(false);
    expect(fits(event({ data: { amount: 0 } }))).toBe(false);
    expect(fits(event({ key: 'mars:ada' }))).toBe(false);
    expect(fits(...Array.from({ length: 101 }, () => event({})))).toBe(false);
  });

  test('lets the version be left out where it is the first, and only there', async () => {
    const changes = ['paid:\n    1:', 'paid:\n    2:'] as const;
    const second = schemaIn(
      await described('datasets/orders.yaml', changes),
      '/components/messages/orders.entry/payload',
    );
    const [key, data] = ['eu:1', {}];
    expect(second([{ key, type: 'cancelled', data: { reason: 'rain' } }])).toBe(true);
    expect(second([{ key, type: 'cancelled', v: 1, data: { reason: 'rain' } }])).toBe(true);
    expect(second([{ key, type: 'paid', v: 2, data }])).toBe(true);
    expect(second([{ key, type: 'paid', data }])).toBe(false);
    expect(second([{ key, type: 'paid', v: 1, data }])).toBe(false);
  });

  test('tells keys of entries from kinds of control entries', () => {
    for (const good of ['eu:ada', 'us:book/a', `ap:${'x'.repeat(200)}`, 'eu:a:b'])
      expect(key(good)).toBe(true);
    for (const bad of ['genesis', 'eu:', 'eu', 'mars:a', 'xeu:a', 'eu:a\nb', `eu:${'x'.repeat(201)}`])
      expect(key(bad)).toBe(false);
  });
});
