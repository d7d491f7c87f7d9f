/**
 * Outages of what a region stands on, under load, with everything that must hold while they last and afterwards. How
 * long they last is the caller's: seconds at every change, a minute in the extended suite.
 *
 * Nobody is restarted for it: the roles that saw an outage are the ones that go on afterwards (I17, I20).
 */
import { expect } from '@jest/globals';
import { execFileSync } from 'node:child_process';
import {
  closeSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmdirSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { randomUUID } from 'node:crypto';
import { call, eventually, REGIONS, write, type LocalCluster, type Region } from '../e2e/local-cluster.js';
import { AccountWriter } from './account-writer.js';
import { expectAgreement } from './agreement.js';
import { residentMegabytes } from './process-memory.js';

const ROLES = ['gateway', 'replicator', 'coordinator'] as const;
const WARM_UP_MS = 1_500;
/** In each half of an outage, so that it is one for them. */
const LARGE_ENTRIES = 40;

const rolePids = (cluster: LocalCluster): readonly (readonly [name: string, pid: number])[] =>
  REGIONS.flatMap((region) =>
    ROLES.map((role) => [`${region}-${role}`, cluster.file.regions[region]!.pids[role]!] as const),
  );

/** One write of each home through each gateway that every region applies. */
async function expectServing(cluster: LocalCluster): Promise<void> {
  const key = randomUUID();
  for (const home of REGIONS) {
    for (const via of REGIONS) {
      const opened = { key: `${home}:${key}-${via}`, type: 'opened', data: { owner: 'A', currency: 'EUR' } };
      const answer = await write(cluster, via, 'accounts', { events: [opened], ack: 'everywhere' });
      expect(answer).toMatchObject({ status: 200, body: { stage: 'everywhere' } });
    }
  }
}

async function expectReady(cluster: LocalCluster): Promise<void> {
  for (const region of REGIONS) {
    for (const role of ROLES) {
      await eventually(
        () => call(`${cluster.file.regions[region]![role]}/readyz`),
        ({ status }) => status === 200,
      );
    }
  }
}

const WAIT_MS_MAX = 3_000;
const writerFor = (cluster: LocalCluster, name: string, timeoutMs = WAIT_MS_MAX): Promise<AccountWriter> =>
  AccountWriter.open(cluster, { name, ack: 'everywhere', inFlight: 12, timeoutMs, pauseMs: 10 });

/** Waits until so many writes that were asked since then were answered with one of these. */
const answered = (
  writer: AccountWriter,
  fromMs: number,
  statuses: readonly number[],
  atLeast: number,
): Promise<unknown> =>
  eventually(
    () => {
      const counts = writer.statuses({ fromMs });
      return Promise.resolve(statuses.reduce((sum, status) => sum + (counts[status] ?? 0), 0));
    },
    (count) => count >= atLeast,
  );

/**
 * Entries nearly as large as a client may send, for as long as nobody can append them: a process that keeps what it has
 * given up on grows by their size. Their data does not fit the schema, so none can take effect later.
 */
class LargeEntries {
  private stopped = false;
  private readonly running: Promise<unknown>;
  answered = 0;

  constructor(cluster: LocalCluster, inFlight: number) {
    const customer = 'x'.repeat(400_000);
    this.running = Promise.all(
      Array.from({ length: inFlight }, async (_, i) => {
        while (!this.stopped) {
          const event = { key: `${REGIONS[i % 3]}:large`, type: 'placed', data: { customer, total: 1 } };
          const body = { events: [event], timeoutMs: 400 };
          const { status } = await write(cluster, REGIONS[(i + 1) % 3]!, 'orders', body, randomUUID());
          expect([202, 429, 503]).toContain(status);
          this.answered += 1;
          await delay(20);
        }
      }),
    );
  }

  async stop(): Promise<void> {
    this.stopped = true;
    await this.running;
  }
}

/** The most resident memory that each process had until then, and until so many more were answered, in megabytes. */
async function peaks(
  pids: ReturnType<typeof rolePids>,
  untilMs: number,
  large: LargeEntries,
): Promise<readonly number[]> {
  const highest = pids.map(() => 0);
  const answersMin = large.answered + LARGE_ENTRIES;
  while (Date.now() < untilMs || large.answered < answersMin) {
    for (const [i, [, pid]] of pids.entries())
      highest[i] = Math.max(highest[i]!, Math.round(residentMegabytes(pid)));
    await delay(200);
  }
  return highest;
}

/** Every broker is killed; no process can append or read anything. */
export async function kafkaOutage(
  cluster: LocalCluster,
  outageMs: number,
  growthMegabytesMax: number,
): Promise<void> {
  const pids = rolePids(cluster);
  const writer = await writerFor(cluster, 'no-log');
  writer.start();
  // A run in which nothing succeeded before, or everything during the outage, would show nothing.
  await answered(writer, 0, [200], 21);
  await cluster.lockstep(['local', 'kafka', 'kill', '--stay-down']);
  const downMs = Date.now();
  const large = new LargeEntries(cluster, 12);
  // Flat means: the second half of the outage needs no more than the first one, in which buffers and heap had to grow.
  const early = await peaks(pids, downMs + outageMs / 2, large);
  const late = await peaks(pids, downMs + outageMs, large);
  const growth = pids.map(([name], i) => ({
    name,
    early: early[i]!,
    megabytes: late[i]! - early[i]!,
  }));
  await large.stop();
  await answered(writer, downMs, [202, 429, 503], 11);
  const answersMs = Date.now();
  await cluster.lockstep(['local', 'kafka', 'start']);
  const upMs = Date.now();
  await answered(writer, upMs, [200], 50);
  await writer.stop();

  expect(growth.filter(({ megabytes }) => megabytes > growthMegabytesMax)).toEqual([]);
  // What was asked before may be acknowledged however late: the log had it.
  expect(writer.statuses({ fromMs: downMs, toMs: answersMs })[200] ?? 0).toBe(0);
  writer.expectHonestAnswers();
  await expectServing(cluster);
  await writer.expectEffectsOnce();
  await expectAgreement(cluster);
  expect(rolePids(cluster)).toEqual(pids);
  await expectReady(cluster);
}

/** The other regions acknowledge while `lasts` runs, whatever happens in this one. */
async function withoutRegion(
  cluster: LocalCluster,
  options: {
    readonly region: Region;
    readonly name: string;
    /** Resolves when the fault is there. */
    readonly begin: () => Promise<void>;
    readonly lastsMs: number;
    /** Takes the fault away; resolves when the region's database answers again. */
    readonly end: () => Promise<void>;
  },
): Promise<void> {
  const { begin, end, lastsMs, name, region } = options;
  const others = REGIONS.filter((other) => other !== region);
  const pids = rolePids(cluster);
  // Two writers: one that is content without the region, and one that waits for it.
  const quorum = await AccountWriter.open(cluster, {
    name: `${name}-quorum`,
    ack: 'quorum',
    inFlight: 4,
    timeoutMs: 10_000,
    pauseMs: 10,
    homes: others,
    via: others,
  });
  const everywhere = await writerFor(cluster, name, Math.min(WAIT_MS_MAX, lastsMs / 3));
  quorum.start();
  everywhere.start();
  await delay(WARM_UP_MS);
  const beginMs = Date.now();
  await begin();
  const faultMs = Date.now();
  await delay(lastsMs);
  // Twelve are in flight, and each waits for its whole time.
  await Promise.all([answered(quorum, beginMs, [200], 51), answered(everywhere, faultMs, [202], 4)]);
  // Held still, so that the database shows what it had committed when it was told of, not what is folded now.
  const replicator = cluster.file.regions[region]!.pids.replicator!;
  process.kill(replicator, 'SIGSTOP');
  try {
    await end();
    await everywhere.expectToldIsStored(region);
  } finally {
    process.kill(replicator, 'SIGCONT');
  }
  const endMs = Date.now();
  await answered(everywhere, endMs, [200], 50);
  await Promise.all([quorum.stop(), everywhere.stop()]);

  expect(Object.keys(quorum.statuses({ fromMs: beginMs, toMs: endMs }))).toEqual(['200']);
  quorum.expectHonestAnswers();
  everywhere.expectHonestAnswers();
  await expectServing(cluster);
  await quorum.expectEffectsOnce();
  await everywhere.expectEffectsOnce();
  await expectAgreement(cluster);
  expect(rolePids(cluster)).toEqual(pids);
  await expectReady(cluster);
}

const databaseAnswers = (cluster: LocalCluster, region: Region): Promise<unknown> =>
  eventually(
    () => cluster.sql(region, 'select 1').catch(() => []),
    (rows) => rows.length === 1,
    30_000,
  );

/** The region's database is killed. */
export function postgresOutage(cluster: LocalCluster, region: Region, lastsMs: number): Promise<void> {
  return withoutRegion(cluster, {
    region,
    name: 'no-store',
    lastsMs,
    begin: async () => {
      await cluster.lockstep(['local', 'kill', region, 'postgres', '--stay-down']);
    },
    end: async () => {
      await cluster.lockstep(['local', 'start', region, 'postgres']);
      await databaseAnswers(cluster, region);
    },
  });
}

/** Two segments of the write-ahead log and something over: less, and a database may not come up again in what was freed. */
const SPARE_MEGABYTES = 40;

/** The region's database lies on a small disk of its own, which fills up. As root only: it mounts. */
export async function fullDisk(cluster: LocalCluster, region: Region, lastsMs: number): Promise<void> {
  const [{ data_directory: folder }] = (await cluster.sql(region, 'show data_directory')) as [
    { data_directory: string },
  ];
  const { gid, uid } = statSync(folder);
  const aside = `${folder}.aside`;
  await cluster.lockstep(['local', 'stop', region, 'postgres']);
  const usedMegabytes = Number(execFileSync('du', ['-sm', folder]).toString().split('\t')[0]);
  renameSync(folder, aside);
  mkdirSync(folder);
  const size = `size=${usedMegabytes + SPARE_MEGABYTES}m,mode=0700,uid=${uid},gid=${gid}`;
  execFileSync('mount', ['-t', 'tmpfs', '-o', size, 'tmpfs', folder]);
  try {
    execFileSync('cp', ['-a', `${aside}/.`, folder]);
    await cluster.lockstep(['local', 'start', region, 'postgres']);
    await expectReady(cluster);
    await withoutRegion(cluster, {
      region,
      name: 'full-disk',
      lastsMs,
      begin: async () => {
        fill(join(folder, 'filler'));
        await untilNothingCommits(cluster, region);
        const log = readFileSync(join(cluster.data, 'logs', `${region}-postgres.log`), 'utf8');
        expect(log).toContain('No space left on device');
      },
      end: async () => {
        rmSync(join(folder, 'filler'));
        await databaseAnswers(cluster, region);
      },
    });
  } finally {
    await cluster.lockstep(['local', 'stop', region, 'postgres']);
    rmSync(aside, { recursive: true });
    execFileSync('cp', ['-a', folder, aside]);
    execFileSync('umount', [folder]);
    rmdirSync(folder);
    renameSync(aside, folder);
    await cluster.lockstep(['local', 'start', region, 'postgres']);
  }
}

function fill(path: string): void {
  const file = openSync(path, 'w');
  try {
    for (let size = 1024 * 1024; size >= 4096; size /= 2) {
      try {
        for (;;) writeSync(file, Buffer.alloc(size));
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
      }
    }
  } finally {
    closeSync(file);
  }
}

/** What is left of the present piece of the write-ahead log is used up; the next one has no place. */
async function untilNothingCommits(cluster: LocalCluster, region: Region): Promise<void> {
  await eventually(
    () =>
      cluster.sql(region, `select pg_switch_wal(), txid_current()`).then(
        () => 'commits',
        () => 'refuses',
      ),
    (state) => state === 'refuses',
  );
}
