/**
 * The change feed in a simulated world: every accepted write is followed by a message of its key with at least its
 * version, and no key's versions go back, whatever is killed or put back, and over resumptions.
 */
import { expect, test } from '@jest/globals';
import type { ChangeFeed, FeedMessage } from '@lockstep/engine';
import { offset, topicOf, type Answer, type DatasetName } from '@lockstep/protocol';
import type { SimulatedCluster, SimulatedRegion } from '@lockstep/testing';
import { cluster } from './harassed-cluster.js';

const ORDERS = 'orders' as DatasetName;

/** Runs the world until the promise settles. */
async function settled<Value>(made: SimulatedCluster, promise: Promise<Value>): Promise<Value> {
  let value: { readonly told: Value } | null = null;
  void promise.then((told) => (value = { told }));
  await made.options.world.runUntil(() => value !== null, 120_000);
  return value!.told;
}

async function opened(
  made: SimulatedCluster,
  { gateway }: SimulatedRegion,
  from: string | null,
): Promise<ChangeFeed | Answer> {
  return settled(made, gateway.changes({ dataset: 'orders', query: {}, lastEventId: from }));
}

/** What one reader was told, over all of its feeds. */
class Reader {
  readonly versions = new Map<string, number>();
  readonly wentBack: string[] = [];
  position: string | null = null;
  end: string | null = null;
  private feed: ChangeFeed | null = null;

  async open(made: SimulatedCluster, region: SimulatedRegion): Promise<void> {
    let feed = await opened(made, region, this.position);
    for (; !('next' in feed); feed = await opened(made, region, this.position))
      expect(feed).toMatchObject({ status: 503, code: 'log-unavailable' });
    this.feed = feed;
    void this.follow(feed);
    await made.options.world.runUntil(() => this.position !== null, 10_000);
  }

  close(): void {
    this.feed?.close();
    this.feed = null;
  }

  has(expected: ReadonlyMap<string, number>): boolean {
    return [...expected].every(([key, version]) => (this.versions.get(key) ?? -1) >= version);
  }

  private async follow(feed: ChangeFeed): Promise<void> {
    for (let told = await feed.next(); told !== null && this.feed === feed; told = await feed.next())
      for (const message of told) this.take(message);
  }

  private take(message: FeedMessage): void {
    if (message.kind === 'end') {
      this.end = message.problem.code;
      return;
    }
    if (message.position !== null) this.position = message.position;
    if (message.kind === 'position') return;
    const { key, version } = message;
    if (version < (this.versions.get(key) ?? 0)) this.wentBack.push(key);
    this.versions.set(key, version);
  }
}

let writes = 0;

/** Writes to a few keys of all groups; what was accepted, by key with its version. */
async function write(
  made: SimulatedCluster,
  count: number,
  accepted: Map<string, number>,
  groups: readonly string[] = ['eu', 'us', 'ap'],
): Promise<ReadonlyMap<string, number>> {
  for (let index = 0; index < count; index += 1) {
    const key = `${groups[index % groups.length]}:order-${index % 7}`;
    const events = [{ key, type: 'placed', data: { customer: 'c', total: index } }];
    const body = { events, ack: 'accepted' };
    let answer: Answer;
    let tries = 0;
    do answer = await settled(made, made.write('eu', 'orders', body, `write-${(writes += 1)}`));
    while (answer.status === 503 && (tries += 1) < 20);
    expect(answer.status).toBe(200);
    const { versions } = JSON.parse(answer.body) as { versions: Record<string, number> };
    accepted.set(key, versions[key]!);
  }
  return accepted;
}

test.each([61, 62, 63])('every accepted write is told in another region, seed %i', async (seed) => {
  const made = await cluster(seed, (chance) => ({
    logFaults: { fetch: () => (chance.next() > 0.05 ? 'answered' : 'failed') },
  }));
  const { world } = made.options;
  const us = made.region('us');
  const reader = new Reader();
  await reader.open(made, us);
  const accepted = new Map<string, number>();
  await write(made, 30, accepted);
  const copy = us.database.snapshot();
  await world.runUntil(() => reader.has(accepted), 30_000);

  // The store is put back under an open feed, and under one that is resumed.
  await write(made, 10, accepted);
  await world.runUntil(() => reader.has(accepted), 30_000);
  us.killReplicator();
  us.database.restore(copy);
  await write(made, 10, accepted);
  reader.close();
  await reader.open(made, us);
  us.startReplicator();
  await world.runUntil(() => reader.has(accepted), 60_000);

  // Its gateway is killed: what was written meanwhile is told by the next one.
  us.killProcess('gateway');
  await write(made, 10, accepted, ['eu', 'ap']);
  us.startProcess('gateway');
  await world.runUntil(() => us.process('gateway') !== null && isThere(us), 60_000);
  await reader.open(made, us);
  await world.runUntil(() => reader.has(accepted), 60_000);
  expect(reader.wentBack).toEqual([]);
  expect(reader.end).toBeNull();
  reader.close();
});

const isThere = (region: SimulatedRegion): boolean => {
  try {
    return region.gateway.notReady().length === 0;
  } catch {
    return false;
  }
};

test('what this region has not folded is waited for, and told when it has', async () => {
  const made = await cluster(64);
  const us = made.region('us');
  const reader = new Reader();
  await reader.open(made, us);
  us.killReplicator();
  const accepted = await write(made, 9, new Map());
  const { world } = made.options;
  const untilMs = world.nowMs() + 5_000;
  void world.clock().sleep(5_000);
  await world.runUntil(() => world.nowMs() >= untilMs, 10_000);
  expect(reader.versions.size).toBe(0);
  us.startReplicator();
  await world.runUntil(() => reader.has(accepted), 60_000);
  reader.close();
});

test('a position that retention has passed, or of a topic that was made anew, is expired; garbage is refused', async () => {
  const made = await cluster(65);
  const us = made.region('us');
  const reader = new Reader();
  await reader.open(made, us);
  const early = reader.position!;
  await write(made, 12, new Map());
  expect(await opened(made, us, `${early}x`)).toMatchObject({ status: 400, code: 'bad-token' });
  for (let partition = 0; partition < 6; partition += 1) {
    const { length } = made.log.records(topicOf(ORDERS), partition);
    made.log.truncateBefore(topicOf(ORDERS), partition, offset(BigInt(length)));
  }
  expect(await opened(made, us, early)).toMatchObject({ status: 410, code: 'feed-expired' });
  made.log.replace(topicOf(ORDERS));
  expect(await opened(made, us, reader.position)).toMatchObject({ status: 410, code: 'feed-expired' });
  expect(await opened(made, us, null)).toMatchObject({ status: 503, code: 'shard-halted' });
  reader.close();
});
