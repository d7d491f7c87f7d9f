/**
 * A world that is not deterministic is worse than none: each seed is run in two processes and their traces are compared.
 * The processes run what was built (`npm run build`), as the command does.
 */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from '@jest/globals';

test('a hundred seeds give equal traces in two processes', async () => {
  const command = [join(import.meta.dirname, 'sim.ts'), '--seeds', '1..100', '--twice'];
  const { stdout } = await promisify(execFile)(process.execPath, command, { timeout: 250_000 });
  expect(stdout.trim()).toBe('100 seeds in two processes: 0 traces differ');
}, 300_000);
