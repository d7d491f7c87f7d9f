import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { chmodSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { closedParent } from './open-folder.js';

const somebody = { uid: 65_533, gid: 65_533 };
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'lockstep-open-'));
  chmodSync(folder, 0o755);
  mkdirSync(join(folder, 'a/b'), { recursive: true });
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

test('the outermost folder that the databases’ user may not pass is named', () => {
  expect(closedParent(join(folder, 'a/b/data'), somebody)).toBeUndefined();
  chmodSync(join(folder, 'a/b'), 0o700);
  expect(closedParent(join(folder, 'a/b/data'), somebody)).toBe(join(folder, 'a/b'));
  chmodSync(join(folder, 'a'), 0o700);
  expect(closedParent(join(folder, 'a/b/data'), somebody)).toBe(join(folder, 'a'));
});

test('passing is enough, reading is not asked for', () => {
  chmodSync(join(folder, 'a'), 0o711);
  expect(closedParent(join(folder, 'a/b/data'), somebody)).toBeUndefined();
});

test('an owner passes by the owner’s bits alone', () => {
  chmodSync(join(folder, 'a'), 0o077);
  expect(closedParent(join(folder, 'a/b/data'), { uid: process.getuid?.() ?? 0, gid: 0 })).toBe(
    join(folder, 'a'),
  );
});

test('folders that do not exist yet close nothing', () => {
  expect(closedParent(join(folder, 'later/still/data'), somebody)).toBeUndefined();
});
