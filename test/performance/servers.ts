/** One Kafka broker and one Postgres with the settings of the local cluster, on a fresh folder, for one run. */
import { chmodSync, globSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startKafka, startPostgres } from '@lockstep/local';
import kafkajs from 'kafkajs';
import pg from 'pg';

export interface Servers {
  readonly brokers: readonly string[];
  readonly processes: { readonly broker: number; readonly database: number };
  /** Bytes of the segments that hold a topic on disk. */
  logBytes(topic: string): number;
  /** How much the database server has written to its log. */
  walBytes(): Promise<number>;
  /** A copy of a database; without a template an empty one. Nobody may be connected to the template. */
  createDatabase(template?: Database): Promise<Database>;
  stop(): Promise<void>;
}

export interface Database {
  readonly name: string;
  readonly url: string;
  drop(): Promise<void>;
}

export async function startServers(): Promise<Servers> {
  const folder = mkdtempSync(join(tmpdir(), 'lockstep-bench-'));
  // Open, so that the unprivileged user that Postgres runs as can reach its data.
  chmodSync(folder, 0o755);
  const java = process.env['LOCKSTEP_LOCAL_JAVA'];
  const starting = [
    startKafka({ dataFolder: join(folder, 'kafka'), ...(java === undefined ? {} : { java }) }),
    startPostgres({ dataFolder: join(folder, 'postgres') }),
  ] as const;
  const stop = async (): Promise<void> => {
    for (const started of await Promise.allSettled(starting)) {
      if (started.status === 'fulfilled') await started.value.stop();
    }
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    const [kafka, postgres] = await Promise.all(starting);
    let databases = 0;
    return {
      brokers: kafka.brokers,
      processes: { broker: kafka.pids()[0]!, database: postgres.pid()! },
      logBytes: (topic) =>
        globSync(join(folder, `kafka/**/${topic}-*/*.log`)).reduce(
          (sum, path) => sum + statSync(path).size,
          0,
        ),
      walBytes: async () => {
        const client = await connected(postgres.url);
        const { rows } = await client.query<{ bytes: string }>(
          `select pg_current_wal_insert_lsn() - '0/0' as bytes`,
        );
        await client.end();
        return Number(rows[0]!.bytes);
      },
      createDatabase: async (template) => {
        databases += 1;
        return createDatabase(postgres.url, `bench_${databases}`, template);
      },
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** On a server, which is named by one of its databases. */
export async function createDatabase(server: string, name: string, template?: Database): Promise<Database> {
  const url = new URL(server);
  url.pathname = `/${name}`;
  await administrate(server, [
    `create database ${name}${template === undefined ? '' : ` template ${template.name}`}`,
    // Every measurement begins at the same distance from a checkpoint: the first change of a page behind one is dear.
    'checkpoint',
  ]);
  const drop = (): Promise<void> => administrate(server, [`drop database ${name} with (force)`]);
  return { name, url: url.href, drop };
}

/** Beside the log port, for what a benchmark does to topics itself. */
export const kafkaClient = (brokers: readonly string[]): kafkajs.Kafka =>
  new kafkajs.Kafka({ brokers: [...brokers], logLevel: kafkajs.logLevel.NOTHING });

export async function connected(url: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url });
  // Whoever asks it next learns that the server is gone; untold, that would end the process and leave the other servers behind.
  client.on('error', () => undefined);
  await client.connect();
  return client;
}

export async function administrate(url: string, statements: readonly string[]): Promise<void> {
  const client = await connected(url);
  try {
    for (const statement of statements) await client.query(statement);
  } finally {
    await client.end();
  }
}
