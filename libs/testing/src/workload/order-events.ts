/**
 * Orders: placed, paid, then shipped or cancelled, one event at a time, each expecting the version that was told last.
 * A share expects another version on purpose. An order whose version became unknown is left alone.
 */
import type { HistoryEvent } from '../history/index.js';
import type { Chance } from '../world/chance.js';
import type { Ending } from './answer.js';
import type { Draft } from './draft.js';

/** Orders that wait for their next event; beyond it no new one is placed. */
const WAITING_MAX = 64;

type Step = 'placed' | 'paid' | 'shipped' | 'cancelled';

interface Order {
  readonly key: string;
  /** 0: there is no row yet. */
  readonly version: number;
  readonly next: Step;
}

export class OrderEvents {
  private readonly waiting: Order[] = [];
  private placed = 0;

  constructor(
    private readonly chance: Chance,
    private readonly wrongVersionsPercent: number,
    private readonly nameOf: (ordinal: string) => string,
  ) {}

  draw(): Draft {
    const order = this.take();
    const wrongVersion = this.chance.next() * 100 < this.wrongVersionsPercent;
    const event: HistoryEvent = {
      key: order.key,
      type: order.next,
      data: this.dataOf(order.next),
      expectedVersion: wrongVersion ? this.versionOtherThan(order.version) : order.version,
    };
    return {
      events: [event],
      isKeyed: true,
      wrongVersion,
      ack: this.chance.next() < 0.9 ? null : 'quorum',
      settle: (ending) => this.settle(order, ending),
    };
  }

  private take(): Order {
    const mayPlace = this.waiting.length < WAITING_MAX && this.chance.next() < 0.25;
    const waiting = mayPlace ? undefined : this.waiting.shift();
    if (waiting !== undefined) return waiting;
    const key = this.nameOf(`o${this.placed}`);
    this.placed += 1;
    return { key, version: 0, next: 'placed' };
  }

  private settle(order: Order, ending: Ending): void {
    // Nothing was written, so that its version is still the one that was told.
    if (ending.type === 'fail') this.waiting.push(order);
    if (ending.type !== 'ok') return;
    const version = ending.receipt?.versions?.[order.key];
    const next = this.after(order.next);
    if (version !== undefined && next !== null) this.waiting.push({ key: order.key, version, next });
  }

  private after(step: Step): Step | null {
    switch (step) {
      case 'placed':
        return this.chance.next() < 0.1 ? 'cancelled' : 'paid';
      case 'paid':
        return this.chance.next() < 0.2 ? 'cancelled' : 'shipped';
      case 'shipped':
      case 'cancelled':
        return null;
    }
  }

  private dataOf(step: Step): HistoryEvent['data'] {
    const { chance } = this;
    switch (step) {
      case 'placed':
        return { customer: `customer ${chance.below(1_000)}`, total: chance.below(100_000) };
      case 'paid':
        return {};
      case 'shipped':
        return { carrier: chance.pick(['sea', 'rail', 'road']) };
      case 'cancelled':
        return { reason: chance.pick(['too late', 'out of stock']) };
    }
  }

  private versionOtherThan(version: number): number {
    return version > 0 && this.chance.next() < 0.5 ? version - 1 : version + 1 + this.chance.below(1_000);
  }
}
