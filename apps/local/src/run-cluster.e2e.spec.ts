/**
 * The supervisor with a real Kafka broker and a real Postgres; roles are a stand-in that is ready and does nothing.
 */
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  watch,
  writeFileSync,
} from 'node:fs';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import { readHistoryLine } from '@lockstep/testing/history';
import { parse } from 'yaml';
import type { ClusterFile } from './cluster-file.js';
import { askStatus } from './control.js';
import { dataFolder, projectFolder, type DataFolder } from './data-folder.js';
import { planChaos } from './experiment/chaos-plan.js';
import type { Request } from './options.js';
import { identityOf, isAlive, processesIn, type ProcessIdentity } from './process-table.js';
import { runCluster } from './run-cluster.js';

const STAND_IN = `
import { createServer } from 'node:http';
const [host, port] = process.env.LOCKSTEP_LISTEN.split(':');
const server = createServer((request, response) => response.writeHead(request.url === '/readyz' ? 200 : 404).end());
server.listen(Number(port), host);
process.on('SIGTERM', () => process.exit(0));
`;

let folder: string;
let data: DataFolder;
let said: string[];
const begun: { interrupt(): void; readonly exitCode: Promise<number> }[] = [];
const TEST_MS_MAX = 120_000;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), `${process.env['LOCKSTEP_TEST_RUN'] ?? 'lockstep-test'}-cluster-`));
  chmodSync(folder, 0o755);
  writeFileSync(join(folder, 'role.mjs'), STAND_IN);
  data = dataFolder(join(folder, 'data'));
});
// A test that failed leaves nothing running either.
afterEach(async () => {
  for (const life of begun) life.interrupt();
  await Promise.allSettled(begun.splice(0).map((life) => life.exitCode));
}, TEST_MS_MAX);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const request: Request = {
  action: 'start',
  data: null,
  detach: true,
  reset: false,
  said: { regions: ['eu'], ports: { kind: 'auto' } },
};

function begin(changes: Partial<Request> = {}, onSay: (line: string) => void = () => undefined) {
  const interrupt = new AbortController();
  said = [];
  let isReady: () => void = () => undefined;
  const ready = new Promise<void>((settle) => (isReady = settle));
  const exitCode = runCluster({
    data,
    request: { ...request, ...changes },
    java: process.env['LOCKSTEP_LOCAL_JAVA'] ?? 'java',
    interrupt: interrupt.signal,
    roleScript: join(folder, 'role.mjs'),
    say: (line) => {
      said.push(line);
      onSay(line);
    },
    show: (line) => said.push(line),
    ready: isReady,
  });
  const life = { ready: () => Promise.race([ready, exitCode]), exitCode, interrupt: () => interrupt.abort() };
  begun.push(life);
  return life;
}

function cluster(): ClusterFile {
  return JSON.parse(readFileSync(data.cluster, 'utf8')) as ClusterFile;
}

/** Awaits a `cluster.json` that fits; it is replaced at every change. */
async function untilCluster(fits: (file: ClusterFile) => boolean): Promise<void> {
  const watcher = watch(data.folder);
  try {
    while (!fits(cluster())) await new Promise((settle) => watcher.once('change', settle));
  } finally {
    watcher.close();
  }
}

function pidsOf(file: ClusterFile): readonly number[] {
  return [
    ...file.kafka.pids,
    ...Object.values(file.regions).flatMap((region) => Object.values(region.pids)),
  ] as number[];
}

function identitiesOf(file: ClusterFile): readonly ProcessIdentity[] {
  return pidsOf(file).map((pid) => identityOf(pid) as ProcessIdentity);
}

async function query(url: string, sql: string): Promise<readonly object[]> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query(sql)).rows as object[];
  } finally {
    await client.end();
  }
}

test(
  'a cluster starts, restarts what dies, refuses other options, keeps its data and leaves no process',
  async () => {
    const first = begin();
    await first.ready();
    const file = cluster();
    expect(file).toEqual({
      ready: true,
      kafka: { brokers: [expect.stringMatching(/^127\.0\.0\.1:\d+$/)], pids: [expect.any(Number)] },
      regions: {
        eu: {
          gateway: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+$/),
          coordinator: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+$/),
          replicator: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+$/),
          postgres: expect.stringMatching(/^postgres:\/\/postgres:[0-9a-f]+@127\.0\.0\.1:\d+\/lockstep$/),
          pids: {
            postgres: expect.any(Number),
            gateway: expect.any(Number),
            replicator: expect.any(Number),
            coordinator: expect.any(Number),
          },
        },
      },
      console: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+\/console\/$/),
      jaeger: null,
    });
    expect(statSync(data.cluster).mode & 0o777).toBe(0o600);

    // The pids are the processes themselves.
    const { pids, postgres: url } = file.regions['eu']!;
    const commands = pidsOf(file).map((pid) =>
      readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' '),
    );
    expect(commands.filter((command) => command.includes('kafka.Kafka'))).toHaveLength(1);
    expect(commands.filter((command) => command.includes('bin/postgres'))).toHaveLength(1);
    expect(commands.filter((command) => command.includes('role.mjs'))).toHaveLength(3);

    expect(
      await query(
        url,
        "SELECT current_setting('fsync') AS fsync, current_setting('synchronous_commit') AS commit",
      ),
    ).toEqual([{ fsync: 'on', commit: 'on' }]);
    await query(url, 'CREATE TABLE kept (word text)');
    await query(url, "INSERT INTO kept VALUES ('here')");

    // A database and a role that die are started again.
    process.kill(pids.postgres!, 'SIGKILL');
    process.kill(pids.gateway!, 'SIGKILL');
    await untilCluster(
      ({ regions }) =>
        regions['eu']!.pids.postgres !== pids.postgres && regions['eu']!.pids.gateway !== pids.gateway,
    );

    // Another start finds it, and does not change it.
    expect(await begin().exitCode).toBe(0);
    expect(said[0]).toContain('Already running');
    await expect(begin({ said: { brokers: 3 } }).exitCode).rejects.toMatchObject({
      code: 'option-conflict',
      exitCode: 2,
    });

    const running = identitiesOf(cluster());
    first.interrupt();
    expect(await first.exitCode).toBe(0);
    expect(running.filter(isAlive)).toEqual([]);
    expect(processesIn(join(data.postgres, 'eu'))).toEqual([]);
    expect(existsSync(data.cluster)).toBe(false);

    // The next start takes up what was kept, a reset does not.
    const second = begin({ said: {} });
    await second.ready();
    expect(cluster().regions['eu']!.postgres).toBe(url);
    expect(await query(url, 'SELECT word FROM kept')).toEqual([{ word: 'here' }]);
    second.interrupt();
    await second.exitCode;

    const third = begin({ reset: true });
    await third.ready();
    expect(await query(cluster().regions['eu']!.postgres, "SELECT to_regclass('kept') AS kept")).toEqual([
      { kept: null },
    ]);
    third.interrupt();
    expect(await third.exitCode).toBe(0);
  },
  TEST_MS_MAX,
);

test(
  'a start that is interrupted ends what it has begun',
  async () => {
    let started: readonly ProcessIdentity[] = [];
    const start = begin({ reset: true }, (line) => {
      if (!line.startsWith('Postgres of eu is ready')) return;
      started = processesIn(join(data.postgres, 'eu'));
      start.interrupt();
    });
    expect(await start.exitCode).toBe(130);
    expect(started).not.toEqual([]);
    expect(started.filter(isAlive)).toEqual([]);
    expect(existsSync(data.processes)).toBe(false);
    expect(existsSync(data.cluster)).toBe(false);
  },
  TEST_MS_MAX,
);

/** `npx lockstep local chaos` as the command line starts it. */
function chaos(...args: readonly string[]) {
  const script = join(projectFolder, 'apps/local/experiment.mjs');
  const child = spawn(process.execPath, [script, 'chaos', '--data', data.folder, ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let printed = '';
  child.stdout.on('data', (bytes: Buffer) => (printed += String(bytes)));
  return {
    child,
    exitCode: once(child, 'close').then(([code]) => code as number | null),
    untilPrinted: async (text: string) => {
      while (!printed.includes(text)) await once(child.stdout, 'data');
    },
  };
}

test(
  'chaos kills exactly what it is told, also standbys, and ends with everything ready, also when interrupted',
  async () => {
    const said = { ...request.said, wanMs: 0, standby: true };
    const life = begin({ reset: true, said });
    await life.ready();
    const before = cluster().regions['eu']!;
    expect(before.standby).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
    const topology = parse(readFileSync(join(data.catalogue, 'eu', 'topology.yaml'), 'utf8')) as {
      regions: Record<string, { replicator: unknown }>;
    };
    expect(topology.regions['eu']?.replicator).toEqual([before.replicator, before.standby]);

    const kills = chaos(
      '--seed',
      '5',
      '--minutes',
      '0.1',
      '--kills',
      'replicator=1,standby=1,postgres=1,broker=1',
    );
    expect(await kills.exitCode).toBe(0);
    const after = cluster().regions['eu']!;
    expect(after.pids.gateway).toBe(before.pids.gateway);
    for (const killed of ['replicator', 'standby', 'postgres'] as const)
      expect(after.pids[killed]).not.toBe(before.pids[killed]);
    const lines = readFileSync(join(data.folder, 'history', 'chaos-5.jsonl'), 'utf8')
      .trim()
      .split('\n');
    const [first, ...faults] = lines.map(readHistoryLine);
    expect(first).toMatchObject({ type: 'run', seed: 5, run: 'chaos-5' });
    expect(faults.map((line) => line?.type === 'fault' && `${line.f} ${line.value}`).toSorted()).toEqual([
      'kill eu postgres',
      'kill eu replicator',
      'kill eu standby',
      'kill kafka 1',
    ]);

    // A seed that begins with a cut and a pause: interrupted in the middle of both, it takes them back.
    const lengthMs = 600_000;
    const shape = { lengthMs, regions: ['eu'], brokers: 1, standbys: true, links: true, kills: null };
    const seed = Array.from({ length: 10_000 }, (_, index) => index).find((index) => {
      const [cut, pause, next] = planChaos({ ...shape, seed: index })!;
      const isPause = pause?.order.kind === 'process' && pause.order.order === 'pause';
      return cut?.order.kind === 'cut' && isPause && pause.atMs < 4_000 && next!.atMs > pause.atMs + 1_500;
    })!;
    const interrupted = chaos('--seed', String(seed), '--minutes', '10');
    await interrupted.untilPrinted('is paused');
    interrupted.child.kill('SIGINT');
    expect(await interrupted.exitCode).toBe(0);
    const { processes, wideArea } = await askStatus(data);
    expect(wideArea?.cuts).toEqual([]);
    expect(new Set(processes.map(({ state }) => state))).toEqual(new Set(['ready']));
    expect(processes.map(({ name }) => name)).toContain('eu-standby');

    life.interrupt();
    expect(await life.exitCode).toBe(0);
  },
  TEST_MS_MAX,
);
