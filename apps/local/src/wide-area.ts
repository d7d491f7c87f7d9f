/**
 * Links between all regions and all brokers, on loopback addresses of their own: region `s` finds region `d` at
 * 127.1.s.d on the port that it really has, and broker `k` finds broker `j` at 127.2.k.j. So every side has its own
 * view of the others, and a pair can be delayed or cut without touching a third. A region finds the brokers in it
 * behind a link too, one without delay that no cut touches: what a role says to a broker always passes a link.
 */
import type { KafkaLinks, KafkaNode } from './kafka-node.js';
import { Link, type Direction, type LinkOptions } from './link.js';
import { LocalError } from './local-error.js';
import type { PortPlan, RegionPorts } from './port-plan.js';
import { ResponseSwallower } from './response-swallower.js';

const HERE = '127.0.0.1';

export interface WideAreaOptions {
  readonly regions: readonly string[];
  readonly nodes: readonly KafkaNode[];
  readonly plan: PortPlan;
  readonly delayMs: number;
}

export interface Cut {
  readonly region: string;
  /** What is lost of what passes between the region and all others: seen from the region. */
  readonly lost: 'both' | 'sent' | 'received';
}

/** Produce responses on their way to the roles of a region. */
export interface Swallowing {
  readonly region: string;
  /** Still to be swallowed. */
  readonly due: number;
  readonly swallowed: number;
}

export interface WideAreaStatus {
  readonly delayMs: number;
  readonly cuts: readonly Cut[];
  readonly swallowing: readonly Swallowing[];
}

export class WideArea implements KafkaLinks {
  readonly #options: WideAreaOptions;
  readonly #links: Link[] = [];
  readonly #cuts = new Map<string, Cut>();
  readonly #swallowers: ReadonlyMap<string, ResponseSwallower>;

  constructor(options: WideAreaOptions) {
    this.#options = options;
    this.#swallowers = new Map(options.regions.map((region) => [region, new ResponseSwallower()]));
  }

  get status(): WideAreaStatus {
    return {
      delayMs: this.#options.delayMs,
      cuts: [...this.#cuts.values()],
      swallowing: [...this.#swallowers].map(([region, { due, swallowed }]) => ({ region, due, swallowed })),
    };
  }

  /** Where `from` finds the roles of `to`. */
  hostOf(to: string, from: string): string {
    return from === to ? HERE : this.#linkHost(to, from);
  }

  advertisedHost(node: KafkaNode, region: string): string {
    return this.#linkHost(node.region, region);
  }

  hostBetween(from: KafkaNode, to: KafkaNode): string {
    return from.region === to.region ? HERE : `127.2.${from.id}.${to.id}`;
  }

  async open(): Promise<void> {
    const { regions, nodes, plan, delayMs } = this.#options;
    for (const from of regions) {
      for (const to of regions) {
        const { gateway, replicator, coordinator, standby } = plan.regions[to] as RegionPorts;
        if (from !== to)
          await this.#openLink({ from, to, delayMs }, this.#linkHost(to, from), [
            gateway,
            replicator,
            coordinator,
            ...(standby === null ? [] : [standby]),
          ]);
        const swallower = this.#swallowers.get(from) as ResponseSwallower;
        await this.#openLink(
          { from, to, delayMs: from === to ? 0 : delayMs, swallower },
          this.#linkHost(to, from),
          nodes.filter((node) => node.region === to).map((node) => node.ports.byRegion[from] as number),
        );
      }
    }
    for (const from of nodes) {
      for (const to of nodes.filter((node) => node.region !== from.region)) {
        await this.#openLink({ from: from.region, to: to.region, delayMs }, this.hostBetween(from, to), [
          to.ports.internal,
          to.ports.controller,
        ]);
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

  /** The next so many from now on, of all brokers together; 0 takes an order back. */
  swallow(region: string, responses: number): void {
    this.#number(region);
    this.#swallowers.get(region)?.swallowNext(responses);
  }

  async close(): Promise<void> {
    await Promise.all(this.#links.splice(0).map((link) => link.close()));
  }

  async #openLink(options: LinkOptions, host: string, ports: readonly number[]): Promise<void> {
    const link = new Link(options);
    this.#links.push(link);
    for (const port of ports) await link.open({ host, port }, { host: HERE, port });
  }

  #apply(): void {
    for (const link of this.#links) {
      link.setCut([...this.#cuts.values()].flatMap((cut) => directionsOf(cut, link)));
    }
  }

  #linkHost(to: string, from: string): string {
    return `127.1.${this.#number(from)}.${this.#number(to)}`;
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

function directionsOf({ lost, region }: Cut, link: Link): readonly Direction[] {
  if ((link.from !== region && link.to !== region) || link.from === link.to) return [];
  if (lost === 'both') return ['onward', 'back'];
  return [(link.from === region) === (lost === 'sent') ? 'onward' : 'back'];
}
