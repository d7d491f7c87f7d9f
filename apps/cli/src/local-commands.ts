/**
 * `lockstep local ...`: looks at a local cluster and disturbs it, through its supervisor. Who is stopped or killed with
 * --stay-down stays down until it is started; who is only killed starts again in a second. Experiments are programs of
 * the local cluster, run as a process, because the command line imports nothing of it.
 */
import { Argument, InvalidArgumentError, Option, type Command } from 'commander';
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { CliError } from './cli-error.js';
import { askSupervisor, type ClusterStatus } from './local-cluster.js';
import { print, table } from './output.js';

const orders = {
  kill: 'end at once, as a crash does (SIGKILL)',
  pause: 'freeze, as a long garbage collection or a stopped machine does (SIGSTOP)',
  continue: 'let go on what was paused',
  stop: 'end in order, without handing anything over, and keep down',
  start: 'start what was stopped',
} as const;

const regionProcesses = ['gateway', 'replicator', 'coordinator', 'standby', 'ledger', 'postgres'] as const;

/** Processes of their own, which parse what follows their name; `--help` shows it. */
const experiments = {
  load: 'write a seeded workload through all gateways and keep its history',
  check: 'judge a history against what the regions hold',
  chaos: 'disturb the cluster by a seeded plan, then make it whole again',
} as const;
/** The same from `src` and from `dist`. */
const experimentScript = fileURLToPath(new URL('../../local/experiment.mjs', import.meta.url));

interface DataOption {
  readonly data?: string;
  readonly json?: boolean;
}

/** @param endWith takes the exit code of a command that runs another program. */
export function addLocalCommands(program: Command, endWith: (exitCode: number) => void): void {
  const local = program.command('local').description('look at the local cluster and disturb it');

  withData(local.command('status').description('processes, their state and addresses')).action(
    async (options: DataOption) => {
      const status = (await askSupervisor(options.data, 'GET', '/status')) as ClusterStatus;
      print(status, options, () => describeStatus(status));
    },
  );

  for (const [order, description] of Object.entries(orders)) {
    const command = local
      .command(order)
      .description(description)
      .argument('<region>', 'the region')
      .addArgument(
        new Argument('[role]', 'one of its processes; all of them when left out').choices(regionProcesses),
      );
    if (order === 'kill') command.option('--stay-down', 'do not start it again');
    withData(command).action(
      async (region: string, role: string | undefined, options: DataOption & { stayDown?: boolean }) => {
        await sendOrder(options, {
          kind: 'process',
          order,
          target: { kind: 'region', region, process: role ?? null },
          stayDown: options.stayDown === true,
        });
      },
    );
  }

  withData(
    local
      .command('cut')
      .description('lose what passes between a region and all others (a cluster with --wan)')
      .argument('<region>', 'the region')
      .option('--one-way', 'lose only what the region sends')
      .addOption(new Option('--deaf', 'lose only what is sent to the region').conflicts('oneWay')),
  ).action(async (region: string, options: DataOption & { oneWay?: boolean; deaf?: boolean }) => {
    const lost = options.oneWay === true ? 'sent' : options.deaf === true ? 'received' : 'both';
    await sendOrder(options, { kind: 'cut', region, lost });
  });

  withData(local.command('heal').description('end a cut').argument('<region>', 'the region')).action(
    async (region: string, options: DataOption) => {
      await sendOrder(options, { kind: 'heal', region });
    },
  );

  withData(
    local
      .command('swallow')
      .description('lose answers of Kafka to what a region has appended (a cluster with --wan)')
      .argument('<region>', 'the region')
      .addOption(
        new Option('--responses <n>', 'how many, from now on; 0 takes an order back')
          .default(1)
          .argParser(numberOfResponses),
      ),
  ).action(async (region: string, options: DataOption & { responses: number }) => {
    await sendOrder(options, { kind: 'swallow', region, responses: options.responses });
  });

  for (const [experiment, description] of Object.entries(experiments)) {
    local
      .command(experiment)
      .description(description)
      .argument('[options...]', 'its own; --help shows them')
      .allowUnknownOption()
      .helpOption(false)
      .action(async (args: readonly string[]) => endWith(await runExperiment(experiment, args)));
  }

  const kafka = local.command('kafka').description('the same for Kafka brokers');
  for (const [order, description] of Object.entries(orders)) {
    const command = kafka
      .command(order)
      .description(description)
      .argument('[broker]', 'its number, from 1; all of them when left out');
    if (order === 'kill') command.option('--stay-down', 'do not start it again');
    withData(command).action(
      async (broker: string | undefined, options: DataOption & { stayDown?: boolean }) => {
        if (broker !== undefined && !/^[1-9]\d?$/.test(broker))
          throw new CliError(2, `A broker is named by its number from 1 on, not by ${broker}.`);
        await sendOrder(options, {
          kind: 'process',
          order,
          target: { kind: 'kafka', node: broker === undefined ? null : Number(broker) },
          stayDown: options.stayDown === true,
        });
      },
    );
  }
}

/** Its output and exit code are those of this command; a signal that ends this one ends it in its own order. */
async function runExperiment(name: string, args: readonly string[]): Promise<number> {
  // Reducers are read by a part of Node that still calls itself experimental; that is no news for whoever looks on.
  const quiet = '--disable-warning=ExperimentalWarning';
  const child = spawn(process.execPath, [quiet, experimentScript, name, ...args], { stdio: 'inherit' });
  const handOn = (signal: NodeJS.Signals): void => void child.kill(signal);
  process.on('SIGINT', handOn).on('SIGTERM', handOn);
  try {
    return await new Promise((settle, fail) => {
      child.on('error', fail);
      child.on('close', (code) => settle(code ?? 1));
    });
  } finally {
    process.off('SIGINT', handOn).off('SIGTERM', handOn);
  }
}

function withData(command: Command): Command {
  return command.option('--data <dir>', 'data folder of the cluster').option('--json', 'for programs');
}

async function sendOrder(options: DataOption, order: object): Promise<void> {
  const { done } = (await askSupervisor(options.data, 'POST', '/orders', order)) as {
    done: readonly string[];
  };
  print({ done }, options, () => done.join('\n'));
}

function numberOfResponses(text: string): number {
  if (/^\d{1,6}$/.test(text)) return Number(text);
  throw new InvalidArgumentError('Expected a whole number up to 999999.');
}

function describeStatus(status: ClusterStatus): string {
  const lines = [`The cluster is ${status.state} (supervisor ${status.pid}).`];
  lines.push(
    table(
      ['process', 'state', 'pid', 'log'],
      status.processes.map(({ name, state, pid, log }) => [name, state, pid ?? '-', log]),
    ),
  );
  if (status.cluster !== null) {
    lines.push(
      table(
        ['region', 'gateway', 'coordinator', 'replicator'],
        Object.entries(status.cluster.regions).map(([name, region]) => [
          name,
          region.gateway,
          region.coordinator,
          region.replicator,
        ]),
      ),
    );
  }
  if (status.wideArea !== null) {
    const cuts = status.wideArea.cuts.map(({ lost, region }) =>
      lost === 'both' ? region : `${region} (what is ${lost})`,
    );
    const swallowed = status.wideArea.swallowing.map(
      ({ region, due, swallowed: number }) => `${region} ${number}${due === 0 ? '' : ` (${due} more due)`}`,
    );
    lines.push(
      `Links: ${status.wideArea.delayMs} ms one way, cut: ${cuts.length === 0 ? 'none' : cuts.join(', ')}`,
      `Swallowed produce responses: ${swallowed.join(', ')}`,
    );
  }
  return lines.join('\n');
}
