/**
 * Services of a run: in each region some save orders, one to five rows of one shard in a transaction, and the outbox of the
 * region stores with them what the log is to be told. They do what services do: most save where they are at home, some roll
 * back, some end in the midst of a transaction, and what a commit answered may be lost. Some entries the log does not take,
 * as when a schema changed in between. What was told of each is kept; what became of it the judge finds out.
 */
import { isPortError } from '@lockstep/engine';
import {
  eventsText,
  routeKey,
  shardName,
  keyInShard,
  parseShardName,
  type DatasetName,
  type EntryEvent,
  type KeyHash,
  type RegionName,
  type ShardName,
} from '@lockstep/protocol';
import type { SimulatedCluster, SimulatedRegion } from '../cluster/simulated-cluster.js';
import type { ToldTransaction } from '../history/outbox-audit.js';
import type { RowChange, ServiceEntry } from '../store/memory-outbox.js';
import type { ServiceStore } from '../store/memory-store.js';
import type { Chance } from '../world/chance.js';
import { Process } from '../world/process.js';
import type { Profile } from './profile.js';

const DATASET = 'orders' as DatasetName;
const THINK_MS_MAX = 500;
/** Of an open transaction, between what it asks. */
const WORK_MS_MAX = 40;
const ROWS_MAX = 5;
const AT_HOME_SHARE = 0.8;
const ROLLED_BACK_SHARE = 0.1;
const ABANDONED_SHARE = 0.05;
/** After everything was repaired: as long as progress may take (I20). */
const PROBES_MAX = 100;
const PROBE_PAUSE_MS = 500;
const MISFIT_SHARE = 0.04;
const CANCELLED_SHARE = 0.3;
/** So few that transactions meet: rows of a region are `group:served-<order>/<part>`. */
const ORDERS = 4;
const PARTS = 6;

/** Keys of rows that services write. */
export const isServed = (key: string): boolean => key.startsWith('served-', key.indexOf(':') + 1);

export class Services {
  readonly told = new Map<KeyHash, ToldTransaction>();
  private readonly identities;
  private working = 0;
  private isOver = false;
  private resting: PromiseWithResolvers<void> | null = null;
  private open = 0;
  private saves = 0;

  constructor(
    private readonly cluster: SimulatedCluster,
    private readonly profile: Profile,
  ) {
    this.identities = cluster.options.world.identities('services');
  }

  get isDone(): boolean {
    return this.working === 0;
  }

  get isIdle(): boolean {
    return this.open === 0;
  }

  begin(): void {
    for (const region of this.cluster.regions.values()) {
      for (let index = 0; index < this.profile.services; index += 1) {
        this.working += 1;
        const place = `${region.region}/service-${index}`;
        void this.work(region, place).then(() => (this.working -= 1));
      }
    }
  }

  stop(): void {
    this.isOver = true;
  }

  /** No transaction begins until `goOn`. */
  rest(): void {
    this.resting ??= Promise.withResolvers();
  }

  goOn(): void {
    this.resting?.resolve();
    this.resting = null;
  }

  /** One more row of each group, saved by whoever owns its shard now; why some could not be saved, a while long. */
  async probe(): Promise<readonly string[]> {
    const { world } = this.cluster.options;
    const chance = world.branch('service probes');
    const refused: string[] = [];
    for (const group of this.profile.regions) {
      const entry = this.entryOf([`${group}:served-probe`], chance, false);
      let failure: Error | null = null;
      for (let attempts = 0; attempts === 0 || (failure !== null && attempts < PROBES_MAX); attempts += 1) {
        if (failure !== null) await world.clock().sleep(PROBE_PAUSE_MS).done;
        failure = await this.probed(entry).then(
          () => null,
          (error: Error) => error,
        );
      }
      if (failure !== null) refused.push(`no row of ${group} can be saved: ${failure.message}`);
    }
    return refused;
  }

  /** One more row of a shard, saved in a region that is its home. */
  async saveAt(home: RegionName, shard: ShardName, tag: string): Promise<void> {
    const { datasets, world } = this.cluster.options;
    const { dataset, partition } = parseShardName(shard)!;
    const { groups } = datasets.get(dataset)!.configuration.content;
    const key = keyInShard(groups, partition, `served-${tag}`);
    await this.saved(home, this.entryOf([key], world.branch(`service ${tag}`), false));
  }

  /** The next home may have yet to fold that it is one. */
  private async probed(entry: ServiceEntry): Promise<void> {
    const [first] = this.cluster.regions.values();
    const home = first!.database.cursor(this.shardOf(entry.firstKey))?.home ?? first!.region;
    await this.saved(home, entry);
  }

  private async saved(home: RegionName, entry: ServiceEntry): Promise<void> {
    const { network, options } = this.cluster;
    const shard = this.shardOf(entry.firstKey);
    const process = new Process(`${home}/service-probe`, options.world, network);
    const { database } = this.cluster.region(home);
    const store = await database.openServiceStore(process.reaching(`${home}/store`));
    try {
      const transaction = await store.enter(shard);
      await transaction.save(entry);
      await transaction.commitSaved();
      this.told.set(entry.key, { region: home, fate: 'committed' });
    } finally {
      await store.close();
    }
  }

  /** Regions with entries that the log has not decided. */
  undrained(): readonly string[] {
    return [...this.cluster.regions.values()].flatMap(({ database, region }) => {
      const { pending } = database.outbox();
      return pending.length === 0 ? [] : [`${pending.length} entries wait in the outbox of ${region}`];
    });
  }

  private async work(region: SimulatedRegion, place: string): Promise<void> {
    const { network, options } = this.cluster;
    const { world } = options;
    const chance = world.branch(place);
    const process = new Process(place, world, network);
    let store: ServiceStore | null = null;
    for (;;) {
      await process.clock.sleep(1 + chance.below(THINK_MS_MAX)).done;
      while (this.resting !== null) await this.resting.promise;
      if (this.isOver) break;
      this.open += 1;
      let isOver = false;
      try {
        store ??= await region.database.openServiceStore(process.reaching(`${region.region}/store`));
        isOver = await this.transact(region, store, process, chance);
      } catch (error) {
        if (!isPortError(error)) throw error;
      }
      if (!isOver) {
        // Its connections are gone, whatever came of the transaction.
        await store?.close();
        store = null;
      }
      this.open -= 1;
    }
    await store?.close();
  }

  /** False where the service ended in the midst of it, as when it is killed. */
  private async transact(
    { region }: SimulatedRegion,
    store: ServiceStore,
    { clock }: Process,
    chance: Chance,
  ): Promise<boolean> {
    const group = chance.next() < AT_HOME_SHARE ? region : chance.pick(this.profile.regions);
    const order = `${group}:served-${chance.below(ORDERS)}`;
    const parts = new Set(Array.from({ length: 1 + chance.below(ROWS_MAX) }, () => chance.below(PARTS)));
    const entry = this.entryOf(
      [...parts].map((part) => `${order}/${part}`),
      chance,
      chance.next() < MISFIT_SHARE,
    );
    const share = chance.next();
    const pause = (): Promise<void> => clock.sleep(chance.below(WORK_MS_MAX)).done;
    this.told.set(entry.key, { region, fate: 'rolled-back' });
    const transaction = await store.enter(this.shardOf(order));
    await pause();
    await transaction.save(entry);
    await pause();
    if (share < ABANDONED_SHARE) {
      this.cluster.options.world.hitByCrash('service', 'service');
      return false;
    }
    if (share < ABANDONED_SHARE + ROLLED_BACK_SHARE) {
      await transaction.rollback();
      return true;
    }
    this.told.set(entry.key, { region, fate: 'unknown' });
    await transaction.commitSaved();
    this.told.set(entry.key, { region, fate: 'committed' });
    this.cluster.options.world.note(`stored ${entry.key}`);
    return true;
  }

  private entryOf(keys: readonly string[], chance: Chance, isMisfit: boolean): ServiceEntry {
    this.saves += 1;
    const total = this.saves;
    const changes: RowChange[] = [];
    const events: EntryEvent[] = [];
    for (const key of keys) {
      const isCancelled = chance.next() < CANCELLED_SHARE;
      const customer = `c${total}`;
      const reason = isCancelled ? `r${total}` : null;
      const status = isCancelled ? 'cancelled' : 'placed';
      // Of a row that is cancelled the log is told less than the service writes, and gets its way (decision 0061).
      changes.push({ key, columns: { customer, total, status, carrier: null, reason } });
      const [type, data] = isCancelled ? ['cancelled', { reason }] : ['placed', { customer, total }];
      events.push({
        key,
        type: isMisfit ? 'unheard-of' : (type as string),
        v: 1,
        data,
        expectedVersion: null,
      });
    }
    const body = eventsText(events);
    const { identities } = this;
    const id = identities.idempotencyKey();
    return {
      table: this.cluster.options.datasets.get(DATASET)!.table.table,
      key: identities.keyHash(PRINCIPAL, id),
      fingerprint: identities.fingerprint(body),
      firstKey: keys[0]!,
      body,
      changes,
    };
  }

  private shardOf(key: string): ShardName {
    const { content } = this.cluster.options.datasets.get(DATASET)!.configuration;
    const route = routeKey(content.groups, key);
    if (route.kind !== 'shard') throw new Error(`"${key}" has no shard`);
    return shardName(DATASET, route.partition);
  }
}

const PRINCIPAL = 'services';
