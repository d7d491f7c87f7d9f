/**
 * Two replicators of one region over the same shards. Leases say who tries; what decides is the lease number in each
 * commit. So the holder is stopped at the worst moments, the other takes over and goes on, and then the first one wakes
 * and acts on what it remembers: effects once, and it steps back by itself (I4, I8, I20).
 */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import { call, eventually, LocalCluster, type Region } from '../e2e/local-cluster.js';
import { AccountWriter } from './account-writer.js';
import { cursorOf, expectAgreement, type StoredCursor } from './agreement.js';
import { metric, ownReplicator, SecondReplicator, type ReplicatorProcess } from './replicator-process.js';
import { measureTakeover } from './takeover.js';

const REGION: Region = 'eu';
/** A slow machine may move the leases in the middle of what is set up. */
const ROUNDS_MAX = 5;
let cluster: LocalCluster;
let own: ReplicatorProcess;
let second: SecondReplicator;
let writer: AccountWriter;
let account: string;
let shard: string;

beforeAll(async () => {
  cluster = await LocalCluster.startAttended();
  own = ownReplicator(cluster, REGION);
  second = new SecondReplicator(cluster, REGION, 'eu-replicator-2');
  await second.start();
  // Homes elsewhere: a gateway hears of its region only what the cluster's own replicator tells it.
  writer = await AccountWriter.open(cluster, {
    name: 'twice',
    ack: 'quorum',
    inFlight: 4,
    timeoutMs: 10_000,
    homes: ['us', 'ap'],
    via: ['us', 'ap'],
    pauseMs: 5,
  });
  account = writer.accounts[0]!;
  shard = (await writer.credit(account, 'us')).answer.body.shard as string;
}, 180_000);

afterAll(async () => {
  await writer?.stop();
  await second?.kill();
  await cluster?.stop();
}, 60_000);

/** Who holds the shard, and who does not. */
async function roles(): Promise<{ readonly holder: ReplicatorProcess; readonly standby: ReplicatorProcess }> {
  const [row] = await cluster.sql(REGION, 'select holder from lockstep.lease where shard = $1', [shard]);
  const isOwn = String(row!['holder']).startsWith(own.instance);
  return isOwn ? { holder: own, standby: second } : { holder: second, standby: own };
}

/** It holds a lease of a higher number, which runs: a claim that had to wait may have been granted when it was over. */
const takenOver = async ({ instance }: ReplicatorProcess, number: bigint): Promise<unknown> =>
  eventually(
    () =>
      cluster.sql(
        REGION,
        `select 1 from lockstep.lease
         where shard = $1 and number > $2 and holder like $3 and expires_at > clock_timestamp()`,
        [shard, String(number), `${instance}%`],
      ),
    (found) => found.length === 1,
  );

const lostLeases = (process: ReplicatorProcess): Promise<number> =>
  metric(process.url(), 'lockstep_lease_changes_total', [`shard="${shard}"`, 'change="lost"']);
const lostCommits = (process: ReplicatorProcess): Promise<number> =>
  metric(process.url(), 'lockstep_commits_lost_total', ['dataset="accounts"']);

/** A transaction of a stranger that holds what a statement locks. */
async function locking(statement: string, values: readonly unknown[]): Promise<() => Promise<void>> {
  const client = new pg.Client({ connectionString: cluster.file.regions[REGION]!.postgres });
  await client.connect();
  await client.query('begin');
  await client.query(statement, [...values]);
  return async () => {
    await client.query('rollback');
    await client.end();
  };
}

const lockAccount = (): Promise<() => Promise<void>> =>
  locking('select 1 from accounts where id = $1 for update', [account]);

const hangingCommits = (): Promise<readonly unknown[]> =>
  cluster.sql(
    REGION,
    `select pid from pg_stat_activity
     where application_name = 'lockstep-apply' and wait_event_type = 'Lock' and query like 'with moved%'`,
  );

/** The holder's next commit waits inside its transaction; the entry is acknowledged by the other regions. */
async function hangCommit(): Promise<() => Promise<void>> {
  const release = await lockAccount();
  expect((await writer.credit(account, 'us')).answer.status).toBe(200);
  await eventually(hangingCommits, (found) => found.length > 0);
  return release;
}

interface StoppedHolder {
  readonly holder: ReplicatorProcess;
  readonly standby: ReplicatorProcess;
  readonly pid: number;
  /** What was so before. */
  readonly before: StoredCursor;
  readonly lostBefore: number;
  readonly commitsLostBefore: number;
  /** Ends what was begun. */
  readonly end: () => Promise<void>;
}

/** Begins something and stops the holder in the middle of it; one that holds the shard no more goes on, and it is begun anew. */
async function stopHolder(
  begin: (before: StoredCursor) => Promise<() => Promise<void>>,
): Promise<StoppedHolder> {
  for (let round = 0; round < ROUNDS_MAX; round += 1) {
    const { holder, standby } = await roles();
    const pid = holder.pid();
    const lostBefore = await lostLeases(holder);
    const commitsLostBefore = await lostCommits(holder);
    const before = await cursorOf(cluster, REGION, shard);
    const end = await begin(before);
    process.kill(pid, 'SIGSTOP');
    if ((await roles()).holder === holder)
      return { holder, standby, pid, before, lostBefore, commitsLostBefore, end };
    process.kill(pid, 'SIGCONT');
    await end();
    await appliedInRegion();
  }
  throw new Error(
    `the lease changed its holder in each of ${ROUNDS_MAX} rounds before the holder was stopped`,
  );
}

async function appliedInRegion(): Promise<void> {
  const { sequence } = await cursorOf(cluster, 'us', shard);
  await eventually(
    () => cursorOf(cluster, REGION, shard),
    (cursor) => cursor.sequence >= sequence,
  );
}

async function credits(count: number): Promise<void> {
  for (let i = 0; i < count; i += 1)
    expect((await writer.credit(account, i % 2 === 0 ? 'us' : 'ap')).answer.status).toBe(200);
}

async function expectSteppedBack(victim: ReplicatorProcess, lostBefore: number, pid: number): Promise<void> {
  await eventually(
    () => lostLeases(victim),
    (lost) => lost > lostBefore,
  );
  expect(victim.pid()).toBe(pid);
  expect((await call(`${victim.url()}/healthz`)).status).toBe(200);
  await eventually(() => isReady(victim), Boolean);
  expect(victim.log().some((line) => line.event === 'lease-lost' && line.shard === shard)).toBe(true);
}

describe('the holder is stopped, the standby takes over, the holder wakes', () => {
  test('with its commit under way, which takes effect while it is stopped', async () => {
    let ofTheStopped = false;
    for (let round = 0; round < ROUNDS_MAX && !ofTheStopped; round += 1) {
      const { before, end: release, holder, lostBefore, pid, standby } = await stopHolder(hangCommit);
      try {
        await release();
        const committed = await eventually(
          () => cursorOf(cluster, REGION, shard),
          ({ sequence }) => sequence > before.sequence,
        );
        // The database may have given it up by then: the standby made this one.
        ofTheStopped = committed.lease === before.lease;
        await takenOver(standby, before.lease);
        await credits(4);
        await appliedInRegion();
      } finally {
        process.kill(pid, 'SIGCONT');
      }
      await expectSteppedBack(holder, lostBefore, pid);
      await credits(2);
      await expectAgreement(cluster);
    }
    expect(ofTheStopped).toBe(true);
  });

  test('with its commit under way, which the database gives up meanwhile', async () => {
    const { before, end: release, holder, lostBefore, pid, standby } = await stopHolder(hangCommit);
    try {
      // The claim waits for the commit, which waits for us until the database has had enough.
      await takenOver(standby, before.lease);
      expect((await cursorOf(cluster, REGION, shard)).sequence).toBe(before.sequence);
      await release();
      await credits(3);
      await appliedInRegion();
    } finally {
      process.kill(pid, 'SIGCONT');
    }
    await expectSteppedBack(holder, lostBefore, pid);
    await expectAgreement(cluster);
  });

  test('with the next batch in memory, and without a way to learn that its lease is lost', async () => {
    const stopped = await stopHolder(async () => {
      const release = await hangCommit();
      // These it has read, or reads when it wakes, behind a state that is old by then.
      await credits(3);
      return release;
    });
    const { before, commitsLostBefore, end: release, holder, lostBefore, pid, standby } = stopped;
    let openLeases: (() => Promise<void>) | null = null;
    try {
      await release();
      await takenOver(standby, before.lease);
      await appliedInRegion();
      await credits(2);
      await appliedInRegion();
      openLeases = await locking('select 1 from lockstep.lease order by shard for update', []);
      process.kill(pid, 'SIGCONT');
      await eventually(
        () => lostCommits(holder),
        (lost) => lost > commitsLostBefore,
      );
    } finally {
      process.kill(pid, 'SIGCONT');
      await openLeases?.();
    }
    expect(
      holder.log().some((line) => line.event === 'commit-lost' && line.shards?.includes(shard) === true),
    ).toBe(true);
    await expectSteppedBack(holder, lostBefore, pid);
    await credits(2);
    await expectAgreement(cluster);
  });

  test('at whatever moment of the work under load', async () => {
    writer.start();
    for (const waitMs of [3, 11, 29]) {
      const { before, holder, lostBefore, pid, standby } = await stopHolder(async ({ sequence: from }) => {
        await eventually(
          () => cursorOf(cluster, REGION, shard),
          ({ sequence }) => sequence > from,
        );
        await delay(waitMs);
        return () => Promise.resolve();
      });
      try {
        await takenOver(standby, before.lease);
        const taken = await cursorOf(cluster, REGION, shard);
        await eventually(
          () => cursorOf(cluster, REGION, shard),
          ({ sequence }) => sequence > taken.sequence,
        );
      } finally {
        process.kill(pid, 'SIGCONT');
      }
      await expectSteppedBack(holder, lostBefore, pid);
    }
    await writer.stop();
    await expectAgreement(cluster);
    writer.expectHonestAnswers();
    await writer.expectEffectsOnce();
  });
});

test('the one that stepped back takes over again when the holder is killed', async () => {
  let standby: ReplicatorProcess = second;
  let killed: Promise<void> = Promise.resolve();
  // What is promised of the time is measured where there is time for many (takeover.extended.spec.ts).
  await measureTakeover(cluster, {
    region: REGION,
    shard,
    key: account,
    // To stay down: nobody but the other one can take over.
    kill: (holder) => {
      const isOwn = holder.startsWith(own.instance);
      standby = isOwn ? second : own;
      killed = isOwn ? cluster.orderProcess('kill', REGION, 'replicator') : second.kill();
    },
  });
  await killed;
  expect((await roles()).holder).toBe(standby);
  await expectAgreement(cluster);
});

const isReady = async (process: ReplicatorProcess): Promise<boolean> =>
  call(`${process.url()}/readyz`).then(
    ({ status }) => status === 200,
    () => false,
  );
