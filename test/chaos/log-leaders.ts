/**
 * Kafka's own share of a failover that includes a broker: what becomes of the partitions that it led or copied, asked of the
 * brokers that are left; and which broker leads Kafka's own quorum, the controllers.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { CONTROL_TOPIC, parseShardName, topicOf } from '@lockstep/protocol';
import { Kafka, logLevel, type PartitionMetadata } from 'kafkajs';
import { eventually, type LocalCluster } from '../e2e/local-cluster.js';
import { Operators } from './operators.js';

const LOOK_EVERY_MS = 50;
/** One of two brokers may be starting. */
const RETRY = { initialRetryTime: 50, maxRetryTime: 200, retries: 300 };
const WHOLE_MS_MAX = 120_000;
const CONTROLLER_MS_MAX = 20_000;
/** Who leads the controllers next is nobody's choice: of two each is as likely. */
const CONTROLLER_TRIALS_MAX = 12;

/** By the numbers of brokers. */
export interface LogStanding {
  readonly controlLogLedBy: number;
  /** Null while it is not known. */
  readonly controllersLedBy: number | null;
}

/** In milliseconds, until each takes appends again without the broker. */
export interface LogShare {
  readonly controlLog: number;
  readonly shards: number;
}

interface Place {
  readonly topic: string;
  readonly partition: number;
}

interface Asked {
  readonly all: readonly PartitionMetadata[];
  readonly controlLog: PartitionMetadata;
  readonly of: (place: Place) => PartitionMetadata;
}

export class LogLeaders {
  private readonly partitions: readonly Place[];

  /** @param broker its number, from 1 on. */
  constructor(
    private readonly cluster: LocalCluster,
    private readonly broker: number,
    shards: readonly string[],
  ) {
    this.partitions = shards.map((shard) => {
      const { dataset, partition } = parseShardName(shard)!;
      return { topic: topicOf(dataset), partition };
    });
  }

  /** Until every replica of these partitions is in sync. */
  async whole(): Promise<void> {
    await this.until(({ all }) => all.every(({ isr, replicas }) => isr.length === replicas.length));
  }

  /** Until the broker leads the shards. */
  async atHome(): Promise<LogStanding> {
    const { controlLog } = await this.until(({ of }) =>
      this.partitions.every((one) => of(one).leader === this.broker),
    );
    return { controlLogLedBy: controlLog.leader, controllersLedBy: activeController(this.cluster) };
  }

  /** To be called at the fault: until none of these is led by the broker, or waits for it. */
  shareFrom(faultMs: number, withinMs: number): Promise<LogShare> {
    const isServed = ({ isr, leader }: PartitionMetadata): boolean =>
      leader > 0 && leader !== this.broker && !isr.includes(this.broker);
    const signal = AbortSignal.timeout(withinMs);
    return this.asking(async (ask) => {
      let [controlLog, shards]: [number | null, number | null] = [null, null];
      while (controlLog === null || shards === null) {
        await delay(LOOK_EVERY_MS, undefined, { signal });
        const asked = await ask().catch(() => null);
        const sinceMs = Math.round(performance.now() - faultMs);
        if (asked === null) continue;
        if (isServed(asked.controlLog)) controlLog ??= sinceMs;
        if (this.partitions.every((one) => isServed(asked.of(one)))) shards ??= sinceMs;
      }
      return { controlLog, shards };
    });
  }

  private until(isSo: (asked: Asked) => boolean): Promise<Asked> {
    return this.asking((ask) => eventually(ask, isSo, WHOLE_MS_MAX));
  }

  /** Asks the other brokers only: this one may be gone. */
  private async asking<T>(use: (ask: () => Promise<Asked>) => Promise<T>): Promise<T> {
    const brokers = this.cluster.file.kafka.brokers.filter((_, index) => index !== this.broker - 1);
    const kafka = new Kafka({ brokers, logLevel: logLevel.NOTHING, retry: RETRY });
    const admin = kafka.admin();
    const names = [...new Set([CONTROL_TOPIC, ...this.partitions.map(({ topic }) => topic)])];
    await admin.connect();
    try {
      return await use(async () => {
        const { topics } = await admin.fetchTopicMetadata({ topics: names });
        const of = ({ partition, topic }: Place): PartitionMetadata =>
          topics
            .find(({ name }) => name === topic)!
            .partitions.find(({ partitionId }) => partitionId === partition)!;
        return {
          all: topics.flatMap(({ partitions }) => partitions),
          controlLog: of({ topic: CONTROL_TOPIC, partition: 0 }),
          of,
        };
      });
    } finally {
      await admin.disconnect();
    }
  }
}

/** The broker that leads the controllers, by what they have written down of their quorum; null while it is not known. */
function activeController(cluster: LocalCluster): number | null {
  const told = cluster.file.kafka.brokers.map((_, index) => {
    const folder = join(cluster.data, `kafka/broker-${index + 1}/__cluster_metadata-0`);
    return JSON.parse(readFileSync(join(folder, 'quorum-state'), 'utf8')) as {
      readonly leaderId: number;
      readonly leaderEpoch: number;
    };
  });
  const newest = Math.max(...told.map(({ leaderEpoch }) => leaderEpoch));
  return told.find(({ leaderEpoch, leaderId }) => leaderEpoch === newest && leaderId > 0)?.leaderId ?? null;
}

/** Until the right one leads the controllers, whoever does instead is killed, and starts again. */
export async function settleController(
  cluster: LocalCluster,
  isRight: (active: number) => boolean,
): Promise<void> {
  let active = await otherController(cluster, null);
  for (let trial = 0; trial < CONTROLLER_TRIALS_MAX; trial += 1) {
    if (isRight(active)) return;
    const target = { kind: 'kafka', node: active } as const;
    await cluster.order({ kind: 'process', order: 'kill', target, stayDown: false });
    const next = await otherController(cluster, active);
    const leaders = new LogLeaders(cluster, active, []);
    // Before that it still counts as in sync.
    await leaders.shareFrom(performance.now(), WHOLE_MS_MAX);
    await leaders.whole();
    await new Operators(cluster).allServe();
    active = next;
  }
  throw new Error(`the controllers were led by none of those that are meant, at last by broker ${active}`);
}

async function otherController(cluster: LocalCluster, than: number | null): Promise<number> {
  const active = await eventually(
    () => Promise.resolve(activeController(cluster)),
    (one) => one !== null && one !== than,
    CONTROLLER_MS_MAX,
  );
  return active!;
}
