/**
 * Links between all regions and all brokers, on loopback addresses of their own: region `s` finds region `d` at
 * 127.1.s.d on the port that it really has, and broker `k` finds broker `j` at 127.2.k.j. So every side has its own
 * view of the others, and a pair can be delayed or cut without touching a third.
 */
import type { KafkaLinks, KafkaNode } from './kafka-node.js';
import { Link, type Direction } from './link.js';
import { LocalError } from './local-error.js';
import type { PortPlan, RegionPorts } from './port-plan.js';

const HERE = '127.0.0.1';

export interface WideAreaOptions {
  readonly regions: readonly string[];
  readonly nodes: readonly KafkaNode[];
  readonly plan: PortPlan;
  readonly delayMs: number;
}

export interface Cut {
  readonly region: string;
  /** One way: what the region sends is lost, what is sent to it arrives. */
  readonly oneWay: boolean;
}

export class WideArea implements KafkaLinks {
  readonly delayMs: number;
  readonly #options: WideAreaOptions;
  readonly #links: Link[] = [];
  readonly #cuts = new Map<string, Cut>();

  constructor(options: WideAreaOptions) {
    this.#options = options;
    this.delayMs = options.delayMs;
  }

  get cuts(): readonly Cut[] {
    return [...this.#cuts.values()];
  }

  /** Where `from` finds the roles of `to`. */
  hostOf(to: string, from: string): string {
    return from === to ? HERE : `127.1.${this.#number(from)}.${this.#number(to)}`;
  }

  advertisedHost(node: KafkaNode, region: string): string {
    return this.hostOf(node.region, region);
  }

  hostBetween(from: KafkaNode, to: KafkaNode): string {
    return from.region === to.region ? HERE : `127.2.${from.id}.${to.id}`;
  }

  async open(): Promise<void> {
    const { regions, nodes, plan, delayMs } = this.#options;
    for (const from of regions) {
      for (const to of regions.filter((region) => region !== from)) {
        const link = new Link({ from, to, delayMs });
        this.#links.push(link);
        const { gateway, replicator, coordinator } = plan.regions[to] as RegionPorts;
        const listeners = nodes
          .filter((node) => node.region === to)
          .map((node) => node.ports.byRegion[from] as number);
        for (const port of [gateway, replicator, coordinator, ...listeners]) {
          await link.open({ host: this.hostOf(to, from), port }, { host: HERE, port });
        }
      }
    }
    for (const from of nodes) {
      for (const to of nodes.filter((node) => node.region !== from.region)) {
        const link = new Link({ from: from.region, to: to.region, delayMs });
        this.#links.push(link);
        for (const port of [to.ports.internal, to.ports.controller]) {
          await link.open({ host: this.hostBetween(from, to), port }, { host: HERE, port });
        }
      }
    }
  }

  cut(cut: Cut): void {
    this.#number(cut.region);
    this.#cuts.set(cut.region, cut);
    this.#apply();
  }

  heal(region: string): void {
    this.#number(region);
    if (!this.#cuts.delete(region))
      throw new LocalError('not-possible-now', `${region} is not cut, so there is nothing to heal.`);
    this.#apply();
  }

  async close(): Promise<void> {
    await Promise.all(this.#links.splice(0).map((link) => link.close()));
  }

  #apply(): void {
    for (const link of this.#links) {
      link.setCut(this.cuts.flatMap((cut) => directionsOf(cut, link)));
    }
  }

  #number(region: string): number {
    const index = this.#options.regions.indexOf(region);
    if (index < 0)
      throw new LocalError(
        'unknown-target',
        `There is no region ${region} here, only ${this.#options.regions.join(', ')}.`,
      );
    return index + 1;
  }
}

function directionsOf(cut: Cut, link: Link): readonly Direction[] {
  if (link.from !== cut.region && link.to !== cut.region) return [];
  if (!cut.oneWay) return ['onward', 'back'];
  return [link.from === cut.region ? 'onward' : 'back'];
}
