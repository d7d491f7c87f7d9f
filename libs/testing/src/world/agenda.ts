/**
 * What is to happen, by time: a binary heap ordered by (moment, tie-break, insertion). The tie-break is drawn from the
 * seed by whoever inserts, so that work which is due at one moment is done in an order that the seed picks.
 */
export interface Appointment {
  readonly atMs: number;
  readonly tie: number;
  readonly ordinal: number;
  readonly run: () => void;
  /** Null for what no port completes, such as a sleep: it leaves no line in the trace. */
  readonly label: string | null;
  isCancelled: boolean;
}

export class Agenda {
  private readonly heap: Appointment[] = [];

  add(appointment: Appointment): void {
    const { heap } = this;
    let at = heap.length;
    heap.push(appointment);
    while (at > 0) {
      const above = (at - 1) >> 1;
      if (!isBefore(appointment, heap[above]!)) break;
      heap[at] = heap[above]!;
      at = above;
    }
    heap[at] = appointment;
  }

  /** The next one that was not cancelled; null when nothing is to happen any more. */
  take(): Appointment | null {
    for (;;) {
      const first = this.heap[0];
      if (first === undefined) return null;
      this.removeFirst();
      if (!first.isCancelled) return first;
    }
  }

  private removeFirst(): void {
    const { heap } = this;
    const moved = heap.pop()!;
    if (heap.length === 0) return;
    let at = 0;
    for (;;) {
      let below = 2 * at + 1;
      if (below >= heap.length) break;
      if (below + 1 < heap.length && isBefore(heap[below + 1]!, heap[below]!)) below += 1;
      if (!isBefore(heap[below]!, moved)) break;
      heap[at] = heap[below]!;
      at = below;
    }
    heap[at] = moved;
  }
}

const isBefore = (x: Appointment, y: Appointment): boolean =>
  x.atMs !== y.atMs ? x.atMs < y.atMs : x.tie !== y.tie ? x.tie < y.tie : x.ordinal < y.ordinal;
