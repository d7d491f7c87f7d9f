/** What a browser fetches before the console shows anything, as it is built; the set-up builds it before tests run. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { expect, test } from '@jest/globals';

const SITE = join(import.meta.dirname, '../../apps/console/dist/site');
const BYTES_MAX = 200_000;

test('the first page, with all that belongs to it, is below 200 kB compressed', () => {
  const page = readFileSync(join(SITE, 'index.html'), 'utf8');
  const named = [...page.matchAll(/(?:src|href)="\.\/([^"]+)"/g)].map(([, path]) => path!);
  const built = readdirSync(join(SITE, 'assets')).map((name) => `assets/${name}`);
  // Nothing is fetched later that is not counted here.
  expect([...named].sort()).toEqual(built.sort());
  const bytes = ['index.html', ...named].map((path) => gzipSync(readFileSync(join(SITE, path))).length);
  expect(bytes.reduce((sum, one) => sum + one, 0)).toBeLessThan(BYTES_MAX);
});
