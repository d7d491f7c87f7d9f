/** Three members of etcd with its default settings, asked over HTTP for what Patroni's leader holds. */
import { setTimeout as pause } from 'node:timers/promises';
import type { PatroniPrograms, Program } from './patroni-processes.ts';

const MEMBERS = ['etcd1', 'etcd2', 'etcd3'] as const;
const START_MS_MAX = 60_000;
const LOOK_EVERY_MS = 100;
const ASK_MS_MAX = 2_000;

export class PatroniEtcd {
  readonly #members: Program[] = [];
  readonly #clients: readonly number[];

  /** @param ports of clients and then of peers, one each for every member. */
  static async start(programs: PatroniPrograms, ports: readonly number[]): Promise<PatroniEtcd> {
    const etcd = new PatroniEtcd(ports.slice(0, MEMBERS.length));
    try {
      const peers = ports.slice(MEMBERS.length);
      const url = (port: number): string => `http://127.0.0.1:${port}`;
      const cluster = MEMBERS.map((name, i) => `${name}=${url(peers[i]!)}`).join(',');
      for (const [i, name] of MEMBERS.entries()) {
        const options = {
          name,
          'data-dir': programs.makeFolder(name),
          'listen-client-urls': url(etcd.#clients[i]!),
          'advertise-client-urls': url(etcd.#clients[i]!),
          'listen-peer-urls': url(peers[i]!),
          'initial-advertise-peer-urls': url(peers[i]!),
          'initial-cluster': cluster,
        };
        const flags = Object.entries(options).flatMap(([option, value]) => [`--${option}`, value]);
        etcd.#members.push(await programs.etcd(name, flags));
      }
      await etcd.#serves();
      return etcd;
    } catch (error) {
      await etcd.stop();
      throw error;
    }
  }

  private constructor(clients: readonly number[]) {
    this.#clients = clients;
  }

  get hosts(): readonly string[] {
    return this.#clients.map((port) => `127.0.0.1:${port}`);
  }

  /** For how many seconds the lease was granted that a key hangs on; null without key or lease. */
  async leaseSeconds(key: string): Promise<number | null> {
    const { kvs } = (await this.#ask('/v3/kv/range', { key: Buffer.from(key).toString('base64') })) as {
      readonly kvs?: readonly { readonly lease?: string }[];
    };
    const lease = kvs?.[0]?.lease;
    if (lease === undefined) return null;
    const { grantedTTL } = (await this.#ask('/v3/lease/timetolive', { ID: lease })) as {
      readonly grantedTTL?: string;
    };
    return grantedTTL === undefined ? null : Number(grantedTTL);
  }

  async stop(): Promise<void> {
    await Promise.allSettled(this.#members.map((member) => member.end()));
  }

  /** Until every member takes part. */
  async #serves(): Promise<void> {
    const untilMs = performance.now() + START_MS_MAX;
    const isHealthy = (port: number): Promise<boolean> =>
      fetch(`http://127.0.0.1:${port}/health`, { signal: AbortSignal.timeout(ASK_MS_MAX) }).then(
        ({ ok }) => ok,
        () => false,
      );
    while ((await Promise.all(this.#clients.map(isHealthy))).includes(false)) {
      if (performance.now() > untilMs)
        throw new Error(`etcd does not serve:\n${this.#members.map((member) => member.words()).join('\n')}`);
      await pause(LOOK_EVERY_MS);
    }
  }

  async #ask(path: string, body: object): Promise<unknown> {
    const response = await fetch(`http://127.0.0.1:${this.#clients[0]}${path}`, {
      method: 'POST',
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(ASK_MS_MAX),
    });
    if (!response.ok) throw new Error(`etcd answered ${path} with ${response.status}`);
    return response.json();
  }
}
