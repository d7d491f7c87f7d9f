/** The libraries as they are packed: what a manifest names is in the package, and bundlers and Node find it. Needs a build. */
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from '@jest/globals';
import { publint } from 'publint';
import { formatMessage } from 'publint/utils';
import { modules, readManifest, root } from './repository.js';

const libraries = modules.filter(({ folder }) => folder.startsWith('libs/'));
const folder = mkdtempSync(join(tmpdir(), 'lockstep-packages-'));

afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function findings(packageFolder: string): Promise<readonly (string | null)[]> {
  const { messages, pkg } = await publint({ pkgDir: packageFolder, strict: true, pack: 'npm' });
  return messages.map((message) => formatMessage(message, pkg, { color: false }) ?? message.code);
}

describe('a packed library', () => {
  test.each(libraries)(
    '$folder has what its manifest names',
    async ({ folder: library }) => {
      expect(await findings(join(root, library))).toEqual([]);
    },
    30_000,
  );

  test('without its build is found to lack it', async () => {
    for (const file of ['package.json', 'src'])
      cpSync(join(root, 'libs/engine', file), join(folder, file), { recursive: true });
    expect((await findings(folder)).join('\n')).toContain('/dist/index.js');
  }, 30_000);

  test.each(libraries)('$folder is built for the Node that it names, under a licence', ({ manifest }) => {
    expect(manifest).toMatchObject({
      engines: { node: readManifest('.').engines!.node },
      license: 'Apache-2.0',
    });
  });

  test('shares the framework with the application that it is installed in', () => {
    const { dependencies, peerDependencies } = readManifest('libs/nest');
    const shared = /^(@nestjs\/.*|rxjs|reflect-metadata)$/;
    expect(Object.keys(dependencies!).filter((name) => shared.test(name))).toEqual([]);
    expect(Object.keys(peerDependencies!).filter((name) => !shared.test(name))).toEqual([]);
  });
});
