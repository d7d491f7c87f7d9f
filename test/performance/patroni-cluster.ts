/**
 * Three Postgres servers that Patroni keeps, one of them the primary, whose commits wait for one of the others
 * (`synchronous_mode`), beside three members of etcd. What it does not say here it has from Patroni's defaults.
 */
import { randomUUID } from 'node:crypto';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { anyFreePort, gone, processesIn, signal } from '@lockstep/local';
import { eventually } from '../e2e/local-cluster.ts';
import { PatroniEtcd } from './patroni-etcd.ts';
import { PatroniPrograms, type Program } from './patroni-processes.ts';

const NAMES = ['eu', 'us', 'ap'] as const;
const SCOPE = 'bench';
const LEADER_KEY = `/service/${SCOPE}/leader`;
const USER = 'postgres';
const ASK_MS_MAX = 5_000;
const HEALTHY_MS_MAX = 180_000;
/** Who has not come back by itself for so long is made anew. */
const REJOIN_MS_MAX = 120_000;
const KILLED_MS_MAX = 10_000;

export type NodeName = (typeof NAMES)[number];

/** In seconds, as Patroni names them. */
export interface PatroniTimes {
  readonly ttl: number;
  readonly loop_wait: number;
  readonly retry_timeout: number;
}

interface Node {
  readonly name: NodeName;
  readonly api: string;
  readonly url: string;
  readonly data: string;
  readonly settings: string;
}

interface Member {
  readonly name: NodeName;
  readonly role: string;
  readonly state: string;
  readonly timeline?: number;
}

export class PatroniCluster {
  readonly #folder: string;
  readonly #nodes = new Map<NodeName, Node>();
  readonly #running = new Map<NodeName, Program>();
  #programs: PatroniPrograms | null = null;
  #etcd: PatroniEtcd | null = null;
  #times: PatroniTimes;

  static async start(times: PatroniTimes): Promise<PatroniCluster> {
    const cluster = new PatroniCluster(times);
    try {
      await cluster.#start();
      return cluster;
    } catch (error) {
      await cluster.stop();
      throw error;
    }
  }

  private constructor(times: PatroniTimes) {
    this.#times = times;
    this.#folder = mkdtempSync(join(tmpdir(), 'lockstep-bench-patroni-'));
    // Open, so that the unprivileged user that Postgres runs as can reach its data.
    chmodSync(this.#folder, 0o755);
  }

  /** Of the servers, by name. */
  get urls(): ReadonlyMap<NodeName, string> {
    return new Map([...this.#nodes.values()].map(({ name, url }) => [name, url]));
  }

  /** Who is the primary, once two others stream from it, one of them waited for by commits. */
  async healthy(withinMs = HEALTHY_MS_MAX): Promise<NodeName> {
    const members = await eventually(() => this.#members(), areHealthy, withinMs).catch((error: unknown) => {
      const words = [...this.#running].map(([name, program]) => `${name}:\n${program.words()}`);
      throw new Error(`Patroni's servers are not well:\n${words.join('\n')}`, { cause: error });
    });
    return members.find(({ role }) => role === 'leader')!.name;
  }

  /** When it answers, the primary holds its lease for the new time and the others have had a loop to learn of it. */
  async configure(times: PatroniTimes): Promise<void> {
    const before = this.#times;
    await this.#ask(await this.healthy(), '/config', { method: 'PATCH', body: JSON.stringify(times) });
    await eventually(
      () => this.#etcd!.leaseSeconds(LEADER_KEY),
      (seconds) => seconds === times.ttl,
      HEALTHY_MS_MAX,
    );
    this.#times = times;
    await new Promise((resolve) => setTimeout(resolve, before.loop_wait * 1_000));
    await this.healthy();
  }

  /** Patroni and every process of its server, at once. */
  kill(name: NodeName): void {
    process.kill(this.#running.get(name)!.pid, 'SIGKILL');
    for (const identity of processesIn(this.#nodes.get(name)!.data)) signal(identity, 'SIGKILL');
  }

  /** Starts what was killed; resolves once it is a standby again. */
  async restore(name: NodeName): Promise<void> {
    const { data, settings } = this.#nodes.get(name)!;
    await this.#running.get(name)!.end();
    await endServer(data);
    this.#running.set(name, await this.#programs!.patroni(name, settings));
    await this.healthy(REJOIN_MS_MAX).catch(async () => {
      await this.#ask(name, '/reinitialize', { method: 'POST', body: JSON.stringify({ force: true }) });
      await this.healthy();
    });
  }

  async stop(): Promise<void> {
    // Patroni first: it would start its server again.
    await Promise.all([...this.#running.values()].map((program) => program.end()));
    for (const { data } of this.#nodes.values()) await endServer(data);
    await this.#etcd?.stop();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  async #start(): Promise<void> {
    this.#programs = await PatroniPrograms.unpack(this.#folder);
    const ports = new Set<number>();
    while (ports.size < 4 * NAMES.length) ports.add(await anyFreePort());
    const free = [...ports];
    this.#etcd = await PatroniEtcd.start(this.#programs, free.splice(0, 2 * NAMES.length));
    const password = randomUUID();
    for (const name of NAMES) {
      const [port, apiPort] = free.splice(0, 2) as [number, number];
      const folder = this.#programs.makeFolder(name);
      const node: Node = {
        name,
        api: `http://127.0.0.1:${apiPort}`,
        url: `postgres://${USER}:${password}@127.0.0.1:${port}/postgres`,
        data: join(folder, 'data'),
        settings: join(folder, 'patroni.yml'),
      };
      const settings = this.#settings(node, { folder, port, apiPort, password });
      // YAML, of which JSON is a part.
      writeFileSync(node.settings, JSON.stringify(settings), { mode: 0o644 });
      this.#nodes.set(name, node);
      this.#running.set(name, await this.#programs.patroni(name, node.settings));
    }
    await this.healthy();
  }

  #settings(
    node: Node,
    {
      apiPort,
      folder,
      password,
      port,
    }: {
      readonly apiPort: number;
      readonly folder: string;
      readonly password: string;
      readonly port: number;
    },
  ): object {
    return {
      scope: SCOPE,
      name: node.name,
      restapi: { listen: `127.0.0.1:${apiPort}`, connect_address: `127.0.0.1:${apiPort}` },
      etcd3: { hosts: this.#etcd!.hosts },
      bootstrap: {
        dcs: { ...this.#times, synchronous_mode: true, postgresql: { use_pg_rewind: true } },
        initdb: [{ encoding: 'UTF8' }, { locale: 'C.UTF-8' }],
      },
      postgresql: {
        listen: `127.0.0.1:${port}`,
        connect_address: `127.0.0.1:${port}`,
        data_dir: node.data,
        bin_dir: this.#programs!.postgres,
        pgpass: join(folder, 'pgpass'),
        authentication: {
          superuser: { username: USER, password },
          replication: { username: 'replicator', password },
        },
        parameters: { unix_socket_directories: '' },
        pg_hba: [
          'host all all 127.0.0.1/32 scram-sha-256',
          'host replication replicator 127.0.0.1/32 scram-sha-256',
        ],
      },
      // A server that is killed on purpose must not take the machine along.
      watchdog: { mode: 'off' },
    };
  }

  /** As any of them tells. */
  async #members(): Promise<readonly Member[]> {
    const told = [...this.#running.keys()].map(async (name) => {
      const { members } = (await this.#ask(name, '/cluster')) as { readonly members: readonly Member[] };
      return members;
    });
    return Promise.any(told);
  }

  async #ask(name: NodeName, path: string, init: RequestInit = {}): Promise<unknown> {
    const response = await fetch(`${this.#nodes.get(name)!.api}${path}`, {
      ...init,
      signal: AbortSignal.timeout(ASK_MS_MAX),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`Patroni answered ${path} with ${response.status}: ${text}`);
    return text.startsWith('{') ? JSON.parse(text) : text;
  }
}

async function endServer(data: string): Promise<void> {
  const left = processesIn(data);
  for (const identity of left) signal(identity, 'SIGKILL');
  if (!(await gone(left, KILLED_MS_MAX))) throw new Error(`processes of the server on ${data} live on`);
}

function areHealthy(members: readonly Member[]): boolean {
  const leader = members.find(({ role }) => role === 'leader');
  return (
    leader?.state === 'running' &&
    members.length === NAMES.length &&
    members.some(({ role }) => role === 'sync_standby') &&
    members.every(({ state, timeline }) => state === 'running' && timeline === leader.timeline)
  );
}
