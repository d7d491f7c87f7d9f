/** How often the checkers of a run had something to judge, and what they passed over: a check that never judges shows nothing. */
export class Tally {
  private readonly counts = new Map<string, number>();
  /** Of each failover that was judged. */
  readonly failoverMs: number[] = [];

  add(what: string, by = 1): void {
    this.counts.set(what, (this.counts.get(what) ?? 0) + by);
  }

  took(ms: number): void {
    this.failoverMs.push(Math.round(ms));
  }

  all(): { readonly [what: string]: number } {
    return Object.fromEntries([...this.counts].sort(([x], [y]) => (x < y ? -1 : 1)));
  }
}
