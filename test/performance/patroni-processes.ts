/**
 * The programs of a Patroni cluster: unpacked packages, run by the user that Postgres runs as, each with a log of its own.
 * Whoever starts one ends it; what they leave behind is thrown away, so that none is asked to end well.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chownSync, closeSync, existsSync, globSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { databaseUser } from '@lockstep/local';
import { unpackDebianPeer } from './peer-packages.ts';

const PACKAGES = ['patroni', 'etcd-server', 'postgresql-15', 'postgresql-client-15'];
const LAST_WORDS = 2_000;

export interface Program {
  readonly pid: number;
  /** What it said last. */
  words(): string;
  /** By SIGKILL, whatever it does; resolves when it has ended. */
  end(): Promise<void>;
}

export class PatroniPrograms {
  readonly #folder: string;
  readonly #packages: string;

  private constructor(folder: string, packages: string) {
    this.#folder = folder;
    this.#packages = packages;
  }

  /** @param folder open to the user that Postgres runs as. */
  static async unpack(folder: string): Promise<PatroniPrograms> {
    const packages = join(folder, 'packages');
    mkdirSync(packages);
    await unpackDebianPeer('patroni', { into: packages, packages: PACKAGES });
    return new PatroniPrograms(folder, packages);
  }

  /** Where the programs of Postgres lie. */
  get postgres(): string {
    return join(this.#packages, 'usr/lib/postgresql/15/bin');
  }

  /** A folder of that user's. */
  makeFolder(name: string): string {
    const folder = join(this.#folder, name);
    mkdirSync(folder, { mode: 0o700 });
    const user = databaseUser();
    if (user !== undefined) chownSync(folder, user.uid, user.gid);
    return folder;
  }

  etcd(name: string, options: readonly string[]): Promise<Program> {
    return this.#run(name, join(this.#packages, 'usr/bin/etcd'), options);
  }

  patroni(name: string, settings: string): Promise<Program> {
    const unpacked = join(this.#packages, 'usr/bin/python3');
    const python = existsSync(unpacked) ? unpacked : '/usr/bin/python3';
    return this.#run(name, python, [join(this.#packages, 'usr/bin/patroni'), settings]);
  }

  async #run(name: string, command: string, options: readonly string[]): Promise<Program> {
    const log = join(this.#folder, `${name}.log`);
    const file = openSync(log, 'a');
    const child = spawn(command, options, {
      cwd: this.#folder,
      stdio: ['ignore', file, file],
      env: this.#environment(),
      // Ctrl-C is for the benchmark, which ends them.
      detached: true,
      ...(databaseUser() ?? {}),
    });
    closeSync(file);
    const ended = once(child, 'exit');
    await once(child, 'spawn');
    return {
      pid: child.pid!,
      words: () => readFileSync(log, 'utf8').slice(-LAST_WORDS),
      end: async () => {
        child.kill('SIGKILL');
        await ended;
      },
    };
  }

  /** Nothing of the caller's settings of Postgres, Patroni or Python. */
  #environment(): NodeJS.ProcessEnv {
    return {
      PATH: process.env['PATH'] ?? '',
      HOME: this.#folder,
      LC_ALL: 'C.UTF-8',
      PYTHONPATH: join(this.#packages, 'usr/lib/python3/dist-packages'),
      PYTHONDONTWRITEBYTECODE: '1',
      LD_LIBRARY_PATH: globSync(join(this.#packages, '{usr/,}lib/*-linux-gnu')).join(delimiter),
    };
  }
}
