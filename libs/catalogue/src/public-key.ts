/**
 * The public half of a key by which control entries are signed, as a catalogue names it: PEM, in the setting itself or in
 * a file of the catalogue. A private key is refused by name: whoever reads the catalogue could sign.
 */
import { createPublicKey } from 'node:crypto';
import type { PublicKey } from '@lockstep/protocol';

export type ReadPublicKey =
  | { readonly kind: 'key'; readonly publicKey: PublicKey }
  | { readonly kind: 'refused'; readonly reason: string; readonly nextStep: string };

const EXPORT = 'write the public half: `openssl pkey -in private.pem -pubout`';
const refused = (reason: string, nextStep: string): ReadPublicKey => ({ kind: 'refused', reason, nextStep });

export const isPem = (text: string): boolean => text.trimStart().startsWith('-----BEGIN ');

/** Says nothing of the text: it may be a secret that was put here by mistake. */
export function readPublicKey(pem: string): ReadPublicKey {
  if (pem.includes('PRIVATE KEY'))
    return refused('is a private key', `take it out of the catalogue, never use it again, and ${EXPORT}`);
  if (!isPem(pem)) return refused('is not PEM', EXPORT);
  try {
    const key = createPublicKey(pem);
    if (key.asymmetricKeyType === 'ed25519') {
      const { x } = key.export({ format: 'jwk' });
      return { kind: 'key', publicKey: Buffer.from(x!, 'base64url').toString('hex') };
    }
    return refused(`is a key of type ${key.asymmetricKeyType}`, 'use a key of type Ed25519');
  } catch {
    return refused('cannot be read as a public key', EXPORT);
  }
}
