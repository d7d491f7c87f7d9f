/** Change feeds over HTTP: as they are written, bounded in number, and ended with the role. */
import { afterEach, expect, test } from '@jest/globals';
import { Gate, type FeedMessage } from '@lockstep/engine';
import { problem } from '@lockstep/protocol';
import { openLogger } from '@lockstep/telemetry';
import type { Telling } from '@lockstep/transport';
import type { GatewayApi } from '../http/gateway-api.js';
import { problemAnswer, type HttpAnswer } from '../http/http-answer.js';
import { serveRole, type ServedRole } from '../role/serve-role.js';
import { FEEDS_MAX } from './changes.controller.js';

const OK: HttpAnswer = { status: 200, headers: {}, body: '{}' };
let served: ServedRole | null = null;
afterEach(async () => {
  await served?.close();
  served = null;
});

async function serve(changes: GatewayApi['changes']): Promise<string> {
  const role = {
    gateway: { changes } as GatewayApi,
    health: { health: () => OK, ready: () => OK },
    metricsText: () => Promise.resolve(''),
    refused: () => undefined,
    close: () => Promise.resolve(),
  };
  const logger = openLogger(
    { level: 'error', service: 'lockstep', region: 'eu', role: 'gateway', instance: 'test' },
    { write: () => undefined },
  );
  served = await serveRole(role, { host: '127.0.0.1', port: 0 }, logger);
  return `${served.url}/v1/datasets/accounts/changes`;
}

/** Tells these, and then waits until it is closed. */
function telling(...messages: readonly FeedMessage[]): Telling<FeedMessage> {
  const closing = new Gate();
  const left = [messages];
  return {
    next: async () => {
      const told = left.pop();
      if (told !== undefined && told.length > 0) return told;
      await closing.opened();
      return null;
    },
    close: () => closing.open(),
  };
}

test('messages are events, with the position to resume from as their id; the role that stops ends them', async () => {
  const asked: unknown[] = [];
  const url = await serve(({ headers, ...call }) => {
    asked.push([call, headers['last-event-id']]);
    return Promise.resolve(
      telling(
        { kind: 'position', position: 'p1' },
        { kind: 'change', key: 'eu:a', version: 3, row: { owner: 'A\nB' }, position: null },
        { kind: 'change', key: 'eu:b', version: 4, row: null, position: 'p2' },
        { kind: 'end', problem: problem('feed-expired', 'gone') },
      ),
    );
  });
  const response = await fetch(`${url}?from=p0`, { headers: { 'last-event-id': 'p1' } });
  expect(response.headers.get('content-type')).toBe('text/event-stream');
  const closed = served!.close();
  const events = (await response.text()).split('\n\n').filter((event) => event !== ':' && event !== '');
  await closed;
  expect(events.slice(0, 3)).toEqual([
    'id: p1\nevent: position\ndata: {}',
    'event: change\ndata: {"key":"eu:a","version":3,"row":{"owner":"A\\nB"}}',
    'id: p2\nevent: change\ndata: {"key":"eu:b","version":4,"row":null}',
  ]);
  expect(events[3]).toMatch(/^event: end\ndata: .*"code":"feed-expired"/);
  expect(asked).toEqual([[{ dataset: 'accounts', query: { from: 'p0' } }, 'p1']]);
});

test('a refusal is told as it is, and other methods are none', async () => {
  const url = await serve(() => Promise.resolve(problemAnswer('feed-expired', 'gone')));
  const refused = await fetch(url);
  expect([refused.status, ((await refused.json()) as { code: string }).code]).toEqual([410, 'feed-expired']);
  expect((await fetch(url, { method: 'POST' })).status).toBe(405);
  expect((await fetch(url, { method: 'HEAD' })).status).toBe(405);
});

test('there is a bound on those that are open; one that ends makes room', async () => {
  const feeds: Telling<FeedMessage>[] = [];
  const url = await serve(() => {
    const feed = telling({ kind: 'position', position: 'p' });
    feeds.push(feed);
    return Promise.resolve(feed);
  });
  const open = await Promise.all(Array.from({ length: FEEDS_MAX }, () => fetch(url)));
  const refused = await fetch(url);
  expect([refused.status, refused.headers.get('retry-after')]).toEqual([503, '1']);
  expect(((await refused.json()) as { code: string }).code).toBe('overloaded');
  feeds[0]!.close();
  // The one that ended says so to its reader only when it was counted out.
  await Promise.race(open.map((response) => response.text()));
  const again = await fetch(url);
  expect(again.status).toBe(200);
  for (const feed of feeds) feed.close();
  await Promise.all([again.text(), ...open.map((response) => response.bodyUsed || response.text())]);
});
