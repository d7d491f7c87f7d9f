/**
 * Connections to one region's Postgres: one client for a replicator's lane, a small pool for queries.
 *
 * - Every connection asserts on opening that commits are durable (B36) and takes the settings below; no other
 *   configuration of role or database can change what our statements mean.
 * - All values arrive as text and are parsed by the caller, so no bigint becomes a number (B35).
 * - Every wait is bounded: the server cancels a statement after `statementTimeoutMs`; when even that does not arrive,
 *   the socket is destroyed a little later. A client whose connection failed once is dead; the owner opens another.
 */
import { Socket } from 'node:net';
import pg from 'pg';
import { PortError } from '@lockstep/engine';
import { storeDisconnected, storeFailure } from './store-failure.js';
import type { Call } from './store-failure.js';

export type Row = { readonly [column: string]: string | null };

/** Runs one statement in one round trip. Parameters are text or null. */
export interface Statements {
  run(call: Call, statement: string, parameters?: readonly (string | null)[]): Promise<readonly Row[]>;
}

/** Each statement is a transaction of its own. */
export interface Connection extends Statements {
  close(): Promise<void>;
}

export interface ConnectionOptions {
  readonly url: string;
  readonly applicationName: string;
  /** Its row changes are the fold's: guarded tables let them through. */
  readonly folds?: true;
  /** Is told of every notification, of whatever channel it listens to. */
  readonly onNotified?: () => void;
  /** The server rolls a statement back after this; the socket is given up `ANSWER_GRACE_MS` later. */
  readonly statementTimeoutMs: number;
}

const CONNECT_TIMEOUT_MS = 5_000;
const KEEP_ALIVE_AFTER_MS = 5_000;
const ANSWER_GRACE_MS = 2_000;
const LOCK_TIMEOUT_MS = 2_000;
const CLOSE_TIMEOUT_MS = 1_000;
const POOL_CLIENTS_MAX = 8;
const POOL_WAITERS_MAX = 1_000;
const POOL_IDLE_MS = 30_000;
/** Statements beyond this many are sent unnamed, so that shapes of data cannot fill the server's memory. */
const NAMED_STATEMENTS_MAX = 64;

/**
 * Rows are always reached by their keys. A plan that was made while a table was empty would scan it, and would still
 * do so when the table is full; so scans and joins over whole tables are switched off and plans are kept.
 */
function settings(options: ConnectionOptions): readonly (readonly [name: string, value: string])[] {
  return [
    ['statement_timeout', String(options.statementTimeoutMs)],
    ['lock_timeout', String(Math.min(LOCK_TIMEOUT_MS, options.statementTimeoutMs))],
    ['idle_in_transaction_session_timeout', String(options.statementTimeoutMs)],
    ['default_transaction_isolation', 'read committed'],
    ['TimeZone', 'UTC'],
    ['DateStyle', 'ISO'],
    ['extra_float_digits', '1'],
    ['plan_cache_mode', 'force_generic_plan'],
    ['enable_seqscan', 'off'],
    ['enable_hashjoin', 'off'],
    ['enable_mergejoin', 'off'],
    ['jit', 'off'],
    ...(options.folds === true ? [[FOLD_SETTING, 'on'] as const] : []),
  ];
}

/** On in sessions whose row changes need no entry of an outbox. */
export const FOLD_SETTING = 'lockstep.fold';

const DURABILITY = ['fsync', 'full_page_writes', 'synchronous_commit'] as const;
const DURABILITY_LIST = DURABILITY.map((name) => `current_setting('${name}') as ${name}`).join(', ');
export const DURABILITY_STATEMENT = `select ${DURABILITY_LIST}`;

/** Acknowledgements would lie without these (B36). `remote_apply` waits for more than `on` does. */
export function assertDurable(row: Row | undefined): void {
  const off = DURABILITY.filter((name) => {
    const value = row?.[name];
    return value !== 'on' && !(name === 'synchronous_commit' && value === 'remote_apply');
  });
  if (off.length === 0) return;
  throw new PortError(
    'durability-off',
    'fatal',
    `The database would lose what it has acknowledged: ${off.join(', ')} must be on. Change it and start again.`,
  );
}

/** The oldest edition that merges rows within a commit's one statement (0070). */
const VERSION_MIN = 17;

/** An older one would refuse every commit for its syntax, which reads like a defect of ours. */
export function assertRecent(row: Row | undefined): void {
  const version = Math.floor(Number(row?.['server_version_num']) / 10_000);
  if (version >= VERSION_MIN) return;
  throw new PortError(
    'store-too-old',
    'fatal',
    `Postgres ${VERSION_MIN} or newer is needed, and this one is ${version}. Upgrade it and start again.`,
  );
}

async function prepareSession(client: pg.ClientBase, options: ConnectionOptions): Promise<void> {
  const list = settings(options).map(([name, value]) => `set_config('${name}', '${value}', false)`);
  const { rows } = await client.query<Row>(
    `select current_setting('server_version_num') as server_version_num, ${DURABILITY_LIST}, ${list.join(', ')}`,
  );
  assertRecent(rows[0]);
  assertDurable(rows[0]);
}

function clientConfig(options: ConnectionOptions, socketOpened: (socket: Socket) => void): pg.ClientConfig {
  return {
    connectionString: options.url,
    application_name: options.applicationName,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    query_timeout: options.statementTimeoutMs + ANSWER_GRACE_MS,
    keepAlive: true,
    keepAliveInitialDelayMillis: KEEP_ALIVE_AFTER_MS,
    types: { getTypeParser: () => (value: string) => value } as pg.CustomTypesConfig,
    // pg itself sets TCP_NODELAY on it.
    stream: () => {
      const socket = new Socket();
      socketOpened(socket);
      return socket;
    },
  };
}

/** pg throws for a URL that it cannot read, and the error repeats the URL with its password: it is not a cause here. */
export function assertReadableUrl(url: string): void {
  try {
    new pg.Client({ connectionString: url });
  } catch {
    throw new PortError(
      'store-url-invalid',
      'fatal',
      'The Postgres URL cannot be read; check LOCKSTEP_POSTGRES_URL.',
    );
  }
}

/** Names for prepared statements, the same for every connection of one store. */
class StatementNames {
  private readonly names = new Map<string, string>();

  nameOf(statement: string): string | undefined {
    const known = this.names.get(statement);
    if (known !== undefined || this.names.size >= NAMED_STATEMENTS_MAX) return known;
    const name = `lockstep_${this.names.size}`;
    this.names.set(statement, name);
    return name;
  }
}

async function send(
  client: pg.ClientBase,
  names: StatementNames,
  statement: string,
  parameters: readonly (string | null)[],
): Promise<readonly Row[]> {
  const name = parameters.length === 0 ? undefined : names.nameOf(statement);
  const { rows } = await client.query<Row>({
    text: statement,
    values: [...parameters],
    ...(name === undefined ? {} : { name }),
  });
  return rows;
}

/** One client of its own. */
export async function openConnection(options: ConnectionOptions): Promise<Connection> {
  assertReadableUrl(options.url);
  let socket: Socket | null = null;
  const client = new pg.Client(clientConfig(options, (opened) => (socket = opened)));
  const names = new StatementNames();
  let dead = false;
  const destroy = (): void => {
    dead = true;
    socket?.destroy();
  };
  client.on('error', destroy);
  client.on('end', destroy);
  const { onNotified } = options;
  if (onNotified !== undefined) client.on('notification', () => onNotified());
  try {
    await client.connect();
    await prepareSession(client, options);
  } catch (error) {
    destroy();
    throw error instanceof PortError ? error : storeFailure(error, 'read').error;
  }
  return {
    run: async (call, statement, parameters = []) => {
      if (dead) throw storeDisconnected();
      try {
        return await send(client, names, statement, parameters);
      } catch (error) {
        const failure = storeFailure(error, call);
        if (failure.connectionIsDead) destroy();
        throw failure.error;
      }
    },
    close: async () => {
      if (dead) return;
      dead = true;
      const timer = setTimeout(destroy, CLOSE_TIMEOUT_MS);
      await client.end();
      clearTimeout(timer);
    },
  };
}

export interface Pool extends Connection {
  /** Several statements in one transaction; rolled back when `work` rejects. */
  transaction<T>(work: (statements: Statements) => Promise<T>): Promise<T>;
  /** Several reads of one snapshot. */
  snapshot<T>(work: (statements: Statements) => Promise<T>): Promise<T>;
}

/** A bounded pool with bounded waits; a client whose connection failed is replaced by the next call. */
export async function openPool(options: ConnectionOptions): Promise<Pool> {
  assertReadableUrl(options.url);
  const sockets = new Set<Socket>();
  const pool = new pg.Pool({
    ...clientConfig(options, (socket) => {
      sockets.add(socket);
      socket.once('close', () => sockets.delete(socket));
    }),
    max: POOL_CLIENTS_MAX,
    idleTimeoutMillis: POOL_IDLE_MS,
    // The pool awaits it, whatever its type says: a client is handed out only after its session is prepared.
    // oxlint-disable-next-line typescript/no-misused-promises
    onConnect: (client) => prepareSession(client, options),
  });
  const names = new StatementNames();
  // An idle client that lost its connection is dropped by the pool; nobody waits for it.
  pool.on('error', () => undefined);

  const checkOut = async (): Promise<pg.PoolClient> => {
    if (pool.ending) throw storeDisconnected();
    if (pool.waitingCount >= POOL_WAITERS_MAX) {
      throw new PortError(
        'store-busy',
        'retryable',
        'Too many queries wait for the database; try again later.',
      );
    }
    try {
      return await pool.connect();
    } catch (error) {
      throw error instanceof PortError ? error : storeFailure(error, 'read').error;
    }
  };

  const withClient = async <T>(call: Call, work: (client: pg.PoolClient) => Promise<T>): Promise<T> => {
    const client = await checkOut();
    let broken = false;
    // Without a listener the loss of a checked-out client would end the process; its query rejects anyway.
    const lost = (): void => {
      broken = true;
    };
    client.on('error', lost);
    try {
      return await work(client);
    } catch (error) {
      if (error instanceof PortError) throw error;
      const failure = storeFailure(error, call);
      broken ||= failure.connectionIsDead;
      throw failure.error;
    } finally {
      client.removeListener('error', lost);
      client.release(broken);
    }
  };

  const inTransaction = <T>(
    call: Call,
    begin: string,
    work: (statements: Statements) => Promise<T>,
  ): Promise<T> =>
    withClient(call, async (client) => {
      await client.query(begin);
      try {
        const result = await work({
          run: (_call, statement, parameters = []) => send(client, names, statement, parameters),
        });
        await client.query('commit');
        return result;
      } catch (error) {
        // On a dead connection this rejects too, and there is nothing left to roll back.
        await client.query('rollback').catch(() => undefined);
        throw error;
      }
    });

  const opened: Pool = {
    run: (call, statement, parameters = []) =>
      withClient(call, (client) => send(client, names, statement, parameters)),
    transaction: (work) => inTransaction('write', 'begin', work),
    snapshot: (work) => inTransaction('read', 'begin isolation level repeatable read read only', work),
    close: async () => {
      if (pool.ending) return;
      const timer = setTimeout(() => {
        for (const socket of sockets) socket.destroy();
      }, CLOSE_TIMEOUT_MS);
      await pool.end();
      clearTimeout(timer);
    },
  };
  return opened;
}
