/** Ed25519 by Node, and the file that a private key comes from: refused before it is used, and never told. */
import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { utf8 } from '@lockstep/protocol';
import { signingConformance } from '@lockstep/testing';
import { nodeSignatureCheck, readSigner } from './node-signing.js';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lockstep-signing-'));
});
afterAll(() => rm(folder, { recursive: true }));

async function keyFile(name: string, text: string, mode = 0o600): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, text);
  await chmod(path, mode);
  return path;
}

const pem = (key: KeyObject): string =>
  String(key.export({ type: key.type === 'private' ? 'pkcs8' : 'spki', format: 'pem' }));
const made = new Map<string, string>();
const privatePem = (name: string): string => {
  const known = made.get(name) ?? pem(generateKeyPairSync('ed25519').privateKey);
  made.set(name, known);
  return known;
};

signingConformance('node', {
  signer: async (name) => readSigner(await keyFile(`${name}.pem`, privatePem(name))),
  check: nodeSignatureCheck,
});

test('signs as RFC 8032 says (7.1, test 1)', async () => {
  const seed = '9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60';
  const der = Buffer.from(`302e020100300506032b657004220420${seed}`, 'hex').toString('base64');
  const path = await keyFile('rfc', `-----BEGIN PRIVATE KEY-----\n${der}\n-----END PRIVATE KEY-----\n`);
  const signer = await readSigner(path);
  expect(signer.publicKey).toBe('d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a');
  expect(signer.sign(utf8(''))).toBe(
    'e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155' +
      '5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b',
  );
});

describe('the file of a private key', () => {
  test.each([0o640, 0o604, 0o620, 0o602, 0o610, 0o601])(
    'is refused when group or others can read, write or run it (mode %o)',
    async (mode) => {
      const path = await keyFile('open', privatePem('a'), mode);
      await expect(readSigner(path)).rejects.toThrow(`mode ${mode.toString(8)}`);
    },
  );

  test.each([0o600, 0o400])('is taken when only its owner can (mode %o)', async (mode) => {
    const path = await keyFile(`closed-${mode}`, privatePem('a'), mode);
    expect((await readSigner(path)).publicKey).toHaveLength(64);
  });

  test.each<[string, () => string, RegExp]>([
    ['a public key', () => pem(generateKeyPairSync('ed25519').publicKey), /PKCS8/],
    [
      'a key of another type',
      () => pem(generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey),
      /type ec/,
    ],
    [
      'an encrypted key',
      () =>
        String(
          generateKeyPairSync('ed25519').privateKey.export({
            type: 'pkcs8',
            format: 'pem',
            cipher: 'aes-256-cbc',
            passphrase: 'secret',
          }),
        ),
      /unencrypted/,
    ],
    ['a damaged key', () => privatePem('a').replace(/\n.{12}/, '\nMC4CAQAwBQYZ'), /cannot be parsed/],
    ['an empty file', () => '', /PKCS8/],
    ['a large file', () => privatePem('a') + ' '.repeat(20_000), /at most 16384 bytes/],
  ])('is refused when it holds %s, and nothing of it is told', async (name, content, why) => {
    const text = content();
    const path = await keyFile(name.replaceAll(' ', '-'), text);
    const refusal = await readSigner(path).then(
      () => null,
      (error: Error) => error,
    );
    expect(refusal?.message).toMatch(why);
    const told = `${refusal!.message}\n${refusal!.stack}\n${JSON.stringify(refusal)}\n${String(refusal!.cause)}`;
    for (const line of text.split('\n').filter((one) => one.length > 8 && !one.startsWith('---')))
      expect(told).not.toContain(line);
  });

  test.each([
    ['that is not there', 'missing.pem', /ENOENT/],
    ['that is a folder', '.', /no file/],
  ])('is refused %s', async (_, name, why) => {
    await expect(readSigner(join(folder, name))).rejects.toThrow(why);
  });
});

test('a signer shows its public key only, however it is printed', async () => {
  const signer = await readSigner(await keyFile('shown', privatePem('a')));
  const { inspect } = await import('node:util');
  const secret = Buffer.from(privatePem('a').split('\n')[1]!, 'base64').subarray(-32).toString('hex');
  for (const shown of [JSON.stringify(signer), inspect(signer, { depth: 9, showHidden: true })]) {
    expect(shown).toContain(signer.publicKey);
    expect(shown).not.toContain(secret);
    expect(shown).not.toContain('PRIVATE');
  }
});
