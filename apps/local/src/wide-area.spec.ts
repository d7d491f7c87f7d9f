import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import type { KafkaNode } from './kafka-node.js';
import { choosePorts } from './port-plan.js';
import { WideArea } from './wide-area.js';

const regions = ['eu', 'us', 'ap'];
const sockets: Socket[] = [];
let area: WideArea;
let nodes: readonly KafkaNode[];
let gateways: Readonly<Record<string, Server>>;
let gatewayPorts: Readonly<Record<string, number>>;

beforeEach(async () => {
  const { plan } = await choosePorts(
    { kind: 'auto' },
    { regions, brokers: 3, wideArea: true, standby: false, ledger: false, jaeger: false },
    null,
  );
  nodes = plan.brokers.map((ports, index): KafkaNode => ({
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
    regions.map((region) => [region, echoServer().listen(gatewayPorts[region], '127.0.0.1')]),
  );
  await Promise.all(Object.values(gateways).map((server) => once(server, 'listening')));
});

afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await area.close();
  for (const server of Object.values(gateways)) server.close();
});

function echoServer(): Server {
  return createServer((socket) => {
    sockets.push(socket);
    socket.on('error', () => undefined);
    socket.on('data', (bytes) => socket.write(bytes));
  });
}

function ask(host: string, port: number): { readonly socket: Socket; readonly answer: Promise<unknown> } {
  const socket = connect({ host, port });
  sockets.push(socket);
  socket.on('error', () => undefined);
  socket.write('x');
  return { socket, answer: once(socket, 'data') };
}

/** A connection from one region's view to another's gateway. */
const call = (from: string, to: string) => ask(area.hostOf(to, from), gatewayPorts[to] as number);

describe('the wide area', () => {
  test('a region is itself on loopback and every other one behind a link of its own', () => {
    expect(area.hostOf('us', 'us')).toBe('127.0.0.1');
    expect(new Set([area.hostOf('us', 'eu'), area.hostOf('us', 'ap'), area.hostOf('eu', 'us')]).size).toBe(3);
  });

  test('a region finds its own broker behind a link too, one that a cut of the region leaves alone', async () => {
    const eu = nodes[0] as KafkaNode;
    const host = area.advertisedHost(eu, 'eu');
    expect(host).not.toBe('127.0.0.1');
    expect(host).not.toBe(area.advertisedHost(eu, 'us'));
    const port = eu.ports.byRegion['eu'] as number;
    const broker = echoServer().listen(port, '127.0.0.1');
    await once(broker, 'listening');
    area.cut({ region: 'eu', lost: 'both' });
    await ask(host, port).answer;
    broker.close();
  });

  test('swallows are ordered and counted by region', () => {
    area.swallow('us', 3);
    expect(area.status.swallowing).toEqual([
      { region: 'eu', due: 0, swallowed: 0 },
      { region: 'us', due: 3, swallowed: 0 },
      { region: 'ap', due: 0, swallowed: 0 },
    ]);
    expect(() => area.swallow('mars', 1)).toThrow('no region mars');
  });

  test('cutting a region leaves the others connected, and healing brings it back', async () => {
    area.cut({ region: 'eu', lost: 'both' });
    const [toEu, fromEu] = [call('us', 'eu'), call('eu', 'ap')];
    let early = 0;
    for (const { socket } of [toEu, fromEu]) socket.on('data', () => (early += 1));
    await call('us', 'ap').answer;
    await call('ap', 'us').answer;
    expect(early).toBe(0);
    expect(area.status.cuts).toEqual([{ region: 'eu', lost: 'both' }]);
    area.heal('eu');
    await Promise.all([toEu.answer, fromEu.answer]);
  });

  test('a one-way cut loses what the region sends, on connections of either side', async () => {
    const fromUs = call('us', 'eu');
    const toUs = call('eu', 'us');
    await Promise.all([fromUs.answer, toUs.answer]);
    area.cut({ region: 'us', lost: 'sent' });
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

  test('a deaf region receives nothing, on connections of either side, and what it sends arrives', async () => {
    const atEu = once(gateways['eu'] as Server, 'connection') as Promise<[Socket]>;
    const fromUs = call('us', 'eu');
    const toUs = call('eu', 'us');
    const [[heard]] = await Promise.all([atEu, fromUs.answer, toUs.answer]);
    area.cut({ region: 'us', lost: 'received' });
    let late = 0;
    for (const { socket } of [fromUs, toUs]) socket.on('data', () => (late += 1));
    fromUs.socket.write('y');
    toUs.socket.write('y');
    await once(heard, 'data');
    await call('eu', 'ap').answer;
    expect(late).toBe(0);
    area.heal('us');
    await Promise.all([once(fromUs.socket, 'data'), once(toUs.socket, 'data')]);
  });

  test('two cuts are healed one by one', () => {
    area.cut({ region: 'eu', lost: 'both' });
    area.cut({ region: 'us', lost: 'sent' });
    area.heal('eu');
    expect(area.status.cuts).toEqual([{ region: 'us', lost: 'sent' }]);
    expect(() => area.heal('eu')).toThrow('nothing to heal');
    expect(() => area.cut({ region: 'mars', lost: 'both' })).toThrow('no region mars');
  });
});
