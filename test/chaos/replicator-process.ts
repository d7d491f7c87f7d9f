/** Replicators as processes: the cluster's own, and one more that a spec starts beside it, as an operator would. */
import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, existsSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { call, eventually, type LocalCluster, type Region } from '../e2e/local-cluster.js';

const MAIN = join(import.meta.dirname, '../../apps/region/dist/main.js');

export interface LoggedLine {
  readonly level: string;
  readonly time: string;
  readonly event?: string;
  readonly code?: string;
  readonly url?: string;
  readonly shard?: string;
  readonly shards?: readonly string[];
  readonly msg: string;
}

export interface ReplicatorProcess {
  /** LOCKSTEP_INSTANCE; a holder of leases is named after it. */
  readonly instance: string;
  pid(): number;
  url(): string;
  log(): readonly LoggedLine[];
}

export function ownReplicator(cluster: LocalCluster, region: Region): ReplicatorProcess {
  return {
    instance: `${region}-replicator-1`,
    pid: () => cluster.file.regions[region]!.pids.replicator!,
    url: () => cluster.file.regions[region]!.replicator,
    log: () => logOf(join(cluster.data, 'logs', `${region}-replicator.log`)),
  };
}

/** Another instance over the region's database and log; it begins as a standby while the leases are held. */
export class SecondReplicator implements ReplicatorProcess {
  private child: ChildProcess | null = null;
  private starts = 0;

  constructor(
    private readonly cluster: LocalCluster,
    private readonly region: Region,
    readonly instance: string,
  ) {}

  /** Resolves when it answers and is ready. */
  async start(): Promise<void> {
    this.starts += 1;
    const log = openSync(this.logFile(), 'w');
    this.child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', MAIN], {
      stdio: ['ignore', log, log],
      env: {
        PATH: process.env['PATH'],
        LOCKSTEP_ROLES: 'replicator',
        LOCKSTEP_REGION: this.region,
        LOCKSTEP_INSTANCE: this.instance,
        // Also what the runner recognises it by, should this spec die.
        LOCKSTEP_CATALOGUE: join(this.cluster.data, 'catalogue', this.region),
        LOCKSTEP_LISTEN: '127.0.0.1:0',
        LOCKSTEP_POSTGRES_URL: this.cluster.file.regions[this.region]!.postgres,
      },
    });
    closeSync(log);
    await eventually(
      () => Promise.resolve(this.served()),
      (url) => url !== undefined || this.child!.exitCode !== null,
    );
    await eventually(
      () => call(`${this.url()}/readyz`),
      ({ status }) => status === 200,
    );
  }

  pid(): number {
    return this.child!.pid!;
  }

  url(): string {
    return this.served()!;
  }

  log(): readonly LoggedLine[] {
    return logOf(this.logFile());
  }

  async kill(): Promise<void> {
    const { child } = this;
    if (child === null || child.exitCode !== null || child.signalCode !== null) return;
    await new Promise((resolve) => {
      child.once('exit', resolve);
      child.kill('SIGKILL');
    });
  }

  private served(): string | undefined {
    return this.log().find((line) => line.msg === 'serving')?.url;
  }

  /** One file for each life. */
  private logFile(): string {
    return join(this.cluster.data, 'logs', `${this.instance}.${this.starts}.log`);
  }
}

/** What it says before and between its lines of JSON is not ours. */
function logOf(file: string): readonly LoggedLine[] {
  if (!existsSync(file)) return [];
  return readFileSync(file, 'utf8')
    .split('\n')
    .filter((line) => line.startsWith('{') && line.endsWith('}'))
    .map((line) => JSON.parse(line) as LoggedLine);
}

/** Sum of the series of a metric whose labels contain the given ones. */
export async function metric(url: string, name: string, labels: readonly string[] = []): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text();
  return text
    .split('\n')
    .filter((line) => line.startsWith(name) && labels.every((label) => line.includes(label)))
    .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0);
}
