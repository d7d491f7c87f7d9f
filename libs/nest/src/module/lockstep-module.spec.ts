/** The module in applications as services build them: injection, requests, health, shutdown. */
import 'reflect-metadata';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { Body, Controller, Get, Injectable, Module, Param, Post } from '@nestjs/common';
import type { INestApplicationContext, Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { PortError } from '@lockstep/engine';
import { showsTable } from '../configuration/meaning-table.js';
import { credited, opened, openSample, withdraw, type Accounts } from '../dataset/accounts.fixture.js';
import type { DatasetPort } from '../dataset/dataset-port.js';
import { Dataset } from '../dataset/dataset.js';
import type { MemoryWorld } from '../testing/memory-world.js';
import { LockstepHealthIndicator } from './lockstep-health.js';
import {
  optionTable,
  printableConfiguration,
  readLockstepConfiguration,
  type LockstepOptions,
} from './lockstep-configuration.js';
import { datasetToken, InjectDataset, LockstepModule } from './lockstep-module.js';

let sample: MemoryWorld;
beforeAll(async () => {
  sample = await openSample();
});

const running: INestApplicationContext[] = [];
afterEach(async () => {
  for (const application of running.splice(0)) await application.close();
});

@Injectable()
class AccountsService {
  constructor(@InjectDataset('accounts') readonly accounts: Dataset<Accounts>) {}
}

@Controller('accounts')
class AccountsController {
  constructor(private readonly service: AccountsService) {}

  @Post()
  async open(): Promise<object> {
    const { id, replayed } = await this.service.accounts.append([opened(), credited(20)]);
    return { id, replayed };
  }

  @Post(':key/withdrawals')
  async withdraw(@Param('key') key: string, @Body() body: { readonly amount: number }): Promise<object> {
    const receipt = await this.service.accounts.decide(key as 'eu:ada', withdraw(body.amount));
    return { id: receipt!.id, replayed: receipt!.replayed };
  }

  @Get(':key')
  async read(@Param('key') key: string): Promise<object> {
    const { row } = await this.service.accounts.read(key as 'eu:ada');
    return { balance: row?.balance ?? null };
  }
}

@Module({
  imports: [LockstepModule.forFeature(['accounts'])],
  controllers: [AccountsController],
  providers: [AccountsService],
})
class AccountsModule {}

function appWith(lockstep: ReturnType<typeof LockstepModule.forPort>): Type {
  @Module({ imports: [lockstep, AccountsModule] })
  class AppModule {}
  return AppModule;
}

async function contextWith(lockstep: Parameters<typeof appWith>[0]): Promise<INestApplicationContext> {
  const application = await NestFactory.createApplicationContext(appWith(lockstep), {
    logger: false,
    abortOnError: false,
  });
  running.push(application);
  return application;
}

async function served(port: DatasetPort): Promise<string> {
  const application = await NestFactory.create(appWith(LockstepModule.forPort(port)), { logger: false });
  running.push(application);
  await application.listen(0, '127.0.0.1');
  return application.getUrl();
}

const gateway = 'http://127.0.0.1:7101';

describe('configuration', () => {
  test('needs a gateway and knows the rest by itself', () => {
    expect(readLockstepConfiguration({ gateway })).toEqual({
      gateway: [gateway],
      timeoutMs: 10_000,
      settleMs: 5_000,
      conflictsMax: 32,
      callsMax: 1_000,
      drainMs: 10_000,
    });
  });

  test('what is wrong is named with what to set, all at once, and no secret is repeated', () => {
    const wrong = { gateway: 'ftp://u:secret@x', timeoutMs: 0.5, drainMs: 60_001, tiemout: 1 };
    const read = (): unknown => readLockstepConfiguration(wrong as unknown as LockstepOptions);
    expect(read).toThrow(
      'timeoutMs: is not a whole number of milliseconds from 1 to 60000. Set it to a whole number of milliseconds from 1 to 60000.',
    );
    for (const named of [
      'gateway: it is no URL of http: or https://host',
      'drainMs',
      'tiemout: is no option',
    ])
      expect(read).toThrow(named);
    expect(read).not.toThrow('secret');
    expect(() => readLockstepConfiguration({} as LockstepOptions)).toThrow('gateway: is not set.');
    expect(() => readLockstepConfiguration(null as unknown as LockstepOptions)).toThrow('is no object');
  });

  test('takes several gateways, in their order', () => {
    const list = [gateway, 'https://far.example'];
    expect(readLockstepConfiguration({ gateway: list }).gateway).toEqual(list);
    const wrong = (told: unknown, text: string): void =>
      expect(() => readLockstepConfiguration({ gateway: told } as LockstepOptions)).toThrow(
        `gateway: ${text}.`,
      );
    wrong([], 'the list is empty');
    wrong([gateway, gateway], 'the list names one twice');
    wrong(
      Array.from({ length: 17 }, (_, index) => `${gateway}/${index}`),
      'the list has more than 16',
    );
    wrong([gateway, 'nowhere'], 'it is no URL');
    wrong([gateway, 7], 'is neither a text nor a list of texts');
  });

  test('takes a region in place of a gateway, wholly', () => {
    const postgresUrl = 'postgres://u:secret@db/app';
    const region = { region: 'eu', catalogue: 'infra/catalogue/sample', postgresUrl };
    expect(readLockstepConfiguration(region)).toMatchObject(region);
    const wrong = (options: LockstepOptions, text: string): void =>
      expect(() => readLockstepConfiguration(options)).toThrow(text);
    wrong({ region: 'eu' }, 'catalogue: is not set. Set it to the path of a folder.');
    wrong({ region: 'eu' }, 'postgresUrl: is not set.');
    wrong(
      { ...region, gateway },
      'gateway: stands beside `region`. Set it to nothing, or leave `region` away.',
    );
    wrong({ gateway, postgresUrl }, 'postgresUrl: means nothing without `region`.');
    wrong({ ...region, region: 'E U' }, 'region: it is no name of a region.');
  });

  test.each([
    { gateway: 'http://u:secret@gateway:80/?key=secret' },
    { gateway: ['http://near:80', 'http://u:secret@far:80/'] },
    { region: 'eu', catalogue: '.', postgresUrl: 'postgres://u:secret@db/app' },
  ])('is printed without secrets', (options) => {
    const configuration = readLockstepConfiguration(options);
    expect(JSON.stringify(printableConfiguration(configuration))).not.toContain('secret');
  });

  test('stands in the README as it is', () => {
    const readme = readFileSync(join(import.meta.dirname, '../../README.md'), 'utf8');
    expect(showsTable(readme, optionTable())).toBe(true);
  });
});

describe('the module', () => {
  test.each([
    ['forRoot', () => LockstepModule.forRoot({ gateway })],
    ['forRoot with a list', () => LockstepModule.forRoot({ gateway: [gateway, 'http://127.0.0.1:7102'] })],
    ['forRootAsync', () => LockstepModule.forRootAsync({ useFactory: () => Promise.resolve({ gateway }) })],
    ['forPort', () => LockstepModule.forPort(sample.empty().port())],
  ])('%s: handles are injected, and found by their token', async (_name, lockstep) => {
    const application = await contextWith(lockstep());
    const { accounts } = application.get(AccountsService);
    expect(accounts).toBeInstanceOf(Dataset);
    expect(application.select(AccountsModule).get(datasetToken('accounts'))).toBe(accounts);
  });

  test('a configuration that cannot be used stops the start', async () => {
    await expect(contextWith(LockstepModule.forRoot({ gateway: 'nowhere' }))).rejects.toMatchObject({
      code: 'misconfigured',
    });
  });

  test('health has the shape of terminus', async () => {
    const up = await contextWith(LockstepModule.forPort(sample.empty().port()));
    expect(await up.get(LockstepHealthIndicator).isHealthy('lockstep')).toEqual({
      lockstep: { status: 'up' },
    });
    const down = await contextWith(
      LockstepModule.forPort({
        ...sample.empty().port(),
        readiness: () => Promise.reject(new PortError('gateway-unreachable', 'retryable', 'nobody there')),
      }),
    );
    expect(await down.get(LockstepHealthIndicator).isHealthy('lockstep')).toEqual({
      lockstep: { status: 'down', message: 'nobody there' },
    });
  });
});

describe('a request', () => {
  test('carries its key into the writes and their token into the response, refusals too', async () => {
    const url = await served(sample.empty().port());
    const post = (path: string, key: string, body: object = {}) =>
      fetch(`${url}${path}`, {
        method: 'POST',
        headers: { 'idempotency-key': key, 'content-type': 'application/json' },
        body: JSON.stringify(body),
      });
    const first = await post('/accounts', 'k1');
    expect(await first.json()).toEqual({ id: 'k1', replayed: false });
    const token = first.headers.get('lockstep-token');
    expect(token).toMatch(/^1~accounts\//);
    expect(await (await post('/accounts', 'k1')).json()).toEqual({ id: 'k1', replayed: true });
    const read = await fetch(`${url}/accounts/eu:ada`, { headers: { 'lockstep-token': token! } });
    expect(await read.json()).toEqual({ balance: 20 });

    expect(await (await post('/accounts/eu:ada/withdrawals', 'k2', { amount: 20 })).json()).toEqual({
      id: 'k2#1',
      replayed: false,
    });
    expect(await (await post('/accounts/eu:ada/withdrawals', 'k2', { amount: 20 })).json()).toEqual({
      id: 'k2#1',
      replayed: true,
    });
    const refused = await post('/accounts/eu:ada/withdrawals', 'k3', { amount: 1 });
    expect(refused.status).toBe(409);
    expect(await refused.json()).toMatchObject({
      code: 'decision-refused',
      message: expect.stringContaining('0 is less than 1'),
    });
    const rejected = await post('/accounts', 'k4');
    expect(rejected.status).toBe(409);
    expect(rejected.headers.get('lockstep-token')).toMatch(/^1~accounts\//);
  });

  test.each([
    [{ 'lockstep-token': '1~damaged' }, 'Lockstep-Token cannot be read'],
    [{ 'idempotency-key': 'k'.repeat(101) }, 'Idempotency-Key must be'],
  ])('with headers that cannot be meant is refused: %j', async (headers, message) => {
    const url = await served(sample.empty().port());
    const answer = await fetch(`${url}/accounts/eu:ada`, { headers });
    expect(answer.status).toBe(400);
    expect(await answer.json()).toMatchObject({ message: expect.stringContaining(message) });
  });
});

describe('a shutdown', () => {
  function slowly(): {
    readonly port: DatasetPort;
    readonly arrived: Promise<void>;
    answer(): void;
    closed(): boolean;
  } {
    const port = sample.empty().port();
    let answer!: () => void;
    let arrive!: () => void;
    let closed = false;
    const answered = new Promise<void>((resolve) => {
      answer = resolve;
    });
    const arrived = new Promise<void>((resolve) => {
      arrive = resolve;
    });
    const slow: DatasetPort = {
      ...port,
      write: async (call) => {
        arrive();
        await answered;
        return port.write(call);
      },
      close: () => {
        closed = true;
      },
    };
    return { port: slow, arrived, answer, closed: () => closed };
  }

  test('takes no more, answers what is under way, then ends the port', async () => {
    const { answer, arrived, closed, port } = slowly();
    const application = await contextWith(LockstepModule.forPort(port));
    const { accounts } = application.get(AccountsService);
    const write = accounts.append(opened());
    await arrived;
    const closing = application.close();
    let refusal: unknown = null;
    while (refusal === null) {
      refusal = await accounts.read('eu:ada').then(
        () => null,
        (error: unknown) => error,
      );
    }
    expect(refusal).toMatchObject({ code: 'closing' });
    expect(closed()).toBe(false);
    answer();
    expect((await write).told.outcome).toBe('accepted');
    await closing;
    expect(closed()).toBe(true);
  });

  test('waits no longer than it may', async () => {
    const { answer, arrived, closed, port } = slowly();
    const application = await contextWith(LockstepModule.forPort(port, { drainMs: 1 }));
    const write = application.get(AccountsService).accounts.append(opened());
    await arrived;
    await application.close();
    expect(closed()).toBe(true);
    answer();
    await write;
  });
});
