/**
 * Composes engine and adapters into the roles that the configuration names. Nothing is decided here: the catalogue is
 * loaded and must be valid, the store is brought up to date, topics are compared with what they must be, loops are
 * started, and their state becomes health.
 */
import {
  loadCatalogue,
  describeFindings as describeCatalogue,
  type Catalogue,
  type RegionTopology,
} from '@lockstep/catalogue';
import {
  ControlLog,
  Coordinator,
  describeFinding,
  Gateway,
  isPortError,
  LedgerFeed,
  OutboxParking,
  Quarantine,
  Replicator,
  shardsOf,
  topicsOf,
  type Clock,
  type GatewayDataset,
  type Log,
  type QueryStore,
  type Signer,
} from '@lockstep/engine';
import { kafkaLog } from '@lockstep/kafka';
import {
  migrate,
  openApplyStore,
  openOutboxStore,
  openQueryStore,
  type PostgresQueryStore,
} from '@lockstep/postgres';
import {
  answerJson,
  partitionCount,
  type ConfigurationHash,
  type DatasetName,
  type FoldConfiguration,
  type RegionName,
} from '@lockstep/protocol';
import { openTelemetry, type Logger } from '@lockstep/telemetry';
import { httpCanary, httpForwarder, httpOutboxes, httpStreams } from '@lockstep/transport';
import { compileContent, tableOf } from '../configuration/compile-content.js';
import { coordinatorApi } from '../http/coordinator-answers.js';
import { httpLeaderCalls } from '../http/leader-call.js';
import { httpRegionReads } from '../http/region-reads.js';
import { gatewayApi } from '../http/gateway-answers.js';
import { problemAnswer } from '../http/http-answer.js';
import { nodeSignatureCheck, readSigner } from '../signing/node-signing.js';
import { nodeClock, nodeIdentities } from '../world/node-world.js';
import { CanaryRecord } from './canary-record.js';
import type { UnservedConfiguration } from './configuration.js';
import type { Role } from './role.js';
import { RuleRecord } from './rule-record.js';

const START_RETRY_MS = 1_000;

/** A catalogue that cannot be used: the start stops, with file, line and reason. */
export class CatalogueRefused extends Error {
  constructor(readonly lines: readonly string[]) {
    super(lines.join('\n'));
    this.name = 'CatalogueRefused';
  }
}

export async function composeRole(configuration: UnservedConfiguration, logger: Logger): Promise<Role> {
  const { region, roles } = configuration;
  const catalogue = await readCatalogue(configuration.catalogue, region);
  const signer = await signerOf(configuration, catalogue);
  const clock = nodeClock();
  const identities = nodeIdentities();
  const instance = `${configuration.instance}-${identities.publisherPrefix}`;
  const telemetry = openTelemetry({
    service: `lockstep-${roles.join('-')}`,
    region,
    role: roles.join(','),
    instance: configuration.instance,
    otlpUrl: configuration.otlpUrl,
    sampleRatio: configuration.traceRatio,
    logger,
    clock,
    identities,
  });
  const { observer } = telemetry;
  const retry = (what: string, step: () => Promise<void>): Promise<void> =>
    untilDone(clock, logger, what, step);

  const url = configuration.postgresUrl;
  await retry('the database', () => migrate(url));
  let store!: PostgresQueryStore;
  await retry('the database', async () => {
    store = await openQueryStore({ url });
  });
  const datasets = await deployDatasets(catalogue, store);
  const configurations = new Map<ConfigurationHash, FoldConfiguration>(
    [...datasets.values()].map(({ configuration: deployed }) => [deployed.hash, deployed]),
  );
  await addKeptConfigurations(configurations, datasets, store);

  const cluster = catalogue.topology.clusters.get(catalogue.topology.regions.get(region)!.cluster)!;
  const log = kafkaLog({
    brokers: cluster.brokers,
    clientId: `lockstep-${region}-${configuration.instance}`,
    onForeignBatch: (story) => logger.warn({}, story),
  });
  const regions = [...catalogue.topology.regions.keys()];
  const { compression } = cluster;
  const replication = { factor: cluster.replicationFactor, minInsyncReplicas: cluster.minInsyncReplicas };
  const addressesOf = <Address>(
    of: (topology: RegionTopology) => Address,
  ): ReadonlyMap<RegionName, Address> =>
    new Map([...catalogue.topology.regions].map(([name, topology]) => [name, of(topology)]));
  const contents = new Map(
    [...datasets].map(([name, { configuration: deployed }]) => [name, deployed.content]),
  );
  const coordinated = new Map(
    [...catalogue.datasets].map(([name, { content, failover, hash, logRetentionMs, openFirst }]) => [
      name,
      { content, hash, logRetentionMs, failover, openFirst, partitions: datasets.get(name)!.partitions },
    ]),
  );
  const loops: { readonly run: () => Promise<void>; readonly stop: () => void }[] = [];
  const listens = roles.includes('gateway') || roles.includes('coordinator');
  const feed = new LedgerFeed({
    region,
    regions,
    source: httpStreams(addressesOf(({ replicators }) => replicators)),
    publisherPrefix: roles.includes('gateway') ? identities.publisherPrefix : null,
    datasets: contents,
    clock,
    observer,
  });
  const control = new ControlLog({ region, log, clock, identities, observer });
  if (listens) loops.push(feed, control);

  const gateways = addressesOf((topology) => topology.gateway);
  const forwarder = httpForwarder(gateways);
  const gateway = roles.includes('gateway')
    ? new Gateway({
        region,
        regions,
        datasets,
        addresses: gateways,
        feed,
        control,
        log,
        store,
        forwarder,
        clock,
        identities,
        observer,
      })
    : null;
  const withOutbox = [...datasets].flatMap(([dataset, deployed]) =>
    isOutbox(deployed) ? shardsOf(dataset, deployed.partitions) : [],
  );
  if (gateway !== null) loops.push(gateway.admission, gateway.history);
  if (gateway !== null && withOutbox.length > 0)
    loops.push(new OutboxParking({ region, shards: withOutbox, feed, control, store, observer, clock }));
  const quarantineOf = (writing: Gateway): Quarantine =>
    new Quarantine({
      region,
      datasets,
      feed,
      store,
      clock,
      write: (call) => writing.write(call),
    });
  const replicator = roles.includes('replicator')
    ? new Replicator({
        region,
        instance,
        datasets: [...datasets.values()].map(({ table, partitions }) => ({ table, partitions })),
        log,
        openStore: () => openApplyStore({ url }),
        outbox: {
          datasets: new Set([...datasets.keys()].filter((name) => isOutbox(datasets.get(name)!))),
          openStore: (onStored) => openOutboxStore({ url, onStored }),
          identities,
        },
        configurations: (hash) => configurations.get(hash) ?? null,
        signatures: nodeSignatureCheck(),
        refreshConfigurations: () => addKeptConfigurations(configurations, datasets, store),
        observer,
        clock,
      })
    : null;
  if (replicator !== null) {
    loops.push(replicator);
    telemetry.observeDatabase(() => store.standing());
  }
  const canaries = new CanaryRecord(httpCanary(gateways), regions, clock);
  const outboxes = httpOutboxes(gateways);
  const regionReads = httpRegionReads(catalogue.topology.regions);
  const coordinator = roles.includes('coordinator')
    ? new Coordinator({
        region,
        regions,
        compression,
        datasets: coordinated,
        replication,
        feed,
        control,
        log,
        store,
        clock,
        identities,
        observer,
        signer,
        canary: canaries,
        outboxes,
        failover: catalogue.topology.failover,
        thresholdsOf: (about) => catalogue.topology.regions.get(about)!.thresholds,
      })
    : null;
  const ruleChanges = new RuleRecord(
    feed,
    [...datasets].flatMap(([dataset, { partitions }]) => shardsOf(dataset, partitions)),
    clock,
  );
  if (coordinator !== null) {
    loops.push(coordinator, ruleChanges);
    telemetry.observeCluster(() => coordinator.outlook());
  }

  const topics = new TopicCheck(
    log,
    topicsOf({ compression, datasets: coordinated, replication }),
    clock,
    logger,
  );
  loops.push(topics);
  const running = new Map(loops.map((loop) => [loop, loop.run()]));

  const blockers = (): readonly string[] => [
    ...topics.findings(),
    ...(gateway?.notReady().map((shard) => `the home of ${shard} is not known yet`) ?? []),
    ...(replicator?.notReady() ?? []),
    ...(coordinator?.notReady() ?? []),
  ];
  return {
    ...(gateway === null ? {} : { gateway: gatewayApi(gateway, quarantineOf(gateway), telemetry, clock) }),
    ...(coordinator === null
      ? {}
      : {
          coordinator: coordinatorApi(coordinator, {
            callLeader: httpLeaderCalls(addressesOf(({ coordinator: address }) => address)),
            canaries,
            ruleChanges,
            regionReads,
            region,
            tracesUrl: configuration.tracesUrl,
          }),
        }),
    ...(replicator === null
      ? {}
      : { openStream: (prefix: string | null) => replicator.hub.subscribe(prefix) }),
    health: {
      health: () => {
        const stalled = replicator?.stalled() ?? [];
        if (stalled.length === 0) return answerJson(200, { alive: true });
        return problemAnswer('not-ready', `no progress on ${stalled.join(', ')}`);
      },
      ready: () => {
        const missing = blockers();
        return missing.length === 0
          ? answerJson(200, { ready: true, region, roles })
          : problemAnswer('not-ready', missing.slice(0, 20).join('; '));
      },
    },
    metricsText: () => telemetry.metricsText(),
    refused: (status, code) => telemetry.requestRefused(status, code),
    close: async () => {
      await gateway?.close();
      // A leader says in the control log that it goes, so that the others need not find out.
      coordinator?.stop();
      if (coordinator !== null) await running.get(coordinator);
      for (const loop of loops) loop.stop();
      await Promise.all(running.values());
      forwarder.close();
      outboxes.close();
      regionReads.close();
      await Promise.all([log.close(), store.close()]);
      await telemetry.shutdown();
    },
  };
}

async function readCatalogue(folder: string, region: RegionName): Promise<Catalogue> {
  const result = await loadCatalogue(folder);
  if (result.kind === 'invalid') throw new CatalogueRefused([describeCatalogue(result.findings)]);
  if (!result.catalogue.topology.regions.has(region)) {
    throw new CatalogueRefused([
      `topology.yaml names no region "${region}". Next: add it, or correct LOCKSTEP_REGION.`,
    ]);
  }
  return result.catalogue;
}

/** A coordinator that cannot sign what the catalogue demands would fill the logs with entries that nobody heeds. */
async function signerOf(
  { roles, signingKeyFile }: UnservedConfiguration,
  { topology }: Catalogue,
): Promise<Signer | null> {
  const signer = signingKeyFile === null ? null : await readSigner(signingKeyFile);
  const { signingKeys } = topology;
  if (!roles.includes('coordinator') || signingKeys.length === 0) return signer;
  if (signer !== null && signingKeys.some(({ publicKey }) => publicKey === signer.publicKey)) return signer;
  const ids = signingKeys.map(({ id }) => id).join(', ');
  const wrong = signer === null ? 'this coordinator has none' : 'this coordinator has another one';
  throw new CatalogueRefused([
    `topology.yaml demands signatures by one of the keys ${ids}, and ${wrong}. ` +
      'Next: set LOCKSTEP_SIGNING_KEY_FILE to the private key of one of them.',
  ]);
}

/** Keeps every configuration in the store and makes its tables; a table that differs stops the start. */
async function deployDatasets(
  catalogue: Catalogue,
  store: QueryStore,
): Promise<ReadonlyMap<DatasetName, GatewayDataset>> {
  const datasets = new Map<DatasetName, GatewayDataset>();
  const differences: string[] = [];
  for (const [name, { content, hash, openFirst }] of catalogue.datasets) {
    const table = tableOf(content);
    const writtenBy = content.writers === 'outbox' ? 'outbox' : 'fold';
    for (const difference of await store.ensureTable(table, writtenBy)) {
      differences.push(`${name}: ${difference} Next: migrate the table, or give the projection another one.`);
    }
    await store.keepConfiguration(hash, content);
    const partitions = partitionCount(content.groups);
    datasets.set(name, { configuration: await compileContent(hash, content), table, partitions, openFirst });
  }
  if (differences.length > 0) throw new CatalogueRefused(differences);
  return datasets;
}

const isOutbox = ({ configuration }: GatewayDataset): boolean => configuration.content.writers === 'outbox';

/** Configurations that the logs may still need: those that this region once deployed, with the same table. */
async function addKeptConfigurations(
  configurations: Map<ConfigurationHash, FoldConfiguration>,
  datasets: ReadonlyMap<DatasetName, GatewayDataset>,
  store: QueryStore,
): Promise<void> {
  for (const { hash, content } of await store.configurations()) {
    const deployed = datasets.get(content.dataset);
    if (deployed === undefined || configurations.has(hash)) continue;
    const sameTable = JSON.stringify(tableOf(content)) === JSON.stringify(deployed.table);
    if (sameTable) configurations.set(hash, await compileContent(hash, content));
  }
}

/** Waits for what a process cannot start without; what repeating cannot mend is thrown. */
async function untilDone(
  clock: Clock,
  logger: Logger,
  what: string,
  step: () => Promise<void>,
): Promise<void> {
  for (;;) {
    try {
      return await step();
    } catch (error) {
      if (!isPortError(error) || error.disposition === 'fatal') throw error;
      logger.warn({ code: error.code }, `${what} does not answer yet: ${error.message}`);
      await clock.sleep(START_RETRY_MS).done;
    }
  }
}

/** Compares the topics with what they must be until they are right: a role is not ready on a topic that loses data. */
class TopicCheck {
  private found: readonly string[] = ['topics not checked yet'];
  private stopped = false;

  constructor(
    private readonly log: Log,
    private readonly topics: ReturnType<typeof topicsOf>,
    private readonly clock: Clock,
    private readonly logger: Logger,
  ) {}

  findings(): readonly string[] {
    return this.found;
  }

  async run(): Promise<void> {
    while (!this.stopped && this.found.length > 0) {
      try {
        const found: string[] = [];
        for (const topic of this.topics) {
          for (const finding of await this.log.admin.check(topic))
            found.push(describeFinding(topic, finding));
        }
        this.found = found;
      } catch (error) {
        this.found = [error instanceof Error ? error.message : String(error)];
      }
      if (this.found.length > 0) {
        this.logger.debug({ findings: this.found }, 'topics are not right yet');
        await this.clock.sleep(START_RETRY_MS / 2).done;
      }
    }
  }

  stop(): void {
    this.stopped = true;
  }
}
