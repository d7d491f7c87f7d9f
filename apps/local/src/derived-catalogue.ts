/**
 * The catalogue as one region of the local cluster sees it: the source's files with this cluster's addresses.
 *
 * Only the topology changes, and where fewer regions run than the catalogue has, the groups: a region that is not here
 * leaves their lists, a group whose home is not here leaves altogether, and so does a dataset without any group. So the
 * fold configuration is the source's whenever all its regions run.
 */
import { existsSync } from 'node:fs';
import { cp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isMap, isSeq, parseDocument, type Document } from 'yaml';
import { LocalError } from './local-error.js';

export interface RegionView {
  readonly brokers: readonly string[];
  readonly replicationFactor: number;
  readonly minInsyncReplicas: number;
  readonly regions: Readonly<
    Record<
      string,
      {
        readonly gateway: string;
        /** Several where there is more than one replicator. */
        readonly replicator: string | readonly string[];
        readonly coordinator: string;
      }
    >
  >;
}

const TOPOLOGY = 'topology.yaml';

/** The regions that a catalogue names, in its order. */
export async function regionsOfCatalogue(catalogue: string): Promise<readonly string[]> {
  if (!existsSync(join(catalogue, TOPOLOGY))) {
    throw new LocalError('invalid-option', `${catalogue} is no catalogue: it has no ${TOPOLOGY}.`);
  }
  const names = Object.keys(
    (parseTopology(await readFile(join(catalogue, TOPOLOGY), 'utf8')).toJS() as { regions?: object })
      .regions ?? {},
  );
  if (names.length === 0)
    throw new LocalError('invalid-option', `${join(catalogue, TOPOLOGY)} names no region.`);
  return names;
}

/** @param sources a catalogue, and what others add to it: a file that an earlier one has is kept. */
export async function deriveCatalogue(
  sources: readonly string[],
  target: string,
  view: RegionView,
): Promise<void> {
  await rm(target, { recursive: true, force: true });
  for (const source of sources) await cp(source, target, { recursive: true, force: false });
  const topology = join(target, TOPOLOGY);
  await writeFile(topology, deriveTopology(await readFile(topology, 'utf8'), view));
  const datasets = join(target, 'datasets');
  for (const name of existsSync(datasets) ? await readdir(datasets) : []) {
    if (!name.endsWith('.yaml')) continue;
    const text = await readFile(join(datasets, name), 'utf8');
    const derived = deriveDataset(text, Object.keys(view.regions));
    if (derived === null) await rm(join(datasets, name));
    else await writeFile(join(datasets, name), derived);
  }
}

export function deriveTopology(text: string, view: RegionView): string {
  const document = parseTopology(text);
  const { clusters, regions } = document.toJS() as { clusters?: object; regions?: object };
  for (const cluster of Object.keys(clusters ?? {})) {
    for (const setting of ['brokers', 'replicationFactor', 'minInsyncReplicas'] as const) {
      document.setIn(['clusters', cluster, setting], document.createNode(view[setting]));
    }
  }
  for (const region of Object.keys(regions ?? {})) {
    const addresses = view.regions[region];
    if (addresses === undefined) document.deleteIn(['regions', region]);
    else
      for (const [role, address] of Object.entries(addresses))
        document.setIn(
          ['regions', region, role],
          typeof address === 'string' ? address : document.createNode(address, { flow: true }),
        );
  }
  return document.toString();
}

/** Leaves the text as it is when nothing has to go; null when no group is left. */
export function deriveDataset(text: string, present: readonly string[]): string | null {
  const document = parseDocument(text);
  const groups = document.get('groups');
  if (!isMap(groups)) return text;
  let changed = false;
  for (const name of Object.keys(groups.toJSON() as object)) {
    if (!present.includes(String(document.getIn(['groups', name, 'home'])))) {
      document.deleteIn(['groups', name]);
      changed = true;
      continue;
    }
    const regions = document.getIn(['groups', name, 'regions']);
    if (!isSeq(regions)) continue;
    const kept = (regions.toJSON() as string[]).filter((region) => present.includes(region));
    if (kept.length < regions.items.length) {
      document.setIn(['groups', name, 'regions'], document.createNode(kept, { flow: true }));
      changed = true;
    }
  }
  if (groups.items.length === 0) return null;
  return changed ? document.toString() : text;
}

function parseTopology(text: string): Document {
  const document = parseDocument(text);
  const [error] = document.errors;
  if (error !== undefined)
    throw new LocalError('invalid-option', `${TOPOLOGY} cannot be read: ${error.message}`);
  return document;
}
