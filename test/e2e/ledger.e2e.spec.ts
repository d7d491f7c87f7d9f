/**
 * The sample service in three regions: one account that all of them empty at once, transfers over two shards whose service
 * is killed between any two steps, and customers that are entities of the service, before and after their home moves.
 * Whoever's answer did not come asks again, under the same key where there is one, elsewhere.
 */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { moveHome } from '../chaos/control-plane.js';
import { call, eventually, LocalCluster, REGIONS, type Answered, type Region } from './local-cluster.js';

const WITHDRAWALS = 50;
const MONEY = 20;
/** Answers that were told before the kill: most are still under way then. */
const ANSWERED_BEFORE_KILL = 5;
const ASKED_MS_MAX = 50_000;

let cluster: LocalCluster;

beforeAll(async () => {
  // Links with a delay make the time between two steps long enough to be met by a kill.
  cluster = await LocalCluster.start(['--ledger', '--wan', '20']);
}, 180_000);

afterAll(async () => {
  await cluster?.stop();
}, 60_000);

const ledgerIn = (region: Region): string => cluster.file.regions[region]!.ledger!;

const after = (region: Region): Region => REGIONS[(REGIONS.indexOf(region) + 1) % REGIONS.length]!;

/** A crash: the supervisor starts it again after a second. */
const killLedger = (region: Region): Promise<void> =>
  cluster.order({
    kind: 'process',
    order: 'kill',
    target: { kind: 'region', region, process: 'ledger' },
    stayDown: false,
  });

interface Asked {
  readonly answer: Answered;
  /** Connections that broke, or were refused. */
  readonly broken: number;
}

/** Asks under one key until the answer is definite, the next region each time it is not. */
async function ask(region: Region, path: string, body: object, key: string): Promise<Asked> {
  const untilMs = Date.now() + ASKED_MS_MAX;
  let broken = 0;
  for (let at = region; ; at = after(at)) {
    const init = {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'idempotency-key': key },
      body: JSON.stringify(body),
    };
    const answer = await call(`${ledgerIn(at)}${path}`, init).catch(() => null);
    if (answer === null) broken += 1;
    else if (answer.status < 500 && answer.body.code !== 'contended') return { answer, broken };
    if (Date.now() > untilMs) throw new Error(`${key} was not answered: ${JSON.stringify(answer)}`);
  }
}

async function openAccount(account: string, amount: number): Promise<void> {
  const owner = { account, owner: 'Ada', currency: 'EUR' };
  const opened = await ask('eu', '/accounts', owner, `open ${account}`);
  expect(opened.answer.status).toBe(201);
  const paid = await ask('eu', `/accounts/${account}/deposits`, { amount }, `fill ${account}`);
  expect(paid.answer.status).toBe(200);
}

async function balancesAre(expected: Readonly<Record<string, number>>): Promise<void> {
  const wanted = Object.entries(expected)
    .map(([id, balance]) => ({ id, balance: String(balance) }))
    .sort((one, other) => (one.id < other.id ? -1 : 1));
  for (const region of REGIONS) {
    const text = 'select id, balance from accounts where id = any($1) order by id';
    const rows = await eventually(
      () => cluster.sql(region, text, [Object.keys(expected)]),
      (found) => JSON.stringify(found) === JSON.stringify(wanted),
      20_000,
    );
    expect(rows).toEqual(wanted);
  }
}

test('50 withdrawals at once from money for 20 through three services, one killed: exactly 20, the others told why', async () => {
  const account = 'us:emptied';
  await openAccount(account, MONEY);
  let answered = 0;
  const kills: Promise<void>[] = [];
  const all = await Promise.all(
    Array.from({ length: WITHDRAWALS }, async (_, index) => {
      const region = REGIONS[index % REGIONS.length]!;
      const asked = await ask(region, `/accounts/${account}/withdrawals`, { amount: 1 }, `w-${index}`);
      answered += 1;
      if (answered === ANSWERED_BEFORE_KILL) kills.push(killLedger('us'));
      return asked;
    }),
  );
  await Promise.all(kills);

  expect(all.filter(({ broken }) => broken > 0).length).toBeGreaterThan(0);
  const accepted = all.filter(({ answer }) => answer.status === 200);
  expect(new Set(accepted.map(({ answer }) => answer.body.id as string)).size).toBe(MONEY);
  expect(accepted).toHaveLength(MONEY);
  const others = all.filter(({ answer }) => answer.status !== 200).map(({ answer }) => answer);
  expect(others.map(({ body, status }) => ({ status, code: body.code as string }))).toEqual(
    Array.from({ length: WITHDRAWALS - MONEY }, () => ({ status: 409, code: 'decision-refused' })),
  );
  for (const { body } of others) expect(body.message).toContain(`${account} holds 0, less than 1`);
  await balancesAre({ [account]: 0 });
}, 60_000);

/** The key whose verdict is awaited before the kill: null kills while the first step is on its way. */
const KILLED_AFTER = {
  nothing: { step: null, to: 'us:saga' },
  'its first step': { step: 'debit', to: 'us:saga' },
  'its last step': { step: 'credit', to: 'us:saga' },
  'the first step of a transfer to nobody': { step: 'debit', to: 'us:nobody' },
  'the rejection of its last step': { step: 'credit', to: 'us:nobody' },
  'its undoing': { step: 'debit~undo', to: 'us:nobody' },
} as const;
const ROUNDS = 2;

test('a transfer over two shards whose service is killed between any two steps is completed or compensated', async () => {
  const from = 'eu:saga';
  await openAccount(from, 1_000);
  await openAccount('us:saga', 1);
  let moved = 0;
  let transfers = 0;
  let broken = 0;
  let foundBetween = 0;
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const [name, { step, to }] of Object.entries(KILLED_AFTER)) {
      const region = REGIONS[transfers % REGIONS.length]!;
      transfers += 1;
      const id = `t-${round}-${name.replaceAll(' ', '-')}`;
      await eventually(
        () => call(`${ledgerIn(region)}/readyz`),
        ({ status }) => status === 200,
      );
      const transfer = ask(region, '/transfers', { from, to, amount: 7 }, id);
      if (step !== null) await receipt(`${id}:${step}`, '?wait=accepted&timeoutMs=20000');
      await killLedger(region);
      const isOpen = await isBetweenSteps(id, to);
      const asked = await transfer;
      broken += asked.broken > 0 ? 1 : 0;
      foundBetween += isOpen && asked.broken > 0 ? 1 : 0;
      const isPossible = to === 'us:saga';
      expect(asked.answer).toMatchObject({
        status: 200,
        body: isPossible
          ? { id, state: 'completed' }
          : { id, state: 'refused', why: { step: 'credit', code: 'guard' } },
      });
      moved += isPossible ? 7 : 0;
    }
  }
  // The kills met transfers under way, and some of them in the middle.
  expect(broken).toBeGreaterThanOrEqual(ROUNDS);
  expect(foundBetween).toBeGreaterThan(0);
  await balancesAre({ [from]: 1_000 - moved, 'us:saga': 1 + moved });
}, 90_000);

const customerAt = (region: Region, id: string, init: RequestInit = {}): Promise<Answered> =>
  call(`${ledgerIn(region)}/customers/${id}`, {
    ...init,
    headers: { 'content-type': 'application/json' },
  });

const saveAt = (region: Region, id: string, name: string): Promise<Answered> =>
  customerAt(region, id, { method: 'PUT', body: JSON.stringify({ name, email: 'ada@example.org' }) });

const seenEverywhere = (id: string, status: number, body: object): Promise<readonly Answered[]> =>
  eventually(
    () => Promise.all(REGIONS.map((region) => customerAt(region, id))),
    (all) =>
      all.every(
        (one) =>
          one.status === status && JSON.stringify(one.body).includes(JSON.stringify(body).slice(1, -1)),
      ),
    20_000,
  );

test('a customer is saved at home as an entity and read everywhere; elsewhere the home is told, also when it has moved', async () => {
  const id = 'eu:saved';
  const shard = 'customers/0';
  const first = await eventually(
    () => saveAt('eu', id, 'Ada'),
    ({ status }) => status === 200,
  );
  expect(first.body).toMatchObject({ stage: 'stored' });
  await seenEverywhere(id, 200, { name: 'Ada' });
  const told = await call(
    `${cluster.gateway('us')}/v1/datasets/customers/receipts/${first.body.id}?wait=everywhere`,
  );
  expect(told.body).toMatchObject({ outcome: 'accepted', stage: 'everywhere', shard });
  expect((await saveAt('eu', id, 'Ada')).body).toEqual({ id: null, stage: null });
  expect(await saveAt('us', id, 'Bea')).toMatchObject({
    status: 421,
    body: { code: 'not-owner', home: 'eu' },
  });

  await moveHome(cluster, 'us', { move: 'failover', shard, to: 'us' });
  await eventually(
    () => saveAt('us', id, 'Bea'),
    ({ status }) => status === 200,
  );
  const refused = await eventually(
    () => saveAt('eu', id, 'Cid'),
    ({ body, status }) => status === 421 && body.home === 'us',
  );
  expect(refused.body.message).toContain('its home is us');
  await seenEverywhere(id, 200, { name: 'Bea' });
  expect((await customerAt('us', id, { method: 'DELETE' })).body).toMatchObject({ stage: 'stored' });
  await seenEverywhere(id, 404, {});
}, 90_000);

test('a customer who cannot be meant is refused at the door', async () => {
  const save = (id: string, body: object): Promise<Answered> =>
    customerAt('eu', id, { method: 'PUT', body: JSON.stringify(body) });
  expect((await save('mars:ada', { name: 'Ada', email: 'ada@example.org' })).status).toBe(400);
  expect((await save('eu:ada', { name: '', email: 'ada@example.org' })).status).toBe(400);
  expect((await save('eu:ada', { name: 'Ada', email: 'nowhere' })).status).toBe(400);
  expect((await customerAt('eu', 'eu:nobody', { method: 'DELETE' })).status).toBe(404);
});

const receipt = (key: string, query = ''): Promise<Answered> =>
  call(`${cluster.gateway('eu')}/v1/datasets/accounts/receipts/${encodeURIComponent(key)}${query}`);

/** Taken from one account, and neither given to the other nor given back. */
async function isBetweenSteps(id: string, to: string): Promise<boolean> {
  const taken = await receipt(`${id}:debit`);
  const end = await receipt(to === 'us:saga' ? `${id}:credit` : `${id}:debit~undo`);
  return taken.status === 200 && end.status === 404;
}
