/** The service as its callers meet it, over datasets in memory. */
import 'reflect-metadata';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { datasetTypes, describeFindings, loadCatalogue } from '@lockstep/catalogue';
import { LockstepModule } from '@lockstep/nest';
import type { MemoryWorld } from '@lockstep/nest/testing';
import type { INestApplication } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { Validator } from '@seriousme/openapi-schema-validator';
import { ledgerApplication } from './ledger-application.js';
import { LedgerMisconfigured, readLedgerConfiguration } from './ledger-configuration.js';
import { openSample } from './sample-world.fixture.js';

let sample: MemoryWorld;
beforeAll(async () => {
  sample = await openSample();
});

const running: INestApplication[] = [];
afterEach(async () => {
  for (const application of running.splice(0)) await application.close();
});

interface Answered {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Readonly<Record<string, unknown>>;
}

class Caller {
  private constructor(
    readonly world: MemoryWorld,
    private readonly url: string,
  ) {}

  static async open(): Promise<Caller> {
    const world = sample.empty();
    // Without a database: customers are saved in test/e2e, where there is one.
    const noDatabase = TypeOrmModule.forRoot({ type: 'postgres', manualInitialization: true });
    const lockstep = LockstepModule.forPort(world.port());
    const application = await ledgerApplication(lockstep, noDatabase, { quiet: true });
    running.push(application);
    await application.listen(0, '127.0.0.1');
    return new Caller(world, await application.getUrl());
  }

  /** With two accounts, of which one holds 20. */
  static async withMoney(): Promise<Caller> {
    const caller = await Caller.open();
    for (const account of ['eu:ada', 'us:bob'])
      await caller.post('/accounts', { account, owner: 'somebody', currency: 'EUR' });
    await caller.post('/accounts/eu:ada/deposits', { amount: 20 });
    return caller;
  }

  post(path: string, body: object, headers: Record<string, string> = {}): Promise<Answered> {
    const init = { method: 'POST', body: JSON.stringify(body) };
    return this.call(path, { ...init, headers: { 'content-type': 'application/json', ...headers } });
  }

  async call(path: string, init: RequestInit = {}): Promise<Answered> {
    const answer = await fetch(`${this.url}${path}`, init);
    const body = (await answer.json()) as Answered['body'];
    return { status: answer.status, headers: answer.headers, body };
  }

  async balance(account: string): Promise<unknown> {
    return (await this.call(`/accounts/${account}`)).body['balance'];
  }
}

describe('an account', () => {
  test('is opened, paid into and read behind the token of the answer', async () => {
    const caller = await Caller.open();
    const body = { account: 'eu:ada', owner: 'Ada', currency: 'EUR' };
    const opened = await caller.post('/accounts', body, { 'idempotency-key': 'k1' });
    expect(opened).toMatchObject({ status: 201, body: { id: 'k1', stage: 'everywhere', replayed: false } });
    const again = await caller.post('/accounts', body, { 'idempotency-key': 'k1' });
    expect(again).toMatchObject({ status: 201, body: { id: 'k1', replayed: true } });
    const paid = await caller.post('/accounts/eu:ada/deposits', { amount: 20 });
    const token = paid.headers.get('lockstep-token')!;
    const read = await caller.call('/accounts/eu:ada', { headers: { 'lockstep-token': token } });
    expect(read.body).toEqual({ account: 'eu:ada', owner: 'Ada', currency: 'EUR', balance: 20 });
    expect((await caller.call('/accounts/eu:nobody')).status).toBe(404);
  });

  test('gives what it holds, and tells whoever wants more', async () => {
    const caller = await Caller.withMoney();
    expect((await caller.post('/accounts/eu:ada/withdrawals', { amount: 20 })).status).toBe(200);
    const refused = await caller.post('/accounts/eu:ada/withdrawals', { amount: 1 });
    expect(refused).toMatchObject({
      status: 409,
      body: { code: 'decision-refused', message: expect.stringContaining('eu:ada holds 0, less than 1') },
    });
  });

  test.each([
    ['/accounts', { account: 'mars:ada', owner: 'Ada', currency: 'EUR' }, 'such as eu:ada'],
    ['/accounts', { account: 'eu:ada', owner: 'Ada', currency: 'euro' }, 'ISO 4217'],
    ['/accounts', { account: 'eu:ada', owner: 'Ada', currency: 'EUR', balance: 5 }, 'balance'],
    ['/accounts/eu:ada/deposits', { amount: 0 }, 'amount'],
    ['/accounts/eu:ada/withdrawals', { amount: 1.5 }, 'amount'],
    ['/transfers', { from: 'eu:ada', to: 'eu:ada', amount: 1 }, 'two accounts'],
  ])('what cannot be meant is refused at the door: %s %j', async (path, body, message) => {
    const caller = await Caller.withMoney();
    const refused = await caller.post(path, body, { 'idempotency-key': 'k1' });
    expect(refused.status).toBe(400);
    expect(JSON.stringify(refused.body)).toContain(message);
    expect(await caller.balance('eu:ada')).toBe(20);
  });
});

describe('a transfer', () => {
  const order = { from: 'eu:ada', to: 'us:bob', amount: 15 };
  const key = { 'idempotency-key': 't1' };

  test('moves money between shards, once under its key', async () => {
    const caller = await Caller.withMoney();
    for (let time = 0; time < 2; time += 1)
      expect((await caller.post('/transfers', order, key)).body).toEqual({ id: 't1', state: 'completed' });
    expect([await caller.balance('eu:ada'), await caller.balance('us:bob')]).toEqual([5, 15]);
  });

  test.each([
    [{ ...order, amount: 21 }, 'debit'],
    [{ ...order, to: 'us:nobody' }, 'credit'],
  ])('that is refused takes nothing from anybody: %j', async (refused, step) => {
    const caller = await Caller.withMoney();
    const { body, status } = await caller.post('/transfers', refused, key);
    expect(status).toBe(200);
    expect(body).toMatchObject({ id: 't1', state: 'refused', why: { step, code: 'guard' } });
    expect([await caller.balance('eu:ada'), await caller.balance('us:bob')]).toEqual([20, 0]);
  });

  test('under the key of another one is refused', async () => {
    const caller = await Caller.withMoney();
    await caller.post('/transfers', order, key);
    expect(await caller.post('/transfers', { ...order, amount: 1 }, key)).toMatchObject({
      status: 422,
      body: { code: 'key-reused' },
    });
  });

  test('without a key is refused: nobody could ask for it again', async () => {
    const caller = await Caller.withMoney();
    expect(await caller.post('/transfers', order)).toMatchObject({
      status: 400,
      body: { message: expect.stringContaining('Idempotency-Key') },
    });
  });

  test.each(['answer-lost', 'request-lost', 'fenced', 'busy'] as const)(
    'under the fault %s is made once',
    async (fault) => {
      const caller = await Caller.withMoney();
      caller.world.next(fault);
      expect((await caller.post('/transfers', order, key)).body).toEqual({ id: 't1', state: 'completed' });
      expect(caller.world.faultsLeft).toEqual([]);
      expect([await caller.balance('eu:ada'), await caller.balance('us:bob')]).toEqual([5, 15]);
    },
  );
});

describe('the service', () => {
  test('is compiled with the types of the catalogue as it is', async () => {
    const read = await loadCatalogue(join(import.meta.dirname, '../../../infra/catalogue/sample'));
    if (read.kind === 'invalid') throw new Error(describeFindings(read.findings));
    const command =
      'npx lockstep catalogue types --catalogue ../../../infra/catalogue/sample --out datasets.ts';
    const text = readFileSync(join(import.meta.dirname, 'datasets.ts'), 'utf8');
    expect(text).toBe(datasetTypes(read.catalogue, command));
  });

  test('tells that it lives and whether writes can be taken', async () => {
    const caller = await Caller.open();
    expect((await caller.call('/healthz')).body).toMatchObject({ status: 'ok' });
    expect((await caller.call('/readyz')).body).toMatchObject({ info: { lockstep: { status: 'up' } } });
  });

  test('describes every call in a valid OpenAPI document', async () => {
    const { body } = await (await Caller.open()).call('/openapi.json');
    expect(await new Validator().validate(body)).toMatchObject({ valid: true });
    expect(Object.keys(body['paths'] as object).sort()).toEqual([
      '/accounts',
      '/accounts/{account}',
      '/accounts/{account}/deposits',
      '/accounts/{account}/withdrawals',
      '/customers/{customer}',
      '/healthz',
      '/readyz',
      '/transfers',
    ]);
    expect(JSON.stringify(body)).toContain('"amount"');
  });

  test('reads its environment once and names all that is wrong', () => {
    const LEDGER_GATEWAY = 'http://127.0.0.1:7101';
    const LEDGER_DATABASE = 'postgres://somebody@127.0.0.1:7401/eu';
    expect(readLedgerConfiguration({ LEDGER_GATEWAY, LEDGER_DATABASE })).toEqual({
      gateway: LEDGER_GATEWAY,
      database: LEDGER_DATABASE,
      host: '127.0.0.1',
      port: 7801,
    });
    const wrong = (): unknown => readLedgerConfiguration({ LEDGER_LISTEN: '0.0.0.0:80' });
    expect(wrong).toThrow(LedgerMisconfigured);
    expect(wrong).toThrow(/LEDGER_GATEWAY must[^]*LEDGER_DATABASE must[^]*LEDGER_LISTEN must/);
  });
});
