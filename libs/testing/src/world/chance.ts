/** One seeded stream of choices; branches are independent, so that a draw in one place does not shift the others. */
export class Chance {
  private state: number;

  /** @param seed any integer; equal seeds give equal streams. */
  constructor(seed: number) {
    this.state = seed >>> 0;
  }

  /** A stream of its own, named by its concern. */
  branch(concern: string): Chance {
    let hash = this.state ^ 0x9e3779b9;
    for (let i = 0; i < concern.length; i += 1) hash = Math.imul(hash ^ concern.charCodeAt(i), 0x01000193);
    return new Chance(hash);
  }

  /** Between 0 (included) and 1 (mulberry32). */
  next(): number {
    this.state = (this.state + 0x6d2b79f5) >>> 0;
    let t = this.state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  }

  /** An integer from 0 to `below` - 1. */
  below(below: number): number {
    return Math.floor(this.next() * below);
  }

  pick<T>(from: readonly T[]): T {
    if (from.length === 0) throw new Error('nothing to pick from');
    return from[this.below(from.length)]!;
  }

  /** Lower-case hex digits. */
  hex(digits: number): string {
    let text = '';
    while (text.length < digits) text += this.below(16).toString(16);
    return text;
  }
}
