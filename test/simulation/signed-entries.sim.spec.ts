/**
 * Signed control entries in a simulated world: coordinators sign what needs it, and what somebody else appends is `forged`
 * in every region alike, while writes go on.
 */
import { expect, test } from '@jest/globals';
import type { GatewayDataset, Signer } from '@lockstep/engine';
import {
  compileConfiguration,
  controlText,
  decodeHeader,
  encodeHeader,
  entryNumber,
  epoch,
  NO_CONFIGURATION_PREFIX,
  NO_PUBLISHER,
  signedBytes,
  utf8,
  type ConfigurationHash,
  type ControlBody,
  type DatasetName,
  type EntryHeader,
  type RegionName,
  type ShardName,
} from '@lockstep/protocol';
import { SimulatedCluster, simulatedSigner, World } from '@lockstep/testing';
import { sampleDatasets } from './sample-datasets.js';

const REGIONS = ['eu', 'us', 'ap'] as RegionName[];
const OPERATORS = simulatedSigner('operators');
const THIEF = simulatedSigner('thief');
const TOPIC = 'lockstep.orders';
const SHARD = 'orders/0' as ShardName;

const orders = (await sampleDatasets()).get('orders' as DatasetName)!;
const content = {
  ...orders.configuration.content,
  signingKeys: [{ id: 'operators', publicKey: OPERATORS.publicKey }],
};
const signed: GatewayDataset = {
  ...orders,
  configuration: compileConfiguration('5'.repeat(64) as ConfigurationHash, content, null),
};

async function cluster(): Promise<SimulatedCluster> {
  const made = new SimulatedCluster({
    world: new World(11),
    regions: REGIONS,
    datasets: new Map([[content.dataset, signed]]),
    roles: 'apart',
    signer: OPERATORS,
  });
  await made.start();
  return made;
}

const fence: ControlBody = {
  kind: 'fence',
  expectedEpoch: epoch(1n),
  epoch: epoch(2n),
  home: 'us' as RegionName,
  term: 1n,
  decision: 1n,
};

function append(made: SimulatedCluster, by: Signer | null, signedFor = SHARD): void {
  const nowMs = made.options.world.clock().nowMs();
  const unsigned: EntryHeader = {
    kind: 'fence',
    epoch: epoch(0n),
    publisherClockMs: nowMs,
    notAfterMs: nowMs + 60_000,
    publisher: NO_PUBLISHER,
    number: entryNumber(0n),
    configurationPrefix: NO_CONFIGURATION_PREFIX,
    region: 'us' as RegionName,
    idempotency: null,
    signature: null,
  };
  const text = controlText(fence);
  const signature = by?.sign(signedBytes(signedFor, unsigned, text)) ?? null;
  made.log.appendForeign(TOPIC, 0, {
    key: utf8('fence'),
    value: utf8(text),
    headers: [['lockstep', encodeHeader({ ...unsigned, signature })]],
  });
}

/** The epoch of the shard in every region, once all have folded the log to its end. */
async function epochs(made: SimulatedCluster): Promise<readonly bigint[]> {
  const end = BigInt(made.log.records(TOPIC, 0).length) - 1n;
  const cursors = () => REGIONS.map((region) => made.region(region).database.cursor(SHARD));
  await made.options.world.runUntil(() => cursors().every((cursor) => cursor!.offset === end), 60_000);
  return cursors().map((cursor) => cursor!.epoch);
}

test('coordinators sign what begins a log, and every region takes it', async () => {
  const made = await cluster();
  const [genesis] = made.log.records(TOPIC, 0);
  const header = decodeHeader(genesis!.header!)!;
  expect(header.kind).toBe('genesis');
  expect(header.signature).toBe(
    OPERATORS.sign(signedBytes(SHARD, { ...header, signature: null }, genesis!.valueText!)),
  );
  expect(await epochs(made)).toEqual([1n, 1n, 1n]);
});

test('a fence of a thief, one without a signature and one copied from another shard are forged everywhere', async () => {
  const made = await cluster();
  append(made, null);
  append(made, THIEF);
  append(made, OPERATORS, 'orders/1' as ShardName);
  expect(await epochs(made)).toEqual([1n, 1n, 1n]);
  const verdicts = REGIONS.map((region) =>
    made.region(region).facts.reduce((forged, fact) => {
      const told = fact.kind === 'batch-committed' ? fact.verdicts.get('forged') : undefined;
      return forged + (told ?? 0);
    }, 0),
  );
  expect(verdicts).toEqual([3, 3, 3]);

  const event = { key: 'eu:one', type: 'placed', data: { customer: 'ada', total: 1 } };
  let status = 0;
  void made.write('eu', 'orders', { events: [event], ack: 'everywhere' }, 'key').then((answer) => {
    ({ status } = answer);
  });
  await made.options.world.runUntil(() => status !== 0, 60_000);
  expect(status).toBe(200);

  append(made, OPERATORS);
  expect(await epochs(made)).toEqual([2n, 2n, 2n]);
});
