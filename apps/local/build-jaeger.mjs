/**
 * Builds the Jaeger that `infra/jaeger/go.mod` names into `.lockstep/jaeger`, once; a second run finds it there. The
 * supervisor runs it as a process, in which one line on stdout is one thing worth knowing and stderr says why it failed.
 *
 * Free of dependencies. Go is used where it is and installed where that is possible, as Java is for Kafka.
 */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { alone, installWithApt, projectFolder, run, SetUpError, sha256 } from './set-up.mjs';

const MODULE = 'github.com/jaegertracing/jaeger';
/** From here on Go fetches a newer one by itself where a module asks for it. */
const GO_MINOR_MIN = 21;
const folder = join(projectFolder, '.lockstep/jaeger');
const binary = join(folder, 'jaeger');
/** What the binary was built from. */
const stampFile = join(folder, 'built-from');

const BY_HAND =
  `Go 1.${GO_MINOR_MIN} or newer is missing (to build Jaeger). Install it, on Debian 13 or Ubuntu 24.04 and newer with \`apt-get install golang-go\`, ` +
  'elsewhere from https://go.dev/dl, and start again. With containers there is no need: ' +
  '`docker compose -f infra/jaeger/compose.yaml up --detach`, then start with --otlp http://127.0.0.1:4318 instead of --jaeger.';

const log = (line) => console.log(line);
try {
  await build();
} catch (error) {
  if (error.name !== 'SetUpError') throw error;
  console.error(error.message);
  process.exitCode = 1;
}

async function build() {
  const release = await alone('jaeger', log);
  try {
    const [manifest, sums] = await Promise.all(
      ['go.mod', 'go.sum'].map((name) => readFile(join(projectFolder, 'infra/jaeger', name), 'utf8')),
    );
    const wanted = sha256(`${process.arch}\n${manifest}\n${sums}`);
    if (existsSync(binary) && existsSync(stampFile) && (await readFile(stampFile, 'utf8')) === wanted) return;
    const go = await findOrInstallGo();
    const source = join(folder, 'source');
    await mkdir(source, { recursive: true });
    await writeFile(join(source, 'go.mod'), manifest);
    await writeFile(join(source, 'go.sum'), sums);
    const settings = { cwd: source, GOWORK: 'off', GOTOOLCHAIN: 'auto' };
    const wantedModule = /jaegertracing\/jaeger (v\S+)/.exec(manifest)[1];
    await run('Jaeger source', go, ['mod', 'download', `${MODULE}@${wantedModule}`], log, settings);
    await writeFile(join(source, 'go.sum'), `${sums}${await sumsOfModule(go, settings)}`);
    // Built beside and renamed, so that a binary that exists is one that is complete.
    const flags = ['-mod=readonly', '-trimpath', '-buildvcs=false', '-ldflags=-s -w'];
    const made = `${binary}.incoming`;
    await run('Jaeger', go, ['build', ...flags, '-o', made, `${MODULE}/cmd/jaeger`], log, settings);
    await rm(stampFile, { force: true });
    await rename(made, binary);
    await writeFile(stampFile, wanted);
  } finally {
    release();
  }
}

/** Of everything that Jaeger is built from, as its authors recorded them. */
async function sumsOfModule(go, { cwd, ...environment }) {
  const asked = spawnSync(go, ['list', '-m', '-f', '{{.Dir}}', MODULE], {
    cwd,
    encoding: 'utf8',
    env: { ...process.env, ...environment },
  });
  const source = asked.stdout?.trim() ?? '';
  if (asked.status !== 0 || source === '')
    throw new SetUpError(`Jaeger source: it was fetched and is not found. ${asked.stderr ?? ''}`.trim());
  return readFile(join(source, 'go.sum'), 'utf8');
}

async function findOrInstallGo() {
  const present = findGo();
  if (present !== undefined) return present;
  await installWithApt(
    () => {
      if (offeredGoMinor() < GO_MINOR_MIN) throw new SetUpError(BY_HAND);
      return ['golang-go'];
    },
    BY_HAND,
    log,
  );
  const installed = findGo();
  if (installed === undefined) throw new SetUpError(BY_HAND);
  return installed;
}

/** On the path, or where its own installer puts it. */
function findGo() {
  return ['go', '/usr/local/go/bin/go'].find((candidate) => {
    const said = spawnSync(candidate, ['env', 'GOVERSION'], {
      encoding: 'utf8',
      env: { ...process.env, GOTOOLCHAIN: 'local' },
    });
    const version = /^go1\.(\d+)/.exec(said.stdout ?? '');
    return version !== null && Number(version[1]) >= GO_MINOR_MIN;
  });
}

function offeredGoMinor() {
  const said = spawnSync('apt-cache', ['policy', 'golang-go'], {
    encoding: 'utf8',
    env: { ...process.env, LC_ALL: 'C' },
  });
  return Number(/Candidate: (?:\d+:)?1\.(\d+)/.exec(said.stdout ?? '')?.[1] ?? 0);
}
