/**
 * Regions in one process: the real gateway, replicators and coordinator of each, composed as `libs/nest` composes them, on
 * one world's log, stores and network. Each runs in a simulated process of its own that can be crashed, paused, cut off
 * and given a wrong clock; a new one starts from durable state only.
 */
import {
  ControlLog,
  Coordinator,
  Gateway,
  LedgerFeed,
  isPortError,
  OutboxParking,
  PortError,
  Replicator,
  shardsOf,
  type Caller,
  type Canary,
  type Fact,
  type Forwarder,
  type GatewayDataset,
  type Observer,
  type Outboxes,
  type OutboxParkingStore,
  type QueryStore,
  type Signer,
  type StreamSource,
} from '@lockstep/engine';
import {
  DEFAULT_FAILOVER_POLICY,
  DEFAULT_THRESHOLDS,
  epoch as toEpoch,
  isCanaryAnswered,
  readRecordedWatermark,
  WATERMARK_TOPIC,
  type Answer,
  type Configurations,
  type DatasetName,
  type FailoverMode,
  type RegionName,
  type StoreIncarnation,
} from '@lockstep/protocol';
import { memoryLog, type LogFaults, type MemoryLog } from '../log/memory-log.js';
import {
  memoryStore,
  type MemoryDatabase,
  type StoreCall,
  type StoredTransaction,
  type StoreFault,
} from '../store/memory-store.js';
import { simulatedSignatureCheck } from '../signing/simulated-signing.js';
import type { Chance } from '../world/chance.js';
import { Network } from '../world/network.js';
import { Process, type ProcessClock } from '../world/process.js';
import type { World } from '../world/world.js';
import { ClusterWitness } from './cluster-witness.js';
import { OpenWaits } from './open-waits.js';
import { request, streamConnection, type FrameFate } from './simulated-streams.js';

export interface SimulatedClusterOptions {
  readonly world: World;
  readonly regions: readonly RegionName[];
  readonly datasets: ReadonlyMap<DatasetName, GatewayDataset>;
  readonly logFaults?: LogFaults;
  /** Asked for every forward: it never arrives, or it arrives and its answer is lost. */
  readonly forwardFault?: () => 'refused' | 'answer-lost' | null;
  readonly storeFault?: (region: RegionName, call: StoreCall) => StoreFault | null;
  /** Asked for every message of a stream. */
  readonly frameFault?: () => FrameFate;
  /** Of each start of a process; exact unless said otherwise. */
  readonly clockOf?: (place: string) => ProcessClock;
  /** Replicators of each region; the second one stands by. One unless said otherwise. */
  readonly replicators?: 1 | 2;
  /** Whether coordinator and gateway of a region share a process; they do unless said otherwise. */
  readonly roles?: 'together' | 'apart';
  /** One broker unless said otherwise; with three each record stands on all and must stand on two. */
  readonly brokers?: 1 | 3;
  /** As many as a replicator takes by itself unless said otherwise. */
  readonly applyEventsMax?: number | undefined;
  readonly logRetentionMs?: number;
  /** Of every dataset; by a person unless it is said. */
  readonly failover?: FailoverMode;
  /** Of every coordinator; none unless said otherwise. */
  readonly signer?: Signer;
}

/** `gateway`, `coordinator` (where it has a process of its own), `replicator-0`, `replicator-1`. */
export type ProcessName = 'gateway' | 'coordinator' | `replicator-${number}`;

interface RunningProcess {
  readonly process: Process;
  readonly store: QueryStore & OutboxParkingStore;
  readonly gateway: Gateway | null;
  readonly feed: LedgerFeed | null;
  readonly coordinator: Coordinator | null;
  readonly replicator: Replicator | null;
}

const START_RETRY_MS = 1_000;
const FORWARD_GRACE_MS = 1_000;
const CONNECT_MS_MAX = 2_000;

/** As the adapter over HTTP. */
const OUTBOX_ANSWER_MS_MAX = 500;

/** What is late is late by about one of these: it comes before, while or after somebody has reconnected and gone on. */
const LATE_MS_MAX = [30, 600, 3_000] as const;

const latenessOf = (chance: Chance) => (): number => chance.below(chance.pick(LATE_MS_MAX));

export class SimulatedRegion {
  readonly facts: Fact[] = [];
  readonly database: MemoryDatabase;
  /** The life of the store that must have ended: it went back in it last, behind what the slow copy has of it (I12). */
  lifeOver: StoreIncarnation | null = null;
  /** What services have committed here, in order. */
  readonly stored: StoredTransaction[] = [];
  /** Ordinals of those that the database lost when it went back: what no relay had sent by then stands nowhere any more. */
  readonly takenBack = new Set<number>();
  /** Asks the database past all faults; for checkers. */
  query!: QueryStore;
  private readonly running = new Map<ProcessName, RunningProcess>();
  private readonly starting = new Map<ProcessName, Process>();
  private starts = 0;

  constructor(
    readonly region: RegionName,
    private readonly cluster: SimulatedCluster,
  ) {
    const { storeFault, world } = cluster.options;
    this.database = memoryStore(world, {
      lateMs: latenessOf(world.branch(`late calls ${region}`)),
      storeIncarnation: `00000000${world.branch(`store ${region}`).hex(24)}` as StoreIncarnation,
      committed: (request) => cluster.witness.committed(region, request),
      stored: (one) => this.stored.push(one),
      wentBack: () => this.noteWentBack(),
      ...(storeFault === undefined ? {} : { fault: (call) => storeFault(region, call) }),
    });
  }

  /** How many replicators the region has when none is down. */
  get instances(): number {
    return this.cluster.options.replicators ?? 1;
  }

  processNames(): readonly ProcessName[] {
    const replicators = Array.from(
      { length: this.instances },
      (_, instance) => `replicator-${instance}` as const,
    );
    return this.cluster.options.roles === 'apart'
      ? ['gateway', 'coordinator', ...replicators]
      : ['gateway', ...replicators];
  }

  /** Null while it is down or about to start. */
  served(name: ProcessName): RunningProcess | null {
    return this.running.get(name) ?? null;
  }

  /** Null while it is down. */
  process(name: ProcessName): Process | null {
    return this.running.get(name)?.process ?? this.starting.get(name) ?? null;
  }

  /** Those that are there. */
  processes(): readonly Process[] {
    return this.processNames().flatMap((name) => this.process(name) ?? []);
  }

  get gateway(): Gateway {
    return this.existing('gateway').gateway!;
  }

  get feed(): LedgerFeed {
    return this.existing('gateway').feed!;
  }

  get coordinator(): Coordinator {
    const { roles } = this.cluster.options;
    return this.existing(roles === 'apart' ? 'coordinator' : 'gateway').coordinator!;
  }

  /** Null while it is down. */
  replicator(instance = 0): Replicator | null {
    return this.running.get(`replicator-${instance}`)?.replicator ?? null;
  }

  async start(): Promise<void> {
    this.query = await this.database.openQueryStore();
    for (const { table } of this.cluster.options.datasets.values()) await this.query.ensureTable(table);
    for (const name of this.processNames()) this.startProcess(name);
  }

  /** Does nothing while the process is there. */
  startProcess(name: ProcessName): void {
    if (this.process(name) !== null) return;
    const { clockOf, world } = this.cluster.options;
    this.starts += 1;
    const place = `${this.region}/${name}`;
    const process = new Process(place, world, this.cluster.network, clockOf?.(place));
    this.starting.set(name, process);
    void this.compose(name, process, `${this.region}-${this.starts}`).then((composed) => {
      if (composed === null || process.hasEnded) return;
      this.starting.delete(name);
      this.running.set(name, composed);
    });
  }

  /** SIGKILL: nothing that the process does reaches a port any more, and its connections break. */
  killProcess(name: ProcessName): void {
    const process = this.process(name);
    if (process === null) return;
    const { world } = this.cluster.options;
    world.note(`kill ${process.place}`);
    this.noteCrash(process, name.startsWith('replicator') ? 'replicator' : name);
    const replicator = this.running.get(name)?.replicator;
    this.running.delete(name);
    this.starting.delete(name);
    process.end();
    replicator?.hub.close();
  }

  private noteCrash({ unanswered, underWay }: Process, role: string): void {
    const { world } = this.cluster.options;
    const points = [
      ...underWay.present(),
      ...unanswered.present().map((step) => `${step} unanswered` as const),
    ];
    for (const point of points.length > 0 ? points : (['nothing'] as const)) world.hitByCrash(role, point);
    for (const step of new Set([...underWay.present(), ...unanswered.present()])) world.hit('crash', step);
  }

  startReplicator(instance = 0): void {
    this.startProcess(`replicator-${instance}`);
  }

  killReplicator(instance = 0): void {
    this.killProcess(`replicator-${instance}`);
  }

  private existing(name: ProcessName): RunningProcess {
    const found = this.running.get(name);
    if (found === undefined) throw new Error(`${this.region}/${name} is down`);
    return found;
  }

  private noteWentBack(): void {
    const { lastStored } = this.database.outbox();
    for (const { ordinal } of this.stored) if (ordinal > lastStored) this.takenBack.add(ordinal);
    const present = this.database.incarnation();
    const isBehind = this.cluster.log.records(WATERMARK_TOPIC, 0).some(({ valueText }) => {
      const told = readRecordedWatermark(valueText);
      if (told?.region !== this.region || told.storeIncarnation !== present) return false;
      const cursor = this.database.cursor(told.shard);
      return told.logIncarnation === cursor?.logIncarnation && told.sequence > cursor.sequence;
    });
    this.lifeOver = isBehind ? present : null;
  }

  /** As the role does: waits for the database, deploys the catalogue, then runs. */
  private async compose(
    name: ProcessName,
    process: Process,
    instance: string,
  ): Promise<RunningProcess | null> {
    const { datasets, world } = this.cluster.options;
    const { clock } = process;
    const through = process.reaching(`${this.region}/store`);
    const observer: Observer = {
      report: (fact) => {
        if (!process.hasEnded) this.facts.push(fact);
      },
    };
    let store!: QueryStore & OutboxParkingStore;
    for (;;) {
      try {
        store = await this.database.openQueryStore(through);
        for (const { configuration, table } of datasets.values()) {
          await store.ensureTable(table);
          await store.keepConfiguration(configuration.hash, configuration.content);
        }
        break;
      } catch {
        await clock.sleep(START_RETRY_MS).done;
      }
    }
    if (name.startsWith('replicator')) {
      const replicator = this.composeReplicator(process, instance, observer);
      void replicator.run();
      return { process, store, gateway: null, feed: null, coordinator: null, replicator };
    }
    const identities = world.identities(`${process.place} ${instance}`);
    const { region } = this;
    const { logRetentionMs = 7 * 86_400_000, regions, roles } = this.cluster.options;
    const log = this.cluster.log.open(process.reaching('log'));
    const feed = new LedgerFeed({
      region,
      regions,
      source: this.cluster.streams(process),
      publisherPrefix: name === 'gateway' ? identities.publisherPrefix : null,
      datasets: new Map([...datasets].map(([each, { configuration }]) => [each, configuration.content])),
      clock,
      observer,
    });
    void feed.run();
    const control = new ControlLog({ region, log, clock, identities, observer });
    void control.run();
    const shared = { region, regions, feed, control, log, store, clock, identities, observer };
    const gateway =
      name === 'gateway'
        ? new Gateway({
            ...shared,
            datasets,
            addresses: new Map(regions.map((each) => [each, `http://${each}`])),
            forwarder: this.cluster.forwarder(process),
          })
        : null;
    void gateway?.admission.run();
    void gateway?.history.run();
    const withOutbox = [...datasets].flatMap(([each, { configuration, partitions }]) =>
      configuration.content.writers === 'outbox' ? shardsOf(each, partitions) : [],
    );
    if (gateway !== null && withOutbox.length > 0)
      void new OutboxParking({ ...shared, shards: withOutbox }).run();
    const coordinator =
      name === 'coordinator' || roles !== 'apart'
        ? new Coordinator({
            ...shared,
            datasets: new Map(
              [...datasets].map(([each, { configuration, openFirst, partitions }]) => [
                each,
                {
                  content: configuration.content,
                  hash: configuration.hash,
                  partitions,
                  logRetentionMs,
                  failover: this.cluster.options.failover ?? 'manual',
                  openFirst,
                },
              ]),
            ),
            replication: this.cluster.replication(),
            compression: 'none',
            signer: this.cluster.options.signer ?? null,
            canary: this.cluster.canary(process),
            ...(withOutbox.length === 0 ? {} : { outboxes: this.cluster.outboxes(process) }),
            failover: DEFAULT_FAILOVER_POLICY,
            thresholdsOf: () => DEFAULT_THRESHOLDS,
          })
        : null;
    void coordinator?.run();
    return { process, store, gateway, feed, coordinator, replicator: null };
  }

  private composeReplicator(process: Process, instance: string, observer: Observer): Replicator {
    const { datasets } = this.cluster.options;
    const known = [...datasets.values()].map((dataset) => dataset.configuration);
    const written = known.filter(({ content }) => content.writers === 'outbox');
    const configurations: Configurations = (hash) => known.find((one) => one.hash === hash) ?? null;
    return new Replicator({
      region: this.region,
      instance,
      datasets: [...datasets.values()].map(({ table, partitions }) => ({ table, partitions })),
      log: this.cluster.log.open(process.reaching('log')),
      openStore: () => this.database.openApplyStore(process.reaching(`${this.region}/store`)),
      outbox:
        written.length === 0
          ? null
          : {
              datasets: new Set(written.map(({ content }) => content.dataset)),
              openStore: (onStored) =>
                this.database.openOutboxStore(onStored, process.reaching(`${this.region}/store`)),
              identities: this.cluster.options.world.identities(`${process.place} ${instance}`),
            },
      configurations,
      signatures: simulatedSignatureCheck,
      refreshConfigurations: () => Promise.resolve(),
      observer,
      clock: process.clock,
      applyEventsMax: this.cluster.options.applyEventsMax,
    });
  }
}

export class SimulatedCluster {
  readonly log: MemoryLog;
  readonly network = new Network();
  /** For checkers. */
  readonly witness: ClusterWitness;
  readonly waits = new OpenWaits();
  readonly regions: ReadonlyMap<RegionName, SimulatedRegion>;
  /** Lives of processes that have listened so far. */
  private listeners = 0;

  constructor(readonly options: SimulatedClusterOptions) {
    const { brokers = 1, logFaults, regions, world } = options;
    this.witness = new ClusterWitness(world);
    this.log = memoryLog(world, {
      lateMs: latenessOf(world.branch('late appends')),
      stands: (record) => this.witness.stands(record),
      ...(logFaults === undefined ? {} : { faults: logFaults }),
      ...(brokers === 1 ? {} : { brokers: Array.from({ length: brokers }, (_, index) => regions[index]!) }),
    });
    this.regions = new Map(regions.map((region) => [region, new SimulatedRegion(region, this)]));
  }

  /** Starts every region and waits until each shard has begun and every region knows its home. */
  async start(): Promise<void> {
    for (const region of this.regions.values()) void region.start();
    await this.options.world.runUntil(() => this.isReady(), 60_000);
  }

  /** Every gateway is there and knows where each shard is at home. */
  isReady(): boolean {
    return [...this.regions.values()].every(
      (region) => region.served('gateway')?.gateway!.notReady().length === 0,
    );
  }

  region(name: string): SimulatedRegion {
    const region = this.regions.get(name as RegionName);
    if (region === undefined) throw new Error(`no region ${name}`);
    return region;
  }

  replication(): { readonly factor: number; readonly minInsyncReplicas: number } {
    return this.options.brokers === 3
      ? { factor: 3, minInsyncReplicas: 2 }
      : { factor: 1, minInsyncReplicas: 1 };
  }

  /** A client's write at a region's gateway; resolves when the world has run so far. */
  write(
    region: string,
    dataset: string,
    body: object,
    idempotencyKey: string | null = null,
  ): Promise<Answer> {
    const { world } = this.options;
    const trace = this.newTrace(`client ${region} ${idempotencyKey ?? world.lines}`, true);
    const caller = { principal: 'anonymous', trace, forwarded: null, neverForward: false };
    return this.region(region).gateway.write({ dataset, body: JSON.stringify(body), idempotencyKey, caller });
  }

  private newTrace(name: string, sampled: boolean): Caller['trace'] {
    const identities = this.options.world.identities(name);
    return { traceId: identities.traceId(), spanId: identities.spanId(), parentSpanId: null, sampled };
  }

  /** What a client asks a region's gateway, by what lies between them. Rejects `retryable` where nobody listens. */
  ask(
    client: Process,
    region: string,
    ask: (gateway: Gateway) => Promise<Answer>,
    timeoutMs: number,
  ): Promise<Answer> {
    return request(this.options.world, this.network, {
      from: client,
      place: `${region}/gateway`,
      label: `ask ${region}`,
      timeoutMs,
      server: () => this.region(region).served('gateway'),
      serve: ({ gateway, process }) => {
        const dueMs = this.options.world.elapsedMs() + timeoutMs;
        return this.waits.keep({ process, what: `a call of ${region}`, dueMs }, ask(gateway!));
      },
      refused: () => new PortError('ECONNREFUSED', 'retryable', `${region} is down`),
      unanswered: () => new PortError('no-answer', 'unknown', `${region} did not answer`),
    });
  }

  streams(listener: Process): StreamSource {
    const { frameFault, world } = this.options;
    this.listeners += 1;
    const by = { place: listener.place, life: this.listeners };
    return {
      instances: (region) => this.region(region).instances,
      connect: async (region, instance, prefix) => {
        const refused = (): PortError => new PortError('stream-refused', 'retryable', `${region} is down`);
        const name = `replicator-${instance}` as const;
        const connected = await request(world, this.network, {
          from: listener,
          place: `${region}/${name}`,
          label: `connect ${region}`,
          timeoutMs: CONNECT_MS_MAX,
          server: () => this.region(region).served(name),
          serve: async ({ process, replicator }) => ({
            server: process,
            subscription: this.witness.overhear(region, replicator!.hub.subscribe(prefix)),
          }),
          refused,
          unanswered: refused,
        });
        const fate = frameFault ?? ((): FrameFate => 'told');
        const connection = streamConnection(world, this.network, { ...connected, listener, fate });
        return this.witness.listening(by, region, connection);
      },
    };
  }

  canary(from: Process): Canary {
    const { world } = this.options;
    const lost = (): PortError => new PortError('canary-lost', 'unknown', 'no answer came');
    return {
      ask: async (region, { dataset, key, timeoutMs }) => {
        const trace = this.newTrace(`canary ${from.place} ${region}`, false);
        try {
          const answer = await request(world, this.network, {
            from,
            place: `${region}/gateway`,
            label: `canary ${region}`,
            timeoutMs: timeoutMs + FORWARD_GRACE_MS,
            server: () => this.region(region).served('gateway'),
            serve: async ({ gateway }) =>
              gateway!.row({
                dataset,
                key,
                query: { consistency: 'strong', timeoutMs: String(timeoutMs) },
                token: null,
                caller: { principal: 'canary', trace, forwarded: null, neverForward: false },
              }),
            refused: lost,
            unanswered: lost,
          });
          return isCanaryAnswered(answer.status)
            ? { kind: 'answered' }
            : { kind: 'refused', detail: `it answered ${answer.status}` };
        } catch (error) {
          if (!isPortError(error)) throw error;
          return { kind: 'failed', detail: error.message };
        }
      },
    };
  }

  outboxes(from: Process): Outboxes {
    const failed = (): PortError => new PortError('outbox-refused', 'retryable', 'no answer came');
    return {
      ask: (home, shard) =>
        request(this.options.world, this.network, {
          from,
          place: `${home}/gateway`,
          label: `outbox ${home}`,
          timeoutMs: OUTBOX_ANSWER_MS_MAX,
          server: () => this.region(home).served('gateway'),
          serve: ({ store }) => store.outboxStanding(shard),
          refused: failed,
          unanswered: failed,
        }),
    };
  }

  forwarder(from: Process): Forwarder {
    const { forwardFault, world } = this.options;
    const refused = (): PortError => new PortError('forward-refused', 'retryable', 'the home is down');
    const unanswered = (): PortError => new PortError('forward-unanswered', 'unknown', 'no answer came');
    return {
      forward: async (write) => {
        const fault = forwardFault?.() ?? null;
        if (fault !== null) world.hit(`forward-${fault}`, 'forward');
        const [, traceId = '', spanId = '', flags = ''] = (write.traceparent ?? '').split('-');
        const { body, dataset, hops, idempotencyKey, isReapplied, keyWasMinted, principal, timeoutMs, to } =
          write;
        return request(world, this.network, {
          from,
          place: `${to}/gateway`,
          label: `forward ${to}`,
          timeoutMs: timeoutMs + FORWARD_GRACE_MS,
          server: () => (fault === 'refused' ? null : this.region(to).served('gateway')),
          serve: async ({ gateway, process }) => {
            const trace = { traceId, spanId, parentSpanId: null, sampled: flags === '01' };
            const forwarded = { hops, epoch: toEpoch(write.epoch), keyWasMinted, isReapplied, timeoutMs };
            const caller = { principal, trace, forwarded, neverForward: false };
            const dueMs = world.elapsedMs() + timeoutMs + FORWARD_GRACE_MS;
            const answer = await this.waits.keep(
              { process, what: `a write forwarded to ${to}`, dueMs },
              gateway!.write({ dataset, body, idempotencyKey, caller }),
            );
            if (fault === 'answer-lost') throw unanswered();
            return answer;
          },
          refused,
          unanswered,
        });
      },
    };
  }
}
