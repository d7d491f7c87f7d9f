/**
 * What lies between two places of a simulated world. A place is a path: `eu/gateway`, `eu/store`, `log`, `clients`; a cut
 * between `eu` and `us` holds for everything in them. A cut is one-way: it takes what is sent, not what comes back.
 */
export interface Cut {
  readonly from: string;
  readonly to: string;
  /** Name of the fault that made it. */
  readonly fault: string;
}

export class Network {
  private readonly cuts = new Set<Cut>();

  cut(cut: Cut): void {
    this.cuts.add(cut);
  }

  heal(cut: Cut): void {
    this.cuts.delete(cut);
  }

  /** The cut that takes what is sent now; null when it arrives. */
  cutBetween(from: string, to: string): Cut | null {
    if (this.cuts.size === 0) return null;
    for (const cut of this.cuts) if (isIn(from, cut.from) && isIn(to, cut.to)) return cut;
    return null;
  }
}

const isIn = (place: string, path: string): boolean =>
  place.startsWith(path) && (place.length === path.length || place[path.length] === '/');
