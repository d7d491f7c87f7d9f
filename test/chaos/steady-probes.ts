/**
 * A hundred small writes a second, whatever becomes of those before: which were accepted, by whom and when, and how long none
 * was. Types here are only erased: benchmarks run this file as it stands.
 */
import { eventually } from '../e2e/local-cluster.ts';

const EVERY_MS = 10;
/** Short, so that what waits for a lost home does not fill the door of whoever is asked. */
export const PROBE_MS_MAX = 1_000;

export interface AcceptedProbe {
  readonly key: string;
  readonly shard: string;
  /** Above all before once the shard has another home. */
  readonly epoch: number;
  readonly atMs: number;
}

/** Who took it, or with what word it was answered otherwise. */
export type ProbeAnswer = Omit<AcceptedProbe, 'key' | 'atMs'> | string;

/** What is written to. */
export interface Probed {
  /** What the key of each probe begins with. */
  readonly keys: string;
  readonly databases: readonly string[];
  send(key: string): Promise<ProbeAnswer>;
  /** Those of the keys that the database holds. */
  stored(database: string, keys: readonly string[]): Promise<ReadonlySet<unknown>>;
}

export class SteadyProbes {
  readonly accepted: AcceptedProbe[] = [];
  /** How often each word was answered otherwise than by an accepted write. */
  readonly others: Record<string, number> = {};
  readonly #underWay = new Set<Promise<void>>();
  readonly #timer: NodeJS.Timeout;
  readonly #probed: Probed;
  #sent = 0;

  constructor(probed: Probed) {
    this.#probed = probed;
    this.#timer = setInterval(() => {
      this.#sent += 1;
      const probe = this.#probe(`${probed.keys}-${this.#sent}`).finally(() => this.#underWay.delete(probe));
      this.#underWay.add(probe);
    }, EVERY_MS);
  }

  /** Every probe that was told as accepted and is missing in a database, with the name of that. */
  async lost(): Promise<readonly string[]> {
    const keys = this.accepted.map(({ key }) => key);
    const lost = this.#probed.databases.map(async (database) => {
      const stored = await this.#probed.stored(database, keys);
      return keys.filter((key) => !stored.has(key)).map((key) => `${database} ${key}`);
    });
    return (await Promise.all(lost)).flat();
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await Promise.all(this.#underWay);
  }

  /** The newest epoch of each shard that took a probe. */
  epochs(): ReadonlyMap<string, number> {
    const epochs = new Map<string, number>();
    for (const { epoch, shard } of this.accepted) epochs.set(shard, Math.max(epoch, epochs.get(shard) ?? 0));
    return epochs;
  }

  /** Waits until each of these shards has taken a write above its epoch; answers when the last of them had. */
  async moved(before: ReadonlyMap<string, number>, withinMs: number): Promise<number> {
    const movedAtMs = await eventually(
      () => Promise.resolve(this.#movedAtMs(before)),
      (atMs) => atMs !== null,
      withinMs,
    );
    return movedAtMs!;
  }

  #movedAtMs(before: ReadonlyMap<string, number>): number | null {
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

  async #probe(key: string): Promise<void> {
    const answer = await this.#probed.send(key);
    if (typeof answer === 'string') this.others[answer] = (this.others[answer] ?? 0) + 1;
    else this.accepted.push({ key, ...answer, atMs: performance.now() });
  }
}
