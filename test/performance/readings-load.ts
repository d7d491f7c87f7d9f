/**
 * Readings for a running cluster at a pace: each by the gateway of its home, in small batches, in an open loop. What of them
 * stands in the log is counted, so that every region can be held against it.
 */
import { eventually, REGIONS, type LocalCluster, type Region } from '../e2e/local-cluster.ts';
import { atRate } from './pace.ts';
import { EVENTS_PER_ENTRY, readings, readingsDataset } from './sample-writes.ts';

/** Written again and again: a row's value is another one each time, and no two batches are of the same rows. */
export const READINGS_ENTRIES = 12_000;
export const READINGS_STATIONS = 5_004;
const ENTRIES_PER_REQUEST = 50;
/** Who finds so many before him hangs up: a cluster that cannot keep the pace is not asked for ever more. */
const UNDER_WAY_MAX = 100;
const TIMEOUT_MS = 30_000;
const APPLIED_MS_MAX = 120_000;

export const READINGS_LOAD = `Readings, ${EVENTS_PER_ENTRY} an entry, over ${READINGS_STATIONS * EVENTS_PER_ENTRY} keys in 12 shards, by POST \
entries:batch, ${ENTRIES_PER_REQUEST} entries a request, to the gateways of their homes, ack logged, each request when it is due \
whatever became of those before.`;

interface Request {
  readonly region: Region;
  readonly body: string;
}

export class ReadingsLoad {
  /** Entries that stand in the log, as the gateways said. */
  logged = 0;
  /** Entries that were due and do not stand in the log as far as anybody said, and why the last of them. */
  failed = 0;
  lastFailure = '';
  readonly #cluster: LocalCluster;
  readonly #perSecond: number;
  readonly #requests: readonly Request[];
  readonly #appliedBefore: ReadonlyMap<Region, number>;
  readonly #underWay = new Set<Promise<void>>();
  #isOver = false;
  #running: Promise<void> = Promise.resolve();

  private constructor(
    cluster: LocalCluster,
    eventsPerSecond: number,
    requests: readonly Request[],
    appliedBefore: ReadonlyMap<Region, number>,
  ) {
    this.#cluster = cluster;
    this.#perSecond = eventsPerSecond / EVENTS_PER_ENTRY / ENTRIES_PER_REQUEST;
    this.#requests = requests;
    this.#appliedBefore = appliedBefore;
  }

  /** Begins at once. */
  static async start(cluster: LocalCluster, eventsPerSecond: number): Promise<ReadingsLoad> {
    const applied = new Map<Region, number>();
    for (const region of REGIONS) applied.set(region, await sequences(cluster, region));
    const load = new ReadingsLoad(cluster, eventsPerSecond, await requestsInTurns(), applied);
    load.#running = atRate(
      load.#perSecond,
      () => load.#isOver,
      (count) => load.#send(load.#requests[count % load.#requests.length]!),
    );
    return load;
  }

  /** Until the last one is answered. */
  async stop(): Promise<void> {
    this.#isOver = true;
    await this.#running;
    await Promise.all(this.#underWay);
  }

  /** Entries that a region has applied since the start. */
  async applied(region: Region): Promise<number> {
    return (await sequences(this.#cluster, region)) - this.#appliedBefore.get(region)!;
  }

  /** Once stopped: waits until every region has applied all that stands in the log, and compares their rows. */
  async settle(): Promise<void> {
    for (const region of REGIONS)
      await eventually(
        () => this.applied(region),
        (entries) => entries >= this.logged,
        APPLIED_MS_MAX,
      );
    const tables = await Promise.all(
      REGIONS.map(async (region) => {
        const [sums] = await this.#cluster.sql(
          region,
          'select count(*) as rows, sum(hashtextextended(r::text, 0)) as sum from readings as r',
        );
        return JSON.stringify(sums);
      }),
    );
    if (new Set(tables).size > 1) throw new Error(`the regions' readings differ: ${tables.join(', ')}`);
  }

  #send({ region, body }: Request): void {
    if (this.#underWay.size >= UNDER_WAY_MAX) {
      this.#fail(ENTRIES_PER_REQUEST, `${UNDER_WAY_MAX} requests are under way`);
      return;
    }
    const asking: Promise<void> = this.#post(region, body)
      .catch((error: unknown) => this.#fail(ENTRIES_PER_REQUEST, String(error)))
      .finally(() => this.#underWay.delete(asking));
    this.#underWay.add(asking);
  }

  async #post(region: Region, body: string): Promise<void> {
    const response = await fetch(`${this.#cluster.gateway(region)}/v1/datasets/readings/entries:batch`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body,
    });
    const text = await response.text();
    if (response.status !== 207) throw new Error(`${response.status}: ${text}`);
    const { entries } = JSON.parse(text) as { readonly entries: readonly { readonly stage?: string }[] };
    const refused = entries.filter(({ stage }) => stage === undefined || stage === null);
    this.logged += entries.length - refused.length;
    if (refused.length > 0) this.#fail(refused.length, JSON.stringify(refused[0]));
  }

  #fail(entries: number, why: string): void {
    this.failed += entries;
    this.lastFailure = why;
  }
}

/** Of what its cursors have passed in the readings' shards; an entry is one step of a sequence. */
async function sequences(cluster: LocalCluster, region: Region): Promise<number> {
  const [row] = await cluster.sql(
    region,
    `select coalesce(sum(sequence), 0) as entries from lockstep.cursor where shard like 'readings/%'`,
  );
  return Number(row!['entries']);
}

/** The regions take turns. */
async function requestsInTurns(): Promise<readonly Request[]> {
  const dataset = await readingsDataset();
  const { groups } = dataset.configuration.content;
  const entries = readings(dataset, READINGS_ENTRIES, READINGS_STATIONS);
  const byRegion = REGIONS.map((region) => {
    const { firstShard, shards } = groups.find(({ home }) => home === region)!;
    const own = entries.filter(({ partition }) => partition >= firstShard && partition < firstShard + shards);
    return Array.from({ length: Math.floor(own.length / ENTRIES_PER_REQUEST) }, (_, index): Request => {
      const batch = own.slice(index * ENTRIES_PER_REQUEST, (index + 1) * ENTRIES_PER_REQUEST);
      const texts = batch.map(({ text }) => `{"events":${text}}`);
      return { region, body: `{"ack":"logged","timeoutMs":${TIMEOUT_MS},"entries":[${texts.join(',')}]}` };
    });
  });
  return byRegion[0]!.flatMap((_, index) => byRegion.map((requests) => requests[index]!));
}
