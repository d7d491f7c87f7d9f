/**
 * Shards that are moved by an operator's word, in a simulated world: each move ends at exactly one home, whoever dies on the
 * way, and no write is lost or refused (I5, I6, I13, I19).
 */
import { describe, expect, test } from '@jest/globals';
import { isPortError } from '@lockstep/engine';
import {
  CONTROL_TOPIC,
  eventsText,
  NOTHING_REPLAYED,
  readControlPage,
  replayDecisions,
  type Answer,
  type ControlPage,
  type DatasetName,
  type Offset,
  type RegionName,
  type Scope,
  type ShardName,
} from '@lockstep/protocol';
import { SimulatedCluster, World, type PlacingFate, type SimulatedClusterOptions } from '@lockstep/testing';
import { answeredWithin } from './answered.js';
import { leaderSeenBy, REGIONS } from './harassed-cluster.js';
import { sampleDatasets } from './sample-datasets.js';

const SHARD = 'orders/0' as ShardName;
const TOPIC = 'lockstep.orders';
const ORDERS = 'dataset:orders' as Scope;
const datasets = await sampleDatasets();

async function cluster(options: Partial<SimulatedClusterOptions> = {}): Promise<SimulatedCluster> {
  const made = new SimulatedCluster({
    world: new World(3),
    regions: REGIONS,
    datasets,
    roles: 'apart',
    ...options,
  });
  await made.start();
  await made.options.world.runUntil(
    () => REGIONS.every((region) => leaderSeenBy(made, region) !== null),
    10_000,
  );
  return made;
}

const answered = answeredWithin(60_000);

const asked = (to: string, more: object = {}): Parameters<ReturnType<typeof operatorOf>['move']>[2] => ({
  to: to as RegionName,
  reason: 'maintenance',
  dryRun: false,
  acceptLoss: false,
  timeoutMs: 20_000,
  actor: null,
  ...more,
});

const operatorOf = (
  made: SimulatedCluster,
): SimulatedCluster['regions'] extends ReadonlyMap<string, infer Region>
  ? Region extends { coordinator: { operator: infer Operator } }
    ? Operator
    : never
  : never => made.region(leaderSeenBy(made, 'us') ?? 'eu').coordinator.operator as never;

const write = (made: SimulatedCluster, region: string, id: string): Promise<Answer> =>
  made.write(
    region,
    'orders',
    { events: [{ key: `eu:a/${id}`, type: 'placed', data: { customer: 'c', total: 1 } }], timeoutMs: 10_000 },
    `write-${id}`,
  );

test('a switchover moves a shard while it is written, and every write is answered', async () => {
  const made = await cluster();
  const { world } = made.options;
  const answers: Answer[] = [];
  for (let index = 0; index < 90; index += 1)
    world.after(index * 20, null, () => {
      void write(made, REGIONS[index % 3]!, String(index)).then((answer) => answers.push(answer));
    });
  const moved = await answered(made, operatorOf(made).move('switchover', SHARD, asked('us'), 'alice'));
  expect(JSON.parse(moved.body)).toMatchObject({
    outcome: 'done',
    from: 'eu',
    to: 'us',
    epoch: 2,
    actor: 'alice',
  });
  await world.runUntil(() => answers.length === 90, 60_000);
  expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200));
  await world.runUntil(
    () => REGIONS.every((region) => made.region(region).database.cursor(SHARD)?.home === 'us'),
    10_000,
  );
});

/** A service at home in eu saves orders of the shard, one after the other, until it is told that the home is another one. */
async function saveWhileHome(made: SimulatedCluster): Promise<{ stored: number; refusals: Set<string> }> {
  const identities = made.options.world.identities('service');
  const { table } = made.options.datasets.get('orders' as DatasetName)!.table;
  const store = await made.region('eu').database.openServiceStore();
  const refusals = new Set<string>();
  for (let stored = 0; ;) {
    await made.options.world.clock().sleep(20).done;
    const key = `eu:saved/${stored}`;
    const data = { customer: 'c', total: stored };
    const body = eventsText([{ key, type: 'placed', v: 1, data, expectedVersion: null }]);
    const columns = { ...data, status: 'placed', carrier: null, reason: null };
    try {
      const transaction = await store.enter(SHARD);
      await transaction.save({
        table,
        key: identities.keyHash('service', key),
        fingerprint: identities.fingerprint(body),
        firstKey: key,
        body,
        changes: [{ key, columns }],
      });
      await transaction.commitSaved();
      stored += 1;
    } catch (error) {
      if (!isPortError(error)) throw error;
      refusals.add(error.code);
      if (error.code === 'not-owner') return { stored, refusals };
    }
  }
}

test('a switchover leaves nothing of the outbox behind, though a service saves until the home is another one', async () => {
  const orders = 'orders' as DatasetName;
  const { configuration, ...rest } = datasets.get(orders)!;
  const content = { ...configuration.content, writers: 'outbox' as const };
  const made = await cluster({
    datasets: new Map([...datasets, [orders, { ...rest, configuration: { ...configuration, content } }]]),
  });
  let saved: Awaited<ReturnType<typeof saveWhileHome>> | null = null;
  void saveWhileHome(made).then((ended) => (saved = ended));
  await made.options.world.runUntil(() => made.region('eu').stored.length > 20, 10_000);
  const moved = await answered(made, operatorOf(made).move('switchover', SHARD, asked('us'), 'alice'));
  expect(JSON.parse(moved.body)).toMatchObject({ outcome: 'done', to: 'us', epoch: 2 });
  await made.options.world.runUntil(() => saved !== null, 10_000);
  expect([...saved!.refusals]).toEqual(['moving', 'not-owner']);
  expect(made.region('eu').database.outbox()).toMatchObject({ pending: [], undone: [] });
  await made.options.world.runUntil(
    () => made.region('us').database.rows(rest.table.table)!.size === saved!.stored,
    10_000,
  );
});

test('a failover needs nothing of the home', async () => {
  const made = await cluster();
  const home = made.region('eu');
  for (const name of home.processNames()) home.killProcess(name);
  await made.options.world.runUntil(
    () => leaderSeenBy(made, 'us') !== 'eu' && leaderSeenBy(made, 'us') !== null,
    20_000,
  );
  const moved = await answered(made, operatorOf(made).move('failover', SHARD, asked('ap'), 'alice'));
  expect(JSON.parse(moved.body)).toMatchObject({ outcome: 'done', to: 'ap', epoch: 2 });
  expect((await answered(made, write(made, 'us', 'after'))).status).toBe(200);
});

test('a term and a move are reported by exactly one process, and the figures of every coordinator follow them', async () => {
  const made = await cluster();
  const reported = (kind: string): readonly object[] =>
    REGIONS.flatMap((region) => made.region(region).facts.filter((fact) => fact.kind === kind));
  const outlookOf = (region: string) => made.region(region).coordinator.outlook();
  expect(reported('term-begun')).toEqual([
    expect.objectContaining({ term: 1n, because: 'vacant', leaderlessMs: null }),
  ]);
  const leading = leaderSeenBy(made, 'us')!;
  expect(REGIONS.filter((region) => outlookOf(region).leads)).toEqual([leading]);
  await answered(made, operatorOf(made).move('switchover', SHARD, asked('us'), 'alice'));
  expect(reported('move-ended')).toEqual([
    expect.objectContaining({
      shard: SHARD,
      to: 'us',
      outcome: 'done',
      gapMs: expect.any(Number),
    }),
  ]);
  const lost = made.region('ap');
  for (const name of lost.processNames()) lost.killProcess(name);
  const quorumOf = (region: string) => outlookOf(region).quorums.find(({ shard }) => shard === SHARD);
  await made.options.world.runUntil(() => quorumOf('us')?.voters === 2, 10_000);
  expect(quorumOf('us')).toEqual({ shard: SHARD, voters: 2, isReachable: true });
  expect(outlookOf('us')).toMatchObject({
    term: 1n,
    isControlCurrent: true,
    openMoves: 0,
    oldestMoveMs: null,
  });
  made.region('us').killReplicator();
  await made.options.world.runUntil(() => quorumOf('us')?.isReachable !== true, 10_000);
  expect(quorumOf('us')).toMatchObject({ voters: 1, isReachable: false });
});

interface WriteStatus {
  readonly writes: string;
  readonly reason: string | null;
  readonly home: string;
  readonly gateway: string;
  readonly epoch: number;
  readonly since: string | null;
  readonly move: { readonly to: string; readonly gateway: string } | null;
  readonly comeBack: { readonly afterMs: number; readonly withinMs: number };
}

const statusBy = (made: SimulatedCluster, region: string): WriteStatus => {
  const { body } = made.region(region).gateway.status({ shard: SHARD });
  return (JSON.parse(body) as { readonly shards: readonly WriteStatus[] }).shards[0]!;
};

test('a gateway says where writes are taken before, while and after a shard moves', async () => {
  const made = await cluster();
  const { world } = made.options;
  expect(statusBy(made, 'eu')).toMatchObject({
    writes: 'here',
    gateway: 'http://eu',
    since: null,
    move: null,
  });
  expect(statusBy(made, 'us')).toMatchObject({ writes: 'forwarded', gateway: 'http://eu', epoch: 1 });
  const moved = operatorOf(made).move('switchover', SHARD, asked('us'), 'alice');
  await world.runUntil(() => statusBy(made, 'ap').writes === 'waiting', 10_000);
  expect(statusBy(made, 'ap')).toMatchObject({
    reason: 'moving',
    home: 'eu',
    move: { to: 'us', gateway: 'http://us' },
    comeBack: { afterMs: 1_000, withinMs: 3_000 },
  });
  await answered(made, moved);
  const isOpen = (region: string): boolean => {
    const { move, since } = statusBy(made, region);
    return since !== null && move === null;
  };
  await world.runUntil(() => REGIONS.every(isOpen), 10_000);
  expect(statusBy(made, 'us')).toMatchObject({ writes: 'here', home: 'us', epoch: 2, move: null });
  expect(statusBy(made, 'eu')).toMatchObject({ writes: 'forwarded', gateway: 'http://us' });
  // What the first move took is what the next one is expected to take.
  const again = operatorOf(made).move('switchover', SHARD, asked('eu'), 'alice');
  await world.runUntil(() => statusBy(made, 'ap').writes === 'waiting', 10_000);
  expect(statusBy(made, 'ap').comeBack.afterMs).toBeGreaterThanOrEqual(1_000);
  await answered(made, again);
});

test('a gateway that does not hear the home says so, and where writes are taken once another one is', async () => {
  const made = await cluster();
  const { world } = made.options;
  const home = made.region('eu');
  for (const name of home.processNames()) home.killProcess(name);
  await world.runUntil(() => statusBy(made, 'us').writes === 'waiting', 10_000);
  expect(statusBy(made, 'us')).toMatchObject({ reason: 'home-not-heard', home: 'eu' });
  await world.runUntil(() => !['eu', null].includes(leaderSeenBy(made, 'us')), 20_000);
  await answered(made, operatorOf(made).move('failover', SHARD, asked('ap'), 'alice'));
  await world.runUntil(() => statusBy(made, 'us').writes === 'forwarded', 10_000);
  expect(statusBy(made, 'us')).toMatchObject({ home: 'ap', gateway: 'http://ap', epoch: 2 });
});

test('a loss is accepted by two persons, in the log before the move is decided, and that replays', async () => {
  const made = await cluster();
  // us is connected and goes on telling what it holds, and folds nothing further.
  made.region('us').database.crash();
  const shards = new Set<string>();
  for (let index = 0; !shards.has(SHARD); index += 1) {
    const events = [{ key: `eu:${index}`, type: 'placed', data: { customer: 'c', total: 1 } }];
    const written = await answered(made, made.write('eu', 'orders', { events }, `ahead-${index}`));
    shards.add((JSON.parse(written.body) as { readonly shard: string }).shard);
  }
  const operator = operatorOf(made);
  const lacking = (): number | null =>
    (
      JSON.parse(operator.preflight({ move: 'failover', shard: SHARD, to: 'us' as RegionName }).body) as {
        readonly atRisk: { readonly logged: number | null };
      }
    ).atRisk.logged;
  await made.options.world.runUntil(() => lacking() === 1, 10_000);
  const ask = (actor: string): Promise<Answer> =>
    operator.move('failover', SHARD, asked('us', { acceptLoss: true, actor }), 'somebody');
  const approve = (actor: string): Promise<Answer> => {
    const approval = { to: 'us' as RegionName, reason: 'eu is lost', actor };
    return answered(made, made.region('ap').coordinator.operator.approve(SHARD, approval, 'somebody'));
  };
  const alone = await answered(made, ask('anna'));
  expect(alone).toMatchObject({ status: 409, code: 'approval-needed' });
  expect(JSON.parse(alone.body)).toMatchObject({
    checks: expect.arrayContaining([expect.objectContaining({ code: 'approval', passed: false })]),
  });
  expect((await approve('anna')).status).toBe(200);
  expect(await answered(made, ask('anna'))).toMatchObject({ code: 'approval-needed' });
  const approved = await approve('bob');
  expect(JSON.parse(approved.body)).toMatchObject({ shard: SHARD, to: 'us', actor: 'bob' });
  const approvers = (): readonly string[] => {
    const { body } = operator.decisions({ shard: SHARD, decision: null, limit: 9 });
    const { approvals = [] } = JSON.parse(body) as {
      readonly approvals?: readonly { readonly actor: string }[];
    };
    return approvals.map(({ actor }) => actor);
  };
  // Another coordinator said so; the leader has yet to read it.
  await made.options.world.runUntil(() => approvers().length === 2, 10_000);
  expect(approvers()).toEqual(['bob', 'anna']);
  const moved = ask('anna');
  await made.options.world.runUntil(() => operatorOf(made).openDecisions() === 1, 10_000);
  made.region('us').database.start();
  const { approval } = JSON.parse(approved.body) as { readonly approval: number };
  expect(JSON.parse((await answered(made, moved)).body)).toMatchObject({
    outcome: 'done',
    actor: 'anna',
    lossAgreed: { approval, actor: 'bob' },
  });
  const { decisions, differences } = replayDecisions(made.log.records(CONTROL_TOPIC, 0));
  expect({ decisions, differences }).toEqual({ decisions: 3, differences: [] });
});

test('what must not be moved is refused with every reason, and nothing is decided', async () => {
  const made = await cluster();
  const same = await answered(made, operatorOf(made).move('switchover', SHARD, asked('eu'), 'alice'));
  expect(same).toMatchObject({ status: 409, code: 'move-refused' });
  expect(JSON.parse(same.body)).toMatchObject({
    checks: expect.arrayContaining([expect.objectContaining({ code: 'already-home', passed: false })]),
  });
  const nowhere = await answered(made, operatorOf(made).move('switchover', SHARD, asked('mars'), 'alice'));
  expect(nowhere).toMatchObject({ status: 409, code: 'move-refused' });
  expect(JSON.parse(operatorOf(made).decisions({ shard: null, decision: null, limit: 9 }).body)).toEqual({
    decisions: [],
    governed: [],
  });
});

test('a pause is confirmed, refuses moves in its scope, and ends when it is resumed', async () => {
  const made = await cluster();
  const untilMs = made.options.world.nowMs() + 3_600_000;
  const pause = { scope: ORDERS, reason: 'migration', fromMs: null, untilMs };
  const paused = await answered(made, operatorOf(made).pause(pause, 'bob'));
  expect(JSON.parse(paused.body)).toMatchObject({ confirmed: true });
  const refused = await answered(made, operatorOf(made).move('switchover', SHARD, asked('us'), 'alice'));
  expect(refused).toMatchObject({ status: 409, code: 'move-refused' });
  const resumed = await answered(made, operatorOf(made).resume({ scope: ORDERS, reason: 'over' }, 'bob'));
  expect(resumed.status).toBe(200);
  const moved = await answered(made, operatorOf(made).move('switchover', SHARD, asked('us'), 'alice'));
  expect(JSON.parse(moved.body)).toMatchObject({ outcome: 'done' });
});

test('a region is evacuated, shard by shard, and what is home elsewhere stays', async () => {
  const made = await cluster();
  const answer = await answeredWithin(90_000)(
    made,
    operatorOf(made).evacuate(
      'eu' as RegionName,
      { move: 'switchover', concurrency: 2, reason: 'power', dryRun: false, timeoutMs: 60_000 },
      'alice',
    ),
  );
  expect(answer.status).toBe(200);
  const { shards } = JSON.parse(answer.body) as { shards: readonly { outcome: string; to: string }[] };
  expect(shards.length).toBeGreaterThan(3);
  expect(shards.every(({ outcome, to }) => outcome === 'done' && to !== 'eu')).toBe(true);
});

test('what was decided and what was refused is judged again from the pages of the control log', async () => {
  const made = await cluster();
  const operator = operatorOf(made);
  for (const to of ['us', 'eu']) await answered(made, operator.move('switchover', SHARD, asked(to), 'alice'));
  await answered(made, operator.move('switchover', SHARD, asked('eu'), 'alice'));
  const follower = made.region('ap').coordinator.operator;
  const pageFrom = async (from: Offset | null): Promise<ControlPage> => {
    const answer = await answered(made, follower.records({ from }));
    const page = readControlPage(JSON.parse(answer.body));
    if (page.kind === 'refused') throw new Error(page.reason);
    return page.value;
  };
  const first = await pageFrom(null);
  const pieces = [first, await pageFrom(first.nextOffset)];
  const replayed = pieces.reduce((before, piece) => replayDecisions(piece.records, before), NOTHING_REPLAYED);
  expect(replayed).toMatchObject({ unfolded: 0, terms: 1, decisions: 3, compared: 3, differences: [] });
});

test('of the control log only what it holds is told, and few may ask for it at once', async () => {
  const made = await cluster();
  const { operator } = made.region('us').coordinator;
  const beyond = await answered(made, operator.records({ from: 1_000_000n as Offset }));
  expect(beyond).toMatchObject({ status: 404, code: 'not-found' });
  const statuses: number[] = [];
  for (let asker = 0; asker < 9; asker += 1)
    void operator.records({ from: null }).then(({ status }) => statuses.push(status));
  await made.options.world.runUntil(() => statuses.length === 9, 60_000);
  expect(statuses.sort()).toEqual([200, 200, 200, 200, 200, 200, 200, 200, 429]);
});

describe('the leader of the log', () => {
  /** Broker 1 stands in eu, 2 in us, 3 in ap. */
  const leader = (made: SimulatedCluster): number | null => made.log.leader(TOPIC, 0);

  /** Moves the shard to us while it is written everywhere, every 20 ms; each write must be answered. */
  async function movedUnderLoad(made: SimulatedCluster): Promise<{ outcome: string; detail: string }> {
    const { world } = made.options;
    const answers: Answer[] = [];
    for (let index = 0; index < 90; index += 1)
      world.after(index * 20, null, () => {
        void write(made, REGIONS[index % 3]!, String(index)).then((answer) => answers.push(answer));
      });
    expect(leader(made)).toBe(1);
    const moved = await answered(made, operatorOf(made).move('switchover', SHARD, asked('us'), 'alice'));
    await world.runUntil(() => answers.length === 90, 60_000);
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200));
    return JSON.parse(moved.body) as { outcome: string; detail: string };
  }

  test('goes where the home goes', async () => {
    const made = await cluster({ brokers: 3 });
    expect(await movedUnderLoad(made)).toMatchObject({
      outcome: 'done',
      detail: 'us is home; broker 2 in us leads its log',
    });
    expect(leader(made)).toBe(2);
  });

  test('stays where the broker of the new home is not in sync, and the move says so', async () => {
    const made = await cluster({ brokers: 3 });
    made.log.setInSync(2, false);
    expect(await movedUnderLoad(made)).toMatchObject({
      outcome: 'done',
      detail: 'us is home; broker 2 in us leads its log as soon as it is in sync',
    });
    expect(leader(made)).toBe(1);
  });

  test('is asked for again when the brokers refuse or do not answer', async () => {
    const fates: PlacingFate[] = ['refused', 'placed-unanswered'];
    const made = await cluster({ brokers: 3, logFaults: { placeLeader: () => fates.shift() ?? 'placed' } });
    expect(await movedUnderLoad(made)).toMatchObject({
      outcome: 'done',
      detail: 'us is home; broker 2 in us leads its log',
    });
    expect(fates).toEqual([]);
  });

  test('is given up after a bound, and the move is done all the same', async () => {
    const made = await cluster({ brokers: 3, logFaults: { placeLeader: () => 'refused' } });
    expect(await movedUnderLoad(made)).toMatchObject({
      outcome: 'done',
      detail: 'us is home; the leader of its log stays: log-leader-moved',
    });
    expect(leader(made)).toBe(1);
  });

  test('is placed by whoever goes on when the leading coordinator is killed before it asked', async () => {
    let isAsked = false;
    const refused = (): PlacingFate => {
      isAsked = true;
      return 'refused';
    };
    let fate: () => PlacingFate = refused;
    const made = await cluster({ brokers: 3, logFaults: { placeLeader: () => fate() } });
    const { world } = made.options;
    const leading = leaderSeenBy(made, 'us')!;
    const to = REGIONS.find((region) => region !== 'eu' && region !== leading)!;
    void operatorOf(made).move('switchover', SHARD, asked(to), 'alice');
    await world.runUntil(() => isAsked, 20_000);
    made.region(leading).killProcess('coordinator');
    fate = () => 'placed';
    const { operator } = made.region(to).coordinator;
    const last = (): { outcome: string | null; detail: string } =>
      JSON.parse(operator.decisions({ shard: SHARD, decision: null, limit: 1 }).body).decisions[0];
    await world.runUntil(() => last().outcome !== null, 30_000);
    const broker = REGIONS.indexOf(to) + 1;
    expect(last().detail).toBe(`${to} is home; broker ${broker} in ${to} leads its log`);
    expect(leader(made)).toBe(broker);
  });
});

const STAGES = [
  'decided',
  'caught-up',
  'parked',
  'drained',
  'fencing',
  'fenced',
  'folded',
  'canary',
  'open',
] as const;

test.each(
  STAGES.flatMap((stage) => (['leader', 'candidate', 'home'] as const).map((who) => [who, stage] as const)),
)('the %s is killed at "%s", and the move ends at one home without anybody', async (who, stage) => {
  const made = await cluster();
  const { world } = made.options;
  const leader = leaderSeenBy(made, 'us')!;
  const [first, second] = REGIONS.filter((region) => region !== 'eu');
  const to = first === leader ? second! : first!;
  void operatorOf(made).move('switchover', SHARD, asked(to), 'alice');
  const observer = REGIONS.find((region) => region !== leader)!;
  const stageSeen = (): string | undefined =>
    (
      JSON.parse(
        made.region(observer).coordinator.operator.decisions({ shard: SHARD, decision: null, limit: 1 }).body,
      ) as { decisions: readonly { stages: readonly { stage: string }[] }[] }
    ).decisions[0]?.stages.find((one) => one.stage === stage)?.stage;
  await world.runUntil(() => stageSeen() !== undefined, 20_000);
  if (who === 'leader') made.region(leader).killProcess('coordinator');
  else {
    const region = made.region(who === 'home' ? 'eu' : to);
    for (const name of region.processNames()) region.killProcess(name);
    world.after(3_000, null, () => {
      for (const name of region.processNames()) region.startProcess(name);
    });
  }
  const ended = (): { outcome: string | null } | undefined => {
    const served = REGIONS.map((region) => made.region(region).served('coordinator')).find(
      (running) => running !== null && running.coordinator !== null,
    );
    const body = served!.coordinator!.operator.decisions({ shard: SHARD, decision: null, limit: 1 }).body;
    return (JSON.parse(body) as { decisions?: readonly { outcome: string | null }[] }).decisions?.[0];
  };
  await world.runUntil(() => (ended()?.outcome ?? null) !== null, 90_000);
  const { outcome } = ended()!;
  expect(outcome).toMatch(/^(done|cancelled)$/);
  const wrote = await answered(made, write(made, 'ap', 'after'));
  expect(JSON.parse(wrote.body)).toMatchObject({ outcome: 'accepted', epoch: outcome === 'done' ? 2 : 1 });
});
