/**
 * How long rows are under way: from when one is written for the first time until the database that it goes to tells that
 * it is there. Told at the commit and awaited, so that nobody looks again and again.
 */
import type pg from 'pg';
import { quantile } from './critical-writes.ts';
import { P50_MS, type Stopwatch } from './benchmark.ts';
import { inOpenLoop } from './pace.ts';
import type { Entry } from './sample-writes.ts';
import { connected } from './servers.ts';
import type { Work } from './work.ts';

export const P99_MS = 'p99';

/** So that rows new to any copy of this database are told of. */
export async function tellArrivals({ template }: Work): Promise<void> {
  const client = await connected(template.url);
  await client.query(`
    create function tell_arrival() returns trigger language plpgsql as $$
    begin
      perform pg_notify('arrived', new.id);
      return null;
    end $$;
    create trigger tell_arrival after insert on readings for each row execute function tell_arrival()`);
  await client.end();
}

/**
 * Writes entries of one event at a pace and counts p50 and p99, once the last of their rows has arrived.
 *
 * @param uncounted so many of them, the first.
 */
export async function timeArrivals(
  { url, work, watch }: { readonly url: string; readonly work: Work; readonly watch: Stopwatch },
  { perSecond, uncounted = 0 }: { readonly perSecond: number; readonly uncounted?: number },
  write: (entry: Entry, index: number) => Promise<void>,
): Promise<void> {
  const leftMs = new Map<string, number | null>();
  const listener = await connected(url);
  try {
    const arriving = arrivals(listener, leftMs, new Set(work.entries.map(({ key }) => key)).size);
    await listener.query('listen arrived');
    const writing = inOpenLoop([...work.entries.entries()], perSecond, ([index, entry]) => {
      if (!leftMs.has(entry.key)) leftMs.set(entry.key, index < uncounted ? null : performance.now());
      return write(entry, index);
    });
    const [tookMs] = await Promise.all([arriving, writing]);
    watch.count(P50_MS, quantile(tookMs, 0.5));
    watch.count(P99_MS, quantile(tookMs, 0.99));
  } finally {
    await listener.end();
  }
}

/** Once so many rows have arrived, of those that left at a time. */
function arrivals(
  listener: pg.Client,
  leftMs: ReadonlyMap<string, number | null>,
  rows: number,
): Promise<readonly number[]> {
  const { promise, resolve, reject } = Promise.withResolvers<readonly number[]>();
  const tookMs: number[] = [];
  let left = rows;
  listener.on('error', reject);
  listener.on('notification', ({ payload }) => {
    const sinceMs = leftMs.get(payload!)!;
    if (sinceMs !== null) tookMs.push(performance.now() - sinceMs);
    left -= 1;
    if (left === 0) resolve(tookMs);
  });
  return promise;
}
