/**
 * The gateway: what a write, a receipt and a read do, independent of HTTP. Queues, waits and hops are bounded (I17).
 */
import {
  parseShardName,
  shardName,
  type Answer,
  type DatasetName,
  type ShardName,
  type Token,
} from '@lockstep/protocol';
import { shardsOf } from '../shards-of.js';
import { Admission } from './admission.js';
import type { ChangeFeed } from './changes/change-feed.js';
import { openChanges, type ChangesCall } from './changes/open-changes.js';
import type { GatewayOptions } from './gateway-options.js';
import { KnownStages } from './known-stages.js';
import { Publishers } from './publishers.js';
import { ReachedHistory } from './reached-history.js';
import { Receipts, type ReceiptCall } from './receipts.js';
import { Rows, type RowCall, type RowsCall } from './rows.js';
import { ReturnTurns } from './return-turns.js';
import { describeShard } from './shard-description.js';
import { readWriteStatus } from './write-status.js';
import { Writes, type WriteCall } from './writes.js';

export class Gateway {
  /** Its measuring is a loop of the process: whoever composes it runs and stops it. */
  readonly admission: Admission;
  /** Another loop of the process. */
  readonly history: ReachedHistory;
  private readonly turns = new ReturnTurns();
  private readonly publishers: Publishers;
  private readonly writes: Writes;
  private readonly receipts: Receipts;
  private readonly rows: Rows;

  constructor(private readonly options: GatewayOptions) {
    this.admission = new Admission(options, this.turns);
    this.publishers = new Publishers(options);
    this.history = new ReachedHistory(options);
    const stages = new KnownStages(options.feed, this.history);
    this.writes = new Writes(options, this.publishers, stages);
    this.receipts = new Receipts(options, this.publishers, stages);
    this.rows = new Rows(options, this.publishers);
  }

  async write(call: WriteCall): Promise<Answer> {
    return this.turns.give(await this.writes.write(call));
  }

  /** 207 with a receipt or problem per entry, in order. */
  writeBatch(call: Omit<WriteCall, 'idempotencyKey'>): Promise<Answer> {
    return this.writes.writeBatch(call);
  }

  /** The receipt of a key, asked again; after the deadline unknown becomes definite. */
  async receipt(call: ReceiptCall): Promise<Answer> {
    return this.turns.give(await this.receipts.read(call));
  }

  async row(call: RowCall): Promise<Answer> {
    return this.turns.give(await this.rows.read(call));
  }

  /** Rows of any shards, from one snapshot. */
  async rowsTogether(call: RowsCall): Promise<Answer> {
    return this.turns.give(await this.rows.readTogether(call));
  }

  /** True once this region has folded every position of the token; false when the time is over. */
  waitFor(token: Token, timeoutMs: number): Promise<boolean> {
    return this.rows.waitFor(token, this.options.clock.monotonicMs() + timeoutMs);
  }

  /** What changes in a dataset from a position on; whoever opened it closes it. */
  async changes(call: ChangesCall): Promise<ChangeFeed | Answer> {
    const opened = await openChanges(this.options, call);
    return 'next' in opened ? opened : this.turns.give(opened);
  }

  /** Where writes are taken now, and when to come back with those that are not. */
  status(query: { readonly [name: string]: string }): Answer {
    return readWriteStatus(this.options, query);
  }

  /** The body of GET /v1/shards. */
  shards(): object {
    return {
      shards: [...this.options.datasets.values()]
        .flatMap((dataset) => shardsOf(dataset.table.dataset, dataset.partitions))
        .map((shard) => describeShard(this.options, shard)),
    };
  }

  /** The body of GET /v1/shards/{dataset}/{n}; null when there is no such shard. */
  shard(dataset: string, partition: string): object | null {
    const known = this.options.datasets.get(dataset as DatasetName);
    const parsed = parseShardName(`${dataset}/${partition}`);
    if (known === undefined || parsed === null || parsed.partition >= known.partitions) return null;
    return describeShard(this.options, shardName(parsed.dataset, parsed.partition));
  }

  /** Shards whose home this region does not know yet; empty when every write can be routed. */
  notReady(): readonly ShardName[] {
    return [...this.options.datasets.values()]
      .flatMap((dataset) => shardsOf(dataset.table.dataset, dataset.partitions))
      .filter((shard) => (this.options.feed.own(shard)?.home ?? null) === null);
  }

  /** Drains the publishers: takes nothing more, answers what was taken. */
  close(): Promise<void> {
    return this.publishers.close();
  }
}
