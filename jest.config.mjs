/**
 * How tests run. One jest project per kind of test, told apart by the suffix of the file:
 *
 *   x.spec.ts, x.prop.spec.ts   unit         pure; no process, no network
 *   x.sim.spec.ts               simulation   the real engine in a simulated world, virtual time
 *   x.int.spec.ts               integration  one shared real Kafka broker and Postgres (test/global-setup.mjs)
 *   x.e2e.spec.ts               end-to-end   real processes; a spec starts and stops its own cluster
 *   x.extended.spec.ts          extended     too long for `npm test`; `npm run test:extended`
 *
 * and one spec that is a project of its own, `seeds`, because its two processes take the machine for themselves.
 *
 * Tests run from the TypeScript sources of every workspace library (export condition `source`), so no build can be
 * stale. swc strips types and does not check them: `tsc -b` in `npm run verify` does.
 */
const suffixes = ['sim', 'int', 'e2e', 'extended'];

/** Files of one kind; the unit kind is every spec that carries no other kind's suffix. */
const specsOf = (suffix) =>
  ['libs', 'apps', 'test'].map((folder) => `<rootDir>/${folder}/**/*.${suffix}.spec.ts`);

const shared = {
  rootDir: import.meta.dirname,
  testEnvironment: 'node',
  testEnvironmentOptions: { customExportConditions: ['source', 'node', 'node-addons'] },
  extensionsToTreatAsEsm: ['.ts'],
  // `js` before `ts`: packages keep their own files; our sources have only `.ts` beside each `.js` they name.
  moduleFileExtensions: ['js', 'mjs', 'cjs', 'ts', 'json', 'node'],
  moduleNameMapper: { '^(\\.{1,2}/.*)\\.js$': '$1' },
  transform: {
    '\\.ts$': [
      '@swc/jest',
      {
        swcrc: false,
        sourceMaps: 'inline',
        module: { type: 'es6' },
        jsc: {
          target: 'es2024',
          parser: { syntax: 'typescript', decorators: true },
          transform: { legacyDecorator: true, decoratorMetadata: true, verbatimModuleSyntax: true },
          keepClassNames: true,
        },
      },
    ],
  },
  // Build output and the data of local clusters hold copies of manifests that jest would take for packages.
  modulePathIgnorePatterns: ['<rootDir>/(libs|apps)/[^/]+/dist/', '<rootDir>/\\.lockstep/'],
  testPathIgnorePatterns: ['/node_modules/', '/dist/', '<rootDir>/test/architecture/fixtures/'],
};

const realServers = {
  globalSetup: '<rootDir>/test/global-setup.mjs',
  globalTeardown: '<rootDir>/test/global-teardown.mjs',
};

const unit = {
  ...shared,
  displayName: 'unit',
  testMatch: ['libs', 'apps', 'test'].map((folder) => `<rootDir>/${folder}/**/*.spec.ts`),
  testPathIgnorePatterns: [...shared.testPathIgnorePatterns, `\\.(${suffixes.join('|')})\\.spec\\.ts$`],
};

const SEEDS = 'test/simulation/seeds.sim.spec.ts';
const simulation = {
  ...shared,
  displayName: 'simulation',
  testMatch: specsOf('sim'),
  testPathIgnorePatterns: [...shared.testPathIgnorePatterns, SEEDS],
};

export default {
  projects: [
    unit,
    simulation,
    { ...shared, displayName: 'seeds', testMatch: [`<rootDir>/${SEEDS}`] },
    { ...shared, ...realServers, displayName: 'integration', testMatch: specsOf('int') },
    { ...shared, displayName: 'end-to-end', testMatch: specsOf('e2e') },
    { ...shared, displayName: 'extended', testMatch: specsOf('extended') },
  ],
  maxWorkers: 2,
  // For the longest kind; jest knows one limit for all projects, and the runner bounds each kind as a whole.
  testTimeout: 180_000,
  // A worker keeps every spec's copy of Nest and TypeORM; beyond this it is replaced by a fresh one.
  workerIdleMemoryLimit: '512MB',
};
