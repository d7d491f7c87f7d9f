/**
 * The data folder: where everything of one local cluster lies, and the record of what it is.
 *
 * `local.json` (mode 0600) marks the folder as ours: nothing is deleted in a folder without it. Files that others read
 * are replaced by rename, so that a reader sees the old or the new one and never half of one.
 */
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { LocalError } from './local-error.js';
import type { ClusterOptions } from './options.js';

/** The same from `src` and from `dist`. */
export const projectFolder = resolve(fileURLToPath(import.meta.url), '../../../..');
export const defaultDataFolder = join(projectFolder, '.lockstep/local');

export interface DataFolder {
  readonly folder: string;
  readonly record: string;
  readonly cluster: string;
  readonly control: string;
  readonly processes: string;
  readonly logs: string;
  readonly catalogue: string;
  readonly kafka: string;
  readonly postgres: string;
}

export interface ClusterRecord {
  readonly options: ClusterOptions;
  /** What `--ports auto` found last. */
  readonly autoBase: number | null;
  readonly postgresPassword: string;
  /** Where the databases lie when this folder is not open to the user they run as. */
  readonly runtimeFolder: string | null;
  readonly guidedWrites: number;
}

export function dataFolder(folder: string): DataFolder {
  return {
    folder,
    record: join(folder, 'local.json'),
    cluster: join(folder, 'cluster.json'),
    control: join(folder, 'control.json'),
    processes: join(folder, 'processes.json'),
    logs: join(folder, 'logs'),
    catalogue: join(folder, 'catalogue'),
    kafka: join(folder, 'kafka'),
    postgres: join(folder, 'postgres'),
  };
}

export async function readRecord(data: DataFolder): Promise<ClusterRecord | undefined> {
  if (existsSync(data.record)) return JSON.parse(await readFile(data.record, 'utf8')) as ClusterRecord;
  const ours = [data.cluster, data.catalogue, data.kafka, data.postgres, data.logs].find((path) =>
    existsSync(path),
  );
  if (ours !== undefined) {
    throw new LocalError(
      'foreign-folder',
      `${data.folder} holds files that no local cluster made (${ours}) and they would be overwritten. Name another folder with --data.`,
    );
  }
  return undefined;
}

export async function writeRecord(data: DataFolder, record: ClusterRecord): Promise<void> {
  await replaceFile(data.record, record);
}

export function newPassword(): string {
  return randomBytes(12).toString('hex');
}

/** Forgets the data, by the supervisor that holds the folder; `runtimeFolder` is the databases' other place, if there is one. */
export async function resetData(data: DataFolder, runtimeFolder: string | null): Promise<void> {
  const folders = [data.logs, data.catalogue, data.kafka, data.postgres, data.cluster, data.processes];
  for (const path of [...folders, ...(runtimeFolder === null ? [] : [runtimeFolder])]) {
    await rm(path, { recursive: true, force: true });
  }
  // The marker goes last: an interrupted reset leaves a folder that can be reset again.
  await rm(data.record, { force: true });
}

/** Readable by its owner alone: the files carry the databases' password. */
export async function replaceFile(path: string, content: unknown): Promise<void> {
  await mkdir(join(path, '..'), { recursive: true });
  const incoming = `${path}.incoming`;
  await writeFile(incoming, `${JSON.stringify(content, undefined, 2)}\n`, { mode: 0o600 });
  await rename(incoming, path);
}
