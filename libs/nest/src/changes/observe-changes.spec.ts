/** The Observable of a dataset's changes, on the world in memory and against ports that break off. */
import { beforeAll, describe, expect, test } from '@jest/globals';
import { PortError } from '@lockstep/engine';
import { problem } from '@lockstep/protocol';
import { firstValueFrom, lastValueFrom, take, toArray, type Observable } from 'rxjs';
import { accountsOn, credited, opened, openSample, type Accounts } from '../dataset/accounts.fixture.js';
import type { DatasetPort, PortFeed } from '../dataset/dataset-port.js';
import type { MemoryWorld } from '../testing/memory-world.js';
import { EventParser } from './event-parser.js';
import type { ChangeMessage } from './observe-changes.js';

let sample: MemoryWorld;
beforeAll(async () => {
  sample = await openSample();
});

const first = <Value>(count: number, of: Observable<Value>): Promise<Value[]> =>
  firstValueFrom(of.pipe(take(count), toArray()));
const positionOf = ({ position }: ChangeMessage<Accounts>): string => position!;

test('begins with its position, tells what is written from then on, and resumes without a gap', async () => {
  const accounts = accountsOn(sample.empty().port());
  await accounts.append(opened('us:before'));
  const begun = positionOf((await first(1, accounts.changes()))[0]!);
  const told = first(2, accounts.changes({ from: begun }));
  const { versions } = await accounts.append([opened(), credited(5)]);
  const [, change] = await told;
  expect(change).toMatchObject({
    kind: 'change',
    key: 'eu:ada',
    version: versions['eu:ada'],
    row: { owner: 'Ada', balance: 5 },
  });
  await accounts.append(credited(1));
  const [, resumed] = await first(2, accounts.changes({ from: positionOf(change!) }));
  expect(resumed).toMatchObject({ key: 'eu:ada', row: { balance: 6 } });
});

/** Each feed breaks off after one call, and only the later ones can be opened. */
function breaking(port: DatasetPort): DatasetPort {
  let opening = 0;
  return {
    ...port,
    changes: async (call): ReturnType<DatasetPort['changes']> => {
      opening += 1;
      if (opening === 2) throw new PortError('feed-broken', 'retryable', 'nobody there');
      if (opening === 3) {
        const headers = { 'retry-after': '0' };
        return { status: 503, headers, body: JSON.stringify(problem('not-ready', 'starting')) };
      }
      const feed = (await port.changes(call)) as PortFeed;
      let calls = 0;
      const next = async (): ReturnType<PortFeed['next']> => {
        calls += 1;
        if (calls === 1) return feed.next();
        if (opening > 4) return feed.next();
        throw new PortError('feed-broken', 'retryable', 'broken off');
      };
      return { next, close: () => feed.close() };
    },
  };
}

test('what breaks off is told once and resumed at the last position', async () => {
  const world = sample.empty();
  const accounts = accountsOn(breaking(world.port()));
  const messages: ChangeMessage<Accounts>[] = [];
  const told = new Promise<void>((resolve) => {
    const subscription = accounts.changes().subscribe((message) => {
      messages.push(message);
      if (message.kind === 'interrupted')
        void accountsOn(world.port()).append(opened(`eu:n${messages.length}`));
      if (messages.filter(({ kind }) => kind === 'change').length < 2) return;
      subscription.unsubscribe();
      resolve();
    });
  });
  await told;
  const kinds = messages.map(({ kind }) => kind);
  expect(kinds.slice(0, 3)).toEqual(['position', 'interrupted', 'position']);
  expect(messages.flatMap((message) => (message.kind === 'change' ? [message.key] : []))).toEqual([
    'eu:n2',
    'eu:n4',
  ]);
});

describe('ends', () => {
  test.each([
    [
      'feed-expired',
      410,
      async () => (await first(1, accountsOn(sample.empty().port()).changes()))[0]!.position!,
    ],
    ['bad-token', 400, async () => Promise.resolve('garbage')],
  ])('with the error %s where coming back changes nothing', async (code, status, from) => {
    const changes = accountsOn(sample.empty().port()).changes({ from: await from() });
    await expect(lastValueFrom(changes)).rejects.toMatchObject({ code, status });
  });

  test('when its signal aborts', async () => {
    const aborting = new AbortController();
    const aborted = lastValueFrom(accountsOn(sample.empty().port()).changes({ signal: aborting.signal }));
    aborting.abort();
    await expect(aborted).rejects.toMatchObject({ name: 'EmptyError' });
  });
});

describe('events', () => {
  const text =
    ':\n\nid: p1\nevent: change\ndata: {"key":"ü"}\n\nevent: position\nid: p2\r\ndata: {}\n\nid: p3\n\n';

  test.each([1, 2, 7, 1_000])('are read from pieces of %i bytes', (size) => {
    const bytes = new TextEncoder().encode(text);
    const parser = new EventParser();
    const events = Array.from({ length: Math.ceil(bytes.length / size) }, (_, index) =>
      parser.take(bytes.slice(index * size, (index + 1) * size)),
    ).flat();
    expect(events).toEqual([
      { name: 'change', id: 'p1', data: '{"key":"ü"}' },
      { name: 'position', id: 'p2', data: '{}' },
    ]);
  });

  test('that never end are a failure', () => {
    const parser = new EventParser();
    const line = new TextEncoder().encode(`data: ${'x'.repeat(1024 * 1024)}\n`);
    expect(() => {
      for (let lines = 0; lines < 9; lines += 1) parser.take(line);
    }).toThrow('longer than');
  });
});
