/**
 * Deterministic twin of the signing ports. Keys and signatures have the form of Ed25519 and keep the promises of the ports
 * against mistakes; whoever knows the public key could sign, which nobody in a simulated world tries.
 */
import type { SignatureCheck, Signer } from '@lockstep/engine';
import { Absorber, hashToHex, utf8, ZERO_HASH, type PublicKey } from '@lockstep/protocol';

export function simulatedSigner(name: string): Signer {
  const publicKey = digits(utf8(name), 2);
  return { publicKey, sign: (message) => signatureOf(publicKey, message) };
}

export const simulatedSignatureCheck: SignatureCheck = {
  isValid: (publicKey, message, signature) => signature === signatureOf(publicKey, message),
};

function signatureOf(publicKey: PublicKey, message: Uint8Array): string {
  const key = utf8(publicKey);
  const bytes = new Uint8Array(key.length + message.length);
  bytes.set(key, 0);
  bytes.set(message, key.length);
  return digits(bytes, 4);
}

/** So many times 32 hex digits. */
function digits(bytes: Uint8Array, parts: number): string {
  let text = '';
  for (let part = 0; part < parts; part += 1) {
    const absorber = new Absorber({ ...ZERO_HASH, d: part });
    absorber.bytes(bytes);
    text += hashToHex(absorber.finish());
  }
  return text;
}
