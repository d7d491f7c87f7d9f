/**
 * `lockstep logs`: what all processes of a local cluster wrote about a trace, a shard or the last minutes, merged by time.
 * It reads the files alone, so it works on a cluster that is down too.
 */
import { isId128, parseShardName, topicOf } from '@lockstep/protocol';
import { InvalidArgumentError, Option, type Command } from 'commander';
import { join } from 'node:path';
import { CliError } from './cli-error.js';
import { readDurationMs } from './duration.js';
import { localFolder } from './local-cluster.js';
import { describeEntry, entryJson, type LogSource } from './log-entry.js';
import { logRoles, mergedEntries, processLogs, type ProcessLog } from './log-files.js';
import { tell } from './output.js';

interface LogsOptions {
  readonly trace?: string;
  readonly shard?: RegExp;
  readonly since?: number;
  readonly region?: string;
  readonly role?: (typeof logRoles)[number];
  readonly data?: string;
  readonly json?: boolean;
}

export function addLogsCommand(program: Command): void {
  program
    .command('logs')
    .description('what the processes of the local cluster wrote, merged by time')
    .addOption(new Option('--trace <id>', 'lines that name this trace').argParser(readTraceId))
    .addOption(
      new Option('--shard <shard>', 'lines that name this shard, such as accounts/0').argParser(readShard),
    )
    .addOption(
      new Option('--since <duration>', 'of the last 10m, say; s, m, h or d').argParser(readDurationMs),
    )
    .option('--region <region>', 'of this region only')
    .addOption(new Option('--role <role>', 'of these processes only').choices(logRoles))
    .option('--data <dir>', 'data folder of the local cluster')
    .option('--json', 'for programs: a line of JSON per entry')
    .action(showLogs);
}

async function showLogs({ trace, shard, since, ...options }: LogsOptions): Promise<void> {
  if (trace === undefined && shard === undefined && since === undefined)
    throw new CliError(2, 'Say of what: --trace ID, --shard DATASET/N or --since DURATION.');
  const folder = join(localFolder(options.data), 'logs');
  const logs = chosen(await processLogs(folder), folder, options);
  const sinceMs = since === undefined ? null : Date.now() - since;
  const names = (text: string): boolean =>
    (trace === undefined || text.includes(trace)) && (shard === undefined || shard.test(text));
  let entries = 0;
  for await (const { entry, log } of mergedEntries(logs, { sinceMs, names })) {
    entries += 1;
    console.log(
      options.json === true ? JSON.stringify(entryJson(sourceOf(log), entry)) : describeEntry(log, entry),
    );
    // Whoever reads has seen enough, as `head` does.
    if (process.stdout.destroyed) return;
  }
  if (entries === 0) tell(`Nothing of that stands in the ${logs.length} logs of ${folder}.`);
}

function chosen(
  logs: readonly ProcessLog[],
  folder: string,
  { region, role }: LogsOptions,
): readonly ProcessLog[] {
  if (logs.length === 0)
    throw new CliError(1, `There are no logs in ${folder}. Name the data folder with --data, or npm start.`);
  const regions = [...new Set(logs.flatMap((log) => log.region ?? []))];
  if (region !== undefined && !regions.includes(region))
    throw new CliError(2, `There are no logs of a region ${region} here, only of ${regions.join(', ')}.`);
  return logs.filter(
    (log) => (region === undefined || log.region === region) && (role === undefined || log.role === role),
  );
}

const sourceOf = ({ process, region, role }: ProcessLog): LogSource => ({ process, region, role });

function readTraceId(text: string): string {
  if (isId128(text)) return text;
  throw new InvalidArgumentError('Expected 32 hex digits, as `traceId` of a receipt.');
}

/** A shard as roles name it, or as brokers name its partition. */
function readShard(text: string): RegExp {
  const parsed = parseShardName(text);
  if (parsed === null) throw new InvalidArgumentError('Expected a shard such as accounts/0.');
  const partition = `${topicOf(parsed.dataset).replaceAll('.', '\\.')}-${parsed.partition}`;
  return new RegExp(`(?<![\\w.-])(?:${text}|${partition})(?!\\d)`);
}
