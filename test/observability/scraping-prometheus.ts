/**
 * A real Prometheus over a local cluster, with the configuration and the rules that operators are given; only its targets are
 * this cluster's, and it looks every second.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse, stringify } from 'yaml';
import { eventually, type LocalCluster } from '../e2e/local-cluster.js';
import { findPrometheus } from './prometheus.js';

const OBSERVABILITY = join(import.meta.dirname, '../../infra/observability');

interface Configuration {
  readonly scrape_configs: readonly {
    readonly static_configs: readonly {
      readonly labels: { readonly region: string; readonly role: Scraped };
    }[];
  }[];
}
type Scraped = 'gateway' | 'coordinator' | 'replicator';

export interface Sample {
  readonly metric: Readonly<Record<string, string>>;
  readonly value: readonly [atSeconds: number, value: string];
}

export class ScrapingPrometheus {
  private constructor(
    private readonly url: string,
    private readonly child: ChildProcess,
    private readonly folder: string,
  ) {}

  static async start(cluster: LocalCluster): Promise<ScrapingPrometheus> {
    const { prometheus } = await findPrometheus();
    const folder = mkdtempSync(
      join(tmpdir(), `${process.env['LOCKSTEP_TEST_RUN'] ?? 'lockstep-test'}-prometheus-`),
    );
    writeFileSync(join(folder, 'prometheus.yml'), configurationFor(cluster));
    const address = `127.0.0.1:${await freePort()}`;
    const child = spawn(
      prometheus,
      [
        `--config.file=${join(folder, 'prometheus.yml')}`,
        `--storage.tsdb.path=${join(folder, 'data')}`,
        `--web.listen-address=${address}`,
        '--log.level=error',
      ],
      { stdio: ['ignore', 'ignore', 'inherit'] },
    );
    const started = new ScrapingPrometheus(`http://${address}`, child, folder);
    await eventually(
      () =>
        fetch(`${started.url}/-/ready`).then(
          ({ ok }) => ok,
          () => false,
        ),
      (isReady) => isReady,
      30_000,
    );
    return started;
  }

  async query(expression: string): Promise<readonly Sample[]> {
    const response = await fetch(`${this.url}/api/v1/query?query=${encodeURIComponent(expression)}`);
    const answer = (await response.json()) as { status: string; data: { result: readonly Sample[] } };
    if (answer.status !== 'success') throw new Error(`${expression}: ${JSON.stringify(answer)}`);
    return answer.data.result;
  }

  /** Asks again until the expression has a sample. */
  async until(expression: string, withinMs: number): Promise<void> {
    await eventually(
      () => this.query(expression),
      ({ length }) => length > 0,
      withinMs,
    );
  }

  /** Alerts that fired at any time since it was started, by name, with what they were about. */
  async fired(): Promise<readonly string[]> {
    const firing = await this.query(
      'max by (alertname, region, about, dataset, role) (max_over_time(ALERTS{alertstate="firing"}[1h]))',
    );
    return firing.map(({ metric: { alertname, ...about } }) =>
      [alertname, ...Object.values(about)].join(' '),
    );
  }

  async close(): Promise<void> {
    const ended = once(this.child, 'close');
    this.child.kill('SIGTERM');
    await ended;
    rmSync(this.folder, { recursive: true, force: true });
  }
}

function configurationFor(cluster: LocalCluster): string {
  const shipped = parse(readFileSync(join(OBSERVABILITY, 'prometheus.yml'), 'utf8')) as Configuration;
  const { regions } = cluster.file;
  return stringify({
    ...shipped,
    global: { scrape_interval: '1s', scrape_timeout: '1s', evaluation_interval: '1s' },
    rule_files: [join(OBSERVABILITY, 'rules/*.yml')],
    scrape_configs: shipped.scrape_configs.map((job) => ({
      ...job,
      static_configs: job.static_configs.map(({ labels }) => ({
        labels,
        targets: [new URL(regions[labels.region]![labels.role]).host],
      })),
    })),
  });
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
