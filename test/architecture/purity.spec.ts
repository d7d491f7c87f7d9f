/**
 * Protocol decides the same in every region and every year because it can reach nothing but its arguments. The compiler
 * refuses ambient names; lint refuses clock, chance and locale; what neither can tell, the forms of Date that read the
 * clock, is searched for here.
 */
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import ts from 'typescript';
import { everyNode, lineOf, parse, read, root, sourcesOf } from './repository.js';

/** `new Date()` and `Date(...)` read the clock; `new Date(ms)` does not. */
function clockReads(path: string, text: string): readonly string[] {
  const isDate = (node: ts.Expression): boolean => ts.isIdentifier(node) && node.text === 'Date';
  return everyNode(parse(path, text))
    .filter(
      (node) =>
        (ts.isNewExpression(node) && isDate(node.expression) && (node.arguments?.length ?? 0) === 0) ||
        (ts.isCallExpression(node) && isDate(node.expression)),
    )
    .map((node) => `${path}:${lineOf(node)} ${node.getText()}`);
}

function optionsOf(project: string): ts.CompilerOptions {
  const path = join(root, project, 'tsconfig.json');
  const parsed = ts.parseJsonConfigFileContent(
    ts.readConfigFile(path, ts.sys.readFile).config,
    ts.sys,
    join(root, project),
  );
  return parsed.options;
}

describe('protocol', () => {
  test('does not read the clock through Date', () => {
    expect(clockReads('sample.ts', 'new Date(); Date(); new Date;')).toHaveLength(3);
    expect(clockReads('sample.ts', 'new Date(5); Date.UTC(2026);')).toEqual([]);
    expect(sourcesOf('libs/protocol').flatMap((path) => clockReads(path, read(path)))).toEqual([]);
  });

  test('is compiled with the ES library only, where ambient names do not exist', () => {
    const options = optionsOf('libs/protocol');
    expect(options.types).toEqual([]);
    expect(options.lib).toEqual(['lib.es2024.d.ts']);

    const ambient = [
      'process',
      'setTimeout',
      'console',
      'Buffer',
      'performance',
      'crypto',
      'fetch',
      'queueMicrotask',
    ];
    const path = join(root, 'libs/protocol/src/uses-ambient-names.ts');
    const host = ts.createCompilerHost(options);
    const readFromDisk = host.getSourceFile.bind(host);
    host.getSourceFile = (name, ...rest) =>
      name === path
        ? parse(path, ambient.map((name_) => `${name_};`).join('\n'))
        : readFromDisk(name, ...rest);
    const program = ts.createProgram([path], { ...options, noEmit: true }, host);
    const errors = program.getSemanticDiagnostics(program.getSourceFile(path)).map((error) => error.start);
    expect(errors).toHaveLength(ambient.length);
  });
});
