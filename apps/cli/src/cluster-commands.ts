/**
 * `lockstep status | shards | lag | rule | receipt`: what gateways and coordinators answer over HTTP, as tables. Without an
 * address they are found through the local cluster's files.
 */
import type { Command } from 'commander';
import { CliError } from './cli-error.js';
import { print, table } from './output.js';
import { describePauses, describeWindows, type ListedPause, type ListedWindow } from './pause-commands.js';
import { askRole, withAddress, type AddressOptions } from './role-call.js';

interface ShardView {
  readonly shard: string;
  readonly home: string | null;
  readonly epoch: number | null;
  readonly state: string;
  readonly reason: string | null;
  readonly rule: RuleView | null;
  readonly regions: Readonly<
    Record<string, { readonly sequence: number; readonly lagRecords: number | null } | null>
  >;
}

interface RuleView {
  readonly text: string;
  readonly from: number;
  readonly joint?: boolean;
  readonly withdrawn: readonly string[];
}

interface RuleChange {
  readonly shards: readonly {
    readonly shard: string;
    readonly state: string;
    readonly detail?: string;
    readonly rule: RuleView | null;
  }[];
}

interface RuleOptions extends AddressOptions {
  readonly reason?: string;
  readonly withdraw?: string;
}

interface ClusterView {
  readonly region: string;
  readonly term: number | null;
  readonly leader: string | null;
  readonly paused: readonly ListedPause[] | null;
  /** Not of a coordinator from before there were any. */
  readonly windows?: readonly ListedWindow[];
  readonly doubts?: readonly { readonly region: string; readonly by: string; readonly evidence: string }[];
  /** Not of a coordinator that folds no control log. */
  readonly control?: { readonly sequence: number; readonly current: boolean; readonly halted: string | null };
  readonly regions: readonly {
    readonly region: string;
    readonly stream: string;
    readonly shards: readonly {
      readonly sequence: number | null;
      readonly lagRecords: number | null;
      readonly halted: unknown;
      readonly differs: boolean;
    }[];
  }[];
}

interface Receipt {
  readonly id: string;
  readonly shard: string;
  readonly sequence?: number;
  readonly outcome: string;
  readonly code?: string;
  readonly stage: string | null;
  readonly stages: Readonly<
    Record<string, { readonly at: string; readonly region?: string; readonly regions?: readonly string[] }>
  >;
}

export function addClusterCommands(program: Command): void {
  withAddress(program.command('status').description('regions as one coordinator sees them')).action(
    async (options: AddressOptions) => {
      const cluster = (await askRole('coordinator', '/v1/cluster', options)) as ClusterView;
      print(cluster, options, () =>
        [
          `Seen from ${cluster.region}; leader ${cluster.leader ?? 'none'}, term ${cluster.term ?? 'none'}`,
          ...(cluster.control === undefined ? [] : [describeControl(cluster.control)]),
          table(
            ['region', 'stream', 'shards known', 'records behind', 'halted', 'different'],
            cluster.regions.map(({ region, stream, shards }) => [
              region,
              stream,
              `${shards.filter(({ sequence }) => sequence !== null).length} of ${shards.length}`,
              sum(shards.map(({ lagRecords }) => lagRecords)),
              shards.filter(({ halted }) => halted !== null).length,
              shards.filter(({ differs }) => differs).length,
            ]),
          ),
          ...(cluster.doubts ?? []).map(
            ({ by, evidence, region }) => `${by} finds ${region} unfit: ${evidence}`,
          ),
          describePauses(cluster.paused),
          ...describeWindows(cluster.windows ?? []),
        ].join('\n'),
      );
    },
  );

  withAddress(
    program.command('shards').description('home, epoch and state of every shard, and how far each region is'),
  ).action(async (options: AddressOptions) => {
    const { shards } = (await askRole('gateway', '/v1/shards', options)) as { shards: readonly ShardView[] };
    const regions = regionsOf(shards);
    print({ shards }, options, () =>
      table(
        ['shard', 'home', 'epoch', 'state', ...regions.map((region) => `${region} at`), 'reason'],
        shards.map((shard) => [
          shard.shard,
          shard.home,
          shard.epoch,
          shard.state,
          ...regions.map((region) => shard.regions[region]?.sequence),
          shard.reason ?? '',
        ]),
      ),
    );
  });

  withAddress(program.command('lag').description('records that each region has still to fold')).action(
    async (options: AddressOptions) => {
      const { shards } = (await askRole('gateway', '/v1/shards', options)) as {
        shards: readonly ShardView[];
      };
      const regions = regionsOf(shards);
      const lag = shards.map((shard) => ({
        shard: shard.shard,
        lagRecords: Object.fromEntries(
          regions.map((region) => [region, shard.regions[region]?.lagRecords ?? null]),
        ),
      }));
      print({ lag }, options, () =>
        table(
          ['shard', ...regions],
          lag.map(({ shard, lagRecords }) => [shard, ...regions.map((region) => lagRecords[region])]),
        ),
      );
    },
  );

  withAddress(
    program
      .command('rule')
      .description('the quorum rule of a dataset by shard; with <rule>, changes it in all of them')
      .argument('<dataset>', 'the dataset')
      .argument('[rule]', '"majority", "all", "home", "any N of [region, ...]" or "each [label: any N, ...]"')
      .option('--reason <text>', 'why it is changed; kept in the log')
      .option('--withdraw <regions>', 'regions whose vote shall not count, with commas'),
  ).action((dataset: string, rule: string | undefined, options: RuleOptions) =>
    rule === undefined ? showRules(dataset, options) : changeRule(dataset, rule, options),
  );

  withAddress(
    program
      .command('receipt')
      .description('how far a write got')
      .argument('<dataset>', 'its dataset')
      .argument('<key>', 'its idempotency key'),
  ).action(async (dataset: string, key: string, options: AddressOptions) => {
    const path = `/v1/datasets/${encodeURIComponent(dataset)}/receipts/${encodeURIComponent(key)}`;
    const receipt = (await askRole('gateway', path, options)) as Receipt;
    print(receipt, options, () =>
      [
        `${receipt.id} in ${receipt.shard}: ${receipt.outcome}${receipt.code === undefined ? '' : ` (${receipt.code})`}, sequence ${receipt.sequence ?? '?'}`,
        table(
          ['stage', 'at', 'regions'],
          Object.entries(receipt.stages).map(([stage, { at, region, regions }]) => [
            stage,
            at,
            regions?.join(', ') ?? region ?? '',
          ]),
        ),
      ].join('\n'),
    );
  });
}

function describeControl({ current, halted, sequence }: NonNullable<ClusterView['control']>): string {
  const state = halted === null ? (current ? 'current' : 'behind its end') : `halted: ${halted}`;
  return `Control log folded up to ${sequence}, ${state}`;
}

async function showRules(dataset: string, options: RuleOptions): Promise<void> {
  if (options.reason !== undefined || options.withdraw !== undefined)
    throw new CliError(2, '--reason and --withdraw belong to a change: give the rule too.');
  const answer = (await askRole('gateway', '/v1/shards', options)) as { shards: readonly ShardView[] };
  const shards = answer.shards.filter(({ shard }) => shard.startsWith(`${dataset}/`));
  if (shards.length === 0) throw new CliError(1, `There is no dataset ${dataset}.`);
  print({ shards: shards.map(({ rule, shard }) => ({ shard, rule })) }, options, () =>
    table(
      ['shard', 'rule', 'from', 'joint', 'withdrawn'],
      shards.map(({ rule, shard }) => [
        shard,
        rule?.text,
        rule?.from,
        rule?.joint,
        rule === null ? null : rule.withdrawn.join(', '),
      ]),
    ),
  );
}

async function changeRule(dataset: string, rule: string, options: RuleOptions): Promise<void> {
  const { reason, withdraw } = options;
  if (reason === undefined) throw new CliError(2, 'Say why: --reason TEXT. It is kept in the log.');
  const withdrawn = withdraw === undefined ? [] : withdraw.split(',').map((region) => region.trim());
  const path = `/v1/datasets/${encodeURIComponent(dataset)}/rule`;
  const change = (await askRole('coordinator', path, options, { rule, reason, withdrawn })) as RuleChange;
  print(change, options, () =>
    table(
      ['shard', 'state', 'rule in force', 'from', 'detail'],
      change.shards.map(({ detail, rule: present, shard, state }) => [
        shard,
        state,
        present?.text,
        present?.from,
        detail ?? '',
      ]),
    ),
  );
  const left = change.shards.filter(({ state }) => state !== 'in-force').length;
  if (left > 0) throw new CliError(1, `${left} of ${change.shards.length} shards are not there: ask again.`);
}

function regionsOf(shards: readonly ShardView[]): readonly string[] {
  return [...new Set(shards.flatMap((shard) => Object.keys(shard.regions)))];
}

/** Unknown as soon as one part is unknown. */
function sum(parts: readonly (number | null)[]): number | null {
  return parts.reduce<number | null>(
    (total, part) => (total === null || part === null ? null : total + part),
    0,
  );
}
