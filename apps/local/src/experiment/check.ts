/**
 * `npx lockstep local check`: judges a run of `load` by its history, the whole log, folded once more, and the databases of
 * all regions. It waits until the cluster is quiet, makes what is unknown definite by asking for receipts, reads, and
 * leaves the judgement to `@lockstep/testing/history`. Nothing is written but what receipts that are asked for settle.
 *
 * Exit 0 = nothing was found, 1 = something was, or it could not be looked at; 2 = it cannot be meant so.
 */
import { createHash } from 'node:crypto';
import { createWriteStream, existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import {
  EXPORT_FORMATS,
  exportLines,
  judge,
  NOT_WITNESSED,
  ofRun,
  openWrites,
  placeOf,
  readRun,
  membersOf,
  type ExportFormat,
  type Judgement,
} from '@lockstep/testing/history';
import type { ClusterFile } from '../cluster-file.js';
import { dataFolder, defaultDataFolder, type DataFolder } from '../data-folder.js';
import { LocalError } from '../local-error.js';
import { parseOptions } from '../parse-options.js';
import { askAgain } from './check/asked-again.js';
import { disturbancesDuring } from './check/disturbances.js';
import { configurationsOf, deployedDatasets, type DeployedDataset } from './check/fold-configurations.js';
import { newestHistory, readHistory } from './check/history-reader.js';
import { judgementText } from './check/judgement-text.js';
import { untilQuiet } from './check/quiet-cluster.js';
import { readRegion, type RegionalSnapshot } from './check/regional-database.js';
import { toldWatermarks } from './check/told-watermarks.js';
import { wholeControlLog } from './check/whole-control-log.js';
import { refoldLog } from './check/whole-log.js';

export const checkUsage = `npx lockstep local check [options]
  --data DIR        data folder of the cluster (.lockstep/local)
  --history FILE    the run to judge (the newest of DIR/history)
  --wait SECONDS    how long each region may take to become quiet, and receipts to become definite (60)
  --export FILE     writes the run for another checker as well, with --format elle (list-append, EDN) or porcupine
                    (calls and returns of rows as registers, JSON lines)
  --format NAME     of the export (elle)
  --json            for programs`;

const WAIT_SECONDS_DEFAULT = 60;
const WAIT_SECONDS_MAX = 3_600;
/** Nobody is asked who the caller is in a local cluster. */
const PRINCIPAL = 'anonymous';

interface CheckOptions {
  readonly data: DataFolder;
  readonly history: string;
  readonly waitMs: number;
  readonly json: boolean;
  readonly exported: { readonly file: string; readonly format: ExportFormat } | null;
}

export async function runCheck(args: readonly string[]): Promise<number> {
  const options = readOptions(args);
  const cluster = readCluster(options.data);
  const judgement = await check(options, cluster);
  if (options.json) console.log(JSON.stringify({ history: options.history, ...judgement }));
  else console.log(judgementText(options.history, judgement));
  return judgement.findings.length === 0 ? 0 : 1;
}

async function check(options: CheckOptions, cluster: ClusterFile): Promise<Judgement> {
  const { waitMs } = options;
  const lines = await readHistory(options.history);
  const { run, writes } = readRun(lines);
  if (run === null) {
    throw new LocalError(
      'nothing-to-check',
      `${options.history} is no history: its first line does not name a run.`,
    );
  }
  const gateways = Object.entries(cluster.regions).map(([region, { gateway }]) => ({ region, url: gateway }));
  const datasets = await deployedDatasets(join(options.data.catalogue, gateways[0]!.region));

  say(`run ${run.run}: waiting until every region has folded the log to its end`);
  await untilQuiet(gateways, waitMs, say);
  const unknown = openWrites(writes);
  if (unknown.length > 0) say(`${unknown.length} writes ended unknown: asking for their receipts`);
  const asked = await askAgain({ writes: unknown, run, gateways, datasets, withinMs: waitMs, say });
  // Asking may have appended; from here on nobody writes who belongs to this run.
  const { ends, unrest } = await untilQuiet(gateways, waitMs, say);

  say('reading every region');
  const snapshots = await readRegions(cluster, datasets, run.run);
  const configurations = await configurationsOf(datasets, snapshots.values());
  say('folding the whole log again');
  const { brokers } = cluster.kafka;
  const watermarks = await toldWatermarks(brokers);
  const compared = new Set(watermarks.map(({ sequence, shard }) => placeOf(shard, sequence)));
  for (const { cursors } of snapshots.values())
    for (const [shard, { sequence }] of cursors) compared.add(placeOf(shard, sequence));
  const log = await refoldLog({
    brokers,
    datasets,
    configurations,
    ends: endsOf(snapshots.values()),
    wanted: ofRun(run.run),
    compared: (shard, sequence) => compared.has(placeOf(shard, sequence)),
  });
  if (options.exported !== null) {
    const { file, format } = options.exported;
    const exported = exportLines(
      { history: readRun(lines), asked, log, regions: snapshots, keyHash },
      format,
    );
    await writeLines(file, exported);
    say(`exported for ${format}: ${file}`);
  }
  const control = await wholeControlLog(brokers);
  if (control === null)
    say('the control log is not whole, or too long: what coordinators decided is not judged');
  return judge({
    ...{ lines, asked, log, regions: snapshots, unrest, restedAt: ends, keyHash },
    members: membersOf(datasets.map(({ content }) => content)),
    witnessed: { ...NOT_WITNESSED, watermarks, control },
    disturbances: await disturbancesDuring(options.data.folder, run, lines),
  });
}

async function writeLines(file: string, lines: Iterable<string>): Promise<void> {
  const text = function* (): Iterable<string> {
    for (const line of lines) yield `${line}\n`;
  };
  await pipeline(Readable.from(text()), createWriteStream(file));
}

async function readRegions(
  cluster: ClusterFile,
  datasets: readonly DeployedDataset[],
  run: string,
): Promise<ReadonlyMap<string, RegionalSnapshot>> {
  const regions = new Map<string, RegionalSnapshot>();
  for (const [region, { postgres }] of Object.entries(cluster.regions)) {
    regions.set(region, await readRegion({ region, url: postgres, datasets, run }));
  }
  return regions;
}

/** For each shard the highest offset that a region has folded. */
function endsOf(snapshots: Iterable<RegionalSnapshot>): ReadonlyMap<string, bigint> {
  const ends = new Map<string, bigint>();
  for (const { offsets } of snapshots) {
    for (const [shard, offset] of offsets) {
      if (offset > (ends.get(shard) ?? -1n)) ends.set(shard, offset);
    }
  }
  return ends;
}

/** As SPEC.md has it ("Identifiers"), told once more: the fold never computes it, so that nothing else would notice. */
const keyHash = (key: string): string =>
  createHash('sha256')
    .update(`${Buffer.byteLength(PRINCIPAL)}:${PRINCIPAL}${key}`, 'utf8')
    .digest('hex')
    .slice(0, 32);

function readOptions(args: readonly string[]): CheckOptions {
  const values = parseOptions(args, OPTIONS, checkUsage);
  const data = dataFolder(values.data === undefined ? defaultDataFolder : resolve(values.data));
  const seconds = values.wait === undefined ? WAIT_SECONDS_DEFAULT : Number(values.wait);
  if (!(seconds >= 1 && seconds <= WAIT_SECONDS_MAX)) {
    throw new LocalError(
      'invalid-option',
      `--wait ${values.wait}: expected seconds from 1 to ${WAIT_SECONDS_MAX}.`,
    );
  }
  const exported = readExport(values);
  const history = values.history === undefined ? newestHistory(data.folder) : resolve(values.history);
  if (!existsSync(history)) throw new LocalError('nothing-to-check', `There is no file ${history}.`);
  return { data, history, waitMs: seconds * 1_000, json: values.json === true, exported };
}

function readExport(values: ReturnType<typeof parseOptions<typeof OPTIONS>>): CheckOptions['exported'] {
  const format = EXPORT_FORMATS.find((name) => name === (values.format ?? 'elle'));
  if (format === undefined) {
    throw new LocalError(
      'invalid-option',
      `--format ${values.format}: expected ${EXPORT_FORMATS.join(' or ')}.`,
    );
  }
  if (values.export !== undefined) return { file: resolve(values.export), format };
  if (values.format === undefined) return null;
  throw new LocalError('invalid-option', '--format is the format of an export. Name its file with --export.');
}

const OPTIONS = {
  data: { type: 'string' },
  history: { type: 'string' },
  wait: { type: 'string' },
  export: { type: 'string' },
  format: { type: 'string' },
  json: { type: 'boolean' },
} as const;

function readCluster({ cluster, folder }: DataFolder): ClusterFile {
  if (existsSync(cluster)) return JSON.parse(readFileSync(cluster, 'utf8')) as ClusterFile;
  throw new LocalError(
    'nothing-to-check',
    `No local cluster runs on ${folder}. Start it with npm start: a run is judged on the data that it was written to.`,
  );
}

/** Progress is for people; what programs read stands alone on the other stream. */
const say = (line: string): void => console.error(line);
