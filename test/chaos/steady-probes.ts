/**
 * A hundred small writes a second, whatever becomes of those before: which were accepted, by whom and when, and how long none
 * was. Types here are only erased: benchmarks run this file as it stands.
 */

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

export abstract class SteadyProbes {
  readonly accepted: AcceptedProbe[] = [];
  /** How often each word was answered otherwise than by an accepted write. */
  readonly others: Record<string, number> = {};
  readonly #underWay = new Set<Promise<void>>();
  readonly #timer: NodeJS.Timeout;
  readonly #send: (key: string) => Promise<ProbeAnswer>;
  #sent = 0;

  /** @param keys what the key of each begins with. */
  constructor(keys: string, send: (key: string) => Promise<ProbeAnswer>) {
    this.#send = send;
    this.#timer = setInterval(() => {
      this.#sent += 1;
      const probe = this.#probe(`${keys}-${this.#sent}`).finally(() => this.#underWay.delete(probe));
      this.#underWay.add(probe);
    }, EVERY_MS);
  }

  /** Every probe that was told as accepted and is missing in a database, with the name of that. */
  abstract lost(): Promise<readonly string[]>;

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

  async #probe(key: string): Promise<void> {
    const answer = await this.#send(key);
    if (typeof answer === 'string') this.others[answer] = (this.others[answer] ?? 0) + 1;
    else this.accepted.push({ key, ...answer, atMs: performance.now() });
  }
}
