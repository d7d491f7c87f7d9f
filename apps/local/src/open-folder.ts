/**
 * Whether the databases' user can reach a folder. Postgres refuses to run as root, so below root it runs as somebody
 * else, and a single parent with mode 0700 (a home folder, often) hides binaries and data from it.
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, lstatSync, mkdirSync, readFileSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { LocalError } from './local-error.js';

export interface DatabaseUser {
  readonly uid: number;
  readonly gid: number;
}

/** `undefined` when the caller is an ordinary user, who runs the databases as himself. */
export function databaseUser(): DatabaseUser | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const accounts = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .map((line) => line.split(':'));
  // initdb wants a user with a name; `nobody` is everywhere.
  const account = ['postgres', 'nobody']
    .map((name) => accounts.find((fields) => fields[0] === name))
    .find((fields) => fields !== undefined);
  if (account === undefined) {
    throw new LocalError(
      'closed-folder',
      'Postgres does not run as root and there is no user postgres or nobody. Add one: useradd --system postgres.',
    );
  }
  return { uid: Number(account[2]), gid: Number(account[3]) };
}

/** The outermost folder on the way to `path` that the user may not pass; `path` itself need not exist. */
export function closedParent(path: string, user: DatabaseUser): string | undefined {
  const parents: string[] = [];
  for (let folder = dirname(path); ; folder = dirname(folder)) {
    parents.unshift(folder);
    if (folder === dirname(folder)) break;
  }
  return parents.find((folder) => {
    const found = statSync(folder, { throwIfNoEntry: false });
    return found !== undefined && !mayPass(found, user);
  });
}

function mayPass(
  found: { readonly mode: number; readonly uid: number; readonly gid: number },
  user: DatabaseUser,
): boolean {
  if (found.uid === user.uid) return (found.mode & 0o100) !== 0;
  if (found.gid === user.gid) return (found.mode & 0o010) !== 0;
  return (found.mode & 0o001) !== 0;
}

/** An open folder for what belongs to `owner`, always the same one for the same owner. */
export function openRuntimeFolder(owner: string, user: DatabaseUser): string {
  const folder = join(tmpdir(), `lockstep-${createHash('sha256').update(owner).digest('hex').slice(0, 16)}`);
  const closed = closedParent(join(folder, 'x'), user);
  if (closed !== undefined && closed !== folder) {
    throw new LocalError(
      'closed-folder',
      `The databases run as an unprivileged user, who cannot pass ${closed} (and not the folders of the project either). ` +
        `Open it with chmod o+x ${closed}, or name an open folder in TMPDIR.`,
    );
  }
  mkdirSync(folder, { recursive: true, mode: 0o755 });
  const found = lstatSync(folder);
  if (!found.isDirectory() || found.uid !== process.getuid?.()) {
    throw new LocalError(
      'closed-folder',
      `${folder} belongs to somebody else. Remove it, or name another folder in TMPDIR.`,
    );
  }
  chmodSync(folder, 0o755);
  return folder;
}

/** A copy that everybody may read; links stay links. */
export function copyReadable(from: string, to: string): void {
  mkdirSync(dirname(to), { recursive: true });
  execFileSync('cp', ['-R', '-P', from, to]);
  execFileSync('chmod', ['-R', 'a+rX', to]);
}
