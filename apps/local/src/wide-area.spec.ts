import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import type { KafkaNode } from './kafka-node.js';
import { choosePorts } from './port-plan.js';
import { WideArea } from './wide-area.js';

const regions = ['eu', 'us', 'ap'];
const sockets: Socket[] = [];
let area: WideArea;
let gateways: Readonly<Record<string, Server>>;
let gatewayPorts: Readonly<Record<string, number>>;

beforeEach(async () => {
  const { plan } = await choosePorts({ kind: 'auto' }, { regions, brokers: 3, wideArea: true }, null);
  const nodes = plan.brokers.map((ports, index): KafkaNode => ({
    id: index + 1,
    ports,
    region: regions[index] as string,
  }));
  area = new WideArea({ regions, nodes, plan, delayMs: 1 });
  await area.open();
  gatewayPorts = Object.fromEntries(
    regions.map((region) => [region, plan.regions[region]?.gateway as number]),
  );
  gateways = Object.fromEntries(
    regions.map((region) => [
      region,
      createServer((socket) => {
        sockets.push(socket);
        socket.on('error', () => undefined);
        socket.on('data', (bytes) => socket.write(bytes));
      }).listen(gatewayPorts[region], '127.0.0.1'),
    ]),
  );
  await Promise.all(Object.values(gateways).map((server) => once(server, 'listening')));
});

afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await area.close();
  for (const server of Object.values(gateways)) server.close();
});

/** A connection from one region's view to another's gateway. */
function call(from: string, to: string): { readonly socket: Socket; readonly answer: Promise<unknown> } {
  const socket = connect({ host: area.hostOf(to, from), port: gatewayPorts[to] as number });
  sockets.push(socket);
  socket.on('error', () => undefined);
  socket.write('x');
  return { socket, answer: once(socket, 'data') };
}

describe('the wide area', () => {
  test('a region is itself on loopback and every other one behind a link of its own', () => {
    expect(area.hostOf('us', 'us')).toBe('127.0.0.1');
    expect(new Set([area.hostOf('us', 'eu'), area.hostOf('us', 'ap'), area.hostOf('eu', 'us')]).size).toBe(3);
  });

  test('cutting a region leaves the others connected, and healing brings it back', async () => {
    area.cut({ region: 'eu', oneWay: false });
    const [toEu, fromEu] = [call('us', 'eu'), call('eu', 'ap')];
    let early = 0;
    for (const { socket } of [toEu, fromEu]) socket.on('data', () => (early += 1));
    await call('us', 'ap').answer;
    await call('ap', 'us').answer;
    expect(early).toBe(0);
    expect(area.cuts).toEqual([{ region: 'eu', oneWay: false }]);
    area.heal('eu');
    await Promise.all([toEu.answer, fromEu.answer]);
  });

  test('a one-way cut loses what the region sends, on connections of either side', async () => {
    const fromUs = call('us', 'eu');
    const toUs = call('eu', 'us');
    await Promise.all([fromUs.answer, toUs.answer]);
    area.cut({ region: 'us', oneWay: true });
    let late = 0;
    for (const { socket } of [fromUs, toUs]) socket.on('data', () => (late += 1));
    // What us asks does not leave it; what us answers does not either.
    fromUs.socket.write('y');
    toUs.socket.write('y');
    await call('eu', 'ap').answer;
    expect(late).toBe(0);
    area.heal('us');
    await Promise.all([once(fromUs.socket, 'data'), once(toUs.socket, 'data')]);
  });

  test('two cuts are healed one by one', () => {
    area.cut({ region: 'eu', oneWay: false });
    area.cut({ region: 'us', oneWay: true });
    area.heal('eu');
    expect(area.cuts).toEqual([{ region: 'us', oneWay: true }]);
    expect(() => area.heal('eu')).toThrow('nothing to heal');
    expect(() => area.cut({ region: 'mars', oneWay: false })).toThrow('no region mars');
  });
});
