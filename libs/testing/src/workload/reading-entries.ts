/** Readings: entries of 1 to 100 events, each with a row of its own; mostly small, mostly without a key. */
import type { Chance } from '../world/chance.js';
import type { Draft } from './draft.js';

const EVENTS_MAX = 100;
const BATCH_ENTRIES_MAX = 20;
/** Any instant will do; a fixed one keeps the operations a function of the seed. */
const FIRST_AT_MS = Date.UTC(2026, 0, 1);

export class ReadingEntries {
  private entries = 0;

  constructor(
    private readonly chance: Chance,
    private readonly nameOf: (ordinal: string) => string,
  ) {}

  /** Several for a batch, else one. @param eventsMax how many events there may be in all, at least 1. */
  draw(eventsMax: number): readonly Draft[] {
    const { chance } = this;
    const count = chance.next() < 0.3 ? 2 + chance.below(BATCH_ENTRIES_MAX - 1) : 1;
    const ack = chance.next() < 0.5 ? null : 'accepted';
    const drafts: Draft[] = [];
    for (let left = eventsMax; drafts.length < count && left > 0;) {
      const draft = this.entry(Math.min(left, this.size()), ack);
      left -= draft.events.length;
      drafts.push(draft);
    }
    return drafts;
  }

  private size(): number {
    const { chance } = this;
    const kind = chance.next();
    if (kind < 0.5) return 1;
    return 1 + chance.below(kind < 0.8 ? 10 : EVENTS_MAX);
  }

  private entry(size: number, ack: Draft['ack']): Draft {
    const { chance } = this;
    const name = this.nameOf(`r${this.entries}`);
    const atMs = FIRST_AT_MS + this.entries * 1_000;
    this.entries += 1;
    const events = Array.from({ length: size }, (_, index) => ({
      // A common part before the slash: one entry lives in one shard.
      key: `${name}/${index}`,
      type: 'recorded',
      data: {
        sensor: `sensor ${chance.below(50)}`,
        value: chance.below(100_000) / 100,
        at: new Date(atMs + index).toISOString(),
      },
    }));
    return { events, isKeyed: chance.next() < 0.2, wrongVersion: false, ack, settle: () => undefined };
  }
}
