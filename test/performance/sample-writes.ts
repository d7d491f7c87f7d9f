/** The work of the benchmarks: entries of the sample catalogue's datasets, spread over their shards, the same in every run. */
import type { GatewayDataset } from '@lockstep/engine';
import {
  eventsText,
  murmur2,
  routeKey,
  utf8,
  utf8Length,
  type DatasetName,
  type EntryEvent,
  type EntryHeader,
  type Fingerprint,
  type KeyHash,
} from '@lockstep/protocol';
import { sampleDatasets } from '../simulation/sample-datasets.ts';

export const EVENTS_PER_ENTRY = 10;
const FIRST_READING_MS = Date.UTC(2026, 0, 1);

export interface Entry {
  readonly partition: number;
  /** Of the first event. */
  readonly key: string;
  /** The body of the record, as a gateway would serialise it. Kept without the events: a full heap slows everyone. */
  readonly text: string;
  readonly bytes: number;
  readonly idempotency: EntryHeader['idempotency'];
}

export interface Reading {
  readonly sensor: string;
  readonly value: number;
  readonly at: string;
}

/** The events of a text that was made here. */
export const parsed = (text: string): readonly { readonly key: string; readonly data: Reading }[] =>
  JSON.parse(text) as readonly { readonly key: string; readonly data: Reading }[];

export async function readingsDataset(): Promise<GatewayDataset> {
  return (await sampleDatasets()).get('readings' as DatasetName)!;
}

/** Uniform below `below`, and always the same for the same name. */
const draw = (name: string, below: number): number => murmur2(utf8(name)) % below;

/** The first keys of a name in every shard, equally many. */
function keysByShard(
  { configuration, partitions }: GatewayDataset,
  count: number,
  noun: string,
): readonly (readonly string[])[] {
  const { groups } = configuration.content;
  const keysOf = Array.from({ length: partitions }, (): string[] => []);
  for (let number = 0; keysOf.some((found) => found.length < count / partitions); number += 1) {
    const key = `${groups[number % groups.length]!.name}:${noun}-${number}`;
    const route = routeKey(groups, key);
    if (route.kind !== 'shard') throw new Error(`${key} has no shard`);
    const found = keysOf[route.partition]!;
    if (found.length < count / partitions) found.push(key);
  }
  return keysOf;
}

/**
 * Each entry holds one reading of each of the ten sensors of a station; stations are drawn uniformly.
 *
 * @param stations how many in all; ten times as many keys.
 * @param hot of ten entries nine are of so many stations, one in each of the first shards.
 */
export function readings(
  dataset: GatewayDataset,
  count: number,
  stations: number,
  hot = 0,
): readonly Entry[] {
  const stationsOf = keysByShard(dataset, stations, 'station');
  return Array.from({ length: count }, (_, index): Entry => {
    const isHot = hot > 0 && draw(`heat of ${index}`, 10) > 0;
    const partition = index % (isHot ? hot : dataset.partitions);
    const here = stationsOf[partition]!;
    const station = isHot ? here[0]! : here[draw(`station of ${index}`, here.length)]!;
    const at = new Date(FIRST_READING_MS + index * 1_000).toISOString();
    const events = Array.from({ length: EVENTS_PER_ENTRY }, (__, sensor) => ({
      key: `${station}/${sensor}`,
      type: 'recorded',
      data: {
        sensor: `${station.slice(3)}/${sensor}`,
        value: draw(`value of ${index}/${sensor}`, 100_000) / 100,
        at,
      },
    }));
    return entryOf(partition, events, null);
  });
}

/** One event in each entry, under a key that a gateway would have minted. */
function single(partition: number, index: number, event: Pick<EntryEvent, 'key' | 'type' | 'data'>): Entry {
  const number = index.toString(16).padStart(32, '0');
  return entryOf(partition, [event], { key: number as KeyHash, fingerprint: number as Fingerprint });
}

function entryOf(
  partition: number,
  events: readonly Pick<EntryEvent, 'key' | 'type' | 'data'>[],
  idempotency: Entry['idempotency'],
): Entry {
  const text = eventsText(events.map((event) => ({ ...event, v: 1, expectedVersion: null })));
  return { partition, key: events[0]!.key, text, bytes: utf8Length(text), idempotency };
}

/** The same readings, each an entry of its own: what an entry costs beside its event. */
export function singleReadings(dataset: GatewayDataset, count: number, sensors: number): readonly Entry[] {
  const sensorsOf = keysByShard(dataset, sensors, 'sensor');
  return Array.from({ length: count }, (_, index): Entry => {
    const partition = index % dataset.partitions;
    const key = sensorsOf[partition]![draw(`sensor of ${index}`, sensorsOf[partition]!.length)]!;
    const at = new Date(FIRST_READING_MS + index * 1_000).toISOString();
    const data = { sensor: key.slice(3), value: draw(`value of ${index}`, 100_000) / 100, at };
    return entryOf(partition, [{ key, type: 'recorded', data }], null);
  });
}

/** Every order is placed, paid and shipped; steps of many orders alternate. */
export function orders(dataset: GatewayDataset, count: number): readonly Entry[] {
  const steps = [
    { type: 'placed', dataOf: (id: number) => ({ customer: `customer-${id % 997}`, total: 100 + id }) },
    { type: 'paid', dataOf: () => ({}) },
    { type: 'shipped', dataOf: (id: number) => ({ carrier: `carrier-${id % 7}` }) },
  ];
  return inSteps(dataset, count, 'order', steps.length, (step, id) => {
    const { type, dataOf } = steps[step]!;
    return { type, data: dataOf(id) };
  });
}

/** Every account is opened, and four times credited. */
export const accounts = (dataset: GatewayDataset, count: number): readonly Entry[] =>
  inSteps(dataset, count, 'account', 5, (step, id) =>
    step === 0
      ? { type: 'opened', data: { owner: `owner-${id}`, currency: 'EUR' } }
      : { type: 'credited', data: { amount: 1 + (id % 1_000) } },
  );

function inSteps(
  dataset: GatewayDataset,
  count: number,
  noun: string,
  steps: number,
  eventOf: (step: number, id: number) => Pick<EntryEvent, 'type' | 'data'>,
): readonly Entry[] {
  const keys = keysByShard(dataset, Math.ceil(count / steps), noun);
  return Array.from({ length: count }, (_, index): Entry => {
    const partition = index % dataset.partitions;
    const here = keys[partition]!;
    const turn = Math.floor(index / dataset.partitions);
    const id = turn % here.length;
    const step = Math.floor(turn / here.length);
    return single(partition, index, { key: here[id]!, ...eventOf(step, id) });
  });
}

export const meanBytes = (entries: readonly Entry[]): number =>
  Math.round(entries.reduce((sum, { bytes }) => sum + bytes, 0) / entries.length);
