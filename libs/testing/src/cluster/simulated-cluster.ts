/**
 * Regions in one process: the real gateway, replicator and coordinator of each on one world's log, stores and streams.
 * A process can be crashed: its loops are cut off from every port, and a new one starts from durable state only.
 */
import {
  Coordinator,
  Gateway,
  LedgerFeed,
  PortError,
  Replicator,
  type ApplyStore,
  type Fact,
  type Forwarder,
  type GatewayDataset,
  type Log,
  type Observer,
  type QueryStore,
  type StreamSource,
} from '@lockstep/engine';
import {
  epoch as toEpoch,
  type Answer,
  type Configurations,
  type DatasetName,
  type RegionName,
  type StoreIncarnation,
} from '@lockstep/protocol';
import { memoryLog, type LogFaults, type MemoryLog } from '../log/memory-log.js';
import { memoryStore, type MemoryDatabase, type StoreCall, type StoreFault } from '../store/memory-store.js';
import type { World } from '../world/world.js';

export interface SimulatedClusterOptions {
  readonly world: World;
  readonly regions: readonly RegionName[];
  readonly datasets: ReadonlyMap<DatasetName, GatewayDataset>;
  readonly logFaults?: LogFaults;
  /** Asked for every forward: it never arrives, or it arrives and its answer is lost. */
  readonly forwardFault?: () => 'refused' | 'answer-lost' | null;
  readonly storeFault?: (region: RegionName, call: StoreCall) => StoreFault | null;
  /** Replicators of each region; the second one stands by. One unless said otherwise. */
  readonly replicators?: 1 | 2;
  readonly logRetentionMs?: number;
}

interface Processes {
  readonly replicator: Replicator;
  readonly stop: () => void;
}

export class SimulatedRegion {
  readonly facts: Fact[] = [];
  readonly database: MemoryDatabase;
  gateway!: Gateway;
  feed!: LedgerFeed;
  coordinator!: Coordinator;
  query!: QueryStore;
  private readonly processes = new Map<number, Processes>();
  private starts = 0;

  constructor(
    readonly region: RegionName,
    private readonly cluster: SimulatedCluster,
  ) {
    const { storeFault, world } = cluster.options;
    this.database = memoryStore(world, {
      storeIncarnation: world.branch(`store ${region}`).hex(32) as StoreIncarnation,
      ...(storeFault === undefined ? {} : { fault: (call) => storeFault(region, call) }),
    });
  }

  /** How many replicators the region has when none is down. */
  get instances(): number {
    return this.cluster.options.replicators ?? 1;
  }

  /** Null while it is down. */
  replicator(instance = 0): Replicator | null {
    return this.processes.get(instance)?.replicator ?? null;
  }

  async start(): Promise<void> {
    const { datasets, logRetentionMs = 7 * 86_400_000, regions, world } = this.cluster.options;
    const { region } = this;
    this.query = await this.database.openQueryStore();
    for (const { table } of datasets.values()) await this.query.ensureTable(table);
    for (let instance = 0; instance < this.instances; instance += 1) this.startReplicator(instance);
    const clock = world.clock();
    const identities = world.identities(`gateway ${region}`);
    const log = this.cluster.log.open();
    const observer = this.observer();
    this.feed = new LedgerFeed({
      region,
      regions,
      source: this.cluster.streams(),
      publisherPrefix: identities.publisherPrefix,
      datasets: new Map([...datasets].map(([name, { configuration }]) => [name, configuration.content])),
      clock,
      observer,
    });
    const forwarder = this.cluster.forwarder(region);
    const { feed, query: store } = this;
    this.gateway = new Gateway({
      region,
      regions,
      datasets,
      feed,
      log,
      store,
      forwarder,
      clock,
      identities,
      observer,
    });
    this.coordinator = new Coordinator({
      region,
      regions,
      datasets: new Map(
        [...datasets].map(([name, { configuration, partitions }]) => [
          name,
          {
            content: configuration.content,
            hash: configuration.hash,
            partitions,
            logRetentionMs,
          },
        ]),
      ),
      replication: { factor: 1, minInsyncReplicas: 1 },
      feed,
      log,
      store,
      clock,
      identities,
      observer,
    });
    void feed.run();
    void this.coordinator.run();
  }

  startReplicator(instance = 0): void {
    const { datasets, world } = this.cluster.options;
    const { region } = this;
    this.starts += 1;
    const life = { ended: false };
    const log = this.cluster.log.open();
    const known = [...datasets.values()].map((dataset) => dataset.configuration);
    const configurations: Configurations = (hash) => known.find((one) => one.hash === hash) ?? null;
    const replicator = new Replicator({
      region,
      instance: `${region}-${this.starts}`,
      datasets: [...datasets.values()].map(({ table, partitions }) => ({ table, partitions })),
      log: mortalLog(log, life),
      openStore: async () => mortalStore(await this.database.openApplyStore(), life),
      configurations,
      refreshConfigurations: () => Promise.resolve(),
      observer: this.observer(),
      clock: world.clock(),
    });
    void replicator.run();
    this.processes.set(instance, {
      replicator,
      stop: () => {
        life.ended = true;
        replicator.stop();
        void log.close();
      },
    });
  }

  /** SIGKILL: nothing that the process does reaches a port any more. */
  killReplicator(instance = 0): void {
    this.cluster.options.world.note(`kill replicator ${this.region} ${instance}`);
    this.processes.get(instance)?.stop();
    this.processes.delete(instance);
  }

  private observer(): Observer {
    return { report: (fact) => this.facts.push(fact) };
  }
}

export class SimulatedCluster {
  readonly log: MemoryLog;
  readonly regions: ReadonlyMap<RegionName, SimulatedRegion>;

  constructor(readonly options: SimulatedClusterOptions) {
    this.log = memoryLog(options.world, options.logFaults === undefined ? {} : { faults: options.logFaults });
    this.regions = new Map(options.regions.map((region) => [region, new SimulatedRegion(region, this)]));
  }

  /** Starts every region and waits until each shard has begun and every region knows its home. */
  async start(): Promise<void> {
    for (const region of this.regions.values()) void region.start();
    const ready = (): boolean =>
      [...this.regions.values()].every((region) => region.gateway?.notReady().length === 0);
    await this.options.world.runUntil(ready, 60_000);
  }

  region(name: string): SimulatedRegion {
    const region = this.regions.get(name as RegionName);
    if (region === undefined) throw new Error(`no region ${name}`);
    return region;
  }

  /** A client's write at a region's gateway; resolves when the world has run so far. */
  write(
    region: string,
    dataset: string,
    body: object,
    idempotencyKey: string | null = null,
  ): Promise<Answer> {
    const { world } = this.options;
    const identities = world.identities(`client ${region} ${idempotencyKey ?? world.trace.length}`);
    const trace = {
      traceId: identities.traceId(),
      spanId: identities.spanId(),
      parentSpanId: null,
      sampled: true,
    };
    const caller = { principal: 'anonymous', trace, forwarded: null, neverForward: false };
    return this.region(region).gateway.write({ dataset, body: JSON.stringify(body), idempotencyKey, caller });
  }

  streams(): StreamSource {
    const { world } = this.options;
    return {
      instances: (region) => this.region(region).instances,
      connect: (region, instance, prefix) =>
        world.complete(`connect ${region}`, () => {
          const replicator = this.region(region).replicator(instance);
          if (replicator === null) throw new PortError('stream-refused', 'retryable', `${region} is down`);
          const subscription = replicator.hub.subscribe(prefix);
          return {
            next: async () => {
              const frames = await subscription.next();
              return world.complete(`frames ${region}`, () => frames);
            },
            close: () => subscription.close(),
          };
        }),
    };
  }

  forwarder(from: RegionName): Forwarder {
    const { world } = this.options;
    return {
      forward: async (write) => {
        const fault = this.options.forwardFault?.() ?? null;
        await world.complete(`forward ${from} to ${write.to}`, () => {
          if (fault === 'refused') throw new PortError('forward-refused', 'retryable', `${write.to} is down`);
        });
        const [, traceId = '', spanId = '', flags = ''] = (write.traceparent ?? '').split('-');
        const answer = await this.region(write.to).gateway.write({
          dataset: write.dataset,
          body: write.body,
          idempotencyKey: write.idempotencyKey,
          caller: {
            principal: write.principal,
            trace: { traceId, spanId, parentSpanId: null, sampled: flags === '01' },
            forwarded: {
              hops: write.hops,
              epoch: toEpoch(write.epoch),
              keyWasMinted: write.keyWasMinted,
              timeoutMs: write.timeoutMs,
            },
            neverForward: false,
          },
        });
        return world.complete(`answer ${write.to} to ${from}`, () => {
          if (fault === 'answer-lost') throw new PortError('forward-unanswered', 'unknown', 'no answer came');
          return answer;
        });
      },
    };
  }
}

/** What a dead process would still do is never done and never answered. */
function mortal<T extends object>(
  port: T,
  life: { readonly ended: boolean },
  wrap: (value: unknown) => unknown,
): T {
  return new Proxy(port, {
    get: (target, name, receiver) => {
      const member: unknown = Reflect.get(target, name, receiver);
      if (typeof member !== 'function')
        return typeof member === 'object' && member !== null ? mortal(member, life, wrap) : member;
      return async (...parameters: unknown[]): Promise<unknown> => {
        if (life.ended) return new Promise(() => undefined);
        const result: unknown = await (member as (...given: unknown[]) => unknown).apply(target, parameters);
        return life.ended ? new Promise(() => undefined) : wrap(result);
      };
    },
  });
}

function mortalLog(log: Log, life: { readonly ended: boolean }): Log {
  const wrap = (value: unknown): unknown =>
    typeof value === 'object' && value !== null && 'close' in value
      ? mortal(value, life, (inner) => inner)
      : value;
  return mortal(log, life, wrap);
}

const mortalStore = (store: ApplyStore, life: { readonly ended: boolean }): ApplyStore =>
  mortal(store, life, (value) => value);
