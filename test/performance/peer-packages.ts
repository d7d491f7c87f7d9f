/** Packages of peers, from npm, Maven or Debian: fetched when they are first asked for, into a folder that nothing tracks. */
import { execFile } from 'node:child_process';
import {
  cpSync,
  existsSync,
  globSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';

const FOLDER = join(import.meta.dirname, '../../.lockstep/peers');
const INSTALL_MS_MAX = 300_000;
const run = promisify(execFile);

/** Answers where a program lies beside its packages, so that it finds them. */
export async function installPeer(
  name: string,
  {
    dependencies,
    program,
  }: { readonly dependencies: Readonly<Record<string, string>>; readonly program: string },
): Promise<string> {
  const folder = await installed(name, {
    file: 'package.json',
    manifest: JSON.stringify({ name: `peer-${name}`, private: true, type: 'module', dependencies }),
    command: 'npm',
    args: ['install', '--no-audit', '--no-fund', '--no-package-lock', '--omit=optional'],
  });
  const target = join(folder, 'main.mjs');
  cpSync(program, target);
  return target;
}

/**
 * What a pom asks for, each file with the checksum that is published beside it.
 *
 * @param goals of Maven's dependency plugin; they write beside a copy of the pom, into the folder answered.
 */
export const installJavaPeer = (
  name: string,
  { pom, goals }: { readonly pom: string; readonly goals: readonly string[] },
): Promise<string> =>
  installed(name, {
    file: 'pom.xml',
    manifest: readFileSync(pom, 'utf8'),
    command: 'mvn',
    args: ['-B', '-q', '--strict-checksums', ...goals],
  });

/**
 * Debian's packages and what they need beside what this system has: fetched and unpacked, never installed, because installed
 * ones start their services.
 *
 * @param into a folder; afterwards it holds what would lie under the root of the file system.
 */
export async function unpackDebianPeer(
  name: string,
  { into, packages }: { readonly into: string; readonly packages: readonly string[] },
): Promise<void> {
  const options = ['--yes', '--download-only', '--reinstall', '--no-install-recommends'];
  // Into the working folder, and beside whoever installs something meanwhile.
  const places = ['Dir::Cache::archives=./', 'Debug::NoLocking=1'].flatMap((place) => ['-o', place]);
  const fetched = (): Promise<string> =>
    installed(name, {
      file: 'packages',
      manifest: packages.map((one) => `${one}\n`).join(''),
      command: 'apt-get',
      args: ['install', ...options, ...places, ...packages],
    });
  // A fresh system has no lists, and old lists name packages that are gone; only root may fetch new ones.
  const refreshed = (): Promise<unknown> => run('apt-get', ['update', '-q'], { timeout: INSTALL_MS_MAX });
  const folder = await fetched()
    .catch(async () => {
      await refreshed();
      return fetched();
    })
    .catch((error: unknown) => {
      const help = 'They are packages of Debian 12: there, run `apt-get update` as root and start again.';
      throw new Error(`${packages.join(', ')} could not be fetched. ${help}`, { cause: error });
    });
  for (const archive of globSync(join(folder, '*.deb'))) await run('dpkg-deb', ['--extract', archive, into]);
}

interface Installation {
  readonly file: string;
  readonly manifest: string;
  readonly command: string;
  readonly args: readonly string[];
}

/** Installed beside and renamed, so that a folder with this manifest is a folder that is complete. */
async function installed(name: string, { file, manifest, command, args }: Installation): Promise<string> {
  const folder = join(FOLDER, name);
  const manifestFile = join(folder, file);
  if (existsSync(manifestFile) && readFileSync(manifestFile, 'utf8') === manifest) return folder;
  const incoming = `${folder}.incoming`;
  rmSync(incoming, { recursive: true, force: true });
  mkdirSync(incoming, { recursive: true });
  writeFileSync(join(incoming, file), manifest);
  try {
    await run(command, args, { cwd: incoming, timeout: INSTALL_MS_MAX });
  } catch (error) {
    const { code, stdout } = error as { readonly code?: unknown; readonly stdout?: string };
    if (code === 'ENOENT') throw new Error(`${command} is not on the path: it fetches the peer ${name}`);
    // Maven says on standard output what is missing.
    throw new Error(`${(error as Error).message}\n${stdout ?? ''}`.trimEnd());
  }
  // npm rewrites it; what is compared is what was asked for.
  writeFileSync(join(incoming, file), manifest);
  rmSync(folder, { recursive: true, force: true });
  renameSync(incoming, folder);
  return folder;
}
