/** npm packages of peers: installed when they are first asked for, into a folder that nothing tracks. */
import { execFile } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
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
  const folder = join(FOLDER, name);
  const manifest = JSON.stringify({ name: `peer-${name}`, private: true, type: 'module', dependencies });
  const manifestFile = join(folder, 'package.json');
  if (!existsSync(manifestFile) || readFileSync(manifestFile, 'utf8') !== manifest) {
    const incoming = `${folder}.incoming`;
    rmSync(incoming, { recursive: true, force: true });
    mkdirSync(incoming, { recursive: true });
    writeFileSync(join(incoming, 'package.json'), manifest);
    await run('npm', ['install', '--no-audit', '--no-fund', '--no-package-lock', '--omit=optional'], {
      cwd: incoming,
      timeout: INSTALL_MS_MAX,
    });
    // npm rewrites it; what is compared is what was asked for.
    writeFileSync(join(incoming, 'package.json'), manifest);
    rmSync(folder, { recursive: true, force: true });
    renameSync(incoming, folder);
  }
  const target = join(folder, 'main.mjs');
  cpSync(program, target);
  return target;
}
