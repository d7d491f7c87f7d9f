/**
 * Who may import whom. Each rule carries its reason; `test/architecture/dependencies.spec.ts` shows for each rule a
 * violation that it reports. Spec files are tests: they may use every library, through its door, but only the drivers
 * that their folder may use.
 *
 * A door is what a library's package.json names under `exports`; everything behind it is private.
 */
const { readFileSync, readdirSync } = require('node:fs');
const { join } = require('node:path');

const spec = '\\.(spec|fixture)\\.ts$';

const doors = readdirSync(join(__dirname, 'libs')).flatMap((library) => {
  const manifest = JSON.parse(readFileSync(join(__dirname, 'libs', library, 'package.json'), 'utf8'));
  return Object.values(manifest.exports).map(
    (door) => `^libs/${library}/${door.source.replace('./', '').replaceAll('.', '\\.')}$`,
  );
});

/** The module's sources import, of this repository, only itself and the named libraries. */
const mayImport = ({ name, comment, from, libraries }) => ({
  name,
  comment,
  severity: 'error',
  from: { path: `^${from}/`, pathNot: [spec] },
  to: {
    path: '^(libs|apps|test)/',
    pathNot: [`^${from}/`, ...libraries.map((library) => `^libs/${library}/`)],
  },
});

/** The packages are imported only from the named folders. */
const driverOnlyIn = ({ name, comment, packages, folders }) => ({
  name,
  comment,
  severity: 'error',
  from: { path: '^(libs|apps|test)/', pathNot: folders.map((folder) => `^${folder}/`) },
  to: { path: packages.map((driver) => `(^|/)node_modules/${driver}/`) },
});

const adapters = ['kafka', 'postgres', 'transport', 'catalogue', 'telemetry'];

module.exports = {
  forbidden: [
    {
      name: 'no-cycle',
      comment: 'Modules that import each other, be it only for types, cannot be read, tested or moved alone.',
      severity: 'error',
      from: {},
      to: { circular: true },
    },
    {
      name: 'only-what-resolves',
      comment: 'An import that resolves to nothing hides from every other rule.',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true },
    },
    {
      name: 'through-the-door',
      comment:
        'What lies behind a door may change without notice; set-up runs before anything is built and has no door.',
      severity: 'error',
      from: { path: '^((?:libs|apps)/[^/]+|test)/' },
      to: {
        path: '^(libs|apps)/',
        pathNot: ['^$1/', ...doors, '^apps/(cli|local)/src/index\\.ts$', '^apps/local/set-up\\.mjs$'],
      },
    },
    {
      name: 'protocol-imports-nothing',
      comment: 'Decisions are pure and replay anywhere, so they rest on no package and no Node API.',
      severity: 'error',
      from: { path: '^libs/protocol/src/', pathNot: [spec] },
      to: { pathNot: ['^libs/protocol/src/'] },
    },
    {
      name: 'engine-imports-protocol',
      comment:
        'The loops touch the world only through ports, so that a simulated world can own every completion.',
      severity: 'error',
      from: { path: '^libs/engine/src/', pathNot: [spec] },
      to: { pathNot: ['^libs/engine/src/', '^libs/protocol/'] },
    },
    ...adapters.map((adapter) =>
      mayImport({
        name: `${adapter}-is-an-adapter`,
        comment:
          'An adapter knows the ports it serves and its own driver, and no other adapter, so each can be replaced.',
        from: `libs/${adapter}`,
        libraries: ['protocol', 'engine'],
      }),
    ),
    mayImport({
      name: 'testing-knows-ports-only',
      comment: 'Conformance suites and the simulated world must fit every adapter, so they know none.',
      from: 'libs/testing',
      libraries: ['protocol', 'engine'],
    }),
    {
      ...mayImport({
        name: 'nest-composes',
        comment:
          'Nest modules compose the engine and adapters; only their testing door may use simulated ones.',
        from: 'libs/nest',
        libraries: ['protocol', 'engine', ...adapters],
      }),
      from: { path: '^libs/nest/', pathNot: [spec, '^libs/nest/src/testing[./]'] },
    },
    mayImport({
      name: 'nest-testing-composes',
      comment: 'The testing door of nest adds the simulated world, and nothing else.',
      from: 'libs/nest',
      libraries: ['protocol', 'engine', 'testing', ...adapters],
    }),
    mayImport({
      name: 'region-composes-nest',
      comment: 'A deployment is a choice of modules; what it needs beyond belongs into nest.',
      from: 'apps/region',
      libraries: ['nest'],
    }),
    mayImport({
      name: 'ledger-is-a-user',
      comment: 'The sample service shows what a team can do with what it installs, so it knows nothing more.',
      from: 'apps/ledger',
      libraries: ['nest'],
    }),
    mayImport({
      name: 'cli-talks-http',
      comment:
        'The command line reads catalogues and replays decisions itself, and asks running roles for everything else.',
      from: 'apps/cli',
      libraries: ['protocol', 'nest', 'catalogue'],
    }),
    mayImport({
      name: 'console-talks-http',
      comment: 'What runs in a browser knows what roles answer, and nothing of how they come to it.',
      from: 'apps/console',
      libraries: [],
    }),
    mayImport({
      name: 'local-builds-clusters',
      comment:
        'The local cluster creates topics and databases and checks outcomes; it runs roles as processes, not as imports.',
      from: 'apps/local',
      libraries: ['protocol', 'nest', 'kafka', 'postgres', 'catalogue', 'testing'],
    }),
    driverOnlyIn({
      name: 'kafka-clients-in-kafka',
      comment:
        'The traps of a Kafka client are handled in one place, behind the log port; tests also play foreign clients.',
      packages: ['kafkajs', '@platformatic/kafka'],
      folders: ['libs/kafka', 'test'],
    }),
    driverOnlyIn({
      name: 'typeorm-in-postgres',
      comment:
        'Mapping and migrations stand with the SQL they belong to, behind the store ports; the sample service has entities, and tests play services.',
      packages: ['typeorm'],
      folders: ['libs/postgres', 'apps/ledger', 'test'],
    }),
    driverOnlyIn({
      name: 'pg-in-postgres',
      comment:
        'Transactions are made behind the store ports; the local cluster and tests read databases directly.',
      packages: ['pg'],
      folders: ['libs/postgres', 'apps/local', 'test'],
    }),
    driverOnlyIn({
      name: 'opentelemetry-in-telemetry',
      comment: 'The engine reports facts; one place turns them into spans and metrics.',
      packages: ['@opentelemetry/[^/]+'],
      folders: ['libs/telemetry'],
    }),
    driverOnlyIn({
      name: 'nest-framework-in-nest',
      comment: 'What decides or loops must run without a framework.',
      packages: ['@nestjs/[^/]+', 'nestjs-pino'],
      folders: ['libs/nest', 'apps', 'test'],
    }),
    {
      name: 'boot-needs-nothing-installed',
      comment: 'These files run in a fresh clone, before any package is installed or built.',
      severity: 'error',
      from: { path: ['^apps/local/[^/]+\\.mjs$', '^test/(run|verify)\\.mjs$'] },
      to: { path: ['node_modules/', '^(libs|apps|test)/[^.]*\\.ts$'] },
    },
  ],
  options: {
    // Their importers are judged, their insides are not ours.
    doNotFollow: { path: ['node_modules', '(^|/)dist/'] },
    // Programs of peers run beside packages of their own, which a benchmark installs.
    exclude: { path: '^test/performance/peers/' },
    tsPreCompilationDeps: true,
    combinedDependencies: true,
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['source', 'types', 'import', 'node', 'default'],
      extensions: ['.ts', '.tsx', '.mjs', '.js', '.cjs', '.json', '.d.ts'],
    },
  },
};
