import { afterEach, describe, expect, jest, test } from '@jest/globals';
import { once } from 'node:events';
import { createServer, get } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import type { RegionName } from '@lockstep/protocol';
import type { StreamConnection, StreamFrame } from '@lockstep/engine';
import { httpStreams, SILENCE_MS_MAX } from './stream-client.js';
import { encodeFrame, LINE_BYTES_MAX } from './stream-frame.js';
import { KEEP_ALIVE_INTERVAL_MS } from './long-answer.js';
import { serveStream, STREAM_CONTENT_TYPE } from './stream-server.js';
import type { Subscription } from '@lockstep/engine';
import { verdictsFrame, watermarkFrame } from './stream-frames.fixture.js';

const EU = 'eu' as RegionName;
const PREFIX = '0123456789abcdef';

const closing: (() => unknown)[] = [];
afterEach(async () => {
  jest.useRealTimers();
  for (const close of closing.splice(0).reverse()) await close();
});

/** A replicator's address whose answers the test writes itself. */
async function replicator(
  answer: (request: IncomingMessage, response: ServerResponse) => void | Promise<void>,
): Promise<{ address: string; server: Server }> {
  const server = createServer((request, response) => void answer(request, response)).listen(0, '127.0.0.1');
  await once(server, 'listening');
  closing.push(() => {
    server.closeAllConnections();
    server.close();
  });
  return { address: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, server };
}

async function connect(address: string, prefix: string | null = null): Promise<StreamConnection> {
  const connection = await httpStreams(new Map([[EU, [address]]])).connect(EU, 0, prefix);
  closing.push(() => connection.close());
  return connection;
}

const begin = (response: ServerResponse): void => {
  response.writeHead(200, { 'content-type': STREAM_CONTENT_TYPE });
  response.flushHeaders();
};

/** Fake timers for this library's own clocks only; sockets go on by themselves. */
const holdTime = (): void =>
  void jest.useFakeTimers({ doNotFake: ['nextTick', 'setImmediate', 'queueMicrotask', 'performance'] });

/** A hub's subscription whose frames the test tells. */
class ToldSubscription implements Subscription {
  readonly #frames: StreamFrame[][] = [];
  #wake: () => void = () => undefined;
  closed = false;
  asked = 0;

  tell(...frames: StreamFrame[]): void {
    this.#frames.push(frames);
    this.#wake();
  }

  async next(): Promise<readonly StreamFrame[]> {
    this.asked += 1;
    while (this.#frames.length === 0) {
      if (this.closed) throw new Error('subscription closed');
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    return this.#frames.shift() as StreamFrame[];
  }

  close(): void {
    this.closed = true;
    this.#wake();
  }
}

async function framesUntil(connection: StreamConnection, count: number): Promise<StreamFrame[]> {
  const frames: StreamFrame[] = [];
  while (frames.length < count) frames.push(...(await connection.next()));
  return frames;
}

describe('a stream', () => {
  test('brings the frames of a subscription in the order told', async () => {
    const subscription = new ToldSubscription();
    const { address } = await replicator((_request, response) => void serveStream(subscription, response));
    const connection = await connect(address);
    const told = Array.from({ length: 500 }, (_, index) =>
      index % 2 === 0 ? watermarkFrame(BigInt(index)) : verdictsFrame(BigInt(index)),
    );
    for (const frame of told) subscription.tell(frame);
    expect(await framesUntil(connection, told.length)).toEqual(told);
  });

  test('asks for the verdicts of one process, or of none', async () => {
    const asked: (string | undefined)[] = [];
    const { address } = await replicator((request, response) => {
      asked.push(request.url);
      begin(response);
    });
    await connect(address, PREFIX);
    await connect(address);
    expect(asked).toEqual([`/v1/stream?verdicts=${PREFIX}`, '/v1/stream']);
  });

  test('gives all frames that arrived since the last call at once', async () => {
    const { address } = await replicator((_request, response) => {
      begin(response);
      response.write(
        encodeFrame(watermarkFrame(1n)) + encodeFrame(watermarkFrame(2n)) + encodeFrame(watermarkFrame(3n)),
      );
    });
    const connection = await connect(address);
    expect(await connection.next()).toHaveLength(3);
  });

  test('does not care where the network cuts a line, not even inside a character', async () => {
    const { address } = await replicator(async (_request, response) => {
      begin(response);
      for (const byte of Buffer.from(encodeFrame(watermarkFrame(1n)), 'utf8')) {
        response.write(Buffer.of(byte));
        await new Promise(setImmediate);
      }
    });
    const connection = await connect(address);
    expect(await connection.next()).toEqual([watermarkFrame(1n)]);
  });

  test('reads like any other response with a plain HTTP client', async () => {
    const subscription = new ToldSubscription();
    const { address } = await replicator((_request, response) => void serveStream(subscription, response));
    const response = await fetch(`${address}/v1/stream`);
    expect(response.headers.get('content-type')).toBe('application/x-ndjson');
    subscription.tell(watermarkFrame(1n));
    const reader = (response.body as ReadableStream<Uint8Array>).getReader();
    const { value } = await reader.read();
    expect(new TextDecoder().decode(value)).toBe(encodeFrame(watermarkFrame(1n)));
    await reader.cancel();
  });
});

test('frames that are told at one moment are one chunk of the answer', async () => {
  const subscription = new ToldSubscription();
  const { address } = await replicator((_request, response) => void serveStream(subscription, response));
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    get(`${address}/v1/stream`, resolve).on('error', reject);
  });
  const chunk = once(response, 'data') as Promise<Buffer[]>;
  subscription.tell(watermarkFrame(1n), watermarkFrame(2n));
  const [bytes] = await chunk;
  expect(String(bytes)).toBe(encodeFrame(watermarkFrame(1n)) + encodeFrame(watermarkFrame(2n)));
  response.destroy();
});

describe('a slow reader', () => {
  test('stops the subscription from being asked, and gets everything in order when it reads on', async () => {
    const total = 40_000;
    let given = 0;
    let end: (error: Error) => void = () => undefined;
    const subscription: Subscription = {
      next: () => {
        if (given === total) return new Promise((_resolve, reject) => (end = reject));
        given += 100;
        return Promise.resolve(
          Array.from({ length: 100 }, (_, index) => watermarkFrame(BigInt(given - 100 + index))),
        );
      },
      close: () => end(new Error('subscription closed')),
    };
    let response: ServerResponse | undefined;
    const { address } = await replicator((_request, answer) => {
      response = answer;
      void serveStream(subscription, answer);
    });
    const connection = await connect(address);
    // Nobody calls next(): the client's buffer fills, then the sockets', then the response says so.
    while (response?.writableNeedDrain !== true || !(await isStill(() => given)))
      await new Promise(setImmediate);
    expect(given).toBeLessThan(total);
    const frames = await framesUntil(connection, total);
    expect(frames.map((frame) => (frame.kind === 'watermark' ? frame.watermark.sequence : null))).toEqual(
      Array.from({ length: total }, (_, index) => BigInt(index)),
    );
  });

  test('that takes nothing for 30 s is cut off', async () => {
    holdTime();
    const subscription: Subscription = { next: async () => [verdictsFrame(1n)], close: () => undefined };
    let served: Promise<void> | undefined;
    let response: ServerResponse | undefined;
    const { address } = await replicator((_request, answer) => {
      response = answer;
      served = serveStream(subscription, answer);
    });
    const reader = await fetch(`${address}/v1/stream`);
    while (response?.writableNeedDrain !== true) await new Promise(setImmediate);
    let ended = false;
    void served?.then(() => (ended = true));
    while (!ended) {
      jest.advanceTimersByTime(1_000);
      await new Promise(setImmediate);
    }
    expect(response.destroyed).toBe(true);
    await expect(reader.text()).rejects.toThrow();
  });
});

/** True when the value did not move while the event loop turned some hundred times. */
async function isStill(value: () => number): Promise<boolean> {
  const before = value();
  for (let turn = 0; turn < 300; turn += 1) await new Promise(setImmediate);
  return value() === before;
}

describe('silence', () => {
  test('of 3 s ends a connection', async () => {
    const { address } = await replicator((_request, response) => begin(response));
    holdTime();
    const connection = await connect(address);
    const next = connection.next();
    jest.advanceTimersByTime(SILENCE_MS_MAX);
    await expect(next).rejects.toMatchObject({
      name: 'PortError',
      code: 'stream-silent',
      disposition: 'retryable',
    });
    await expect(connection.next()).rejects.toMatchObject({ code: 'stream-silent' });
  });

  test('does not come from a server that has nothing to tell', async () => {
    const subscription = new ToldSubscription();
    holdTime();
    let lines = 0;
    const { address } = await replicator((_request, response) => {
      const write = response.write.bind(response);
      response.write = ((chunk: string) => {
        lines += 1;
        return write(chunk);
      }) as typeof response.write;
      void serveStream(subscription, response);
    });
    const connection = await connect(address);
    const next = connection.next();
    for (let second = 1; second <= 10; second += 1) {
      jest.advanceTimersByTime(KEEP_ALIVE_INTERVAL_MS);
      expect(lines).toBe(second);
      // Lets the line travel before time goes on.
      for (let turn = 0; turn < 50; turn += 1) await new Promise(setImmediate);
    }
    subscription.tell(watermarkFrame(1n));
    expect(await next).toEqual([watermarkFrame(1n)]);
  });
});

describe('a connection that breaks', () => {
  const GARBAGE = '{"kind":"perhaps"}\n';

  test('gives what arrived before, then rejects for good', async () => {
    const { address } = await replicator((_request, response) => {
      begin(response);
      response.write(encodeFrame(watermarkFrame(1n)) + GARBAGE + encodeFrame(watermarkFrame(2n)));
    });
    const connection = await connect(address);
    expect(await connection.next()).toEqual([watermarkFrame(1n)]);
    await expect(connection.next()).rejects.toMatchObject({
      code: 'stream-garbage',
      disposition: 'retryable',
    });
    await expect(connection.next()).rejects.toMatchObject({ code: 'stream-garbage' });
  });

  test('by a line without end is garbage, not memory', async () => {
    const { address } = await replicator((_request, response) => {
      begin(response);
      response.write('x'.repeat(LINE_BYTES_MAX + 1));
    });
    const connection = await connect(address);
    await expect(connection.next()).rejects.toMatchObject({ code: 'stream-garbage' });
  });

  test('by an orderly end rejects', async () => {
    const { address } = await replicator((_request, response) => {
      begin(response);
      response.end();
    });
    const connection = await connect(address);
    await expect(connection.next()).rejects.toMatchObject({ code: 'stream-ended', disposition: 'retryable' });
  });

  test('by a half-closed socket in the middle of a frame rejects', async () => {
    const { address } = await replicator((_request, response) => {
      begin(response);
      response.write(encodeFrame(watermarkFrame(1n)).slice(0, 40), () => (response.socket as Socket).end());
    });
    const connection = await connect(address);
    await expect(connection.next()).rejects.toMatchObject({
      code: 'stream-broken',
      disposition: 'retryable',
    });
  });

  test('by a reset rejects', async () => {
    const { address } = await replicator((_request, response) => {
      begin(response);
      (response.socket as Socket).resetAndDestroy();
    });
    const connection = await connect(address);
    await expect(connection.next()).rejects.toMatchObject({ name: 'PortError', disposition: 'retryable' });
  });

  test('closed by its reader rejects the call that waits, and closes the subscription at the other end', async () => {
    const subscription = new ToldSubscription();
    let served: Promise<void> | undefined;
    const { address } = await replicator((_request, response) => {
      served = serveStream(subscription, response);
    });
    const connection = await connect(address);
    const next = connection.next();
    connection.close();
    await expect(next).rejects.toMatchObject({ code: 'stream-closed' });
    await served;
    expect(subscription.closed).toBe(true);
  });

  test('because the subscription ended is ended for the reader and told to the server', async () => {
    const subscription = new ToldSubscription();
    let served: Promise<void> | undefined;
    const { address } = await replicator((_request, response) => {
      served = serveStream(subscription, response);
      served.catch(() => undefined);
    });
    const connection = await connect(address);
    const next = connection.next();
    subscription.close();
    await expect(next).rejects.toMatchObject({ code: 'stream-ended' });
    await expect(served).rejects.toThrow('subscription closed');
  });
});

describe('connecting', () => {
  test('to a region without address is fatal: no repetition will find one', async () => {
    await expect(httpStreams(new Map()).connect(EU, 0, null)).rejects.toMatchObject({
      code: 'region-unknown',
      disposition: 'fatal',
    });
  });

  test('to nobody is retryable', async () => {
    const { address, server } = await replicator(() => undefined);
    server.close();
    await once(server, 'close');
    await expect(connect(address)).rejects.toMatchObject({
      code: 'stream-unreachable',
      disposition: 'retryable',
    });
  });

  test.each([
    ['another status', 503, STREAM_CONTENT_TYPE],
    ['another content', 200, 'text/html'],
  ])('to somebody who answers %s is retryable', async (_what, status, type) => {
    const { address } = await replicator(
      (_request, response) => void response.writeHead(status, { 'content-type': type }).end(),
    );
    await expect(connect(address)).rejects.toMatchObject({
      code: 'stream-unreachable',
      disposition: 'retryable',
    });
  });

  test('to somebody who does not answer ends within 3 s', async () => {
    let reached: () => void = () => undefined;
    const arrived = new Promise<void>((resolve) => (reached = resolve));
    const { address } = await replicator(() => reached());
    holdTime();
    const connection = connect(address);
    await arrived;
    jest.advanceTimersByTime(3_000);
    await expect(connection).rejects.toMatchObject({ code: 'stream-unreachable', disposition: 'retryable' });
  });
});
