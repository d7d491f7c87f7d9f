/**
 * A local cluster of real processes for one spec: started as a user starts it, on free ports, with its own data. Types
 * here are only erased, never compiled to code: benchmarks run this file as it stands.
 */
import { spawn } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { askOrder, dataFolder, type ClusterFile, type Order, type RegionProcess } from '@lockstep/local';
import pg from 'pg';
import { attended, sampleCatalogue, type Changes } from './sample-catalogue.ts';

export const REGIONS = ['eu', 'us', 'ap'] as const;
export type Region = (typeof REGIONS)[number];

const PROJECT = join(import.meta.dirname, '../..');

export class LocalCluster {
  readonly data: string;

  private readonly environment: NodeJS.ProcessEnv;
  /** Of this cluster alone; null where it is somebody else's. */
  private catalogue: string | null = null;

  private constructor(data: string, environment: NodeJS.ProcessEnv) {
    this.data = data;
    this.environment = environment;
  }

  /** @param environment What the command that starts it finds in its environment, beside this process' own. */
  static async start(
    options: readonly string[] = [],
    environment: NodeJS.ProcessEnv = {},
  ): Promise<LocalCluster> {
    // The runner finds what a crashed run left behind by the run's name, which this path carries.
    const data = mkdtempSync(join(tmpdir(), `${process.env['LOCKSTEP_TEST_RUN'] ?? 'lockstep-test'}-`));
    // Open, so that the unprivileged user that Postgres runs as can reach its data.
    chmodSync(data, 0o755);
    const cluster = new LocalCluster(data, environment);
    await cluster.startScript(['--detach', '--ports', 'auto', ...options]);
    return cluster;
  }

  /** With the sample catalogue, but that people alone decide failovers. */
  static startAttended(
    options: readonly string[] = [],
    environment: NodeJS.ProcessEnv = {},
  ): Promise<LocalCluster> {
    return LocalCluster.startWith(attended, options, environment);
  }

  /** With the sample catalogue so changed. */
  static async startWith(
    changes: Changes,
    options: readonly string[] = [],
    environment: NodeJS.ProcessEnv = {},
  ): Promise<LocalCluster> {
    const catalogue = sampleCatalogue(changes);
    const cluster = await LocalCluster.start(['--catalogue', catalogue, ...options], environment);
    cluster.catalogue = catalogue;
    return cluster;
  }

  /** `npm start` with options; answers what it printed. */
  async startScript(options: readonly string[]): Promise<string> {
    return run(['apps/local/start.mjs', '--data', this.data, ...options], 0, this.environment);
  }

  /** `npx lockstep` with options; answers what it printed. */
  async lockstep(options: readonly string[], exitCode = 0): Promise<string> {
    return run(['apps/cli/bin/lockstep.mjs', ...options, '--data', this.data], exitCode);
  }

  /** What `npx lockstep local` orders, without the time that a command needs to start. */
  async order(order: Order): Promise<void> {
    await askOrder(dataFolder(this.data), order);
  }

  /** To one process of a region, or, with null, to all of them; what is killed so stays down. */
  orderProcess(
    order: Extract<Order, { readonly kind: 'process' }>['order'],
    region: Region,
    process: RegionProcess | null,
  ): Promise<void> {
    const target = { kind: 'region', region, process } as const;
    return this.order({ kind: 'process', order, target, stayDown: order === 'kill' });
  }

  /** A start that must be refused with exit code 2; answers what it printed. */
  startOther(data: string, options: readonly string[]): Promise<string> {
    return run(['apps/local/start.mjs', '--data', data, ...options], 2);
  }

  /** Read anew: pids change when a process is started again. */
  get file(): ClusterFile {
    return JSON.parse(readFileSync(join(this.data, 'cluster.json'), 'utf8')) as ClusterFile;
  }

  gateway(region: Region): string {
    return this.file.regions[region]!.gateway;
  }

  async sql(
    region: Region,
    text: string,
    values: readonly unknown[] = [],
  ): Promise<readonly Record<string, unknown>[]> {
    const client = new pg.Client({ connectionString: this.file.regions[region]!.postgres });
    // Whatever breaks the connection rejects the query; without a listener it would end the test too.
    client.on('error', () => undefined);
    await client.connect();
    try {
      return (await client.query(text, [...values])).rows as Record<string, unknown>[];
    } finally {
      await client.end();
    }
  }

  async stop(): Promise<void> {
    await this.startScript(['--stop']);
    for (const folder of [this.data, ...(this.catalogue === null ? [] : [this.catalogue])])
      rmSync(folder, { recursive: true, force: true });
  }
}

export interface Answered {
  readonly status: number;
  readonly headers: Headers;
  // oxlint-disable-next-line no-explicit-any -- JSON of every shape; the assertions name what they expect
  readonly body: any;
}

/** Longer than anything that a role may take to answer: a test that waits for a process which stands still says so. */
const ANSWER_MS_MAX = 150_000;

export async function call(url: string, init: RequestInit = {}): Promise<Answered> {
  const signal = init.signal ?? AbortSignal.timeout(ANSWER_MS_MAX);
  const response = await fetch(url, { ...init, signal });
  const text = await response.text();
  return {
    status: response.status,
    headers: response.headers,
    body: text === '' ? null : (JSON.parse(text) as unknown),
  };
}

export function write(
  cluster: LocalCluster,
  region: Region,
  dataset: string,
  body: unknown,
  idempotencyKey: string | null = null,
): Promise<Answered> {
  const headers = {
    'content-type': 'application/json',
    ...(idempotencyKey === null ? {} : { 'idempotency-key': idempotencyKey }),
  };
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  return call(`${cluster.gateway(region)}/v1/datasets/${dataset}/entries`, {
    method: 'POST',
    headers,
    body: text,
  });
}

/**
 * Asks until the condition holds, once more after its time at least. To be refused is not to be there yet, as whoever is asked
 * may be starting or stand still: what the last one was refused with is thrown.
 */
export async function eventually<T>(
  ask: () => Promise<T>,
  holds: (answer: T) => boolean,
  withinMs = 60_000,
): Promise<T> {
  const untilMs = Date.now() + withinMs;
  for (;;) {
    const isLast = Date.now() > untilMs;
    try {
      const answer = await ask();
      if (holds(answer)) return answer;
      if (isLast) throw new Error(`not reached within ${withinMs} ms: ${JSON.stringify(answer)}`);
    } catch (error) {
      if (isLast) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

function run(
  options: readonly string[],
  exitCode: number,
  environment: NodeJS.ProcessEnv = {},
): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, options, {
      cwd: PROJECT,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...environment },
    });
    let printed = '';
    child.stdout.on('data', (chunk: Buffer) => (printed += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (printed += chunk.toString()));
    child.on('error', reject);
    child.on('close', (code) => {
      if (code === exitCode) resolve(printed);
      else reject(new Error(`${options.join(' ')} ended with ${code}, expected ${exitCode}:\n${printed}`));
    });
  });
}
