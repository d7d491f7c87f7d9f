/**
 * The publishers of one gateway, one per shard, made when first needed; and control entries that it appends by them.
 */
import {
  answerProblem,
  parseShardName,
  problem,
  type Answer,
  type KeyHash,
  type Offset,
  type Problem,
  type Sequence,
  type ShardName,
} from '@lockstep/protocol';
import { answerWithin } from '../gate.js';
import { ShardPublisher, type Published } from '../publish/shard-publisher.js';
import type { Caller, GatewayDataset, GatewayOptions } from './gateway-options.js';

/** How far past its caller's time-out an entry may still be judged in time; covers clocks that differ. */
const NOT_AFTER_SLACK_MS = 2 * 60_000;

/** What became of a control entry that its caller waits for. */
export type ControlEnd =
  /** This region has told that it folded the entry, which stands at this offset. */
  | { readonly kind: 'folded'; readonly offset: Offset }
  /** It stands nowhere and never will. */
  | { readonly kind: 'refused'; readonly answer: Answer }
  /** It may stand in the log, now or later, and this region has not folded it. */
  | { readonly kind: 'unknown'; readonly detail: string };

export class Publishers {
  private readonly publishers = new Map<ShardName, ShardPublisher>();

  constructor(private readonly options: GatewayOptions) {}

  of(dataset: GatewayDataset, shard: ShardName): ShardPublisher {
    const known = this.publishers.get(shard);
    if (known !== undefined) return known;
    const { clock, identities, log, observer, region } = this.options;
    const { partition } = parseShardName(shard)!;
    const name = dataset.configuration.content.dataset;
    const publisher = new ShardPublisher({
      region,
      dataset: name,
      shard,
      partition,
      log,
      clock,
      identities,
      observer,
    });
    this.publishers.set(shard, publisher);
    return publisher;
  }

  /** Long enough that clocks that differ do not expire it; log time may run ahead of this clock. */
  notAfterMs(shard: ShardName, deadlineMs: number): number {
    const logTimeMs = this.options.feed.own(shard)?.logTimeMs ?? 0;
    const ahead = Math.max(0, logTimeMs - this.options.clock.nowMs());
    return Math.ceil(deadlineMs + ahead + NOT_AFTER_SLACK_MS);
  }

  /** The publisher answers at the latest one attempt after the caller gave up; the caller does not wait for that. */
  async awaitPublished(
    settled: Promise<Published>,
    untilMs: number,
  ): Promise<Published | { readonly kind: 'late' }> {
    const { clock } = this.options;
    return (await answerWithin(settled, clock, untilMs - clock.monotonicMs())) ?? { kind: 'late' };
  }

  /**
   * Appends a control entry and waits until it is folded.
   * @param by this region: what it reads then, lies behind the entry. Any region: the entry has its effect.
   */
  async appendControl(
    dataset: GatewayDataset,
    shard: ShardName,
    body:
      | { readonly kind: 'probe' }
      | { readonly kind: 'settle'; readonly key: KeyHash; readonly deadlineMs: number }
      | { readonly kind: 'degrade'; readonly key: KeyHash; readonly sequence: Sequence },
    caller: Caller,
    untilMs: number,
    by: 'this-region' | 'any-region' = 'this-region',
  ): Promise<ControlEnd> {
    const { clock, feed, identities, region } = this.options;
    const remainingMs = untilMs - clock.monotonicMs();
    const ticket = this.of(dataset, shard).submit({
      publication: { kind: 'control', body },
      bytes: 256,
      notAfterMs: this.notAfterMs(shard, clock.nowMs() + remainingMs),
      giveUpAtMs: untilMs,
      span: { ...caller.trace, spanId: identities.spanId(), parentSpanId: caller.trace.spanId },
    });
    if (ticket === null) return refused(problem('too-many-requests', `the queue of ${shard} is full`));
    const published = await this.awaitPublished(ticket.settled, untilMs);
    switch (published.kind) {
      case 'failed':
        return refused(problem('log-unavailable', published.message));
      case 'late':
      case 'unknown':
        return { kind: 'unknown', detail: `the log of ${shard} did not answer in time` };
      case 'logged': {
        const folded = (): bigint =>
          by === 'any-region' ? feed.furthestOffset(shard) : (feed.own(shard)?.offset ?? -1n);
        const isFolded = (): boolean => folded() >= published.offset;
        if (await feed.waitUntil(shard, isFolded, untilMs))
          return { kind: 'folded', offset: published.offset };
        return { kind: 'unknown', detail: `${region} has not folded ${shard} that far in time` };
      }
    }
  }

  /** Drains the publishers: takes nothing more, answers what was taken. */
  async close(): Promise<void> {
    await Promise.all([...this.publishers.values()].map((publisher) => publisher.close()));
  }
}

const refused = (why: Problem): ControlEnd => ({ kind: 'refused', answer: answerProblem(why) });
