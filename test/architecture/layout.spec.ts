/** The layout that a reader may rely on: doors, names, references, pages, manifests. */
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { basename, join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import ts from 'typescript';
import {
  importsIn,
  isSpec,
  modules,
  packageOf,
  parse,
  read,
  readManifest,
  root,
  sourcesOf,
  trackedFiles,
} from './repository.js';
import type { Manifest } from './repository.js';

const libraries = modules.filter((module) => module.folder.startsWith('libs/'));
const folderOf = new Map(modules.map((module) => [module.manifest.name, module.folder]));
const sources = modules.flatMap((module) => sourcesOf(module.folder));
const doors = new Set(
  modules.flatMap((module) =>
    Object.values(module.manifest.exports ?? {}).map((door) => join(module.folder, door.source)),
  ),
);

/** Packages that the sources of a folder import, workspace libraries included. */
const packagesUsedIn = (folder: string): ReadonlySet<string> =>
  new Set(
    sourcesOf(folder)
      .flatMap((path) => importsIn(read(path)))
      .map(packageOf)
      .filter((name) => name !== null),
  );

describe.each(modules)('$folder', ({ folder, manifest }) => {
  test('references exactly the libraries that it imports', () => {
    const config = ts.readConfigFile(join(root, folder, 'tsconfig.json'), ts.sys.readFile).config as {
      references?: { path: string }[];
    };
    const referenced = (config.references ?? []).map((reference) => join(folder, reference.path));
    const imported = [...packagesUsedIn(folder)]
      .map((name) => folderOf.get(name))
      .filter((name) => name !== undefined);
    expect([...referenced].sort()).toEqual([...imported].sort());
  });

  test('declares the packages that it imports', () => {
    const declared = {
      ...manifest.dependencies,
      ...manifest.peerDependencies,
      ...manifest.optionalDependencies,
    };
    expect([...packagesUsedIn(folder)].filter((name) => !(name in declared))).toEqual([]);
  });
});

describe.each(libraries)('$folder', ({ folder }) => {
  test('has a README that begins with a sentence', () => {
    expect(existsSync(join(root, folder, 'README.md'))).toBe(true);
    const [title, , first] = read(join(folder, 'README.md')).split('\n');
    expect(title).toMatch(/^# \S/);
    expect(first).toMatch(/^[`A-Z][^|]*/);
  });
});

describe('names and doors', () => {
  test('no folder or file is named for a kind of code', () => {
    const kinds = /^(utils?|helpers?|commons?|misc|shared|managers?|impl)$/;
    const parts = (path: string): readonly string[] =>
      path.replace(/(\.(prop|sim|int|e2e|extended))?(\.spec)?\.\w+$/, '').split('/');
    expect(trackedFiles.filter((path) => parts(path).some((part) => kinds.test(part)))).toEqual([]);
  });

  test('files are in kebab-case', () => {
    const code = trackedFiles.filter(
      (path) => /\.(ts|tsx|mjs|cjs|js|sql)$/.test(path) && !basename(path).startsWith('.'),
    );
    expect(code.filter((path) => !/^[a-z0-9]+(-[a-z0-9]+)*(\.[a-z0-9]+)+$/.test(basename(path)))).toEqual([]);
  });

  test('only doors export what other files hold', () => {
    const forwards = (path: string): boolean =>
      parse(path, read(path)).statements.some(
        (statement) => ts.isExportDeclaration(statement) && statement.moduleSpecifier !== undefined,
      );
    expect(sources.filter((path) => !doors.has(path) && forwards(path))).toEqual([]);
  });

  test('doors name what they export', () => {
    const stars = (path: string): boolean =>
      parse(path, read(path)).statements.some(
        (statement) => ts.isExportDeclaration(statement) && statement.exportClause === undefined,
      );
    expect([...doors].filter(stars)).toEqual([]);
  });

  test('every spec carries a known suffix', () => {
    const known = /^[a-z0-9-]+(\.(prop|sim|int|e2e|extended))?\.spec\.ts$/;
    const specs = trackedFiles.filter((path) => /\.(spec|test)\.\w+$/.test(path));
    expect(specs.filter((path) => !known.test(basename(path)) || !isSpec(path))).toEqual([]);
  });
});

describe('manifests', () => {
  const manifests: readonly (readonly [string, Manifest])[] = [
    '.',
    ...modules.map((module) => module.folder),
  ].map((folder) => [folder, readManifest(folder)] as const);

  test.each(manifests)('%s names exact versions', (_folder, manifest) => {
    const versions = Object.entries({
      ...manifest.dependencies,
      ...manifest.devDependencies,
      ...manifest.optionalDependencies,
      ...manifest.overrides,
    });
    expect(versions.filter(([, version]) => !/^\d+\.\d+\.\d+(-[0-9a-z.-]+)?$/.test(version))).toEqual([]);
  });

  test('the lock file names no address', () => {
    const lock = JSON.parse(read('package-lock.json')) as {
      packages: Record<string, { resolved?: string; link?: boolean }>;
    };
    const addresses = Object.values(lock.packages).filter(
      (entry) => entry.resolved !== undefined && entry.link !== true,
    );
    expect(addresses).toEqual([]);
    expect(Object.values(lock.packages).filter((entry) => entry.resolved?.includes(':'))).toEqual([]);
  });

  test('no file speaks of a folder of one machine', () => {
    // Put together here, so that this file does not match itself.
    const machine = new RegExp(`(^|[\\s"'\`=(:])/(${['work', 'root', 'home', 'Users'].join('|')})/`, 'm');
    expect(`cd ${'/'}root/x`).toMatch(machine);
    const text = trackedFiles.filter((path) => !/\.(png|ico|jar|gz|zip|wasm)$/.test(path));
    expect(text.filter((path) => machine.test(read(path)))).toEqual([]);
  });

  test('nothing that is built or fetched is tracked', () => {
    const tracked = execFileSync('git', ['ls-files', '-z'], { cwd: root, encoding: 'utf8' }).split('\0');
    expect(tracked.filter((path) => /(^|\/)(node_modules|dist|\.lockstep|coverage)\//.test(path))).toEqual(
      [],
    );
  });
});
