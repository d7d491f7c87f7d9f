/**
 * `npm run mutation [-- PART...]`: changes the code of libs/protocol in small ways, one at a time, and asks its specs
 * whether they notice. Prints every change that nobody noticed and, per part, the share that was; README.md explains
 * those that nobody could notice.
 *
 * Stryker is installed into this folder by the first run, so that nobody else carries it. What was found before is kept
 * in `.lockstep/mutation` and asked again only where code changed, or everywhere when a spec did: Stryker knows a spec by its
 * name and would not see that it asserts more. Valid on Node 20 and free of dependencies.
 */
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { projectFolder, setUp } from '../../apps/local/set-up.mjs';
import { parts } from './parts.mjs';

const CONCURRENCY = 2;
const work = join(projectFolder, '.lockstep/mutation');
const stryker = join(import.meta.dirname, 'node_modules/@stryker-mutator/core/bin/stryker.js');

const wanted = process.argv.slice(2);
const unknown = wanted.find((name) => !(name in parts));
if (unknown !== undefined) {
  console.error(
    `There is no part ${unknown}. Usage: npm run mutation [-- PART...], parts: ${Object.keys(parts).join(', ')}`,
  );
  process.exit(2);
}

const { node } = await setUp({ log: console.log });
install();
// What an interrupted run left.
rmSync(join(work, 'sandboxes'), { recursive: true, force: true });
mkdirSync(work, { recursive: true });
forgetWhatOtherSpecsFound();

let running = null;
// Ctrl-C reaches the child by the terminal as well; the second signal changes nothing.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => running?.kill(signal));

const summary = [];
for (const name of wanted.length > 0 ? wanted : Object.keys(parts)) {
  let noticed = 0;
  const survivors = [];
  for (const [index, piece] of parts[name].entries()) {
    const mutants = await mutate(`${name}-${index + 1}`, piece);
    noticed += mutants.filter(({ status }) => status === 'Killed' || status === 'Timeout').length;
    survivors.push(...mutants.filter(({ status }) => status === 'Survived' || status === 'NoCoverage'));
  }
  for (const survivor of survivors) print(survivor);
  const judged = noticed + survivors.length;
  const score = ((noticed / judged) * 100).toFixed(1);
  summary.push(
    `${name.padEnd(10)} ${score.padStart(5)} %   ${noticed} of ${judged} noticed, ${survivors.length} not`,
  );
}
console.log(`\n${summary.join('\n')}`);

function readJson(path) {
  return JSON.parse(readFileSync(path, 'utf8'));
}

function forgetWhatOtherSpecsFound() {
  const source = join(projectFolder, 'libs/protocol/src');
  const digest = createHash('sha256');
  for (const name of readdirSync(source, { recursive: true }).sort())
    if (/\.(spec|fixture)\.ts$/.test(name)) digest.update(name).update(readFileSync(join(source, name)));
  const present = digest.digest('hex');
  const file = join(work, 'specs.sha256');
  if (existsSync(file) && readFileSync(file, 'utf8') === present) return;
  for (const name of readdirSync(work)) if (name.endsWith('.incremental.json')) rmSync(join(work, name));
  writeFileSync(file, present);
}

/** What package-lock.json names, unless it is there. */
function install() {
  const wanted = readJson(join(import.meta.dirname, 'package.json')).dependencies['@stryker-mutator/core'];
  if (existsSync(stryker) && readJson(join(stryker, '../../package.json')).version === wanted) return;
  console.log('Stryker ...');
  const { status } = spawnSync('npm', ['ci'], {
    cwd: import.meta.dirname,
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  if (status !== 0) throw new Error(`\`npm ci\` in ${import.meta.dirname} ended with ${status}`);
}

/** Runs Stryker on one piece; answers its mutants. */
async function mutate(name, piece) {
  const report = join(work, `${name}.report.json`);
  const configuration = join(work, `${name}.config.json`);
  rmSync(report, { force: true });
  writeFileSync(configuration, JSON.stringify(strykerConfiguration(name, piece, report)));
  console.log(`\n--- ${name}: ${piece.file}`);
  const child = spawn(node, [stryker, 'run', configuration], {
    cwd: projectFolder,
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  running = child;
  const code = await new Promise((settle) => child.on('close', settle));
  if (!existsSync(report)) throw new Error(`Stryker ended with ${code} and wrote no report`);
  const { mutants, source } = readJson(report).files[piece.file];
  return mutants.map((mutant) => ({ ...mutant, file: piece.file, lines: source.split('\n') }));
}

function print({ file, lines, location, mutatorName, replacement, status }) {
  const { start } = location;
  const note = status === 'NoCoverage' ? ', reached by no spec' : '';
  console.log(`\n${file}:${start.line}:${start.column} ${mutatorName}${note}`);
  console.log(`  - ${lines[start.line - 1].trim()}`);
  console.log(`  + ${replacement.replaceAll(/\s+/g, ' ').slice(0, 120)}`);
}

function strykerConfiguration(name, piece, report) {
  return {
    testRunner: 'jest',
    testRunnerNodeArgs: ['--experimental-vm-modules', '--disable-warning=ExperimentalWarning'],
    jest: {
      configFile: 'test/mutation/jest.config.mjs',
      config: { testMatch: piece.specs.map((glob) => `<rootDir>/${glob}`) },
    },
    mutate: ranges(piece),
    // Only what these specs need is copied.
    ignorePatterns: ['**', '!libs/protocol/**', '!test/mutation/*.mjs', '!jest.config.mjs', '!package.json'],
    coverageAnalysis: 'perTest',
    concurrency: CONCURRENCY,
    // A change that ends in an endless loop is noticed too; a busy machine is none.
    timeoutMS: 20_000,
    disableTypeChecks: false,
    reporters: ['progress-append-only', 'json'],
    jsonReporter: { fileName: report },
    incremental: true,
    incrementalFile: join(work, `${name}.incremental.json`),
    tempDirName: join(work, 'sandboxes'),
    cleanTempDir: 'always',
  };
}

/** The file, or its lines inside (`only`) or outside (`without`) of the functions named. */
function ranges({ file, only, without }) {
  if (only === undefined && without === undefined) return [file];
  const lines = readFileSync(join(projectFolder, file), 'utf8').split('\n');
  const spans = (only ?? without).map((name) => spanOf(name, lines, file)).sort((x, y) => x.from - y.from);
  if (only !== undefined) return spans.map(({ from, to }) => `${file}:${from}-${to}`);
  const borders = [0, ...spans.flatMap(({ from, to }) => [from - 1, to]), lines.length];
  return [...spans, null].map((_, index) => `${file}:${borders[index * 2] + 1}-${borders[index * 2 + 1]}`);
}

/** First and last line of a function or method, by its indentation. */
function spanOf(name, lines, file) {
  const start = lines.findIndex((line) => new RegExp(`^ *(private |function )${name}\\(`).test(line));
  if (start < 0) throw new Error(`${file} has no function ${name}; correct parts.mjs`);
  const indentation = /^ */.exec(lines[start])[0];
  const length = lines.slice(start).indexOf(`${indentation}}`);
  return { from: start + 1, to: start + length + 1 };
}
