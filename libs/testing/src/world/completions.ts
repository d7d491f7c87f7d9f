/**
 * Who decides when an operation of an in-memory twin completes. A twin never resolves a promise by itself: it hands the
 * work to its completions. In conformance tests they complete at once in real time; in a simulated world a seed picks
 * the order, and time is virtual.
 */
export interface Completions {
  /** `work` runs at the moment that the world picks; the promise settles with its result or with what it throws. */
  complete<T>(label: string, work: () => T, unanswered: Unanswered): Promise<T>;
  /** As `complete`, but not before `ready()` holds or `withinMs` have passed. */
  when<T>(
    label: string,
    ready: () => boolean,
    withinMs: number,
    work: () => T,
    unanswered: Unanswered,
  ): Promise<T>;
  /** The world's wall clock, milliseconds since 1970. */
  nowMs(): number;
}

/** What a caller is told when request or answer got lost on the way, and how long it waits before. */
export interface Unanswered {
  readonly afterMs: number;
  /** Makes the error; called when the caller gives up. */
  readonly error: () => unknown;
  /** Parts of the server that must be reached, by their names there; the server as a whole unless said otherwise. */
  readonly parts?: () => readonly string[];
}

/** Completes in real time: at once, or as soon as a poll of a few milliseconds finds it ready. Nothing gets lost. */
export function realTimeCompletions(timers: {
  nowMs(): number;
  after(ms: number, call: () => void): void;
}): Completions {
  const attempt = <T>(
    work: () => T,
    resolve: (value: T) => void,
    reject: (reason: unknown) => void,
  ): void => {
    try {
      resolve(work());
    } catch (error) {
      reject(error);
    }
  };
  return {
    nowMs: timers.nowMs,
    complete: (_label, work) =>
      new Promise((resolve, reject) => timers.after(0, () => attempt(work, resolve, reject))),
    when: (_label, ready, withinMs, work) =>
      new Promise((resolve, reject) => {
        const deadlineMs = timers.nowMs() + withinMs;
        const poll = (): void => {
          if (ready() || timers.nowMs() >= deadlineMs) attempt(work, resolve, reject);
          else timers.after(2, poll);
        };
        timers.after(0, poll);
      }),
  };
}
