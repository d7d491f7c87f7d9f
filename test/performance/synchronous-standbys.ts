/**
 * What a user would take instead: a Postgres primary at home whose commits wait until one of two standbys in other
 * regions has applied them (`remote_apply`, `ANY 1`), over links with the delay of the local cluster's.
 */
import { execFileSync } from 'node:child_process';
import { appendFileSync, chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Link, startPostgres, type PostgresHandle } from '@lockstep/local';
import pg from 'pg';
import type { Way } from './critical-writes.ts';

export const REMOTE_APPLY = 'remote_apply';
const HOST = '127.0.0.1';
const STANDBYS = ['us', 'ap'] as const;
const ATTACH_MS_MAX = 30_000;

export class SynchronousStandbys {
  readonly #folder: string;
  readonly #servers: PostgresHandle[] = [];
  readonly #links: Link[] = [];
  readonly #clients: pg.Client[] = [];
  #far: pg.Client | null = null;
  #alone: pg.Client | null = null;

  private constructor() {
    this.#folder = mkdtempSync(join(tmpdir(), 'lockstep-bench-'));
    // Open, so that the unprivileged user that Postgres runs as can reach its data.
    chmodSync(this.#folder, 0o755);
  }

  /** @param callers so many connections of clients, each with a row of its own. */
  static async start(delayMs: number, callers: number): Promise<SynchronousStandbys> {
    const started = new SynchronousStandbys();
    try {
      await started.#start(delayMs, callers);
      return started;
    } catch (error) {
      await started.stop();
      throw error;
    }
  }

  get way(): Way {
    return {
      name: REMOTE_APPLY,
      write: (caller) => this.#credit(this.#clients[caller]!, caller),
      settle: async () => undefined,
    };
  }

  /** How long one commit at home takes that waits for nobody, each after the pause of a round trip. */
  async commitsMs(commits: number): Promise<readonly number[]> {
    const tookMs: number[] = [];
    for (let count = 0; count < commits; count += 1) {
      await this.roundTrip();
      const startMs = performance.now();
      await this.#credit(this.#alone!, 0);
      tookMs.push(performance.now() - startMs);
    }
    return tookMs;
  }

  /** Of the postmasters. */
  get pids(): readonly number[] {
    return this.#servers.map((server) => server.pid()!);
  }

  /** To a far server and back, with nothing to do there. */
  async roundTrip(): Promise<void> {
    await this.#far!.query('select 1');
  }

  async stop(): Promise<void> {
    const clients = [...this.#clients, this.#far, this.#alone].filter((client) => client !== null);
    await Promise.allSettled(clients.map((client) => client.end()));
    await Promise.allSettled(this.#servers.map((server) => server.stop()));
    await Promise.allSettled(this.#links.map((link) => link.close()));
    rmSync(this.#folder, { recursive: true, force: true });
  }

  async #start(delayMs: number, callers: number): Promise<void> {
    const home = join(this.#folder, 'home');
    const settings = { max_connections: String(callers + 20), max_wal_senders: '10', wal_level: 'replica' };
    const maker = await startPostgres({ dataFolder: home, settings });
    try {
      await withClient(maker.url, async (client) => {
        await client.query(
          `create table accounts (id text collate "C" primary key, owner text, currency text, balance bigint, lockstep_version bigint)`,
        );
        await client.query(
          `insert into accounts select 'eu:bench-' || n, 'Ada', 'EUR', 0, 1 from generate_series(0, $1::int - 1) n`,
          [callers],
        );
      });
    } finally {
      await maker.stop();
    }
    for (const name of STANDBYS) execFileSync('cp', ['-a', home, join(this.#folder, name)]);
    const primary = await startPostgres({
      dataFolder: home,
      settings: {
        ...settings,
        synchronous_commit: REMOTE_APPLY,
        synchronous_standby_names: `ANY 1 (${STANDBYS.join(', ')})`,
      },
    });
    this.#servers.push(primary);
    const { username, password } = new URL(primary.url);
    for (const name of STANDBYS) {
      const { host, port } = await this.#link(name, 'eu', delayMs, primary.port);
      const database = join(this.#folder, name, 'database');
      appendFileSync(
        join(database, 'postgresql.auto.conf'),
        `primary_conninfo = 'host=${host} port=${port} user=${username} password=${password} application_name=${name}'\n`,
      );
      writeFileSync(join(database, 'standby.signal'), '');
      this.#servers.push(await startPostgres({ dataFolder: join(this.#folder, name), settings }));
    }
    await withClient(primary.url, attached);
    for (let caller = 0; caller < callers; caller += 1) {
      const client = new pg.Client({ connectionString: primary.url });
      await client.connect();
      this.#clients.push(client);
    }
    const far = new URL(this.#servers[1]!.url);
    far.port = String((await this.#link('eu', STANDBYS[0], delayMs, this.#servers[1]!.port)).port);
    this.#far = new pg.Client({ connectionString: far.href });
    await this.#far.connect();
    this.#alone = new pg.Client({ connectionString: primary.url, options: '-c synchronous_commit=local' });
    await this.#alone.connect();
  }

  async #link(from: string, to: string, delayMs: number, port: number): ReturnType<Link['open']> {
    const link = new Link({ from, to, delayMs });
    this.#links.push(link);
    return link.open({ host: HOST, port: 0 }, { host: HOST, port });
  }

  #credit(client: pg.Client, caller: number): Promise<unknown> {
    return client.query({
      name: 'credit',
      text: 'update accounts set balance = balance + $2, lockstep_version = lockstep_version + 1 where id = $1',
      values: [`eu:bench-${caller}`, 1],
    });
  }
}

async function withClient(url: string, work: (client: pg.Client) => Promise<void>): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await work(client);
  } finally {
    await client.end();
  }
}

/** Until both standbys stream, so that none of them is measured while it catches up. */
async function attached(client: pg.Client): Promise<void> {
  const untilMs = performance.now() + ATTACH_MS_MAX;
  for (;;) {
    const { rows } = await client.query<{ name: string; state: string }>(
      `select application_name as name, state from pg_stat_replication where sync_state = 'quorum'`,
    );
    if (rows.filter(({ state }) => state === 'streaming').length === STANDBYS.length) return;
    if (performance.now() > untilMs) throw new Error(`the standbys do not stream: ${JSON.stringify(rows)}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
