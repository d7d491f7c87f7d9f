/** Laws of tokens: positions survive, damage does not, and no text makes the decoder throw. */
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { sequence, type LogIncarnation, type ShardName } from '../identity/identity.js';
import { decodeToken, encodeToken, type Token } from './token.js';

const tokens: fc.Arbitrary<Token> = fc
  .uniqueArray(
    fc.tuple(
      fc.stringMatching(/^[a-z][a-z0-9_]{0,39}\/(0|[1-9][0-9]{0,5})$/),
      fc.stringMatching(/^[0-9a-f]{32}$/),
      fc.bigInt({ min: 1n, max: 2n ** 63n - 1n }),
    ),
    { minLength: 1, maxLength: 6, selector: ([shard]) => shard },
  )
  .map(
    (parts) =>
      new Map(
        parts.map(([shard, log, at]) => [
          shard as ShardName,
          { logIncarnation: log as LogIncarnation, sequence: sequence(at) },
        ]),
      ),
  );

test('a token reads back as its positions, and its text does not depend on the order they came in', () => {
  fc.assert(
    fc.property(tokens, (token) => {
      const text = encodeToken(token);
      expect(decodeToken(text)).toEqual(token);
      expect(encodeToken(new Map([...token].toReversed()))).toBe(text);
    }),
    { numRuns: 300 },
  );
});

test('a token with one character changed, lost or added is none', () => {
  fc.assert(
    fc.property(
      tokens,
      fc.nat(),
      fc.constantFrom('change', 'lose', 'add'),
      fc.constantFrom(...'0123456789abcdef~;@./z'),
      (token, where, how, character) => {
        const text = encodeToken(token);
        const at = where % text.length;
        const damaged =
          text.slice(0, at) + (how === 'lose' ? '' : character) + text.slice(how === 'add' ? at : at + 1);
        if (damaged !== text) expect(decodeToken(damaged)).toBeNull();
      },
    ),
    { numRuns: 500, seed: 1 },
  );
});

test('any text is a token or null', () => {
  const near = fc.array(fc.constantFrom('1~', '~', 'a/0', '@', 'a'.repeat(32), '.', '5', ';', '49ce5bbd'), {
    maxLength: 12,
    size: 'max',
  });
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        near.map((parts) => parts.join('')),
      ),
      (text) => {
        const token = decodeToken(text);
        expect(token === null || token.size > 0).toBe(true);
      },
    ),
    { numRuns: 500 },
  );
});
