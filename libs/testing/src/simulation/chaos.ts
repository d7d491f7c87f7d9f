/**
 * Carries out the faults of a profile on a simulated cluster, and ends them all: what is over is over, and what was broken
 * is repaired, as operators do who start what has died and set clocks right.
 */
import {
  shardName,
  topicOf,
  type DatasetName,
  type Offset,
  type RegionName,
  type ShardName,
} from '@lockstep/protocol';
import type { ProcessName, SimulatedCluster, SimulatedClusterOptions } from '../cluster/simulated-cluster.js';
import type { FrameFate } from '../cluster/simulated-streams.js';
import type { AppendFate, FetchFate } from '../log/memory-log.js';
import type { MemoryDatabase, MemorySnapshot, StoreCall, StoreFault } from '../store/memory-store.js';
import type { Chance } from '../world/chance.js';
import type { Cut } from '../world/network.js';
import type { Process } from '../world/process.js';
import { STEPS, stepOf, type Step } from '../world/step.js';
import type { World } from '../world/world.js';
import { shardsIn } from './judge-cluster.js';
import { faultText, type Fault, type FaultKind } from './fault.js';

const APPEND_FATES = {
  'append-refused': 'refused',
  'append-answer-lost': 'appended-unanswered',
  'append-silent': 'appended-silently',
  'append-late': 'late-unanswered',
  'append-lost': 'lost-unanswered',
  'append-unreplicated': 'unreplicated-unanswered',
} as const satisfies { readonly [kind in FaultKind]?: AppendFate };

const FETCH_FATES = {
  'fetch-failed': 'failed',
  'fetch-slow': 'slow',
  'fetch-stuck': 'stuck',
} as const satisfies { readonly [kind in FaultKind]?: FetchFate };

const FRAME_FATES = {
  'frames-delayed': 'delayed',
  'frames-duplicated': 'duplicated',
  'frames-reordered': 'reordered',
  'frames-verdicts-dropped': 'verdicts-dropped',
  'frames-broken': 'broken',
} as const satisfies { readonly [kind in FaultKind]?: FrameFate };

const FORWARD_FATES = { 'forward-refused': 'refused', 'forward-answer-lost': 'answer-lost' } as const;

const STORE_FATES = {
  'store-conflict': 'refused',
  'store-lost-before': 'lost-before',
  'store-lost-after': 'lost-after',
  'store-late': 'lost-late',
  'commit-late': 'lost-late',
  'disk-full': 'exhausted',
  'slow-flush': 'slow',
  'store-slow': 'slow',
} as const satisfies { readonly [kind in FaultKind]?: StoreFault };

const COMMITS_ONLY: ReadonlySet<FaultKind> = new Set(['slow-flush', 'commit-late']);

/** Of faults that come at a moment, whatever is under way then: what they strike. */
const STRUCK_PORTS: { readonly [kind in FaultKind]?: 'process' | 'log' | 'store' } = {
  pause: 'process',
  'clock-jump': 'process',
  'leader-change': 'log',
  'in-sync-shrinks': 'log',
  'broker-clock': 'log',
  retention: 'log',
  'unclean-election': 'log',
  'topic-replaced': 'log',
  'retention-overrun': 'log',
  'store-crash': 'store',
  'store-restored': 'store',
  'restore-and-loss': 'store',
  'flushing-off': 'store',
};

/** A copy is taken at the beginning; what strikes is that it comes back. */
const STRIKING_AT_END: ReadonlySet<FaultKind> = new Set([
  'store-restored',
  'restore-and-loss',
  'flushing-off',
]);

const STORE_READS: ReadonlySet<string> = new Set<StoreCall['method']>([
  'incarnation',
  'load',
  'read',
  'outcomes',
  'rows',
  'cursors',
  'configurations',
  'check',
]);

/** Faults that hit calls while they last, in the order of their tables. */
type CallFaults = Pick<SimulatedClusterOptions, 'logFaults' | 'storeFault' | 'frameFault' | 'forwardFault'>;

export class Chaos {
  private readonly active = new Map<FaultKind, Fault[]>();
  private readonly chance: Chance;
  private readonly repairs = new Map<Fault, () => void>();
  /** Where the copies of databases stand that were taken. */
  private readonly copies: ReadonlyMap<ShardName, bigint>[] = [];
  private isOver = false;
  /** Processes and databases that were started again. */
  restarts = 0;
  /** What was in fact done. */
  readonly done: Fault[] = [];

  constructor(
    private readonly world: World,
    private readonly faults: readonly Fault[],
  ) {
    this.chance = world.branch('faults');
  }

  callFaults(): CallFaults {
    return {
      logFaults: {
        append: ({ topic }) => this.drawn(APPEND_FATES, () => stepOf(`append ${topic}`)) ?? 'appended',
        fetch: (topic) => this.drawn(FETCH_FATES, () => stepOf(`fetch ${topic}`)) ?? 'answered',
        gapAfterAppend: (topic) => {
          const gap = this.active.get('offset-gaps')?.[0]?.strength ?? 0;
          if (gap > 0) this.world.hit('offset-gaps', stepOf(`append ${topic}`));
          return gap;
        },
      },
      storeFault: (region, { method }) => {
        // A full disk lets reads pass.
        const stepFor = (kind: FaultKind): Step | null =>
          kind === 'disk-full' && STORE_READS.has(method) ? null : stepOf(`store ${method}`);
        return this.drawn(STORE_FATES, stepFor, (fault) => {
          if (fault.target !== region) return false;
          return !COMMITS_ONLY.has(fault.kind) || method === 'commit';
        });
      },
      // Whoever asks counts these.
      frameFault: () => this.drawn(FRAME_FATES, () => null) ?? 'told',
      forwardFault: () => this.drawn(FORWARD_FATES, () => null),
    };
  }

  /** Begins now; each fault comes at its time. */
  begin(cluster: SimulatedCluster): void {
    for (const fault of this.faults) {
      this.world.after(fault.atMs, null, () => {
        if (!this.isOver) this.strike(fault, cluster);
      });
    }
  }

  /** Everything is repaired; processes that are down start. */
  heal(cluster: SimulatedCluster): void {
    this.isOver = true;
    for (const fault of [...this.repairs.keys()]) this.repair(fault);
    for (const region of cluster.regions.values()) {
      region.database.start();
      for (const name of region.processNames()) region.startProcess(name);
    }
    cluster.log.elect(0);
  }

  private drawn<Fates extends { readonly [kind in FaultKind]?: string }>(
    fates: Fates,
    stepFor: (kind: FaultKind) => Step | null,
    concerns: (fault: Fault) => boolean = () => true,
  ): Fates[keyof Fates] | null {
    if (this.active.size === 0) return null;
    for (const kind of Object.keys(fates) as (FaultKind & keyof Fates)[]) {
      for (const fault of this.active.get(kind) ?? []) {
        if (!concerns(fault) || this.chance.next() >= fault.strength) continue;
        const step = stepFor(kind);
        if (step !== null) this.world.hit(kind, step);
        return fates[kind];
      }
    }
    return null;
  }

  private strike(fault: Fault, cluster: SimulatedCluster): void {
    this.world.note(`fault ${faultText(fault)}`);
    const repair = this.carryOut(fault, cluster);
    if (repair === 'missed') return;
    this.done.push(fault);
    const meet = (): void => this.meet(fault, cluster);
    const strikesAtEnd = STRIKING_AT_END.has(fault.kind);
    if (!strikesAtEnd) meet();
    if (repair === 'for good') return;
    this.repairs.set(fault, () => {
      if (strikesAtEnd) meet();
      repair();
    });
    this.world.after(fault.forMs, null, () => this.repair(fault));
  }

  /** Counts what is under way where a fault strikes that hits no call of its own, and is not counted by who is killed. */
  private meet({ kind, target }: Fault, cluster: SimulatedCluster): void {
    const port = STRUCK_PORTS[kind];
    if (port === undefined) return;
    for (const region of cluster.regions.values()) {
      for (const process of region.processes()) {
        if (port === 'process' ? process.place !== target : port === 'store' && region.region !== target)
          continue;
        const steps = new Set([...process.underWay.present(), ...process.unanswered.present()]);
        for (const step of steps)
          if (port === 'process' || STEPS[step].of === port) this.world.hit(kind, step);
      }
    }
  }

  private repair(fault: Fault): void {
    const repair = this.repairs.get(fault);
    if (repair === undefined) return;
    this.repairs.delete(fault);
    this.world.note(`over ${faultText(fault)}`);
    repair();
  }

  /** Answers how it is undone. `missed`: the process that it was to hit is down. */
  private carryOut(fault: Fault, cluster: SimulatedCluster): (() => void) | 'for good' | 'missed' {
    const { kind, strength, target } = fault;
    switch (kind) {
      case 'crash': {
        const { name, region } = placed(cluster, target);
        if (region.process(name) === null) return 'missed';
        region.killProcess(name);
        return () => {
          this.restarts += 1;
          region.startProcess(name);
        };
      }
      case 'pause':
        return this.onProcess(cluster, target, (process) => {
          process.pause();
          return () => process.goOn();
        });
      case 'clock-jump':
        return this.onProcess(cluster, target, (process) => {
          process.jump(strength);
          return () => process.jump(-strength);
        });
      case 'cut-one-way':
      case 'cut-both-ways':
      case 'isolation':
      case 'broker-cut':
      case 'bridge':
        return this.cut(cluster, cutsOf(fault, cluster));
      case 'leader-change': {
        const broker = Number(target);
        cluster.log.stopBroker(broker);
        this.world.after(strength, null, () => cluster.log.elect(strength));
        return () => {
          cluster.log.startBroker(broker);
          cluster.log.elect(0);
        };
      }
      case 'in-sync-shrinks': {
        const broker = Number(target);
        cluster.log.setInSync(broker, false);
        return () => cluster.log.setInSync(broker, true);
      }
      case 'broker-clock': {
        const broker = Number(target);
        cluster.log.setBrokerClock(broker, strength);
        return () => cluster.log.setBrokerClock(broker, 0);
      }
      case 'retention':
        // Retention is at least three times the longest outage: copies that come back are within it.
        truncate(
          cluster,
          (offsets, shard) =>
            [...offsets, ...this.copies.map((copy) => copy.get(shard) ?? -1n)].reduce(lower) -
            BigInt(strength),
        );
        return 'for good';
      case 'store-crash':
        return this.crashStore(cluster, target);
      case 'store-restored': {
        const { database } = cluster.region(target);
        const copy = this.keepCopy(cluster, database);
        return () => database.restore(copy);
      }
      case 'unclean-election':
        loseEnd(cluster, target, strength);
        return 'for good';
      case 'restore-and-loss': {
        const { database } = cluster.region(target);
        const copy = this.keepCopy(cluster, database);
        return () => {
          database.restore(copy);
          for (const dataset of cluster.options.datasets.keys()) loseEnd(cluster, dataset, strength);
        };
      }
      case 'topic-replaced':
        cluster.log.replace(topicOf(target as DatasetName));
        return 'for good';
      case 'retention-overrun':
        truncate(cluster, (offsets) => offsets.at(-1)!);
        return 'for good';
      case 'flushing-off': {
        cluster.region(target).database.setFlushing('off');
        return () => {
          const restart = this.crashStore(cluster, target);
          cluster.region(target).database.setFlushing('on');
          restart();
        };
      }
      case 'append-refused':
      case 'append-answer-lost':
      case 'append-silent':
      case 'append-late':
      case 'append-lost':
      case 'append-unreplicated':
      case 'fetch-failed':
      case 'fetch-slow':
      case 'fetch-stuck':
      case 'frames-delayed':
      case 'frames-duplicated':
      case 'frames-reordered':
      case 'frames-verdicts-dropped':
      case 'frames-broken':
      case 'forward-refused':
      case 'forward-answer-lost':
      case 'offset-gaps':
      case 'store-conflict':
      case 'store-lost-before':
      case 'store-lost-after':
      case 'store-late':
      case 'commit-late':
      case 'disk-full':
      case 'slow-flush':
      case 'store-slow': {
        // Hits calls while it lasts.
        const faults = this.active.get(kind) ?? [];
        this.active.set(kind, [...faults, fault]);
        return () => {
          const left = this.active.get(kind)!.filter((each) => each !== fault);
          if (left.length > 0) this.active.set(kind, left);
          else this.active.delete(kind);
        };
      }
    }
  }

  private keepCopy(cluster: SimulatedCluster, database: MemoryDatabase): MemorySnapshot {
    this.copies.push(
      new Map(shardsIn(cluster).map((shard) => [shard, database.cursor(shard)?.offset ?? -1n])),
    );
    return database.snapshot();
  }

  private crashStore(cluster: SimulatedCluster, region: string): () => void {
    const { database } = cluster.region(region);
    database.crash();
    return () => {
      this.restarts += 1;
      database.start();
    };
  }

  private onProcess(
    cluster: SimulatedCluster,
    place: string,
    strike: (process: Process) => () => void,
  ): (() => void) | 'missed' {
    const { name, region } = placed(cluster, place);
    const process = region.process(name);
    return process === null ? 'missed' : strike(process);
  }

  private cut({ network }: SimulatedCluster, cuts: readonly Cut[]): () => void {
    for (const cut of cuts) network.cut(cut);
    return () => {
      for (const cut of cuts) network.heal(cut);
    };
  }
}

function placed(cluster: SimulatedCluster, place: string) {
  const [region, name] = place.split('/') as [string, ProcessName];
  return { region: cluster.region(region), name };
}

function cutsOf({ kind, target }: Fault, cluster: SimulatedCluster): readonly Cut[] {
  if (kind === 'isolation') {
    const others = [...cluster.regions.keys()].filter((region) => region !== (target as RegionName));
    return [...others, 'log'].flatMap((other) => bothWays(target, other, kind));
  }
  if (kind === 'bridge') {
    const [one, other] = target
      .split('|')
      .map((side) => side.split(',').flatMap((region) => [region, ...brokersIn(region, cluster)]));
    return one!.flatMap((from) => other!.flatMap((to) => bothWays(from, to, kind)));
  }
  const [from, to] = target.split(/[>=]/) as [string, string];
  return target.includes('>') ? [{ from, to, fault: kind }] : bothWays(from, to, kind);
}

const bothWays = (from: string, to: string, fault: FaultKind): readonly Cut[] => [
  { from, to, fault },
  { from: to, to: from, fault },
];

/** Broker n stands in the n-th region. */
function brokersIn(region: string, { options, regions }: SimulatedCluster): readonly string[] {
  const index = [...regions.keys()].indexOf(region as RegionName);
  return index >= 0 && index < (options.brokers ?? 1) ? [`log/${index + 1}`] : [];
}

/** Moves the start of every log to just behind what `choose` picks of the regions' cursors and, last, its end. */
function truncate(
  cluster: SimulatedCluster,
  choose: (offsets: readonly bigint[], shard: ShardName) => bigint,
): void {
  for (const [dataset, { partitions }] of cluster.options.datasets) {
    for (let partition = 0; partition < partitions; partition += 1) {
      const shard = shardName(dataset, partition);
      const offsets = [...cluster.regions.values()].map(
        ({ database }) => database.cursor(shard)?.offset ?? -1n,
      );
      const last = cluster.log.records(topicOf(dataset), partition).at(-1)?.offset ?? -1n;
      const upTo = choose([...offsets, last], shard);
      if (upTo >= 0n) cluster.log.truncateBefore(topicOf(dataset), partition, (upTo + 1n) as Offset);
    }
  }
}

const lower = (x: bigint, y: bigint): bigint => (x < y ? x : y);

/** Every shard of the dataset loses its last records. */
function loseEnd(cluster: SimulatedCluster, dataset: string, records: number): void {
  const name = dataset as DatasetName;
  const topic = topicOf(name);
  for (let partition = 0; partition < cluster.options.datasets.get(name)!.partitions; partition += 1) {
    const standing = cluster.log.records(topic, partition);
    // What begins a log is not taken: a log without it is another one.
    const first = standing[Math.max(1, standing.length - records)];
    if (first !== undefined) cluster.log.electUncleanly(topic, partition, first.offset);
  }
}
