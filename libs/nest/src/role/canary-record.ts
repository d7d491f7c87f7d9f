/**
 * What the canaries of this process met lately, for people who look: how long they took and how many had no good answer, in
 * slices of time. Nothing is decided from it. A slice without canaries is absent: nobody knows how that region did then.
 *
 * Bounded: `SLICES_MAX` slices for each region of the catalogue.
 */
import type { Canary, CanaryAnswer, CanaryRead, Clock } from '@lockstep/engine';
import { time, type RegionName } from '@lockstep/protocol';

/** Several canaries long, so that one late answer does not hide between two slices. */
export const SLICE_MS = 2_000;
/** A quarter of an hour. */
export const SLICES_MAX = 450;

interface Slice {
  readonly atMs: number;
  answered: number;
  refused: number;
  failed: number;
  /** Of those that were answered. */
  sumMs: number;
  maxMs: number;
}

export class CanaryRecord implements Canary {
  private readonly slices: ReadonlyMap<RegionName, Slice[]>;

  constructor(
    private readonly canary: Canary,
    regions: readonly RegionName[],
    private readonly clock: Pick<Clock, 'monotonicMs' | 'nowMs'>,
  ) {
    this.slices = new Map(regions.map((region) => [region, []]));
  }

  async ask(region: RegionName, read: CanaryRead): Promise<CanaryAnswer> {
    const sentAtMs = this.clock.monotonicMs();
    const answer = await this.canary.ask(region, read);
    this.note(region, answer, this.clock.monotonicMs() - sentAtMs);
    return answer;
  }

  /** @param sinceMs slices that began before it are left out. */
  describe(sinceMs: number): object {
    return {
      at: time(this.clock.nowMs()),
      sliceMs: SLICE_MS,
      keptMs: SLICE_MS * SLICES_MAX,
      regions: [...this.slices].map(([region, slices]) => ({
        region,
        slices: slices
          .filter(({ atMs }) => atMs >= sinceMs)
          .map(({ answered, atMs, failed, maxMs, refused, sumMs }) => ({
            at: time(atMs),
            answered,
            refused,
            failed,
            meanMs: answered === 0 ? null : Math.round((10 * sumMs) / answered) / 10,
            maxMs: answered === 0 ? null : Math.round(10 * maxMs) / 10,
          })),
      })),
    };
  }

  private note(region: RegionName, { kind }: CanaryAnswer, tookMs: number): void {
    const slices = this.slices.get(region);
    if (slices === undefined) return;
    const slice = this.present(slices);
    slice[kind] += 1;
    if (kind !== 'answered') return;
    slice.sumMs += tookMs;
    slice.maxMs = Math.max(slice.maxMs, tookMs);
  }

  private present(slices: Slice[]): Slice {
    const nowMs = this.clock.nowMs();
    const last = slices.at(-1);
    // A clock that was set back goes on in the slice that there is.
    if (last !== undefined && nowMs < last.atMs + SLICE_MS) return last;
    const slice = {
      atMs: nowMs - (nowMs % SLICE_MS),
      answered: 0,
      refused: 0,
      failed: 0,
      sumMs: 0,
      maxMs: 0,
    };
    slices.push(slice);
    if (slices.length > SLICES_MAX) slices.shift();
    return slice;
  }
}
