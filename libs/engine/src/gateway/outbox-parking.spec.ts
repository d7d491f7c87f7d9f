/** A home parks an outbox for a planned move and for nothing else, and every parking is ended whatever becomes of the move. */
import { afterEach, expect, test } from '@jest/globals';
import {
  epoch,
  OUTBOX_PARKED_MS_MAX,
  shardName,
  type DatasetName,
  type OpenMove,
  type RegionName,
} from '@lockstep/protocol';
import { Gate } from '../gate.js';
import { PortError } from '../ports/port-error.js';
import type { Clock } from '../ports/world.js';
import { OutboxParking, type OutboxParkingOptions } from './outbox-parking.js';

const EU = 'eu' as RegionName;
const SHARD = shardName('customers' as DatasetName, 0);
const OTHER = shardName('customers' as DatasetName, 1);

const move = (more: Partial<OpenMove> = {}): OpenMove =>
  ({
    decision: 7n,
    move: 'switchover',
    shard: SHARD,
    from: EU,
    to: 'us',
    stage: 'parked',
    undrained: 0,
    expectedEpoch: epoch(1n),
    ...more,
  }) as OpenMove;

/** Sleeps pass in the next turn, so the loop looks again as often as it is given turns. */
class Home {
  open: readonly OpenMove[] = [];
  epoch = 1n;
  failures = 0;
  readonly calls: string[] = [];
  readonly failed: string[] = [];
  private readonly parking: OutboxParking;
  private readonly running: Promise<void>;

  constructor() {
    const store: OutboxParkingOptions['store'] = {
      parkOutbox: (shard, parking, forMs) => this.called(`park ${shard} for ${parking}, ${forMs} ms`),
      unparkOutbox: (shard, parking) => this.called(`unpark ${shard} for ${parking}`),
      outboxStanding: () => Promise.reject(new Error('it is not asked')),
    };
    const clock = {
      sleep: () => ({
        done: new Promise<void>((resolve) => void setImmediate(resolve)),
        wake: () => undefined,
      }),
    } as unknown as Clock;
    this.parking = new OutboxParking({
      region: EU,
      shards: [SHARD, OTHER],
      feed: { own: () => ({ epoch: epoch(this.epoch) }) } as unknown as OutboxParkingOptions['feed'],
      control: {
        state: () => ({ open: this.open }),
        nextChange: () => new Gate(),
      } as unknown as OutboxParkingOptions['control'],
      store,
      observer: { report: (fact) => void this.failed.push(fact.kind) },
      clock,
    });
    this.running = this.parking.run();
  }

  async callsAfter(change: () => void): Promise<readonly string[]> {
    this.calls.length = 0;
    change();
    for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => void setImmediate(resolve));
    return [...this.calls];
  }

  async stop(): Promise<void> {
    this.parking.stop();
    await this.running;
  }

  private called(what: string): Promise<void> {
    this.calls.push(what);
    if (this.failures === 0) return Promise.resolve();
    this.failures -= 1;
    return Promise.reject(new PortError('store-disconnected', 'unknown', 'no answer came'));
  }
}

let home: Home;
afterEach(() => home.stop());

const PARK = `park ${SHARD} for 7 0, ${OUTBOX_PARKED_MS_MAX} ms`;
const UNPARK = `unpark ${SHARD} for 7 0`;

test.each([
  ['is cancelled', { open: [] }],
  ['is let go to be tried again', { open: [move({ stage: 'caught-up', undrained: 1 })] }],
  ['has left', { epoch: 2n }],
] as const)('a shard is parked once while a switchover holds it, and not after it %s', async (_how, end) => {
  home = new Home();
  expect(await home.callsAfter(() => (home.open = [move()]))).toEqual([PARK]);
  expect(await home.callsAfter(() => (home.open = [move({ stage: 'drained' })]))).toEqual([]);
  expect(await home.callsAfter(() => (home.open = [move({ stage: 'fencing' })]))).toEqual([]);
  expect(await home.callsAfter(() => void Object.assign(home, end))).toEqual([UNPARK]);
});

test('tried again it is parked anew', async () => {
  home = new Home();
  await home.callsAfter(() => (home.open = [move()]));
  const again = await home.callsAfter(() => (home.open = [move({ undrained: 1 })]));
  expect(again).toEqual([UNPARK, `park ${SHARD} for 7 1, ${OUTBOX_PARKED_MS_MAX} ms`]);
});

test.each([
  ['a failover', move({ move: 'failover' })],
  ['a move that holds nothing yet', move({ stage: 'caught-up' })],
  ['a move between other regions', move({ from: 'ap' as RegionName })],
  ['a move of an epoch that this region is past', move({ expectedEpoch: epoch(0n) })],
])('%s parks nothing', async (_what, open) => {
  home = new Home();
  expect(await home.callsAfter(() => (home.open = [open]))).toEqual([]);
});

test('a store that does not answer is asked again; what it may have parked is ended all the same', async () => {
  home = new Home();
  home.failures = 2;
  expect(await home.callsAfter(() => (home.open = [move()]))).toEqual([PARK, PARK, PARK]);
  expect(home.failed).toEqual(['loop-failed', 'loop-failed']);
  await home.callsAfter(() => (home.open = []));
  home.failures = 1;
  expect((await home.callsAfter(() => (home.open = [move()])))[0]).toBe(PARK);
  home.failures = 1;
  expect(await home.callsAfter(() => (home.open = []))).toEqual([UNPARK, UNPARK]);
});
