/**
 * Receipts asked for again: the outcome that this region's store has committed, with the stages known by now. After the
 * deadline of a write a key without outcome is settled in the log, so that unknown becomes definite (I9).
 */
import {
  answerJson,
  answerProblem,
  answerWrite,
  isIdempotencyKey,
  isStage,
  parseShardName,
  problem,
  TIMEOUT_MS_MAX,
  type Answer,
  type DatasetName,
  type KeyHash,
  type Outcome,
  type ShardName,
  type Stage,
  type StageTimes,
  type WriteFacts,
} from '@lockstep/protocol';
import { shardsOf } from '../shards-of.js';
import { askStore } from './ask-store.js';
import type { Caller, GatewayDataset, GatewayOptions } from './gateway-options.js';
import type { KnownStages } from './known-stages.js';
import type { Publishers } from './publishers.js';
import { readTimeout, strangeName } from './query.js';
import { answeringStore, refusalOfDoubted, unknownDataset } from './refusals.js';

/** How often the store is asked for a key that is awaited. */
const ASK_AGAIN_MS = 100;

export interface ReceiptCall {
  readonly dataset: string;
  readonly idempotencyKey: string;
  readonly query: { readonly [name: string]: string };
  readonly caller: Caller;
}

export class Receipts {
  constructor(
    private readonly options: GatewayOptions,
    private readonly publishers: Publishers,
    private readonly stages: KnownStages,
  ) {}

  /** The receipt of a key, asked again; after the deadline unknown becomes definite. */
  async read(call: ReceiptCall): Promise<Answer> {
    const dataset = this.options.datasets.get(call.dataset as DatasetName);
    if (dataset === undefined) return unknownDataset(call.dataset);
    const query = readReceiptQuery(call.query, call.dataset, dataset.partitions);
    if (typeof query === 'string') return answerProblem(problem('malformed', query));
    if (!isIdempotencyKey(call.idempotencyKey)) {
      return answerProblem(problem('malformed', 'the key must be 1-128 printable ASCII characters'));
    }
    return answeringStore(this.options.region, () => this.awaitReceipt(call, dataset, query));
  }

  private async awaitReceipt(
    call: ReceiptCall,
    dataset: GatewayDataset,
    query: ReceiptQuery,
  ): Promise<Answer> {
    const { clock, identities, store } = this.options;
    const key = identities.keyHash(call.caller.principal, call.idempotencyKey);
    const shards = query.shard === null ? shardsOf(dataset.table.dataset, dataset.partitions) : [query.shard];
    const untilMs = clock.monotonicMs() + query.timeoutMs;
    for (;;) {
      const hits = await askStore(store.outcomes(shards, key), clock, untilMs);
      if (hits.length > 1) {
        const named = hits.map((hit) => hit.shard).join(', ');
        return answerProblem(problem('several-shards-hit', `the key is known in ${named}`));
      }
      const [hit] = hits;
      if (hit !== undefined) return this.answerOutcome(call, dataset, hit, query.wait, untilMs);
      const { shard, deadlineMs } = query;
      if (deadlineMs !== null && shard !== null && clock.nowMs() > deadlineMs) {
        return this.settle(call, dataset, { shard, key, deadlineMs }, untilMs);
      }
      const nowMs = clock.monotonicMs();
      if (query.wait === null || nowMs >= untilMs) {
        return answerProblem(
          problem('not-seen', `no outcome of this key is known in ${this.options.region} yet`),
        );
      }
      await clock.sleep(Math.min(ASK_AGAIN_MS, untilMs - nowMs)).done;
    }
  }

  private async answerOutcome(
    call: ReceiptCall,
    dataset: GatewayDataset,
    hit: { readonly shard: ShardName; readonly outcome: Outcome },
    wait: Stage | null,
    untilMs: number,
  ): Promise<Answer> {
    const { clock, feed, region } = this.options;
    const { outcome, shard } = hit;
    const refusal = refusalOfDoubted(this.options, shard);
    if (refusal !== null) return refusal;
    const { epoch, eventKeys, sequence, verdict } = outcome;
    const logIncarnation = feed.own(shard)?.logIncarnation ?? null;
    const judged = { verdict, sequence, epoch, logIncarnation };
    let stages: StageTimes = { logged: { atMs: outcome.appendTimeMs } };
    if (verdict === 'accepted') {
      if (wait !== null) await this.stages.awaitStage(shard, wait, sequence, untilMs);
      // This region's store holds the outcome, so that `accepted` is true here whatever the streams have told.
      stages = { accepted: { atMs: clock.nowMs(), region }, ...this.stages.of(shard, sequence, stages) };
    }
    const facts: WriteFacts = {
      id: call.idempotencyKey,
      dataset: dataset.configuration.content.dataset,
      shard,
      traceId: call.caller.trace.traceId,
      eventKeys,
      judged,
      stages,
      degraded: outcome.degraded,
      ...(verdict === 'accepted' ? { holders: feed.holders(shard, sequence) } : {}),
    };
    const answer = answerWrite(facts, wait ?? 'logged', false, null);
    if (answer.code === null) return answer;
    // Asked for as a receipt, a rejection is an answer and not a problem.
    const { receipt } = JSON.parse(answer.body) as { receipt: object };
    return answerJson(200, receipt);
  }

  /** Makes unknown definite: after the deadline the key is bound to `expired` unless the log has bound it already. */
  private async settle(
    call: ReceiptCall,
    dataset: GatewayDataset,
    target: { readonly shard: ShardName; readonly key: KeyHash; readonly deadlineMs: number },
    untilMs: number,
  ): Promise<Answer> {
    const { key, shard, deadlineMs } = target;
    const neverOrExpired = answerProblem(
      problem('never-or-expired', 'the key was never seen, or its outcome is no longer kept'),
    );
    const { limits, retention } = dataset.configuration.content;
    const logTimeMs = this.options.feed.own(shard)?.logTimeMs ?? 0;
    if (logTimeMs >= deadlineMs + retention.outcomesMs - limits.notAfterAheadMsMax) return neverOrExpired;
    const body = { kind: 'settle', key, deadlineMs } as const;
    const end = await this.publishers.appendControl(dataset, shard, body, call.caller, untilMs);
    if (end.kind === 'refused') return end.answer;
    // The key may be bound now, or later, or never: still unknown (I9).
    if (end.kind === 'unknown') return answerProblem(problem('not-seen', `not settled yet: ${end.detail}`));
    const { clock, store } = this.options;
    const [hit] = await askStore(store.outcomes([shard], key), clock, untilMs);
    return hit === undefined ? neverOrExpired : this.answerOutcome(call, dataset, hit, null, untilMs);
  }
}

interface ReceiptQuery {
  readonly wait: Stage | null;
  readonly timeoutMs: number;
  readonly shard: ShardName | null;
  readonly deadlineMs: number | null;
}

function readReceiptQuery(
  query: { readonly [name: string]: string },
  dataset: string,
  partitions: number,
): ReceiptQuery | string {
  const { deadline, shard, wait } = query;
  const strange = strangeName(query, ['wait', 'timeoutMs', 'shard', 'deadline']);
  if (strange !== null) return strange;
  if (wait !== undefined && !isStage(wait)) return '"wait" must name a stage';
  const timeoutMs = readTimeout(query['timeoutMs']);
  if (timeoutMs === null) return `"timeoutMs" must be an integer between 1 and ${TIMEOUT_MS_MAX}`;
  if (deadline !== undefined && !/^[1-9][0-9]{0,14}$/.test(deadline))
    return '"deadline" must be milliseconds since 1970';
  if (shard !== undefined) {
    const parsed = parseShardName(shard);
    if (parsed === null || parsed.dataset !== dataset || parsed.partition >= partitions) {
      return `"shard" must be one of ${dataset}/0 to ${dataset}/${partitions - 1}`;
    }
  }
  return {
    wait: wait ?? null,
    timeoutMs,
    shard: (shard ?? null) as ShardName | null,
    deadlineMs: deadline === undefined ? null : Number(deadline),
  };
}
