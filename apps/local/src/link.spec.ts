import { afterEach, describe, expect, test } from '@jest/globals';
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { FETCH, PRODUCE, requestFrame, responseFrame } from './kafka-frames.fixture.js';
import { Link } from './link.js';
import { ResponseSwallower } from './response-swallower.js';

const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

/** A server that answers every byte with the same byte, and what it has received. */
async function echo() {
  const received: string[] = [];
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    sockets.push(socket);
    socket.on('error', () => undefined);
    socket.on('data', (bytes) => {
      received.push(String(bytes));
      socket.write(bytes);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  closing.push(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return { host: '127.0.0.1', port: (server.address() as AddressInfo).port, received, sockets };
}

async function linkTo(
  there: { readonly host: string; readonly port: number },
  delayMs: number,
  swallower?: ResponseSwallower,
) {
  const link = new Link({ from: 'eu', to: 'us', delayMs, ...(swallower === undefined ? {} : { swallower }) });
  const here = await link.open({ host: '127.0.0.1', port: 0 }, there);
  closing.push(() => link.close());
  return { link, here };
}

function client(here: { readonly host: string; readonly port: number }): Socket {
  const socket = connect(here);
  socket.on('error', () => undefined);
  closing.push(() => socket.destroy());
  return socket;
}

async function answer(socket: Socket): Promise<string> {
  const [bytes] = (await once(socket, 'data')) as [Buffer];
  return String(bytes);
}

/** Connected and with one round trip behind it. */
async function established(here: { readonly host: string; readonly port: number }): Promise<Socket> {
  const socket = client(here);
  socket.write('hello');
  expect(await answer(socket)).toBe('hello');
  return socket;
}

describe('a link', () => {
  test('delays each direction: a round trip takes at least twice the delay, a new connection twice as long', async () => {
    const { here } = await linkTo(await echo(), 40);
    const begunMs = performance.now();
    const socket = await established(here);
    expect(performance.now() - begunMs).toBeGreaterThanOrEqual(4 * 40 - 5);
    const againMs = performance.now();
    socket.write('x');
    await answer(socket);
    expect(performance.now() - againMs).toBeGreaterThanOrEqual(2 * 40 - 5);
  });

  test('keeps bytes complete and in order', async () => {
    const { here } = await linkTo(await echo(), 1);
    const socket = client(here);
    const sent = Buffer.from(Array.from({ length: 6 * 1024 * 1024 }, (_, index) => (index * 31) % 251));
    socket.end(sent);
    const parts: Buffer[] = [];
    let length = 0;
    for await (const part of socket as AsyncIterable<Buffer>) {
      parts.push(part);
      length += part.length;
      if (length === sent.length) break;
    }
    expect(Buffer.concat(parts).equals(sent)).toBe(true);
  });

  test('a cut holds back what an open connection sends, and healing delivers it', async () => {
    const there = await echo();
    const { link, here } = await linkTo(there, 5);
    const other = await linkTo(there, 5);
    const [cutOff, free] = [await established(here), await established(other.here)];
    link.setCut(['onward', 'back']);
    cutOff.write('held');
    free.write('free');
    await answer(free);
    expect(there.received).not.toContain('held');
    link.setCut([]);
    expect(await answer(cutOff)).toBe('held');
  });

  test('a one-way cut lets the other direction through', async () => {
    const there = await echo();
    const { link, here } = await linkTo(there, 5);
    const socket = await established(here);
    link.setCut(['onward']);
    socket.write('lost');
    there.sockets[0]?.write('news');
    expect(await answer(socket)).toBe('news');
    expect(there.received).not.toContain('lost');

    link.setCut(['back']);
    await once(there.sockets[0] as Socket, 'data');
    expect(there.received).toContain('lost');
  });

  test('a connection made during a cut reaches nobody before it is healed', async () => {
    const there = await echo();
    const { link, here } = await linkTo(there, 1);
    const other = await linkTo(there, 1);
    link.setCut(['back']);
    const early = client(here);
    await once(early, 'connect');
    early.write('early');
    await established(other.here);
    expect(there.sockets).toHaveLength(1);
    link.setCut([]);
    expect(await answer(early)).toBe('early');
  });

  test('an end and a lost connection pass through too', async () => {
    const there = await echo();
    const { here } = await linkTo(there, 5);
    const socket = await established(here);
    there.sockets[0]?.destroy();
    await once(socket, 'close');
    expect(socket.destroyed).toBe(true);
  });
});

describe('a link to a broker', () => {
  /** A server that says only what the test says. */
  async function silent() {
    const sockets: Socket[] = [];
    const server = createServer((socket) => {
      sockets.push(socket);
      socket.on('error', () => undefined);
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    closing.push(() => {
      for (const socket of sockets) socket.destroy();
      server.close();
    });
    return { host: '127.0.0.1', port: (server.address() as AddressInfo).port, sockets, server };
  }

  test('swallows a produce response with its connection, after the request was carried out', async () => {
    const swallower = new ResponseSwallower();
    const broker = await silent();
    const { here } = await linkTo(broker, 1, swallower);
    const connected = async () => {
      const arrival = once(broker.server, 'connection');
      const socket = client(here);
      const [brokerSide] = (await arrival) as [Socket];
      return { socket, brokerSide };
    };
    const [one, other] = [await connected(), await connected()];
    swallower.swallowNext(1);
    const delivered: Buffer[] = [];
    one.socket.on('data', (bytes: Buffer) => delivered.push(bytes));

    const asked = Buffer.concat([requestFrame(FETCH, 7), requestFrame(PRODUCE, 8), requestFrame(FETCH, 9)]);
    let arrived = Buffer.alloc(0);
    const allArrived = new Promise<void>((settle) => {
      one.brokerSide.on('data', (bytes: Buffer) => {
        arrived = Buffer.concat([arrived, bytes]);
        if (arrived.length === asked.length) settle();
      });
    });
    one.socket.write(asked);
    await allArrived;
    expect(arrived.equals(asked)).toBe(true);

    const ends = Promise.all([once(one.socket, 'close'), once(one.brokerSide, 'close')]);
    one.brokerSide.write(Buffer.concat([responseFrame(7), responseFrame(8), responseFrame(9)]));
    await ends;
    expect(Buffer.concat(delivered).equals(responseFrame(7))).toBe(true);
    expect(swallower).toMatchObject({ due: 0, swallowed: 1 });

    // The next answer, of another connection of the link, is delivered.
    other.socket.write(requestFrame(PRODUCE, 1));
    await once(other.brokerSide, 'data');
    other.brokerSide.write(responseFrame(1));
    const [bytes] = (await once(other.socket, 'data')) as [Buffer];
    expect(bytes.equals(responseFrame(1))).toBe(true);
  });
});
