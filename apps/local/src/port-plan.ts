/**
 * Which process listens where. The plan is a function of one base, so that a cluster's ports are easy to know by heart;
 * `auto` looks for a base whose ports are all free, below the range that the system hands to outgoing connections, so
 * that a port of a process that is down for a moment is not given away.
 */
import { createServer } from 'node:net';
import { randomInt } from 'node:crypto';
import type { Ports } from './options.js';
import { LocalError } from './local-error.js';

export interface RegionPorts {
  readonly gateway: number;
  readonly coordinator: number;
  readonly replicator: number;
  readonly postgres: number;
  /** Of a second replicator; `null` where there is none. */
  readonly standby: number | null;
  /** Of the sample service; `null` where it does not run. */
  readonly ledger: number | null;
}

export interface BrokerPorts {
  readonly client: number;
  readonly controller: number;
  /** Between brokers, through the proxies; only with a wide area. */
  readonly internal: number;
  /** One listener per region, because a broker tells each of them another address; only with a wide area. */
  readonly byRegion: Readonly<Record<string, number>>;
}

export interface JaegerPorts {
  /** Takes spans by OTLP/HTTP. */
  readonly otlp: number;
  readonly query: number;
}

export interface PortPlan {
  readonly regions: Readonly<Record<string, RegionPorts>>;
  readonly brokers: readonly BrokerPorts[];
  /** `null` where there is none. */
  readonly jaeger: JaegerPorts | null;
}

export interface PlanShape {
  readonly regions: readonly string[];
  readonly brokers: number;
  readonly wideArea: boolean;
  /** A second replicator in every region. */
  readonly standby: boolean;
  /** The sample service in every region. */
  readonly ledger: boolean;
  readonly jaeger: boolean;
}

export const REGIONS_MAX = 16;
const AUTO_BASE_LEAST = 10_000;
const AUTO_BASE_MOST = 31_000;
const AUTO_TRIES_MAX = 100;

/** The well-known ports: gateways from 7101, coordinators from 7201, replicators from 7301, Postgres from 7401, standbys from 7701, ledgers from 7801, Kafka from 19092, Jaeger's own. */
const wellKnown = { services: 7_000, kafka: 19_092, jaeger: { otlp: 4_318, query: 16_686 } } as const;

export function planPorts(ports: { readonly base: number } | 'well-known', shape: PlanShape): PortPlan {
  const { services, kafka, jaeger } =
    ports === 'well-known'
      ? wellKnown
      : {
          services: ports.base,
          kafka: ports.base + 500,
          jaeger: { otlp: ports.base + 691, query: ports.base + 692 },
        };
  return {
    regions: Object.fromEntries(
      shape.regions.map((region, index) => [
        region,
        {
          gateway: services + 101 + index,
          coordinator: services + 201 + index,
          replicator: services + 301 + index,
          postgres: services + 401 + index,
          // Behind the brokers' ports, which a block of ports has from 500 to 682.
          standby: shape.standby ? services + 701 + index : null,
          ledger: shape.ledger ? services + 801 + index : null,
        },
      ]),
    ),
    brokers: Array.from({ length: shape.brokers }, (_, broker) => ({
      client: kafka + broker,
      controller: kafka + 10 + broker,
      internal: kafka + 20 + broker,
      byRegion: Object.fromEntries(
        shape.regions.map((region, index) => [region, kafka + 30 + 10 * index + broker]),
      ),
    })),
    jaeger: shape.jaeger ? jaeger : null,
  };
}

export function portsOf(plan: PortPlan, shape: PlanShape): readonly number[] {
  return [
    ...plan.brokers.flatMap((broker) => [
      broker.client,
      broker.controller,
      ...(shape.wideArea ? [broker.internal, ...Object.values(broker.byRegion)] : []),
    ]),
    ...Object.values(plan.regions).flatMap((region) => [
      region.gateway,
      region.coordinator,
      region.replicator,
      region.postgres,
      ...(region.standby === null ? [] : [region.standby]),
      ...(region.ledger === null ? [] : [region.ledger]),
    ]),
    ...(plan.jaeger === null ? [] : Object.values(plan.jaeger)),
  ];
}

/**
 * The plan to run with; throws `port-taken` naming the first taken port.
 * @param autoBase the base that `auto` found last time, kept while it is still free.
 */
export async function choosePorts(
  ports: Ports,
  shape: PlanShape,
  autoBase: number | null,
): Promise<{ readonly plan: PortPlan; readonly autoBase: number | null }> {
  if (ports.kind === 'auto') return chooseFreeBase(shape, autoBase);
  const plan = planPorts(ports.kind === 'default' ? 'well-known' : { base: ports.base }, shape);
  const taken = await firstTaken(plan, shape);
  if (taken !== undefined) {
    throw new LocalError(
      'port-taken',
      `Port ${taken} of 127.0.0.1 is taken by another program. End that program, or start with --ports auto` +
        ' (with --reset where this folder was made with other ports).',
    );
  }
  return { plan, autoBase: null };
}

async function chooseFreeBase(shape: PlanShape, autoBase: number | null) {
  for (let attempt = 0; attempt < AUTO_TRIES_MAX; attempt += 1) {
    const base = attempt === 0 && autoBase !== null ? autoBase : randomInt(AUTO_BASE_LEAST, AUTO_BASE_MOST);
    const plan = planPorts({ base }, shape);
    if ((await firstTaken(plan, shape)) === undefined) return { plan, autoBase: base };
  }
  throw new LocalError(
    'port-taken',
    `No free block of ports was found between ${AUTO_BASE_LEAST} and ${AUTO_BASE_MOST + 1_000}. Name one with --ports BASE.`,
  );
}

async function firstTaken(plan: PortPlan, shape: PlanShape): Promise<number | undefined> {
  for (const port of portsOf(plan, shape)) {
    if (!(await isFree(port))) return port;
  }
  return undefined;
}

export function isFree(port: number, host = '127.0.0.1'): Promise<boolean> {
  return new Promise((settle) => {
    const server = createServer();
    server.once('error', () => settle(false));
    server.listen({ port, host, exclusive: true }, () => server.close(() => settle(true)));
  });
}
