/**
 * What the architecture tests know of the repository: its modules (workspaces), their sources, and who imports what.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';

export const root = join(import.meta.dirname, '../..');

export interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly license?: string;
  readonly engines?: { readonly node: string };
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
  readonly overrides?: Readonly<Record<string, string>>;
  readonly exports?: Readonly<Record<string, { readonly source: string }>>;
}

/** A workspace: `libs/kafka`, with its manifest. */
export interface Module {
  readonly folder: string;
  readonly manifest: Manifest;
}

export const read = (path: string): string => readFileSync(join(root, path), 'utf8');

export const readManifest = (folder: string): Manifest =>
  JSON.parse(read(join(folder, 'package.json'))) as Manifest;

export const modules: readonly Module[] = ['libs', 'apps'].flatMap((kind) =>
  readdirSync(join(root, kind))
    .map((name) => `${kind}/${name}`)
    .filter((folder) => existsSync(join(root, folder, 'package.json')))
    .map((folder) => ({ folder, manifest: readManifest(folder) })),
);

/** Every file that git tracks or would track, relative to the root. */
export const trackedFiles: readonly string[] = execFileSync(
  'git',
  ['ls-files', '--cached', '--others', '--exclude-standard', '-z'],
  { cwd: root, encoding: 'utf8' },
)
  .split('\0')
  .filter((path) => path !== '' && existsSync(join(root, path)));

export const isSpec = (path: string): boolean => path.endsWith('.spec.ts');

/** What only specs import: stands beside them and is not built. */
const isFixture = (path: string): boolean => path.endsWith('.fixture.ts');

/** The TypeScript sources of a folder, without what only tests use. */
export const sourcesOf = (folder: string): readonly string[] =>
  trackedFiles.filter(
    (path) => path.startsWith(`${folder}/src/`) && /\.tsx?$/.test(path) && !isSpec(path) && !isFixture(path),
  );

/** Modules that a text imports, exports from, or imports dynamically; types included. */
export const importsIn = (text: string): readonly string[] =>
  ts.preProcessFile(text, true, true).importedFiles.map((imported) => imported.fileName);

/** `@scope/name/deep` -> `@scope/name`; null for relative paths and Node's own modules. */
export const packageOf = (specifier: string): string | null => {
  if (/^(\.|node:)/.test(specifier)) return null;
  const parts = specifier.split('/');
  return parts.slice(0, specifier.startsWith('@') ? 2 : 1).join('/');
};

export const parse = (path: string, text: string): ts.SourceFile =>
  ts.createSourceFile(path, text, ts.ScriptTarget.ES2024, true);

export const lineOf = (node: ts.Node): number =>
  node.getSourceFile().getLineAndCharacterOfPosition(node.getStart()).line + 1;

export const everyNode = (node: ts.Node): readonly ts.Node[] => [
  node,
  ...node.getChildren().flatMap((child) => everyNode(child)),
];
