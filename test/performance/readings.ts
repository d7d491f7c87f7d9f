/**
 * The work of the benchmarks: entries of the sample catalogue's `readings`, spread evenly over its shards, the same in
 * every run.
 */
import type { GatewayDataset } from '@lockstep/engine';
import {
  eventsText,
  murmur2,
  routeKey,
  utf8,
  utf8Length,
  type DatasetName,
  type EntryEvent,
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
}

export async function readingsDataset(): Promise<GatewayDataset> {
  return (await sampleDatasets()).get('readings' as DatasetName)!;
}

/** Uniform below `below`, and always the same for the same name. */
const draw = (name: string, below: number): number => murmur2(utf8(name)) % below;

/**
 * Each entry holds one reading of each of the ten sensors of a station; stations are drawn uniformly.
 *
 * @param stations how many in all; ten times as many keys.
 */
export function readings(
  { configuration, partitions }: GatewayDataset,
  count: number,
  stations: number,
): readonly Entry[] {
  const { groups } = configuration.content;
  const stationsOf = Array.from({ length: partitions }, (): string[] => []);
  for (let number = 0; stationsOf.some((found) => found.length < stations / partitions); number += 1) {
    const station = `${groups[number % groups.length]!.name}:station-${number}`;
    const route = routeKey(groups, station);
    if (route.kind !== 'shard') throw new Error(`${station} has no shard`);
    const found = stationsOf[route.partition]!;
    if (found.length < stations / partitions) found.push(station);
  }
  return Array.from({ length: count }, (_, index): Entry => {
    const partition = index % partitions;
    const station = stationsOf[partition]![draw(`station of ${index}`, stationsOf[partition]!.length)]!;
    const at = new Date(FIRST_READING_MS + index * 1_000).toISOString();
    const events = Array.from({ length: EVENTS_PER_ENTRY }, (__, sensor): EntryEvent => ({
      key: `${station}/${sensor}`,
      type: 'recorded',
      v: 1,
      data: {
        sensor: `${station.slice(3)}/${sensor}`,
        value: draw(`value of ${index}/${sensor}`, 100_000) / 100,
        at,
      },
      expectedVersion: null,
    }));
    const text = eventsText(events);
    return { partition, key: events[0]!.key, text, bytes: utf8Length(text) };
  });
}

export const meanBytes = (entries: readonly Entry[]): number =>
  Math.round(entries.reduce((sum, { bytes }) => sum + bytes, 0) / entries.length);
