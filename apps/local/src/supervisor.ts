/**
 * The processes of one local cluster: brokers, a database and the roles of each region, the links between, Jaeger, and the
 * sample service, which is ended before the gateways that it writes through.
 *
 * Order of the start: brokers, Jaeger and databases together, roles when those serve. Order of the end: roles first, since they
 * have something to write, then databases and Jaeger, then brokers. What runs is recorded at every change before anybody is told,
 * so that a later supervisor can end what a dead one left.
 */
import { renameSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { lastLines } from './bounded-log.js';
import { roles, type ClusterFile, type RegionFile, type Role } from './cluster-file.js';
import type { ClusterStatus, Order, ProcessOrder, ProcessStatus, Target } from './control.js';
import { projectFolder, replaceFile, type DataFolder } from './data-folder.js';
import { deriveCatalogue, type RegionView } from './derived-catalogue.js';
import { kafkaRecipe, kafkaReplication, type KafkaNode, type KafkaOptions } from './kafka-node.js';
import { jaegerRecipe } from './jaeger-process.js';
import { isLocalError, LocalError } from './local-error.js';
import { answersWell } from './http-probe.js';
import type { PortPlan, RegionPorts } from './port-plan.js';
import { makeDatabase, postgresRecipe, postgresUrl, type PostgresPlace } from './postgres-server.js';
import { SupervisedProcess, type ProcessEvents, type ProcessRecipe } from './supervised-process.js';
import { WideArea, type Cut } from './wide-area.js';

export interface SupervisorOptions {
  readonly data: DataFolder;
  readonly regions: readonly string[];
  readonly brokers: number;
  readonly brokersIn: string | null;
  readonly wanMs: number | null;
  readonly catalogue: string;
  readonly otlpUrl: string | null;
  readonly plan: PortPlan;
  readonly place: PostgresPlace;
  readonly postgresPassword: string;
  readonly java: string;
  /** The script of a role; tests put a stand-in here. */
  readonly roleScript?: string;
  /** Progress, for people. */
  say(line: string): void;
  /** What happens later: a death, a restart. */
  note(line: string): void;
}

interface Region {
  readonly postgres: SupervisedProcess;
  readonly roles: ReadonlyMap<Role, SupervisedProcess>;
}

/** The datasets that the sample service needs beside those of the sample. */
const LEDGER_CATALOGUE = join(projectFolder, 'apps/ledger/catalogue');
const KAFKA_READY_MS_MAX = 90_000;
const POSTGRES_READY_MS_MAX = 60_000;
const JAEGER_READY_MS_MAX = 60_000;
const ROLE_READY_MS_MAX = 120_000;
const ROLE_END_MS_MAX = 8_000;

export class Supervisor {
  readonly #options: SupervisorOptions;
  readonly #wideArea: WideArea | undefined;
  readonly #nodes: readonly KafkaNode[];
  readonly #brokers: SupervisedProcess[] = [];
  readonly #regions = new Map<string, Region>();
  #jaeger: SupervisedProcess | undefined;
  #state: 'starting' | 'running' | 'ending' = 'starting';
  #writing: Promise<void> = Promise.resolve();
  readonly #begun: Promise<void>[] = [];

  constructor(options: SupervisorOptions) {
    this.#options = options;
    this.#nodes = options.plan.brokers.map((ports, index) => ({
      id: index + 1,
      ports,
      region: options.brokersIn ?? (options.regions[index % options.regions.length] as string),
    }));
    this.#wideArea =
      options.wanMs === null
        ? undefined
        : new WideArea({
            regions: options.regions,
            nodes: this.#nodes,
            plan: options.plan,
            delayMs: options.wanMs,
          });
  }

  get state(): 'starting' | 'running' | 'ending' {
    return this.#state;
  }

  /** Resolves when everything is ready and `cluster.json` says so. */
  async start(): Promise<void> {
    const { regions, say } = this.#options;
    await this.#wideArea?.open();
    await Promise.all(regions.map((region) => this.#writeCatalogue(region)));
    await this.#allBegun([
      this.#startKafka(),
      this.#startJaeger(),
      ...regions.map((region) => this.#startDatabase(region)),
    ]);
    this.#mustGoOn();
    say('Starting the roles of each region ...');
    await this.#allBegun(regions.map((region) => this.#startRoles(region)));
    this.#mustGoOn();
    this.#state = 'running';
    await this.#tell();
  }

  clusterFile(): ClusterFile {
    return {
      ready: true,
      kafka: {
        brokers: this.#nodes.map((node) => `127.0.0.1:${node.ports.client}`),
        pids: this.#brokers.map((broker) => broker.pid),
      },
      regions: Object.fromEntries(this.#options.regions.map((name) => [name, this.#regionFile(name)])),
      console: `${urlOf(this.#ports(this.#options.regions[0]!).coordinator)}/console/`,
      jaeger: this.#options.plan.jaeger === null ? null : urlOf(this.#options.plan.jaeger.query),
    };
  }

  async status(): Promise<Pick<ClusterStatus, 'state' | 'cluster' | 'processes' | 'wideArea'>> {
    return {
      state: this.#state,
      cluster: this.#state === 'running' ? this.clusterFile() : null,
      processes: await Promise.all(this.#all().map(statusOf)),
      wideArea: this.#wideArea?.status ?? null,
    };
  }

  async carryOut(order: Order): Promise<readonly string[]> {
    if (this.#state !== 'running')
      throw new LocalError(
        'not-possible-now',
        `The cluster is ${this.#state}; experiments are for a running one.`,
      );
    switch (order.kind) {
      case 'process':
        return this.#order(order.order, order.target, order.stayDown);
      case 'cut':
        this.#links().cut({ region: order.region, lost: order.lost });
        return [cutText(order)];
      case 'heal':
        this.#links().heal(order.region);
        return [`${order.region} is connected again`];
      case 'swallow':
        this.#links().swallow(order.region, order.responses);
        return [`of the produce responses to ${order.region}, the next ${order.responses} are swallowed`];
    }
  }

  /** Ends everything; nothing it started runs afterwards. May be called at any time, also during the start. */
  async end(): Promise<void> {
    this.#state = 'ending';
    await rm(this.#options.data.cluster, { force: true });
    const regions = [...this.#regions.values()];
    const ledgers = regions.flatMap((region) => region.roles.get('ledger') ?? []);
    await Promise.all(ledgers.map((ledger) => ledger.end()));
    await Promise.all(regions.flatMap((region) => [...region.roles.values()].map((role) => role.end())));
    // Behind the roles: they send their last spans when they end.
    await Promise.all([...regions.map((region) => region.postgres.end()), this.#jaeger?.end()]);
    await Promise.all(this.#brokers.map((broker) => broker.end()));
    // A start that was interrupted may still make a database; it starts nothing any more.
    await Promise.allSettled(this.#begun);
    await this.#wideArea?.close();
    await this.#writing;
    await Promise.all(
      [this.#options.data.cluster, this.#options.data.processes].map((path) => rm(path, { force: true })),
    );
  }

  /** Fails with the first failure; the end waits for the others. */
  async #allBegun(parts: readonly Promise<void>[]): Promise<void> {
    this.#begun.push(...parts);
    await Promise.all(parts);
  }

  async #startKafka(): Promise<void> {
    const { data, java, say } = this.#options;
    const kafka: KafkaOptions = {
      nodes: this.#nodes,
      folder: data.kafka,
      logs: data.logs,
      java,
      links: this.#wideArea,
    };
    const recipes = await Promise.all(this.#nodes.map((node) => kafkaRecipe(node, kafka)));
    for (const recipe of recipes) this.#brokers.push(this.#supervise(recipe));
    await Promise.all(
      this.#brokers.map(async (broker, index) => {
        await this.#startReady(broker, KAFKA_READY_MS_MAX);
        say(`Kafka broker ${index + 1} is ready at 127.0.0.1:${this.#nodes[index]?.ports.client}`);
      }),
    );
  }

  async #startJaeger(): Promise<void> {
    const { data, plan, say } = this.#options;
    if (plan.jaeger === null) return;
    this.#jaeger = this.#supervise(jaegerRecipe(plan.jaeger, join(data.logs, 'jaeger.log')));
    await this.#startReady(this.#jaeger, JAEGER_READY_MS_MAX);
    say(`Jaeger is ready at ${urlOf(plan.jaeger.query)}`);
  }

  async #startDatabase(region: string): Promise<void> {
    const { data, place, postgresPassword, say } = this.#options;
    const { postgres: port } = this.#ports(region);
    const folder = await makeDatabase(place, region, postgresPassword);
    const postgres = this.#supervise(
      postgresRecipe({
        name: `${region}-postgres`,
        place,
        folder,
        port,
        log: join(data.logs, `${region}-postgres.log`),
      }),
    );
    this.#regions.set(region, { postgres, roles: this.#rolesOf(region) });
    await this.#startReady(postgres, POSTGRES_READY_MS_MAX);
    say(`Postgres of ${region} is ready at 127.0.0.1:${port}`);
  }

  async #startRoles(region: string): Promise<void> {
    const all = this.#region(region).roles;
    await Promise.all([...all.values()].map((role) => this.#startReady(role, ROLE_READY_MS_MAX)));
    this.#options.say(`Region ${region} is ready: ${[...all.keys()].join(', ')}`);
  }

  async #startReady(process: SupervisedProcess, msMax: number): Promise<void> {
    this.#mustGoOn();
    await process.start();
    try {
      await process.ready(msMax);
    } catch (error) {
      if (!isLocalError(error) || error.code !== 'not-ready') throw error;
      throw new LocalError('not-ready', `${error.message}\n${lastLines(process.recipe.log, 15)}`);
    }
  }

  #rolesOf(region: string): ReadonlyMap<Role, SupervisedProcess> {
    const ports = this.#ports(region);
    return new Map(
      roles.flatMap((role) => {
        const port = ports[role];
        if (port === null) return [];
        const recipe =
          role === 'ledger' ? this.#ledgerRecipe(region, port) : this.#roleRecipe(region, role, port);
        return [[role, this.#supervise(recipe)] as const];
      }),
    );
  }

  #ledgerRecipe(region: string, port: number): ProcessRecipe {
    return {
      name: `${region}-ledger`,
      log: join(this.#options.data.logs, `${region}-ledger.log`),
      launch: {
        command: process.execPath,
        args: ['--disable-warning=ExperimentalWarning', join(projectFolder, 'apps/ledger/dist/main.js')],
        environment: {
          ...callersEnvironment(),
          NODE_COMPILE_CACHE: join(projectFolder, '.lockstep/compile-cache'),
          LEDGER_GATEWAY: urlOf(this.#ports(region).gateway),
          LEDGER_DATABASE: postgresUrl(this.#ports(region).postgres, this.#options.postgresPassword),
          LEDGER_LISTEN: `127.0.0.1:${port}`,
        },
      },
      isReady: () => answersWell(port, '/readyz'),
      endSignal: 'SIGTERM',
      endMsMax: ROLE_END_MS_MAX,
    };
  }

  #roleRecipe(region: string, role: Exclude<Role, 'ledger'>, port: number): ProcessRecipe {
    const { data, plan, postgresPassword } = this.#options;
    const otlpUrl = plan.jaeger === null ? this.#options.otlpUrl : urlOf(plan.jaeger.otlp);
    return {
      name: `${region}-${role}`,
      log: join(data.logs, `${region}-${role}.log`),
      launch: {
        command: process.execPath,
        args: [
          '--disable-warning=ExperimentalWarning',
          this.#options.roleScript ?? join(projectFolder, 'apps/region/dist/main.js'),
        ],
        environment: {
          ...callersEnvironment(),
          NODE_COMPILE_CACHE: join(projectFolder, '.lockstep/compile-cache'),
          LOCKSTEP_ROLES: role === 'standby' ? 'replicator' : role,
          LOCKSTEP_REGION: region,
          LOCKSTEP_INSTANCE: `${region}-${role}-1`,
          LOCKSTEP_CATALOGUE: this.#catalogue(region),
          LOCKSTEP_LISTEN: `127.0.0.1:${port}`,
          LOCKSTEP_POSTGRES_URL: postgresUrl(this.#ports(region).postgres, postgresPassword),
          // Whoever asks for traces here wants to see every one.
          ...(plan.jaeger === null ? {} : { LOCKSTEP_TRACES_URL: urlOf(plan.jaeger.query) }),
          ...(otlpUrl === null ? {} : { LOCKSTEP_OTLP_URL: otlpUrl, LOCKSTEP_TRACE_RATIO: '1' }),
          LOCKSTEP_AUTH: 'none',
          LOCKSTEP_LOG_LEVEL: process.env['LOCKSTEP_LOG_LEVEL'] ?? 'info',
        },
      },
      isReady: () => answersWell(port, '/readyz'),
      endSignal: 'SIGTERM',
      endMsMax: ROLE_END_MS_MAX,
    };
  }

  async #writeCatalogue(region: string): Promise<void> {
    const { regions, catalogue } = this.#options;
    const view: RegionView = {
      brokers: this.#nodes.map((node) =>
        this.#wideArea === undefined
          ? `127.0.0.1:${node.ports.client}`
          : `${this.#wideArea.advertisedHost(node, region)}:${node.ports.byRegion[region]}`,
      ),
      ...kafkaReplication(this.#nodes.length),
      regions: Object.fromEntries(
        regions.map((other) => {
          const host = this.#wideArea?.hostOf(other, region) ?? '127.0.0.1';
          const { gateway, replicator, coordinator, standby } = this.#ports(other);
          const url = (port: number) => `http://${host}:${port}`;
          return [
            other,
            {
              gateway: url(gateway),
              replicator: standby === null ? url(replicator) : [url(replicator), url(standby)],
              coordinator: url(coordinator),
            },
          ];
        }),
      ),
    };
    const additions = this.#ports(region).ledger === null ? [] : [LEDGER_CATALOGUE];
    await deriveCatalogue([catalogue, ...additions], this.#catalogue(region), view);
  }

  async #order(order: ProcessOrder, target: Target, stayDown: boolean): Promise<readonly string[]> {
    const { databases, others, several } = this.#targets(target);
    const one = async (process: SupervisedProcess): Promise<string> => {
      try {
        return `${process.recipe.name} ${await orderOne(process, order, stayDown)}`;
      } catch (error) {
        // Among several, one that is down already is no reason to leave the others alone.
        if (several && isLocalError(error) && error.code === 'not-possible-now') return error.message;
        throw error;
      }
    };
    const each = (processes: readonly SupervisedProcess[]) => Promise.all(processes.map(one));
    switch (order) {
      case 'start': {
        const first = await each(databases);
        await Promise.all(databases.map((database) => database.ready(POSTGRES_READY_MS_MAX)));
        return [...first, ...(await each(others))];
      }
      case 'stop': {
        const first = await each(others);
        return [...first, ...(await each(databases))];
      }
      case 'kill':
      case 'pause':
      case 'continue':
        return each([...others, ...databases]);
    }
  }

  #targets(target: Target): {
    databases: readonly SupervisedProcess[];
    others: readonly SupervisedProcess[];
    several: boolean;
  } {
    if (target.kind === 'kafka') {
      if (target.node === null)
        return { databases: [], others: this.#brokers, several: this.#brokers.length > 1 };
      const broker = this.#brokers[target.node - 1];
      if (broker === undefined)
        throw new LocalError(
          'unknown-target',
          `There is no Kafka broker ${target.node} here, only ${this.#brokers.length}.`,
        );
      return { databases: [], others: [broker], several: false };
    }
    const { postgres, roles: byRole } = this.#region(target.region);
    if (target.process === null)
      return { databases: [postgres], others: [...byRole.values()], several: true };
    if (target.process === 'postgres') return { databases: [postgres], others: [], several: false };
    const role = byRole.get(target.process);
    if (role !== undefined) return { databases: [], others: [role], several: false };
    throw new LocalError(
      'unknown-target',
      `There is no ${target.process} in ${target.region}. A cluster with standbys or ledgers begins with npm start -- --reset and --standby or --ledger.`,
    );
  }

  #regionFile(name: string): RegionFile {
    const { postgres, roles: byRole } = this.#region(name);
    const ports = this.#ports(name);
    const pid = (role: Role) => byRole.get(role)?.pid ?? null;
    return {
      gateway: urlOf(ports.gateway),
      coordinator: urlOf(ports.coordinator),
      replicator: urlOf(ports.replicator),
      postgres: postgresUrl(ports.postgres, this.#options.postgresPassword),
      ...(ports.standby === null ? {} : { standby: urlOf(ports.standby) }),
      ...(ports.ledger === null ? {} : { ledger: urlOf(ports.ledger) }),
      pids: {
        postgres: postgres.pid,
        gateway: pid('gateway'),
        replicator: pid('replicator'),
        coordinator: pid('coordinator'),
        ...(ports.standby === null ? {} : { standby: pid('standby') }),
        ...(ports.ledger === null ? {} : { ledger: pid('ledger') }),
      },
    };
  }

  #supervise(recipe: ProcessRecipe): SupervisedProcess {
    const events: ProcessEvents = {
      changed: () => {
        this.#recordProcesses();
        if (this.#state === 'running') void this.#tell();
      },
      note: (line) => this.#options.note(line),
    };
    return new SupervisedProcess(recipe, events);
  }

  /** At once and not in turn: a supervisor that dies in the next moment must have left the pids. */
  #recordProcesses(): void {
    const running = this.#all().flatMap((process) =>
      process.identity === undefined ? [] : [{ name: process.recipe.name, ...process.identity }],
    );
    const path = this.#options.data.processes;
    writeFileSync(`${path}.incoming`, `${JSON.stringify(running, undefined, 2)}\n`, { mode: 0o600 });
    renameSync(`${path}.incoming`, path);
  }

  #tell(): Promise<void> {
    this.#writing = this.#writing.then(async () => {
      if (this.#state === 'running') await replaceFile(this.#options.data.cluster, this.clusterFile());
    });
    return this.#writing;
  }

  #all(): readonly SupervisedProcess[] {
    return [
      ...this.#brokers,
      ...(this.#jaeger === undefined ? [] : [this.#jaeger]),
      ...this.#options.regions
        .flatMap((name) => this.#regions.get(name) ?? [])
        .flatMap((region) => [region.postgres, ...region.roles.values()]),
    ];
  }

  #links(): WideArea {
    if (this.#wideArea !== undefined) return this.#wideArea;
    throw new LocalError(
      'no-wide-area',
      'This cluster has no links that can be cut. Begin one with links: npm start -- --reset --wan 40 (0 for no delay).',
    );
  }

  #region(name: string): Region {
    const region = this.#regions.get(name);
    if (region !== undefined) return region;
    throw new LocalError(
      'unknown-target',
      `There is no region ${name} here, only ${this.#options.regions.join(', ')}.`,
    );
  }

  #ports(region: string): RegionPorts {
    return this.#options.plan.regions[region] as RegionPorts;
  }

  #catalogue(region: string): string {
    return join(this.#options.data.catalogue, region);
  }

  #mustGoOn(): void {
    if (this.#state === 'ending') throw new LocalError('interrupted', 'The start was interrupted.');
  }
}

async function orderOne(process: SupervisedProcess, order: ProcessOrder, stayDown: boolean): Promise<string> {
  switch (order) {
    case 'kill':
      await process.kill({ stayDown });
      return stayDown
        ? 'is killed and stays down until it is started'
        : 'is killed; it starts again in a second';
    case 'pause':
      process.pause();
      return 'is paused';
    case 'continue':
      process.continue();
      return 'goes on';
    case 'stop':
      await process.end();
      return 'is stopped until it is started';
    case 'start':
      await process.start();
      return `runs (pid ${process.pid})`;
  }
}

function cutText({ lost, region }: Cut): string {
  switch (lost) {
    case 'both':
      return `${region} is cut off`;
    case 'sent':
      return `nothing that ${region} sends arrives any more`;
    case 'received':
      return `nothing that is sent to ${region} arrives any more`;
  }
}

async function statusOf(process: SupervisedProcess): Promise<ProcessStatus> {
  const { state, recipe } = process;
  const word =
    state.kind === 'running'
      ? state.paused
        ? 'paused'
        : (await process.isReady())
          ? 'ready'
          : 'not ready'
      : state.kind;
  return { name: recipe.name, pid: process.pid, state: word, log: recipe.log };
}

const urlOf = (port: number): string => `http://127.0.0.1:${port}`;

/** What a role needs of the caller's environment, and nothing that would configure it behind the supervisor's back. */
function callersEnvironment(): Record<string, string> {
  const names = ['PATH', 'HOME', 'TMPDIR', 'LANG', 'TZ'];
  return Object.fromEntries(
    names.flatMap((name) => (process.env[name] === undefined ? [] : [[name, process.env[name]]])),
  );
}
