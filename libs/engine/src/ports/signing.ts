/**
 * The signing ports: Ed25519 without waiting, because the fold does not wait. One adapter on Node, one twin for simulated
 * worlds; both pass `testing/conformance/signing`.
 *
 * Promises of an adapter: the same message by the same key is the same signature; what one process has signed every
 * process finds valid; `isValid` throws for nothing, whatever the texts are; a private key never leaves the signer.
 */
import type { PublicKey } from '@lockstep/protocol';

export interface Signer {
  readonly publicKey: PublicKey;
  /** 128 lower-case hex digits. */
  sign(message: Uint8Array): string;
}

export interface SignatureCheck {
  isValid(publicKey: PublicKey, message: Uint8Array, signature: string): boolean;
}
