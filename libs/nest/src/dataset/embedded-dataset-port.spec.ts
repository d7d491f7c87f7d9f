/** The port upon a gateway's API that behaves badly; that it keeps the promises is shown on a real cluster. */
import { expect, test } from '@jest/globals';
import type { GatewayApi } from '../http/gateway-api.js';
import { BODY_BYTES_MAX } from '../http/incoming.js';
import { embeddedDatasetPort } from './embedded-dataset-port.js';

const never = new Promise<never>(() => undefined);
const ok = { status: 200, headers: { 'Retry-After': '2' }, body: '{}' };
const call = { dataset: 'accounts', body: '{}', idempotencyKey: 'k', timeoutMs: 1_000 };

function portTo(api: Partial<GatewayApi>) {
  const seen = { released: 0, ended: 0 };
  const gateway = {
    admit: () => ({ release: () => (seen.released += 1) }),
    ...api,
  } as unknown as GatewayApi;
  const port = embeddedDatasetPort({
    gateway,
    health: { health: () => ok, ready: () => ok },
    metricsText: () => Promise.resolve(''),
    refused: () => undefined,
    close: () => {
      seen.ended += 1;
      return Promise.resolve();
    },
  });
  return { port, seen };
}

test('an answer comes as it is, its headers in lower case, and what was admitted is released', async () => {
  const { port, seen } = portTo({ write: () => Promise.resolve(ok) });
  expect(await port.write(call)).toEqual({ status: 200, headers: { 'retry-after': '2' }, body: '{}' });
  expect(seen.released).toBe(1);
});

test('what is refused at the door, or larger than a gateway reads, is answered and goes no further', async () => {
  const { port } = portTo({ admit: () => ({ refused: { ...ok, status: 503 } }) });
  expect((await port.write(call)).status).toBe(503);
  const large = await port.write({ ...call, body: ' '.repeat(BODY_BYTES_MAX + 1) });
  expect(large.status).toBe(413);
});

test('a defect says nothing about the write', async () => {
  const { port, seen } = portTo({ write: () => Promise.reject(new Error('defect')) });
  await expect(port.write(call)).rejects.toMatchObject({ code: 'gateway-defect', disposition: 'unknown' });
  expect(seen.released).toBe(1);
});

test('the end of the application leaves calls under way unknown, takes no more, and ends the gateway once', async () => {
  const { port, seen } = portTo({ write: () => never });
  const under = expect(port.write(call)).rejects.toMatchObject({ disposition: 'unknown' });
  await Promise.all([port.close(), port.close()]);
  await under;
  await expect(port.write(call)).rejects.toMatchObject({ disposition: 'retryable' });
  expect(seen.ended).toBe(1);
});

test('feeds end with the port, and one more than a gateway holds is refused', async () => {
  let open = 0;
  const { port } = portTo({
    changes: () => {
      open += 1;
      const ended = Promise.withResolvers<null>();
      return Promise.resolve({
        next: () => ended.promise,
        close: () => {
          open -= 1;
          ended.resolve(null);
        },
      });
    },
  });
  const asked = { dataset: 'accounts', from: null, timeoutMs: 1_000 };
  const feeds = await Promise.all(Array.from({ length: 257 }, () => port.changes(asked)));
  expect(feeds.filter((feed) => 'status' in feed && feed.status === 503)).toHaveLength(1);
  const [feed] = feeds;
  if (feed === undefined || 'status' in feed) throw new Error('no feed');
  const next = feed.next();
  await port.close();
  expect(await next).toBeNull();
  expect(open).toBe(0);
});
