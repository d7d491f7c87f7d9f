/** What the second client does where a broker breaks off or is silent, and what it is not trusted with. */
import type { AddressInfo, Server, Socket } from 'node:net';
import { createServer } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { Reader, readRecord } from '@platformatic/kafka';
import { BrokerLink } from './broker-link.js';
import { readBatches } from './fetch-answer.js';
import type { BrokerAddress } from './kafka-client.js';
import { versionsCall } from './kafkajs-internals.js';
import { platformaticClient } from './platformatic-client.js';
import { batchBytes } from './record-batch.fixture.js';

describe('a link with @platformatic/kafka', () => {
  const REQUEST_BOUND = { timeoutMs: 60_000, prolongTimesMax: 0 };
  let server: Server;
  let accepted: Promise<Socket>;
  let address: BrokerAddress;
  let link: BrokerLink;

  beforeEach(async () => {
    server = createServer();
    accepted = new Promise((resolve) => server.once('connection', resolve));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    address = { host: '127.0.0.1', port: (server.address() as AddressInfo).port };
    link = new BrokerLink(address, {
      client: platformaticClient,
      clientId: 'c',
      socketFactory: null,
      onClientLog: null,
    });
  });

  afterEach(async () => {
    link.close();
    (await accepted).destroy();
    await new Promise((resolve) => server.close(resolve));
  });

  test('ends a call at a broker that is silent by its own time, and is dead then', async () => {
    await link.open(60_000);
    expect(link.usable).toBe(true);
    const asking = link.send(versionsCall(), { timeoutMs: 20, prolongTimesMax: 0 });
    await expect(asking).rejects.toMatchObject({ kind: 'link-timed-out' });
    expect(link.usable).toBe(false);
  });

  test('ends a call under way as soon as it is closed', async () => {
    await link.open(60_000);
    const asking = link.send(versionsCall(), REQUEST_BOUND);
    link.close();
    await expect(asking).rejects.toMatchObject({ kind: 'link-closed' });
  });

  test('tells that the broker broke off, which is no time-out', async () => {
    await link.open(60_000);
    const asking = link.send(versionsCall(), REQUEST_BOUND);
    const broker = await accepted;
    broker.once('data', () => broker.destroy());
    await expect(asking).rejects.toMatchObject({ kind: 'link-unreachable' });
  });

  test('tells that nobody listens', async () => {
    const { port } = address;
    await link.open(60_000);
    link.close();
    (await accepted).destroy();
    await new Promise((resolve) => server.close(resolve));
    const other = new BrokerLink(
      { host: '127.0.0.1', port },
      { client: platformaticClient, clientId: 'c', socketFactory: null, onClientLog: null },
    );
    await expect(other.open(60_000)).rejects.toMatchObject({ kind: 'link-unreachable' });
  });

  test('is not led through proxies', async () => {
    await link.open(60_000);
    const proxied = new BrokerLink(address, {
      client: platformaticClient,
      clientId: 'c',
      socketFactory: () => {
        throw new Error('nobody asks for a socket');
      },
      onClientLog: null,
    });
    await expect(proxied.open(60_000)).rejects.toThrow('use kafkajs behind proxies');
  });
});

describe('a damaged batch', () => {
  /** Attributes, time, offset, key and value are nothing; then so many headers, of which each takes as much as it gives back. */
  const HEADERS = 100_000;
  const endless = Buffer.from([0, 0, 0, 0x01, 0x01, 0xc0, 0x9a, 0x0c, 0x01, 0x03]);

  test('is read without a bound by @platformatic/kafka: ten bytes become a hundred thousand headers', () => {
    const record = Buffer.concat([Buffer.of(2 * endless.length), endless]);
    expect(readRecord(Reader.from(record)).headers).toHaveLength(HEADERS);
  });

  test('is not handed to it', () => {
    const batch = batchBytes({ baseOffset: 3n, records: [{ key: null, value: null, headers: [] }] });
    batch.writeUInt8(batch.readUInt8(batch.length - 1) ^ 1, batch.length - 1);
    expect(() => readBatches(batch, 3n, platformaticClient.readBatch)).toThrow(
      expect.objectContaining({ kind: 'batch-unreadable', message: expect.stringContaining('checksum') }),
    );
  });
});
