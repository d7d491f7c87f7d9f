/**
 * Lets the first of many alike lines through, and then one per window, with the number of those held back. Remembers
 * at most `keysMax` kinds of lines; the one that was told longest ago is forgotten first, and its count with it.
 */
export class LineLimit {
  readonly #windowMs: number;
  readonly #keysMax: number;
  /** In the order of telling. */
  readonly #told = new Map<string, { readonly atMs: number; heldBack: number }>();

  constructor(windowMs: number, keysMax: number) {
    this.#windowMs = windowMs;
    this.#keysMax = keysMax;
  }

  /** How many alike lines were held back since the last one told; null when this one is held back too. */
  admit(key: string, nowMs: number): number | null {
    const last = this.#told.get(key);
    if (last !== undefined && nowMs - last.atMs < this.#windowMs) {
      last.heldBack += 1;
      return null;
    }
    this.#told.delete(key);
    if (this.#told.size >= this.#keysMax) {
      for (const oldest of this.#told.keys()) {
        this.#told.delete(oldest);
        break;
      }
    }
    this.#told.set(key, { atMs: nowMs, heldBack: 0 });
    return last?.heldBack ?? 0;
  }
}
