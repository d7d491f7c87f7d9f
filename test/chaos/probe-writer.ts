/**
 * A hundred small writes a second to keys of one home, asked through another region, whatever becomes of those before: how long
 * nothing is accepted, and under which epochs.
 */
import { expect } from '@jest/globals';
import { REGIONS, write, type LocalCluster, type Region } from '../e2e/local-cluster.js';

const EVERY_MS = 10;
/** Short, so that what waits for a lost home does not fill the door of the gateway that is asked. */
const TIMEOUT_MS = 1_000;

interface Accepted {
  readonly key: string;
  readonly shard: string;
  readonly epoch: number;
  readonly atMs: number;
}

export class ProbeWriter {
  readonly accepted: Accepted[] = [];
  /** How often each status was answered otherwise than by an accepted write. */
  readonly others: Record<string, number> = {};
  private readonly underWay = new Set<Promise<void>>();
  private readonly timer: NodeJS.Timeout;
  private sent = 0;

  constructor(
    private readonly cluster: LocalCluster,
    private readonly options: { readonly home: Region; readonly via: Region; readonly name: string },
  ) {
    this.timer = setInterval(() => {
      const probe = this.probe().finally(() => this.underWay.delete(probe));
      this.underWay.add(probe);
    }, EVERY_MS);
  }

  async stop(): Promise<void> {
    clearInterval(this.timer);
    await Promise.all(this.underWay);
  }

  /** The newest epoch of each shard that took a probe. */
  epochs(): ReadonlyMap<string, number> {
    const epochs = new Map<string, number>();
    for (const { epoch, shard } of this.accepted) epochs.set(shard, Math.max(epoch, epochs.get(shard) ?? 0));
    return epochs;
  }

  /** When each of these shards had taken a write above its epoch; null while one has not. */
  movedAtMs(before: ReadonlyMap<string, number>): number | null {
    const firsts = [...before].map(
      ([shard, epoch]) => this.accepted.find((one) => one.shard === shard && one.epoch > epoch)?.atMs ?? null,
    );
    return firsts.includes(null) ? null : Math.max(...(firsts as number[]));
  }

  /** The longest time from then until now in which one of the shards accepted nothing, under whichever epoch. */
  longestGapMs(fromMs: number): number {
    const gapOf = (shard: string): number => {
      const times = this.accepted.filter((one) => one.shard === shard).map(({ atMs }) => atMs);
      const ends = [fromMs, ...times.filter((atMs) => atMs > fromMs), performance.now()];
      return Math.max(...ends.slice(1).map((atMs, i) => atMs - ends[i]!));
    };
    return Math.max(...[...this.epochs().keys()].map(gapOf));
  }

  /** Every probe that was told as accepted is in every database. */
  async expectNoneLost(): Promise<void> {
    const keys = this.accepted.map(({ key }) => key);
    for (const region of REGIONS) {
      const rows = await this.cluster.sql(region, 'select id from orders where id = any($1)', [keys]);
      const stored = new Set(rows.map((row) => row['id']));
      expect({ region, lost: keys.filter((key) => !stored.has(key)) }).toEqual({ region, lost: [] });
    }
  }

  private async probe(): Promise<void> {
    const { home, name, via } = this.options;
    this.sent += 1;
    const key = `${home}:${name}-${this.sent}`;
    const event = { key, type: 'placed', data: { customer: 'c', total: 1 } };
    const { body, status } = await write(
      this.cluster,
      via,
      'orders',
      { events: [event], timeoutMs: TIMEOUT_MS },
      key,
    );
    if (body.outcome === 'accepted')
      this.accepted.push({ key, shard: body.shard, epoch: body.epoch, atMs: performance.now() });
    else this.others[status] = (this.others[status] ?? 0) + 1;
  }
}
