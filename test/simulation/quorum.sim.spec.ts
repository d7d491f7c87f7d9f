/**
 * Quorum rules in a simulated world: they change by entries and judge by position, a joint step ends by itself, and what
 * was reached stays told, whoever restarts and whose vote is withdrawn since (I7).
 */
import { expect, test } from '@jest/globals';
import type { RuleChange } from '@lockstep/engine';
import type { Answer, DatasetName, Receipt, RegionName, RuleInForce, ShardName } from '@lockstep/protocol';
import { SimulatedCluster, World } from '@lockstep/testing';
import { sampleDatasets } from './sample-datasets.js';

const REGIONS = ['eu', 'us', 'ap'] as RegionName[];
const datasets = await sampleDatasets();

async function cluster(deployed = datasets): Promise<SimulatedCluster> {
  const world = new World(6);
  const made = new SimulatedCluster({ world, regions: REGIONS, datasets: deployed, roles: 'apart' });
  await made.start();
  return made;
}

async function settled<T>(made: SimulatedCluster, promise: Promise<T>): Promise<T> {
  let result: { readonly value: T } | null = null;
  void promise.then((value) => {
    result = { value };
  });
  await made.options.world.runUntil(() => result !== null, 120_000);
  return (result as unknown as { readonly value: T }).value;
}

const CALLER = {
  principal: 'anonymous',
  trace: { traceId: '1', spanId: '1', parentSpanId: null, sampled: false },
  forwarded: null,
  neverForward: false,
};

async function opened(
  made: SimulatedCluster,
  name: string,
  options: object = {},
): Promise<Receipt & { status: number }> {
  const event = { key: `eu:${name}/a`, type: 'opened', data: { owner: 'Ada', currency: 'EUR' } };
  const answer = await settled(made, made.write('eu', 'accounts', { events: [event], ...options }, name));
  return { status: answer.status, ...(JSON.parse(answer.body) as Receipt) };
}

async function receipt(made: SimulatedCluster, region: string, name: string): Promise<Receipt> {
  const asked = { dataset: 'accounts', idempotencyKey: name, query: {}, caller: CALLER };
  const answer: Answer = await settled(made, made.region(region).gateway.receipt(asked));
  return JSON.parse(answer.body) as Receipt;
}

async function changeRule(
  made: SimulatedCluster,
  rule: string,
  changes: {
    readonly withdrawn?: readonly RegionName[];
    readonly timeoutMs?: number;
    readonly by?: string;
  } = {},
): Promise<readonly string[]> {
  const { by = 'eu', timeoutMs = 10_000, withdrawn = [] } = changes;
  const { coordinator } = made.region(by);
  const request = { rule, withdrawn, reason: 'a test', timeoutMs };
  const change = (await settled(made, coordinator.changeRule('accounts', request, 'ada'))) as RuleChange;
  return change.kind === 'refused' ? [change.problem.detail] : change.shards.map(({ state }) => state);
}

const rulesOf = (made: SimulatedCluster, shard: string, region = 'eu'): readonly RuleInForce[] =>
  made.region(region).feed.tally(shard as ShardName).rules;
const SIX = (state: string): readonly string[] => Array.from({ length: 6 }, () => state);

test('a rule is changed in every shard, its entry says why and by whom, and positions before keep theirs', async () => {
  const made = await cluster();
  const before = await opened(made, 'before');
  expect(await changeRule(made, 'all')).toEqual(SIX('in-force'));
  await made.options.world.elapse(100);
  const rules = rulesOf(made, before.shard, 'ap');
  expect(rules.map(({ text }) => text)).toEqual(['majority', 'all']);
  expect(rules[1]!.from).toBeGreaterThan(BigInt(before.sequence!));
  const after = await opened(made, 'after');
  expect(after.stages.quorum!.regions).toEqual(['ap', 'eu', 'us']);
  // Asked for again it changes nothing.
  expect(await changeRule(made, 'all', { by: 'us' })).toEqual(SIX('in-force'));
  expect(rulesOf(made, before.shard)).toHaveLength(2);
});

test('a rule that cannot be met is refused with the counterexample, and no shard is changed', async () => {
  const made = await cluster();
  expect(await changeRule(made, 'any 1 of [sa]')).toEqual([
    expect.stringMatching(/^accounts\/0: sa may not hold this shard: only eu, us, ap may$/),
  ]);
  expect(await changeRule(made, 'all', { withdrawn: ['ap' as RegionName] })).toEqual([
    expect.stringContaining('all needs 3 fault domains and has 2 (eu or us); ap withdrawn'),
  ]);
  expect(rulesOf(made, 'accounts/0')).toHaveLength(1);
});

test('two changes at once: one of them is made in each shard, and both say which', async () => {
  const made = await cluster();
  const [one, other] = await Promise.all([
    changeRule(made, 'all'),
    changeRule(made, 'any 2 of [eu, us]', { by: 'us' }),
  ]);
  await made.options.world.elapse(100);
  for (const [shard, state] of one.entries()) {
    expect([state, other[shard]].sort()).toEqual(['in-force', 'refused']);
    const text = state === 'in-force' ? 'all' : 'any 2 of [eu, us]';
    expect(rulesOf(made, `accounts/${shard}`).at(-1)!.text).toBe(text);
  }
});

test('a joint step waits until every earlier entry meets the new rule, and ends without the regions of the old one', async () => {
  const made = await cluster();
  const [us, ap] = [made.region('us'), made.region('ap')];
  expect(await changeRule(made, 'any 1 of [us]')).toEqual(SIX('in-force'));
  ap.killReplicator();
  const { shard } = await opened(made, 'first');
  // ap has not folded what us alone acknowledged.
  expect(await changeRule(made, 'any 1 of [ap]', { timeoutMs: 3_000 })).toEqual(SIX('joint'));
  expect(await opened(made, 'second', { timeoutMs: 2_000 })).toMatchObject({
    status: 202,
    stage: 'accepted',
  });
  expect(await changeRule(made, 'all', { timeoutMs: 1_000 })).toEqual(SIX('refused'));
  us.killReplicator();
  ap.startReplicator();
  await made.options.world.runUntil(() => rulesOf(made, shard).at(-1)!.jointly.length === 0, 30_000);
  expect(rulesOf(made, shard).map(({ jointly, text }) => [text, jointly.length])).toEqual([
    ['majority', 0],
    ['any 1 of [us]', 1],
    ['any 1 of [us]', 0],
    ['any 1 of [ap]', 1],
    ['any 1 of [ap]', 0],
  ]);
  expect(await opened(made, 'third')).toMatchObject({ status: 200, stage: 'quorum' });
});

test('without any coordinator writes go on, and a joint step ends when one comes back', async () => {
  const made = await cluster();
  for (const region of REGIONS) made.region(region).killProcess('coordinator');
  expect(await opened(made, 'alone')).toMatchObject({ status: 200, stage: 'quorum' });
  made.region('ap').startProcess('coordinator');
  await made.options.world.runUntil(() => made.region('ap').served('coordinator') !== null, 10_000);
  await made.options.world.elapse(1_000);
  expect(await changeRule(made, 'any 1 of [ap]', { by: 'ap', timeoutMs: 20_000 })).toEqual(SIX('in-force'));
});

test('a stage that was told stays told: after withdrawn votes and a restart, in any region (I7)', async () => {
  const made = await cluster();
  const told = await opened(made, 'history', { ack: 'everywhere' });
  expect(told.stages.everywhere).toBeDefined();
  // What was reached is written down within a second.
  await made.options.world.elapse(2_000);
  expect(await changeRule(made, 'any 1 of [eu]', { withdrawn: ['ap', 'us'] as RegionName[] })).toEqual(
    SIX('in-force'),
  );
  for (const region of ['eu', 'us']) {
    made.region(region).killProcess('gateway');
    made.region(region).startProcess('gateway');
  }
  await made.options.world.runUntil(() => made.isReady(), 20_000);
  await made.options.world.elapse(2_000);
  for (const region of ['eu', 'us', 'ap']) {
    const again = await receipt(made, region, 'history');
    expect(again).toMatchObject({ outcome: 'accepted', stage: 'everywhere', holders: ['eu'] });
    expect(again.stages.quorum!.regions.length).toBeGreaterThanOrEqual(2);
  }
  // The same key asks for what was told too.
  expect(await opened(made, 'history', { ack: 'everywhere' })).toMatchObject({
    status: 200,
    stage: 'everywhere',
  });
  // What was never told stays unknown: ap and us do not count.
  expect(await opened(made, 'later', { ack: 'everywhere', timeoutMs: 2_000 })).toMatchObject({
    status: 202,
    stage: 'quorum',
  });
});

test.each(['us', 'eu'])(
  'where the dataset says so, a write whose rule is not met in time is acknowledged as degraded, by %s too, for good',
  async (via) => {
    const accounts = datasets.get('accounts' as DatasetName)!;
    const { content, hash } = accounts.configuration;
    const lenient = {
      ...accounts.configuration,
      content: { ...content, onTimeout: 'degrade' as const },
      hash,
    };
    const made = await cluster(
      new Map([...datasets, [content.dataset, { ...accounts, configuration: lenient }]]),
    );
    for (const region of ['us', 'ap']) made.region(region).killReplicator();
    const event = { key: 'eu:late', type: 'opened', data: { owner: 'Ada', currency: 'EUR' } };
    const fromMs = made.options.world.nowMs();
    const ask = made.write(via, 'accounts', { events: [event], timeoutMs: 4_000 }, 'late');
    const answer = await settled(made, ask);
    expect(answer.status).toBe(200);
    expect(made.options.world.nowMs() - fromMs).toBeLessThanOrEqual(4_000);
    expect(JSON.parse(answer.body)).toMatchObject({ outcome: 'accepted', stage: 'accepted', degraded: true });
    expect(made.region('eu').facts).toContainEqual(expect.objectContaining({ kind: 'write-degraded' }));
    for (const region of ['us', 'ap']) made.region(region).startReplicator();
    await made.options.world.elapse(5_000);
    for (const region of REGIONS) {
      const again = await receipt(made, region, 'late');
      expect(again).toMatchObject({ stage: 'everywhere', degraded: true, sequence: expect.any(Number) });
    }
  },
);

test('a write that waits for less or for more than the rule is not acknowledged as degraded', async () => {
  const accounts = datasets.get('accounts' as DatasetName)!;
  const { content } = accounts.configuration;
  const lenient = { ...accounts.configuration, content: { ...content, onTimeout: 'degrade' as const } };
  const made = await cluster(
    new Map([...datasets, [content.dataset, { ...accounts, configuration: lenient }]]),
  );
  for (const region of ['us', 'ap']) made.region(region).killReplicator();
  expect(await opened(made, 'all', { ack: 'everywhere', timeoutMs: 2_000 })).toMatchObject({ status: 202 });
  const less = await opened(made, 'less', { ack: 'accepted', timeoutMs: 2_000 });
  expect(less).toMatchObject({ status: 200, stage: 'accepted' });
  expect(less.degraded).toBeUndefined();
});
