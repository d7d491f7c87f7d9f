/** What every adapter of the signing ports must do. */
import assert from 'node:assert/strict';
import type { SignatureCheck, Signer } from '@lockstep/engine';
import { utf8 } from '@lockstep/protocol';

export interface SigningUnderTest {
  /** Signers of the same name have the same key. */
  signer(name: string): Promise<Signer>;
  /** As another process has it. */
  check(): SignatureCheck;
}

interface TestGlobals {
  describe(name: string, body: () => void): void;
  test(name: string, body: () => Promise<void>): void;
}

export function signingConformance(name: string, { check, signer }: SigningUnderTest): void {
  const { describe, test } = globalThis as unknown as TestGlobals;
  const message = utf8('fence 1 to 2');

  describe(`signing: ${name}`, () => {
    test('a key has 64 hex digits and a signature 128; both are the same each time', async () => {
      const [one, again] = [await signer('a'), await signer('a')];
      assert.match(one.publicKey, /^[0-9a-f]{64}$/);
      assert.match(one.sign(message), /^[0-9a-f]{128}$/);
      assert.equal(one.publicKey, again.publicKey);
      assert.equal(one.sign(message), again.sign(message));
      assert.notEqual((await signer('b')).publicKey, one.publicKey);
    });

    test('a signature is valid for its message and its key', async () => {
      const one = await signer('a');
      assert.equal(check().isValid(one.publicKey, message, one.sign(message)), true);
      assert.equal(check().isValid(one.publicKey, utf8(''), one.sign(utf8(''))), true);
    });

    test('and for nothing else: not with any bit changed, of message, key or signature', async () => {
      const [one, other] = [await signer('a'), await signer('b')];
      const signature = one.sign(message);
      const known = check();
      assert.equal(known.isValid(other.publicKey, message, signature), false);
      assert.equal(known.isValid(one.publicKey, message, other.sign(message)), false);
      for (let bit = 0; bit < message.length * 8; bit += 1) {
        const changed = message.map((byte, at) => (at === bit >> 3 ? byte ^ (1 << (bit & 7)) : byte));
        assert.equal(known.isValid(one.publicKey, changed, signature), false, `bit ${bit} of the message`);
      }
      for (let digit = 0; digit < signature.length; digit += 1)
        assert.equal(
          known.isValid(one.publicKey, message, flipped(signature, digit)),
          false,
          `digit ${digit}`,
        );
      for (let digit = 0; digit < one.publicKey.length; digit += 1)
        assert.equal(
          known.isValid(flipped(one.publicKey, digit), message, signature),
          false,
          `digit ${digit}`,
        );
    });

    test('garbage is not valid, and no exception', async () => {
      const one = await signer('a');
      for (const text of ['', '0', 'ab', 'zz'.repeat(32), '0'.repeat(64), 'f'.repeat(64), 'f'.repeat(128)]) {
        assert.equal(check().isValid(text, message, one.sign(message)), false, `key ${text}`);
        assert.equal(check().isValid(one.publicKey, message, text), false, `signature ${text}`);
      }
    });
  });
}

const flipped = (hex: string, digit: number): string =>
  hex.slice(0, digit) + (Number.parseInt(hex[digit]!, 16) ^ 1).toString(16) + hex.slice(digit + 1);
