/**
 * Loads a catalogue folder: topology, datasets, schemas and reducers, validated as a whole.
 *
 * The folder is read first, within bounds, and then judged without waiting; only the question whether a reducer's
 * module exports what it must is answered by loading it. A catalogue is valid or it is a list of findings; nothing of
 * an invalid one is handed out.
 */
import { createHash } from 'node:crypto';
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import {
  canonicalJson,
  type ConfigurationContent,
  type ConfigurationHash,
  type DatasetName,
} from '@lockstep/protocol';
import { readDataset, type CatalogueFiles, type CompiledDataset } from './dataset.js';
import { FindingList, type Finding } from './finding.js';
import { readYaml, type PositionedDocument } from './positioned-document.js';
import { loadReducer } from './reducer-module.js';
import { nearestOrKnown } from './suggestion.js';
import { readTopology, TOPOLOGY_FILE, type Topology } from './topology.js';

export interface Catalogue {
  readonly topology: Topology;
  /** In the order of their names. */
  readonly datasets: ReadonlyMap<DatasetName, CatalogueDataset>;
}

export interface CatalogueDataset extends CompiledDataset {
  /** SHA-256 of the content's canonical JSON. */
  readonly hash: ConfigurationHash;
}

export type CatalogueResult =
  | { readonly kind: 'valid'; readonly catalogue: Catalogue }
  /** At least one, in the order of files and lines. */
  | { readonly kind: 'invalid'; readonly findings: readonly Finding[] };

const FILES_MAX = 2_000;
const FILE_BYTES_MAX = 256 * 1024;
const FOLDER_DEPTH_MAX = 6;

export async function loadCatalogue(folder: string): Promise<CatalogueResult> {
  const findings = new FindingList();
  const files = await readFolder(folder, findings);
  const judged = judgeCatalogue(files, findings);
  for (const { document, compiled } of judged.datasets) {
    await checkReducerLoads(document, compiled, findings);
  }
  if (findings.count > 0 || judged.topology === null) return { kind: 'invalid', findings: findings.sorted() };
  const datasets = judged.datasets.map(({ compiled }): [DatasetName, CatalogueDataset] => [
    compiled.content.dataset,
    { ...compiled, hash: configurationHash(compiled.content) },
  ]);
  return { kind: 'valid', catalogue: { topology: judged.topology, datasets: new Map(datasets) } };
}

/** The name of a configuration: SHA-256 of its canonical JSON in UTF-8. */
export function configurationHash(content: ConfigurationContent): ConfigurationHash {
  return createHash('sha256').update(canonicalJson(content), 'utf8').digest('hex') as ConfigurationHash;
}

interface JudgedDataset {
  readonly document: PositionedDocument;
  readonly compiled: CompiledDataset;
}

function judgeCatalogue(
  files: CatalogueFiles,
  findings: FindingList,
): { readonly topology: Topology | null; readonly datasets: readonly JudgedDataset[] } {
  const topologyText = files.get(TOPOLOGY_FILE);
  let topology: Topology | null = null;
  if (topologyText === undefined) {
    const nextStep = `add ${TOPOLOGY_FILE} with clusters and regions to the catalogue folder`;
    findings.add({
      file: TOPOLOGY_FILE,
      line: 1,
      path: '',
      reason: 'the catalogue has no topology',
      nextStep,
    });
  } else {
    const document = readYaml(TOPOLOGY_FILE, topologyText, findings);
    topology = document === null ? null : readTopology(document, files, findings);
  }

  const datasets: JudgedDataset[] = [];
  const tables = new Map<string, string>();
  const datasetFiles = [...files.keys()].filter((path) => path.startsWith('datasets/')).toSorted();
  for (const path of datasetFiles) {
    const name = /^datasets\/([^/]+)\.yaml$/.exec(path)?.[1];
    if (name === undefined) {
      const nextStep = 'name it datasets/<dataset>.yaml, or move it out of this folder';
      findings.add({
        file: path,
        line: 1,
        path: '',
        reason: 'only <dataset>.yaml files belong here',
        nextStep,
      });
      continue;
    }
    const document = readYaml(path, files.get(path)!, findings);
    if (document === null) continue;
    const compiled = readDataset(name, document, { files, topology }, findings);
    if (compiled === null) continue;
    const { table } = compiled.content.projection;
    const other = tables.get(table);
    if (other !== undefined) {
      const reason = `the table \`${table}\` already belongs to ${other}`;
      findings.at(document, ['projection', 'table'], reason, 'give each dataset its own table');
    }
    tables.set(table, path);
    datasets.push({ document, compiled });
  }
  if (datasetFiles.length === 0) {
    const nextStep = 'add datasets/<dataset>.yaml';
    findings.add({ file: 'datasets', line: 1, path: '', reason: 'the catalogue has no dataset', nextStep });
  }
  return { topology, datasets };
}

async function checkReducerLoads(
  document: PositionedDocument,
  compiled: CompiledDataset,
  findings: FindingList,
): Promise<void> {
  const { projection } = compiled.content;
  if (projection.kind !== 'aggregate' || projection.reducer === '') return;
  try {
    await loadReducer(projection.reducer);
  } catch (error) {
    const reason = error instanceof Error ? error.message.replace(/\.$/, '') : String(error);
    findings.at(document, ['projection', 'reducer'], reason, 'correct the reducer file');
  }
}

/** Every file of the folder that a catalogue can use; names that begin with a dot are none of its business. */
async function readFolder(folder: string, findings: FindingList): Promise<CatalogueFiles> {
  const files = new Map<string, string>();
  let filesSeen = 0;
  const refuse = (file: string, reason: string, nextStep: string): void =>
    findings.add({ file, line: 1, path: '', reason, nextStep });

  const walk = async (relative: string, depth: number): Promise<void> => {
    let names: readonly string[];
    try {
      names = (await readdir(join(folder, relative))).toSorted();
    } catch (error) {
      refuse(
        relative === '' ? '.' : relative,
        `the folder cannot be read (${codeOf(error)})`,
        'check its path and rights',
      );
      return;
    }
    for (const name of names) {
      if (name.startsWith('.')) continue;
      const path = relative === '' ? name : `${relative}/${name}`;
      try {
        // Links are followed: a mounted configuration is often a folder of links.
        const found = await stat(join(folder, path));
        if (found.isDirectory()) {
          if (depth >= FOLDER_DEPTH_MAX)
            refuse(path, `more than ${FOLDER_DEPTH_MAX} folders deep`, 'move it up');
          else await walk(path, depth + 1);
        } else if (/\.(yaml|json|ts|pem)$/.test(name) || relative === 'datasets') {
          filesSeen += 1;
          if (filesSeen === FILES_MAX + 1)
            refuse(path, `more than ${FILES_MAX} files`, 'split the catalogue');
          if (filesSeen > FILES_MAX) return;
          if (found.size > FILE_BYTES_MAX)
            refuse(path, `larger than ${FILE_BYTES_MAX} bytes`, 'make it smaller');
          else files.set(path, await readFile(join(folder, path), 'utf8'));
        }
      } catch (error) {
        refuse(path, `the file cannot be read (${codeOf(error)})`, 'check its rights');
      }
    }
  };
  await walk('', 1);
  // A misspelled folder would otherwise be met only as missing datasets.
  const folders = new Set(
    [...files.keys()].filter((path) => path.includes('/')).map((path) => path.split('/', 1)[0]!),
  );
  for (const name of folders) {
    if (FOLDERS.includes(name)) continue;
    refuse(name, `\`${name}\` is no folder of a catalogue`, nearestOrKnown(name, FOLDERS));
  }
  return files;
}

const FOLDERS: readonly string[] = ['datasets', 'schemas', 'reducers', 'keys'];

const codeOf = (error: unknown): string => String((error as { code?: unknown }).code ?? error);
