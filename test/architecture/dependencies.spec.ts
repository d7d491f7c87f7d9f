/**
 * Each rule of .dependency-cruiser.cjs is shown a small repository that breaks it. A rule that reports nothing there is a
 * defect, and so is a rule without a case here. That the real sources break none is checked by `npm run verify`.
 */
import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { root } from './repository.js';

interface Violation {
  readonly type: string;
  readonly from: string;
  readonly rule: { readonly name: string };
}

/** rule, file, content. Each file breaks the rule beside it; it may break others too. */
const violations: readonly (readonly [rule: string, file: string, content: string])[] = [
  ['no-cycle', 'libs/engine/src/cycle-a.ts', "import type { B } from './cycle-b.js'; export type A = B;"],
  ['only-what-resolves', 'libs/kafka/src/nowhere.ts', "import './does-not-exist.js';"],
  ['through-the-door', 'libs/kafka/src/deep.ts', "import '../../protocol/src/inner.js';"],
  ['only-what-resolves', 'libs/kafka/src/deep-by-name.spec.ts', "import '@lockstep/protocol/src/inner.js';"],
  ['through-the-door', 'test/deep.ts', "import '../libs/protocol/src/inner.js';"],
  ['through-the-door', 'libs/kafka/src/built.ts', "import '../../protocol/dist/index.js';"],
  ['protocol-imports-nothing', 'libs/protocol/src/package.ts', "import 'zod';"],
  ['protocol-imports-nothing', 'libs/protocol/src/built-in.ts', "import 'node:crypto';"],
  ['protocol-imports-nothing', 'libs/protocol/src/up.ts', "import type { E } from '@lockstep/engine';"],
  ['engine-imports-protocol', 'libs/engine/src/package.ts', "import 'zod';"],
  ['engine-imports-protocol', 'libs/engine/src/built-in.ts', "import 'node:timers';"],
  ['engine-imports-protocol', 'libs/engine/src/adapter.ts', "import '@lockstep/kafka';"],
  ...['kafka', 'postgres', 'transport', 'catalogue', 'telemetry'].map(
    (adapter) =>
      [
        `${adapter}-is-an-adapter`,
        `libs/${adapter}/src/sibling.ts`,
        `import '@lockstep/${adapter === 'kafka' ? 'postgres' : 'kafka'}';`,
      ] as const,
  ),
  ['testing-knows-ports-only', 'libs/testing/src/adapter.ts', "import '@lockstep/postgres';"],
  ['nest-composes', 'libs/nest/src/simulated.ts', "import '@lockstep/testing';"],
  ['nest-testing-composes', 'libs/nest/src/testing/app.ts', "import '@lockstep/local';"],
  ['region-composes-nest', 'apps/region/src/adapter.ts', "import '@lockstep/kafka';"],
  ['ledger-is-a-user', 'apps/ledger/src/protocol.ts', "import '@lockstep/protocol';"],
  ['cli-talks-http', 'apps/cli/src/adapter.ts', "import '@lockstep/postgres';"],
  ['console-talks-http', 'apps/console/src/decide.tsx', "import '@lockstep/protocol';"],
  ['local-builds-clusters', 'apps/local/src/engine.ts', "import '@lockstep/engine';"],
  ['kafka-clients-in-kafka', 'libs/engine/src/driver.ts', "import 'kafkajs';"],
  ['kafka-clients-in-kafka', 'apps/local/src/driver.ts', "import 'kafkajs';"],
  ['typeorm-in-postgres', 'apps/local/src/mapping.ts', "import 'typeorm';"],
  ['pg-in-postgres', 'libs/nest/src/query.ts', "import 'pg';"],
  ['opentelemetry-in-telemetry', 'libs/nest/src/span.ts', "import '@opentelemetry/api';"],
  ['nest-framework-in-nest', 'libs/transport/src/controller.ts', "import '@nestjs/common';"],
  ['boot-needs-nothing-installed', 'apps/local/start.mjs', "import 'zod';"],
];

/** What the layout allows; nothing may be reported here. */
const allowed: readonly (readonly [file: string, content: string])[] = [
  ['libs/protocol/src/index.ts', "export * from './inner.js';"],
  ['libs/protocol/src/inner.ts', 'export const inner = 1;'],
  ['libs/engine/src/index.ts', "import '@lockstep/protocol'; export type E = 1;"],
  ['libs/kafka/src/index.ts', "import '@lockstep/engine'; import 'kafkajs'; import 'node:net';"],
  ['libs/postgres/src/index.ts', "import '@lockstep/protocol'; import 'pg'; import 'typeorm';"],
  ['libs/transport/src/index.ts', "import '@lockstep/protocol';"],
  ['libs/catalogue/src/index.ts', "import 'zod';"],
  ['libs/telemetry/src/index.ts', "import '@opentelemetry/api';"],
  ['libs/testing/src/index.ts', "import '@lockstep/engine';"],
  [
    'libs/nest/src/index.ts',
    "import '@nestjs/common'; import '@lockstep/kafka'; import '@lockstep/telemetry';",
  ],
  ['libs/nest/src/testing/index.ts', "import '@lockstep/testing';"],
  ['libs/kafka/src/log.int.spec.ts', "import '@lockstep/testing'; import './index.js';"],
  ['apps/region/src/index.ts', "import '@lockstep/nest'; import '@nestjs/common';"],
  ['apps/ledger/src/index.ts', "import '@lockstep/nest'; import '@nestjs/common'; import 'typeorm';"],
  ['apps/cli/src/index.ts', "import '@lockstep/catalogue'; import '@lockstep/protocol';"],
  [
    'apps/local/src/index.ts',
    "import '@lockstep/kafka'; import '@lockstep/protocol'; import '@lockstep/testing'; import 'pg';",
  ],
  ['apps/console/src/main.tsx', "import './app.js';"],
  ['apps/console/src/app.tsx', 'export {};'],
  ['apps/local/set-up.mjs', "import 'node:fs';"],
  ['test/run.mjs', "import '../apps/local/set-up.mjs';"],
  ['test/e2e/write.ts', "import '@lockstep/local'; import '@lockstep/kafka'; import 'pg';"],
];

const packages = [
  'zod',
  'kafkajs',
  '@platformatic/kafka',
  'pg',
  'typeorm',
  '@opentelemetry/api',
  '@nestjs/common',
];

let repository: string;
let found: readonly Violation[];

function place(path: string, content: string): void {
  mkdirSync(dirname(join(repository, path)), { recursive: true });
  writeFileSync(join(repository, path), content);
}

beforeAll(async () => {
  repository = realpathSync(mkdtempSync(join(tmpdir(), 'lockstep-architecture-')));
  place('package.json', '{"type":"module"}');
  place('libs/engine/src/cycle-b.ts', "import type { A } from './cycle-a.js'; export type B = A | 1;");
  place('libs/protocol/dist/index.js', '');
  for (const name of packages) {
    place(`node_modules/${name}/package.json`, JSON.stringify({ name, version: '1.0.0', main: 'index.js' }));
    place(`node_modules/${name}/index.js`, '');
  }
  for (const [file, content] of allowed) place(file, content);
  for (const [, file, content] of violations) place(file, content);
  mkdirSync(join(repository, 'node_modules/@lockstep'));
  for (const [file] of allowed) {
    const [kind, name, , door] = file.split('/');
    if (door !== 'index.ts') continue;
    place(
      `${kind}/${name}/package.json`,
      JSON.stringify({ name: `@lockstep/${name}`, type: 'module', exports: { '.': './src/index.ts' } }),
    );
    symlinkSync(join(repository, `${kind}/${name}`), join(repository, `node_modules/@lockstep/${name}`));
  }
  const cruiser = join(root, 'node_modules/.bin/depcruise');
  const config = join(root, '.dependency-cruiser.cjs');
  // The exit code counts violations, so a report is awaited from a failed run too.
  const report = await promisify(execFile)(
    process.execPath,
    [cruiser, 'libs', 'apps', 'test', '--config', config, '--output-type', 'json'],
    { cwd: repository, maxBuffer: 64 * 1024 * 1024 },
  ).catch((error: { stdout?: string }) => {
    if (!error.stdout) throw error;
    return { stdout: error.stdout };
  });
  found = (JSON.parse(report.stdout) as { summary: { violations: Violation[] } }).summary.violations;
}, 30_000);

afterAll(() => rmSync(repository, { recursive: true, force: true }));

describe('the rules about who imports whom', () => {
  test.each(violations)('%s reports %s', (rule, file) => {
    expect(
      found.filter((violation) => violation.from === file).map((violation) => violation.rule.name),
    ).toContain(rule);
  });

  test('report nothing where the layout is kept', () => {
    const kept = new Set(allowed.map(([file]) => file));
    expect(found.filter((violation) => kept.has(violation.from))).toEqual([]);
  });

  test('have a case here, every one', () => {
    const config = createRequire(import.meta.url)(join(root, '.dependency-cruiser.cjs')) as {
      forbidden: { name: string; comment: string }[];
    };
    expect(new Set(violations.map(([rule]) => rule))).toEqual(
      new Set(config.forbidden.map((rule) => rule.name)),
    );
    for (const rule of config.forbidden) expect(rule.comment).toMatch(/^[A-Z].*\.$/);
  });
});
