/** When which region's store had committed how much. What was committed once counts as committed, also if a store goes back. */
export interface Commit {
  readonly t: number;
  readonly region: string;
  readonly shard: string;
  readonly sequence: bigint;
}

export class Commits {
  /** By shard and region: the steps upwards. */
  private readonly steps = new Map<string, Map<string, Commit[]>>();

  /** @param commits in the order of time. */
  constructor(commits: readonly Commit[]) {
    for (const commit of commits) {
      const regions = this.steps.get(commit.shard) ?? new Map<string, Commit[]>();
      this.steps.set(commit.shard, regions);
      const steps = regions.get(commit.region) ?? [];
      regions.set(commit.region, steps);
      if (commit.sequence > (steps.at(-1)?.sequence ?? 0n)) steps.push(commit);
    }
  }

  hasCommitted(
    { region, sequence, shard }: Pick<Commit, 'region' | 'shard' | 'sequence'>,
    t: number,
  ): boolean {
    const steps = this.steps.get(shard)?.get(region) ?? [];
    let low = 0;
    let high = steps.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (steps[middle]!.sequence < sequence) low = middle + 1;
      else high = middle;
    }
    const step = steps[low];
    return step !== undefined && step.t <= t;
  }

  /** The sequences that a region's store had committed, one for each commit that led further. */
  reachedBy(region: string, shard: string, t: number): readonly bigint[] {
    const steps = this.steps.get(shard)?.get(region) ?? [];
    return steps.filter((step) => step.t <= t).map(({ sequence }) => sequence);
  }

  /** Regions whose stores had committed so far. */
  holders(shard: string, sequence: bigint, t: number): readonly string[] {
    return [...(this.steps.get(shard)?.keys() ?? [])].filter((region) =>
      this.hasCommitted({ region, shard, sequence }, t),
    );
  }
}
