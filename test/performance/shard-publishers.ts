/** The topic of a dataset with a publisher for each shard, as the gateways of the shards' homes would have them. */
import {
  ShardPublisher,
  shardsOf,
  type Compression,
  type GatewayDataset,
  type Log,
  type Published,
  type SpanContext,
} from '@lockstep/engine';
import {
  DEFAULT_LIMITS,
  epoch,
  groupOfPartition,
  topicOf,
  type LogIncarnation,
  type PublisherId,
} from '@lockstep/protocol';
import type { Entry } from './sample-writes.ts';
import { clock, randomId128 } from './real-world.ts';

const TIMEOUT_MS = 60_000;
const RETENTION_MS = 24 * 3_600_000;

const unused = (): never => {
  throw new Error('a publisher asks for no other identity');
};

/** A topic on one broker, with the settings that the coordinator gives it. */
export async function createTopic(
  log: Log,
  topic: string,
  partitions: number,
  compression: Compression = 'none',
): Promise<void> {
  const findings = await log.admin.ensure({
    topic,
    partitions,
    replicationFactor: 1,
    minInsyncReplicas: 1,
    compression,
    retentionMs: RETENTION_MS,
    replicas: null,
  });
  if (findings.length > 0) throw new Error(`${topic}: ${JSON.stringify(findings)}`);
}

export class ShardPublishers {
  readonly #dataset: GatewayDataset;
  readonly #publishers: readonly ShardPublisher[];

  private constructor(dataset: GatewayDataset, publishers: readonly ShardPublisher[]) {
    this.#dataset = dataset;
    this.#publishers = publishers;
  }

  /** Creates the topic and begins every shard's log with its genesis. */
  static async open(log: Log, dataset: GatewayDataset): Promise<ShardPublishers> {
    const { content, hash } = dataset.configuration;
    await createTopic(log, topicOf(content.dataset), dataset.partitions);
    const homes = Array.from(
      { length: dataset.partitions },
      (_, partition) => groupOfPartition(content.groups, partition).home,
    );
    const publishers = shardsOf(content.dataset, dataset.partitions).map(
      (shard, partition) =>
        new ShardPublisher({
          region: homes[partition]!,
          dataset: content.dataset,
          shard,
          partition,
          log,
          clock,
          identities: {
            publisherPrefix: '',
            publisherId: () => randomId128() as PublisherId,
            logIncarnation: unused,
            idempotencyKey: unused,
            traceId: unused,
            spanId: unused,
            fingerprint: unused,
            keyHash: unused,
            random: unused,
          },
          observer: {
            report: (fact) => {
              if (fact.kind === 'append-failed') throw new Error(`${fact.code}: ${fact.message}`);
            },
          },
        }),
    );
    const opened = new ShardPublishers(dataset, publishers);
    await Promise.all(
      homes.map((home, partition) =>
        opened.#submit(partition, 256, {
          kind: 'control',
          body: {
            kind: 'genesis',
            logIncarnation: randomId128() as LogIncarnation,
            home,
            configuration: hash,
          },
        }),
      ),
    );
    return opened;
  }

  /**
   * Submits all at once and waits until all stand in the log.
   *
   * @param spanOf in which trace an entry is written, by its place among them.
   */
  async append(
    entries: readonly Entry[],
    spanOf: (index: number) => SpanContext | null = () => null,
  ): Promise<void> {
    const { hash: configuration } = this.#dataset.configuration;
    await Promise.all(
      entries.map(({ partition, key, text, bytes, idempotency }, index) =>
        this.#submit(
          partition,
          bytes,
          { kind: 'data', key, value: text, idempotency, configuration, epoch: epoch(1n) },
          spanOf(index),
        ),
      ),
    );
  }

  async close(): Promise<void> {
    await Promise.all(this.#publishers.map((publisher) => publisher.close()));
  }

  async #submit(
    partition: number,
    bytes: number,
    publication: Parameters<ShardPublisher['submit']>[0]['publication'],
    span: SpanContext | null = null,
  ): Promise<void> {
    const ticket = this.#publishers[partition]!.submit({
      publication,
      bytes,
      notAfterMs: clock.nowMs() + DEFAULT_LIMITS.notAfterAheadMsMax / 2,
      giveUpAtMs: clock.monotonicMs() + TIMEOUT_MS,
      span,
    });
    const published: Published | null = ticket === null ? null : await ticket.settled;
    if (published?.kind !== 'logged')
      throw new Error(`an entry of shard ${partition} is ${published?.kind ?? 'refused'}`);
  }
}
