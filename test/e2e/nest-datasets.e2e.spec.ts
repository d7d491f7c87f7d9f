/**
 * What a NestJS service installs, against a real cluster: the promises of the port through a gateway at home and one
 * elsewhere, one account that three services empty at once, and a service that outlives its nearest gateway. Its page is
 * followed by newcomer.extended.spec.ts.
 */
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { ClientRequest } from 'node:http';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import {
  datasetToken,
  DecisionRefused,
  inSession,
  LockstepModule,
  openDatasetPort,
  readLockstepConfiguration,
  refuse,
  RequestSession,
  type ChangeMessage,
  type Dataset,
  type DatasetPort,
  type LockstepOptions,
} from '@lockstep/nest';
import { DATASET_PORT_PROMISES } from '@lockstep/nest/testing';
import type { Datasets } from '@lockstep/testing/sample';
import { Module, type Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { call, eventually, LocalCluster, REGIONS } from './local-cluster.js';

const WITHDRAWALS = 50;
const MONEY = 20;
const CALLERS = 4;
const DEPOSITS = 30;

type Accounts = Datasets['accounts'];

let cluster: LocalCluster;

beforeAll(async () => {
  cluster = await LocalCluster.start();
}, 180_000);

afterAll(async () => {
  await cluster?.stop();
}, 60_000);

type Region = (typeof REGIONS)[number];

const optionsOf = {
  'the gateway': (region: Region) => ({ gateway: cluster.gateway(region) }),
  'a gateway in this process': (region: Region) => ({
    region,
    catalogue: join(cluster.data, 'catalogue', region),
    postgresUrl: cluster.file.regions[region]!.postgres,
  }),
};

describe.each([
  ['the gateway', 'eu'],
  ['the gateway', 'ap'],
  ['a gateway in this process', 'eu'],
  ['a gateway in this process', 'ap'],
] as const)('through %s in %s, of accounts at home in eu', (kind, region) => {
  let port: DatasetPort;
  beforeAll(async () => {
    port = await openDatasetPort(readLockstepConfiguration(optionsOf[kind](region)));
  }, 60_000);
  afterAll(() => port?.close());

  test.each(DATASET_PORT_PROMISES)('$promise', ({ attack }) => attack(port));
});

function serviceOf(options: LockstepOptions): Type {
  @Module({ imports: [LockstepModule.forRoot(options), LockstepModule.forFeature(['accounts'])] })
  class Service {}
  return Service;
}

test('50 withdrawals at once through three services, one a gateway itself, from one account with money for 20: exactly 20', async () => {
  const services = await Promise.all(
    REGIONS.map((region) => {
      const kind = region === 'us' ? 'a gateway in this process' : 'the gateway';
      return NestFactory.createApplicationContext(serviceOf(optionsOf[kind](region)), { logger: false });
    }),
  );
  try {
    const accounts = services.map((service) =>
      service.get<Dataset<Accounts>>(datasetToken('accounts'), { strict: false }),
    );
    const key = 'us:emptied';
    await accounts[0]!.append(
      [
        { key, type: 'opened', data: { owner: 'Ada', currency: 'EUR' } },
        { key, type: 'credited', data: { amount: MONEY } },
      ],
      { ack: 'everywhere' },
    );
    const withdraw = (dataset: Dataset<Accounts>) =>
      dataset.decide(
        key,
        ({ row }) =>
          (row?.balance ?? 0) < 1
            ? refuse('nothing is left')
            : [{ key, type: 'debited', data: { amount: 1 } }],
        { timeoutMs: 60_000 },
      );
    const ended = await Promise.allSettled(
      Array.from({ length: WITHDRAWALS }, (_, index) => withdraw(accounts[index % accounts.length]!)),
    );

    const accepted = ended.filter((one) => one.status === 'fulfilled').map((one) => one.value!);
    expect(accepted.every(({ told }) => told.outcome === 'accepted')).toBe(true);
    expect(new Set(accepted.map(({ told }) => told.sequence)).size).toBe(MONEY);
    expect(accepted).toHaveLength(MONEY);
    const others = ended.filter((one) => one.status === 'rejected').map((one) => one.reason as unknown);
    expect(others.filter((error) => !(error instanceof DecisionRefused))).toEqual([]);
    expect(others.map((error) => (error as DecisionRefused).reason)).toEqual(
      Array.from({ length: WITHDRAWALS - MONEY }, () => 'nothing is left'),
    );

    await Promise.all(accepted.map((receipt) => receipt.reached('everywhere', { timeoutMs: 30_000 })));
    for (const region of REGIONS) {
      expect(await cluster.sql(region, 'select balance from accounts where id = $1', [key])).toEqual([
        { balance: '0' },
      ]);
    }
  } finally {
    await Promise.all(services.map((service) => service.close()));
  }
});

/** To whom this process sends HTTP requests from now on: `host:port` of each. */
function requestsSent(): { readonly hosts: string[]; readonly end: () => void } {
  const hosts: string[] = [];
  const note = (message: unknown): void =>
    void hosts.push(String((message as { readonly request: ClientRequest }).request.getHeader('host')));
  subscribe('http.client.request.start', note);
  return { hosts, end: () => unsubscribe('http.client.request.start', note) };
}

test('a service with gateways in eu and us goes on through us when that of eu is killed, each write with one effect and read by its writer, and goes to eu again', async () => {
  const [near, far] = [cluster.gateway('eu'), cluster.gateway('us')];
  const service = await NestFactory.createApplicationContext(serviceOf({ gateway: [near, far] }), {
    logger: false,
  });
  const sent = requestsSent();
  const askedSince = (): readonly string[] => [...new Set(sent.hosts.splice(0))];
  const told: ChangeMessage<Accounts>[] = [];
  const interruptions = (): number => told.filter(({ kind }) => kind === 'interrupted').length;
  const accounts = service.get<Dataset<Accounts>>(datasetToken('accounts'), { strict: false });
  const following = accounts.changes().subscribe((message) => told.push(message));
  try {
    const key = 'us:led-away';
    await accounts.append({ key, type: 'opened', data: { owner: 'Ada', currency: 'EUR' } });
    await eventually(
      () => Promise.resolve(told.length),
      (count) => count > 0,
    );
    let balance = 0;
    const deposit = (): Promise<void> =>
      inSession(new RequestSession(), async () => {
        const { versions } = await accounts.append({ key, type: 'credited', data: { amount: 1 } });
        balance += 1;
        expect((await accounts.read(key)).version).toBeGreaterThanOrEqual(versions[key]!);
      });
    // One whose region is half a second behind is not asked alone.
    const nearestServes = () =>
      eventually(
        async () => {
          askedSince();
          await deposit();
          return askedSince();
        },
        (asked) => asked.join() === new URL(near).host,
      );
    await nearestServes();

    const begun = balance;
    const kills: Promise<void>[] = [];
    const caller = async (): Promise<void> => {
      for (let index = 0; index < DEPOSITS; index += 1) {
        if (balance > begun + DEPOSITS && kills.length === 0)
          kills.push(cluster.orderProcess('kill', 'eu', 'gateway'));
        await deposit();
      }
    };
    await Promise.all(Array.from({ length: CALLERS }, caller));
    await Promise.all(kills);
    await deposit();
    expect(askedSince()).toContain(new URL(far).host);
    expect(balance).toBe(begun + CALLERS * DEPOSITS + 1);
    // The feed was resumed in us, and has missed nothing.
    await eventually(
      () => Promise.resolve(told.findLast((message) => message.kind === 'change' && message.key === key)),
      (message) => message?.kind === 'change' && message.row?.balance === balance,
    );
    expect(interruptions()).toBeGreaterThan(0);

    await cluster.orderProcess('start', 'eu', 'gateway');
    await eventually(
      () => call(`${near}/readyz`),
      ({ status }) => status === 200,
    );
    await nearestServes();
    expect(await accounts.read(key, { consistency: 'strong' })).toMatchObject({ row: { balance } });
    const versions = told.flatMap((message) =>
      message.kind === 'change' && message.key === key ? [message.version] : [],
    );
    expect(versions).toEqual(versions.toSorted((one, other) => one - other));
  } finally {
    sent.end();
    following.unsubscribe();
    await service.close();
  }
});
