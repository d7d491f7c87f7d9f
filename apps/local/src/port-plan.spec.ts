import { describe, expect, test } from '@jest/globals';
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { BASE_PORT_MAX } from './options.js';
import { choosePorts, planPorts, portsOf, REGIONS_MAX } from './port-plan.js';

const three = {
  regions: ['eu', 'us', 'ap'],
  brokers: 1,
  wideArea: false,
  standby: false,
  ledger: false,
  jaeger: false,
};

describe('ports', () => {
  test('the well-known ones are those that the contract names', () => {
    const plan = planPorts('well-known', three);
    expect(plan.brokers[0]?.client).toBe(19_092);
    expect(plan.regions['eu']).toEqual({
      gateway: 7101,
      coordinator: 7201,
      replicator: 7301,
      postgres: 7401,
      standby: null,
      ledger: null,
    });
    expect(plan.regions['ap']).toEqual({
      gateway: 7103,
      coordinator: 7203,
      replicator: 7303,
      postgres: 7403,
      standby: null,
      ledger: null,
    });
  });

  test('standbys have ports of their own and move no other', () => {
    const { regions } = planPorts('well-known', { ...three, standby: true });
    expect(Object.values(regions).map(({ standby }) => standby)).toEqual([7701, 7702, 7703]);
    expect(regions['eu']).toMatchObject({
      gateway: 7101,
      coordinator: 7201,
      replicator: 7301,
      postgres: 7401,
    });
  });

  test('ledgers have ports of their own too', () => {
    const { regions } = planPorts('well-known', { ...three, ledger: true });
    expect(Object.values(regions).map(({ ledger }) => ledger)).toEqual([7801, 7802, 7803]);
  });

  test('Jaeger has the ports that everybody knows it by, or two of the block', () => {
    const shape = { ...three, jaeger: true };
    expect(planPorts('well-known', shape).jaeger).toEqual({ otlp: 4318, query: 16_686 });
    expect(planPorts({ base: 20_000 }, shape).jaeger).toEqual({ otlp: 20_691, query: 20_692 });
    expect(planPorts('well-known', three).jaeger).toBeNull();
  });

  test('no port is planned twice, also at the largest size', () => {
    const shape = {
      regions: Array.from({ length: REGIONS_MAX }, (_, index) => `r${index}`),
      brokers: 3,
      wideArea: true,
      standby: true,
      ledger: true,
      jaeger: true,
    };
    for (const base of ['well-known', { base: BASE_PORT_MAX }] as const) {
      const ports = portsOf(planPorts(base, shape), shape);
      expect(new Set(ports).size).toBe(ports.length);
      expect(Math.max(...ports)).toBeLessThan(65_536);
    }
  });

  test('a taken port is refused with exit code 3 and its number', async () => {
    const { autoBase } = await choosePorts({ kind: 'auto' }, three, null);
    const base = autoBase as number;
    const holder = createServer().listen(planPorts({ base }, three).regions['us']?.gateway, '127.0.0.1');
    await once(holder, 'listening');
    try {
      await expect(choosePorts({ kind: 'base', base }, three, null)).rejects.toMatchObject({
        code: 'port-taken',
        exitCode: 3,
        message: expect.stringContaining(String((holder.address() as AddressInfo).port)),
      });
    } finally {
      holder.close();
    }
  });

  test('auto keeps its last base while it is free and leaves it when it is not', async () => {
    const first = (await choosePorts({ kind: 'auto' }, three, null)).autoBase as number;
    expect((await choosePorts({ kind: 'auto' }, three, first)).autoBase).toBe(first);
    const holder = createServer().listen(first + 101, '127.0.0.1');
    await once(holder, 'listening');
    try {
      expect((await choosePorts({ kind: 'auto' }, three, first)).autoBase).not.toBe(first);
    } finally {
      holder.close();
    }
  });
});
