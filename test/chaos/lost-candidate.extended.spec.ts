/**
 * A new home that is lost at its fence, or while it takes a share of the writes, in datasets that fail over by themselves: its shard ends open at one region that goes on,
 * without a person, and every region is equal afterwards (I5, I6, I13).
 */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { ControlCommandOf } from '@lockstep/protocol';
import { eventually, LocalCluster, REGIONS, write, type Region } from '../e2e/local-cluster.js';
import { frequentFailovers, ordersOpenFirst } from '../e2e/sample-catalogue.js';
import { expectAgreement, expectDecisionsReplay } from './agreement.js';
import { ControlHistory } from './control-history.js';
import { ownerOf, post } from './control-plane.js';
import { Operators } from './operators.js';

const SHARD = 'orders/0';
const TRIALS_MAX = 5;
const ROLES = ['replicator', 'gateway', 'coordinator'] as const;
/** Twice the 10 s after which a new home is left, and a failover; more is a defect and not a slow machine. */
const OPEN_MS_MAX = 60_000;

let cluster: LocalCluster;
let history: ControlHistory;

beforeAll(async () => {
  cluster = await LocalCluster.startWith({ ...frequentFailovers, ...ordersOpenFirst });
  history = new ControlHistory(cluster);
  await history.agreed();
}, 240_000);

afterAll(async () => {
  await history?.close();
  await cluster?.stop();
}, 60_000);

/** Where the shard is to go, as soon as the governor's word stands in the log: its fence is several entries away. */
async function nextHome(sinceMs: number): Promise<Region> {
  const { step } = await history.read(
    ({ entry, verdict }) => verdict === 'accepted' && entry?.command.kind === 'fail-over',
    sinceMs,
    OPEN_MS_MAX,
  );
  const { shards } = step.entry!.command as ControlCommandOf<'fail-over'>;
  return shards.find(({ shard }) => shard === SHARD)!.to as Region;
}

/** Whether another one is decided for: it may have brought its probe to quorum before it was paused, and is home then. */
async function isLeft(candidate: Region, sinceMs: number): Promise<boolean> {
  const isOfShard = (command: ControlCommandOf<'decision'>): boolean => command.shard === SHARD;
  const { step: decided } = await history.read(
    ({ entry, verdict }) =>
      verdict === 'accepted' &&
      entry?.command.kind === 'decision' &&
      isOfShard(entry.command) &&
      entry.command.to === candidate,
    sinceMs,
    OPEN_MS_MAX,
  );
  const { step } = await history.read(
    ({ entry, verdict }) => {
      if (verdict !== 'accepted') return false;
      const { command } = entry!;
      return (
        (command.kind === 'decision' && isOfShard(command) && command.to !== candidate) ||
        (command.kind === 'stage' && command.decision === decided.at && command.event === 'canary')
      );
    },
    sinceMs,
    OPEN_MS_MAX,
  );
  return step.entry!.command.kind === 'decision';
}

/** Until a write to the shard is taken above the epoch, asked through that region. */
async function takenAbove(epoch: number, via: Region, name: string): Promise<number> {
  let tries = 0;
  const answer = await eventually(
    () => {
      // One key in two is of the shard.
      tries += 1;
      const event = { key: `eu:${name}-${tries}`, type: 'placed', data: { customer: 'c', total: 1 } };
      return write(cluster, via, 'orders', { events: [event], timeoutMs: 1_000 }, `${name}-${tries}`);
    },
    ({ body }) => body.outcome === 'accepted' && body.shard === SHARD && body.epoch > epoch,
    OPEN_MS_MAX,
  );
  return answer.body.epoch as number;
}

/** Everything runs again: one home, the same told by all, and data that are equal. */
async function expectOneHome(epoch: number): Promise<void> {
  await new Operators(cluster).allServe();
  await expectAgreement(cluster, OPEN_MS_MAX);
  const owners = await Promise.all(REGIONS.map((region) => ownerOf(cluster, SHARD, region)));
  expect(new Set(owners.map(({ home }) => home)).size).toBe(1);
  for (const owner of owners) expect(owner.epoch).toBeGreaterThanOrEqual(epoch);
  history.expectOneLeaderPerTerm();
  expect(await expectDecisionsReplay(cluster)).toBeGreaterThan(0);
}

test('the next home of a failed one stops folding at its fence, with one region left that sees it', async () => {
  for (let trial = 0; trial < TRIALS_MAX; trial += 1) {
    const before = await ownerOf(cluster, SHARD, 'us');
    const sinceMs = performance.now();
    await Promise.all(ROLES.map((role) => cluster.orderProcess('kill', before.home, role)));
    const candidate = await nextHome(sinceMs);
    await cluster.orderProcess('pause', candidate, 'replicator');
    const wasLeft = await isLeft(candidate, sinceMs);
    if (wasLeft) {
      const other = REGIONS.find((region) => region !== before.home && region !== candidate)!;
      const epoch = await takenAbove(before.epoch + 1, other, 'one-left');
      const tookMs = Math.round(performance.now() - sinceMs);
      console.log(`${candidate} hung at its fence: ${other} took a write after ${tookMs} ms`);
      expect(epoch).toBe(before.epoch + 2);
      expect((await ownerOf(cluster, SHARD, other)).home).toBe(other);
    }
    await cluster.orderProcess('continue', candidate, 'replicator');
    await cluster.orderProcess('start', before.home, null);
    await expectOneHome(before.epoch + (wasLeft ? 2 : 1));
    if (wasLeft) return;
  }
  throw new Error(`in each of ${TRIALS_MAX} trials the next home took writes before it was paused`);
}, 600_000);

const FAULTS = [
  { name: 'has its database stopped', begin: 'stop', end: 'start', process: 'postgres' },
  { name: 'stands still', begin: 'pause', end: 'continue', process: null },
  { name: 'has its replicator paused', begin: 'pause', end: 'continue', process: 'replicator' },
] as const;

test.each((['fencing', 'share'] as const).flatMap((stage) => FAULTS.map((fault) => ({ ...fault, stage }))))(
  'the new home of a switchover $name at "$stage"',
  async ({ begin, end, name, process, stage }) => {
    const before = await ownerOf(cluster, SHARD, 'us');
    const candidate = REGIONS.find((region) => region !== before.home)!;
    const other = REGIONS.find((region) => region !== before.home && region !== candidate)!;
    const sinceMs = performance.now();
    const asked = post(cluster, other, `/v1/shards/${SHARD}/switchover`, {
      to: candidate,
      timeoutMs: 20_000,
    });
    await history.read(
      ({ entry, verdict }) =>
        verdict === 'accepted' && entry?.command.kind === 'stage' && entry.command.event === stage,
      sinceMs,
      OPEN_MS_MAX,
    );
    await cluster.orderProcess(begin, candidate, process);
    // Fast as a switchover is, it may have come to its end before the fault began; then the home has failed, and is replaced.
    await asked;
    const epoch = await takenAbove(before.epoch, other, `${stage}-${name}`.replaceAll(/\W+/g, '-'));
    console.log(
      `at ${stage} it ${name}: ${Math.round(performance.now() - sinceMs)} ms until a write at epoch ${epoch}`,
    );
    await cluster.orderProcess(end, candidate, process);
    await expectOneHome(epoch);
  },
  300_000,
);
