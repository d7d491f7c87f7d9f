/**
 * The signing ports by Node's own cryptography. A private key comes from a file that only its owner may read, and leaves
 * it for the signer only: no message, finding or log line repeats a byte of it.
 */
import { createPrivateKey, createPublicKey, sign, verify, type KeyObject } from 'node:crypto';
import { open } from 'node:fs/promises';
import type { SignatureCheck, Signer } from '@lockstep/engine';
import type { PublicKey } from '@lockstep/protocol';

const FILE_BYTES_MAX = 16 * 1024;
const BEYOND_OWNER = 0o077;
const PUBLIC_KEYS_KEPT = 64;
/** Of an Ed25519 public key in DER, before its 32 bytes. */
const DER_HEAD = Buffer.from('302a300506032b6570032100', 'hex');

/** Why a file is not used as signing key; the message says what to do and nothing of its content. */
export class SigningKeyRefused extends Error {
  constructor(path: string, wrong: string, next: string) {
    super(`The signing key ${path} ${wrong}. Next: ${next}.`);
    this.name = 'SigningKeyRefused';
  }
}

/** @throws SigningKeyRefused */
export async function readSigner(path: string): Promise<Signer> {
  const text = await readPrivateText(path);
  const make = 'make one by `openssl genpkey -algorithm ed25519`';
  if (!text.trimStart().startsWith('-----BEGIN PRIVATE KEY-----'))
    throw new SigningKeyRefused(path, 'is not an unencrypted PKCS8 private key in PEM', make);
  let key: KeyObject;
  try {
    key = createPrivateKey(text);
  } catch {
    // What the parser says might quote the text.
    throw new SigningKeyRefused(path, 'cannot be parsed', make);
  }
  if (key.asymmetricKeyType !== 'ed25519')
    throw new SigningKeyRefused(path, `is a key of type ${key.asymmetricKeyType}, not Ed25519`, make);
  const der = createPublicKey(key).export({ type: 'spki', format: 'der' });
  return {
    publicKey: der.subarray(DER_HEAD.length).toString('hex'),
    sign: (message) => sign(null, message, key).toString('hex'),
  };
}

/** Rights are those of the file that is read, not of one that had the name a moment before. */
async function readPrivateText(path: string): Promise<string> {
  const reach = 'correct LOCKSTEP_SIGNING_KEY_FILE or the rights of the file';
  const file = await open(path, 'r').catch((error: unknown) => {
    const { code = 'unknown' } = error as { readonly code?: string };
    throw new SigningKeyRefused(path, `cannot be read (${code})`, reach);
  });
  try {
    const stats = await file.stat();
    const { mode, size } = stats;
    if (!stats.isFile() || size > FILE_BYTES_MAX)
      throw new SigningKeyRefused(path, `is no file of at most ${FILE_BYTES_MAX} bytes`, reach);
    if ((mode & BEYOND_OWNER) !== 0) {
      const rights = (mode & 0o777).toString(8).padStart(3, '0');
      throw new SigningKeyRefused(
        path,
        `may be read or changed by others than its owner (mode ${rights})`,
        'give it mode 600 or 400, and take another key if somebody may have read this one',
      );
    }
    return await file.readFile('utf8');
  } finally {
    await file.close();
  }
}

export function nodeSignatureCheck(): SignatureCheck {
  const keys = new Map<PublicKey, KeyObject | null>();
  const keyOf = (publicKey: PublicKey): KeyObject | null => {
    const known = keys.get(publicKey);
    if (known !== undefined) return known;
    // Configurations name a handful; whoever names more than are kept pays for parsing them again.
    if (keys.size >= PUBLIC_KEYS_KEPT) keys.clear();
    const made = parsePublicKey(publicKey);
    keys.set(publicKey, made);
    return made;
  };
  return {
    isValid: (publicKey, message, signature) => {
      const key = keyOf(publicKey);
      if (key === null || !/^[0-9a-f]{128}$/.test(signature)) return false;
      return verify(null, message, key, Buffer.from(signature, 'hex'));
    },
  };
}

function parsePublicKey(publicKey: PublicKey): KeyObject | null {
  if (!/^[0-9a-f]{64}$/.test(publicKey)) return null;
  const der = Buffer.concat([DER_HEAD, Buffer.from(publicKey, 'hex')]);
  return createPublicKey({ key: der, type: 'spki', format: 'der' });
}
