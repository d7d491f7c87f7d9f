/** An open loop: what is due is done, whatever became of what was due before. */
import { setTimeout as pause } from 'node:timers/promises';

/** So many times a second until it is over; resolves when the last one has begun. */
export async function atRate(
  perSecond: number,
  isOver: (count: number) => boolean,
  begin: (count: number, dueMs: number) => void,
): Promise<void> {
  const startMs = performance.now();
  for (let count = 0; !isOver(count); count += 1) {
    const dueMs = startMs + (count * 1_000) / perSecond;
    const earlyMs = dueMs - performance.now();
    if (earlyMs > 0) await pause(earlyMs);
    begin(count, dueMs);
  }
}

/** Until all are answered. */
export async function inOpenLoop<T>(
  items: readonly T[],
  perSecond: number,
  submit: (item: T) => Promise<void>,
): Promise<void> {
  const answers: Promise<void>[] = [];
  await atRate(
    perSecond,
    (count) => count >= items.length,
    (count) => answers.push(submit(items[count]!)),
  );
  await Promise.all(answers);
}
