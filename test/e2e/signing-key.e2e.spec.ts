/** A coordinator that could not sign what the catalogue demands does not start, and no word of a key is told. */
import { execFile } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { chmod, cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';

const ROOT = join(import.meta.dirname, '../..');
const START_MS_MAX = 20_000;
const pair = (): { readonly privateKey: string; readonly publicKey: string } => {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  return {
    privateKey: String(privateKey.export({ type: 'pkcs8', format: 'pem' })),
    publicKey: String(publicKey.export({ type: 'spki', format: 'pem' })),
  };
};
const ours = pair();
const other = pair();

let folder: string;
let catalogue: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lockstep-signing-key-'));
  catalogue = join(folder, 'catalogue');
  await cp(join(ROOT, 'infra/catalogue/sample'), catalogue, { recursive: true });
  await mkdir(join(catalogue, 'keys'));
  await writeFile(join(catalogue, 'keys/ours.pem'), ours.publicKey);
  const topology = join(catalogue, 'topology.yaml');
  await writeFile(topology, `${await readFile(topology, 'utf8')}\nkeys:\n  ours: keys/ours.pem\n`);
});
afterAll(() => rm(folder, { recursive: true }));

/** Nobody listens at the database: what is refused is refused before it is asked. */
function start(signingKeyFile: string): Promise<{ readonly code: number | string; readonly told: string }> {
  const env = {
    LOCKSTEP_ROLES: 'coordinator',
    LOCKSTEP_REGION: 'eu',
    LOCKSTEP_CATALOGUE: catalogue,
    LOCKSTEP_LISTEN: '127.0.0.1:0',
    LOCKSTEP_POSTGRES_URL: 'postgres://nobody@127.0.0.1:9/none',
    LOCKSTEP_SIGNING_KEY_FILE: signingKeyFile,
  };
  const main = join(ROOT, 'apps/region/dist/main.js');
  return new Promise((resolve) => {
    execFile(process.execPath, [main], { env, timeout: START_MS_MAX }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : (error.code ?? 'killed'), told: `${stdout}\n${stderr}` });
    });
  });
}

async function keyFile(name: string, text: string, mode: number): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, text);
  await chmod(path, mode);
  return path;
}

test.each<[string, () => Promise<string>, RegExp]>([
  [
    'has none',
    () => Promise.resolve(''),
    /keys ours, and this coordinator has none\. Next: set LOCKSTEP_SIGNING/,
  ],
  ['has another', () => keyFile('other.pem', other.privateKey, 0o600), /this coordinator has another one/],
  [
    'has one that the group can read',
    () => keyFile('open.pem', ours.privateKey, 0o640),
    /\(mode 640\)\. Next:/,
  ],
])('a coordinator that %s is not started', async (_, signingKeyFile, why) => {
  const { code, told } = await start(await signingKeyFile());
  expect(told).toMatch(why);
  expect(code).toBe(2);
  for (const { privateKey } of [ours, other]) expect(told).not.toContain(privateKey.split('\n')[1]);
});
