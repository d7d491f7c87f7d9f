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

/** Writes entries of one event at a pace and counts the p50, once the last of their rows has arrived. */
export async function timeArrivals(
  { url, work, watch }: { readonly url: string; readonly work: Work; readonly watch: Stopwatch },
  perSecond: number,
  write: (entry: Entry, index: number) => Promise<void>,
): Promise<void> {
  const leftMs = new Map<string, number>();
  const listener = await connected(url);
  try {
    const arriving = arrivals(listener, leftMs, new Set(work.entries.map(({ key }) => key)).size);
    await listener.query('listen arrived');
    const writing = inOpenLoop([...work.entries.entries()], perSecond, ([index, entry]) => {
      if (!leftMs.has(entry.key)) leftMs.set(entry.key, performance.now());
      return write(entry, index);
    });
    const [tookMs] = await Promise.all([arriving, writing]);
    watch.count(P50_MS, quantile(tookMs, 0.5));
  } finally {
    await listener.end();
  }
}

function arrivals(
  listener: pg.Client,
  leftMs: ReadonlyMap<string, number>,
  rows: number,
): Promise<readonly number[]> {
  const { promise, resolve, reject } = Promise.withResolvers<readonly number[]>();
  const tookMs: number[] = [];
  listener.on('error', reject);
  listener.on('notification', ({ payload }) => {
    tookMs.push(performance.now() - leftMs.get(payload!)!);
    if (tookMs.length === rows) resolve(tookMs);
  });
  return promise;
}
