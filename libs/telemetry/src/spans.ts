/**
 * Facts to spans. One write is one trace:
 *
 *     POST entries (server)
 *       publish accounts (internal)                from the hand-over to the publisher until the log has answered
 *         append lockstep.accounts (producer)      the answered attempt; its context travels in the record
 *           apply lockstep.accounts (consumer)     in every region; links to the batch that committed it
 *       quorum accounts (internal)                 from the verdict until the rule was known to be met
 *     GET .../rows/{key} (server)                  of whoever reads with the write's context
 *
 *     failover accounts (internal)                 one move of a shard
 *       stage fencing (internal)                   each stage, with its term and evidence
 *         publish, append, apply as above          the fence in the shard's own log
 *
 *     apply-batch accounts                         a trace of its own: one transaction applies entries of many traces
 *
 * Facts carry ids and times, so finished spans are built directly; no tracer, no ambient context. A span exists where its
 * context is sampled, and where its end shows that somebody will ask: of a request that failed, stayed open or was slow,
 * what this process knows is kept whatever the sample says. Moves are always sampled.
 */
import {
  SpanKind,
  SpanStatusCode,
  TraceFlags,
  type Attributes,
  type HrTime,
  type Link,
} from '@opentelemetry/api';
import { resourceFromAttributes } from '@opentelemetry/resources';
import type { ReadableSpan } from '@opentelemetry/sdk-trace';
import type {
  BatchCommitted,
  EntryAppended,
  Fact,
  MoveEnded,
  SpanContext,
  TracedEntry,
  WriteAnswered,
} from '@lockstep/engine';
import { parseShardName, topicOf, type ShardName } from '@lockstep/protocol';
import { ATTRIBUTE } from './attributes.js';
import type { Origin } from './origin.js';
import { SpanQueue, type SpanLoss } from './span-queue.js';
import { parseTraceparent, type SpanIdentities, type TraceContext } from './trace-context.js';

/** A request other than a write, for example the read that saw one. */
export interface AnsweredRequest {
  readonly method: string;
  /** With placeholders, never with a key: `/v1/datasets/{dataset}/rows/{key}`. */
  readonly route: string;
  readonly status: number;
  readonly startedAtMs: number;
  readonly endedAtMs: number;
  readonly span: SpanContext;
}

/** A request that took longer is kept. */
const SLOW_MS_MIN = 1_000;
/** Appends of unsampled writes that wait for their write's end; the oldest is forgotten. */
export const HELD_APPENDS_MAX = 4_096;

export class Spans {
  readonly #queue: SpanQueue;
  /** By the id of the write's server span. */
  readonly #held = new Map<string, EntryAppended>();
  readonly #identities: SpanIdentities;
  readonly #resource;

  constructor(
    otlpUrl: string,
    origin: Origin,
    identities: SpanIdentities,
    lost: (loss: SpanLoss, spans: number, cause: unknown) => void,
  ) {
    this.#queue = new SpanQueue(new URL(`${otlpUrl.replace(/\/+$/, '')}/v1/traces`).href, lost);
    this.#identities = identities;
    this.#resource = resourceFromAttributes({
      [ATTRIBUTE.serviceName]: origin.service,
      [ATTRIBUTE.serviceInstance]: origin.instance,
      [ATTRIBUTE.region]: origin.region,
      [ATTRIBUTE.role]: origin.role,
    });
  }

  report(fact: Fact): void {
    switch (fact.kind) {
      case 'write-answered':
        if (fact.span?.sampled === true) this.#writeAnswered(fact, fact.span);
        else if (fact.span !== null) this.#unsampledWrite(fact, fact.span);
        return;
      case 'entry-appended':
        if (fact.span?.sampled === true) this.#entryAppended(fact, fact.span);
        else if (fact.span !== null) this.#hold(fact, fact.span);
        return;
      case 'move-ended':
        this.#moveEnded(fact);
        return;
      case 'batch-committed':
        if (fact.traced.length > 0) this.#batchCommitted(fact);
        return;
      case 'append-failed':
      case 'commit-unknown':
      case 'commit-lost':
      case 'lease-taken':
      case 'lease-lost':
      case 'shard-halted':
      case 'shard-resumed':
      case 'vote':
      case 'store-went-back':
      case 'loop-failed':
      case 'watermark':
      case 'write-degraded':
      case 'entry-resubmitted':
      case 'term-begun':
        return;
    }
  }

  requestAnswered(request: AnsweredRequest): void {
    if (!request.span.sampled && !isWorthKeeping(request)) return;
    this.#offer({
      ...timesOf(request),
      ...placeOf(request.span),
      name: `${request.method} ${request.route}`,
      kind: SpanKind.SERVER,
      failed: request.status >= 500,
      attributes: {
        [ATTRIBUTE.httpMethod]: request.method,
        [ATTRIBUTE.httpRoute]: request.route,
        [ATTRIBUTE.httpStatus]: request.status,
      },
    });
  }

  shutdown(): Promise<void> {
    return this.#queue.shutdown();
  }

  #writeAnswered(fact: WriteAnswered, span: SpanContext): void {
    this.#offer({
      ...timesOf(fact),
      ...placeOf(span),
      name: 'POST entries',
      kind: SpanKind.SERVER,
      failed: fact.status >= 500,
      attributes: known({
        [ATTRIBUTE.httpMethod]: 'POST',
        [ATTRIBUTE.httpRoute]: '/v1/datasets/{dataset}/entries',
        [ATTRIBUTE.httpStatus]: fact.status,
        [ATTRIBUTE.errorType]: fact.code,
        [ATTRIBUTE.dataset]: fact.dataset,
        [ATTRIBUTE.shard]: fact.shard,
        [ATTRIBUTE.stage]: fact.stage,
        [ATTRIBUTE.forwardedTo]: fact.forwardedTo,
      }),
      moments: [...fact.stageMs].map(([stage, ms]) => ({ name: stage, atMs: fact.startedAtMs + ms })),
    });
    this.#quorumReached(fact, span);
  }

  #hold(fact: EntryAppended, span: SpanContext): void {
    const [oldest] = this.#held.keys();
    if (this.#held.size >= HELD_APPENDS_MAX && oldest !== undefined) this.#held.delete(oldest);
    this.#held.set(span.parentSpanId ?? span.spanId, fact);
  }

  #unsampledWrite(fact: WriteAnswered, span: SpanContext): void {
    const append = this.#held.get(span.spanId);
    this.#held.delete(span.spanId);
    if (!isWorthKeeping(fact)) return;
    if (append !== undefined && append.span !== null) this.#entryAppended(append, append.span);
    this.#writeAnswered(fact, span);
  }

  #quorumReached(fact: WriteAnswered, span: SpanContext): void {
    const reachedMs = fact.stageMs.get('quorum');
    if (reachedMs === undefined) return;
    const fromMs = fact.stageMs.get('accepted') ?? fact.stageMs.get('logged') ?? 0;
    this.#offer({
      startedAtMs: fact.startedAtMs + Math.min(fromMs, reachedMs),
      endedAtMs: fact.startedAtMs + reachedMs,
      context: { ...span, spanId: this.#identities.spanId() },
      parentSpanId: span.spanId,
      name: `quorum ${fact.dataset}`,
      kind: SpanKind.INTERNAL,
      attributes: known({ [ATTRIBUTE.dataset]: fact.dataset, [ATTRIBUTE.shard]: fact.shard }),
    });
  }

  #moveEnded(fact: MoveEnded): void {
    const { dataset } = placeInLog(fact.shard);
    this.#offer({
      ...timesOf(fact),
      ...placeOf(fact.span),
      name: `${fact.move} ${dataset}`,
      kind: SpanKind.INTERNAL,
      failed: fact.outcome === 'lost',
      attributes: known({
        [ATTRIBUTE.dataset]: dataset,
        [ATTRIBUTE.shard]: fact.shard,
        [ATTRIBUTE.term]: ordinal(fact.stages.at(-1)?.term ?? null),
        [ATTRIBUTE.epoch]: ordinal(fact.stages.at(-1)?.epoch ?? null),
        [ATTRIBUTE.decision]: ordinal(fact.decision),
        [ATTRIBUTE.evacuation]: ordinal(fact.evacuation),
        [ATTRIBUTE.moveFrom]: fact.from,
        [ATTRIBUTE.moveTo]: fact.to,
        [ATTRIBUTE.moveReason]: fact.reason,
        [ATTRIBUTE.moveActor]: fact.actor,
        [ATTRIBUTE.moveOutcome]: fact.outcome,
        [ATTRIBUTE.moveDetail]: fact.detail,
      }),
    });
    for (const stage of fact.stages)
      this.#offer({
        ...timesOf(stage),
        ...placeOf(stage.span),
        name: `stage ${stage.stage}`,
        kind: SpanKind.INTERNAL,
        attributes: known({
          [ATTRIBUTE.shard]: fact.shard,
          [ATTRIBUTE.stage]: stage.stage,
          [ATTRIBUTE.term]: ordinal(stage.term),
          [ATTRIBUTE.epoch]: ordinal(stage.epoch),
          [ATTRIBUTE.evidence]: stage.evidence,
        }),
      });
  }

  #entryAppended(fact: EntryAppended, span: SpanContext): void {
    const { dataset, topic, partition } = placeInLog(fact.shard);
    const publish = { ...span, spanId: this.#identities.spanId() };
    this.#offer({
      startedAtMs: fact.queuedAtMs,
      endedAtMs: fact.endedAtMs,
      ...placeOf(publish),
      name: `publish ${dataset}`,
      kind: SpanKind.INTERNAL,
      attributes: { [ATTRIBUTE.dataset]: dataset, [ATTRIBUTE.shard]: fact.shard },
    });
    this.#offer({
      ...timesOf(fact),
      context: span,
      parentSpanId: publish.spanId,
      name: `append ${topic}`,
      kind: SpanKind.PRODUCER,
      attributes: {
        [ATTRIBUTE.messagingSystem]: 'kafka',
        [ATTRIBUTE.messagingOperation]: 'append',
        [ATTRIBUTE.messagingOperationType]: 'send',
        [ATTRIBUTE.destination]: topic,
        [ATTRIBUTE.partition]: partition,
        [ATTRIBUTE.kafkaOffset]: Number(fact.offset),
        [ATTRIBUTE.envelopeBytes]: fact.bytes,
        [ATTRIBUTE.shard]: fact.shard,
        [ATTRIBUTE.epoch]: Number(fact.epoch),
      },
    });
  }

  #batchCommitted(fact: BatchCommitted): void {
    const batch: TraceContext = {
      traceId: this.#identities.traceId(),
      spanId: this.#identities.spanId(),
      sampled: true,
    };
    let applied = 0;
    for (const entry of fact.traced) {
      const append = parseTraceparent(entry.traceparent);
      if (append === null || !append.sampled) continue;
      this.#entryApplied(fact, entry, append, batch);
      applied += 1;
    }
    if (applied === 0) return;
    this.#offer({
      ...timesOf(fact),
      context: batch,
      parentSpanId: null,
      name: `apply-batch ${fact.dataset}`,
      kind: SpanKind.INTERNAL,
      attributes: {
        [ATTRIBUTE.region]: fact.region,
        [ATTRIBUTE.dataset]: fact.dataset,
        [ATTRIBUTE.batchMessages]: fact.records,
        [ATTRIBUTE.batchEvents]: fact.events,
        [ATTRIBUTE.batchRows]: fact.rows,
        [ATTRIBUTE.batchBytes]: fact.bytes,
        [ATTRIBUTE.batchReadMs]: fact.readMs,
        [ATTRIBUTE.batchFoldMs]: fact.foldMs,
        [ATTRIBUTE.batchCommitMs]: fact.commitMs,
      },
    });
  }

  #entryApplied(fact: BatchCommitted, entry: TracedEntry, append: TraceContext, batch: TraceContext): void {
    const { topic, partition } = placeInLog(entry.shard);
    this.#offer({
      ...timesOf(fact),
      context: { traceId: append.traceId, spanId: this.#identities.spanId(), sampled: true },
      parentSpanId: append.spanId,
      name: `apply ${topic}`,
      kind: SpanKind.CONSUMER,
      attributes: {
        [ATTRIBUTE.messagingSystem]: 'kafka',
        [ATTRIBUTE.messagingOperation]: 'apply',
        [ATTRIBUTE.messagingOperationType]: 'process',
        [ATTRIBUTE.destination]: topic,
        [ATTRIBUTE.partition]: partition,
        [ATTRIBUTE.kafkaOffset]: Number(entry.offset),
        [ATTRIBUTE.region]: fact.region,
        [ATTRIBUTE.shard]: entry.shard,
        [ATTRIBUTE.epoch]: Number(entry.epoch),
        [ATTRIBUTE.sequence]: Number(entry.sequence),
        [ATTRIBUTE.verdict]: entry.verdict,
      },
      links: [{ context: apiContext(batch) }],
    });
  }

  #offer(finished: FinishedSpan): void {
    this.#queue.offer(() => {
      const { context, parentSpanId } = finished;
      const startTime = hrTime(finished.startedAtMs);
      // Wall clocks step back; a span must not.
      const endedAtMs = Math.max(finished.startedAtMs, finished.endedAtMs);
      return {
        name: finished.name,
        kind: finished.kind,
        // What is offered is kept, although its request may not have been sampled.
        spanContext: () => apiContext({ ...context, sampled: true }),
        ...(parentSpanId === null
          ? {}
          : { parentSpanContext: apiContext({ ...context, spanId: parentSpanId, sampled: true }) }),
        startTime,
        endTime: hrTime(endedAtMs),
        duration: hrTime(endedAtMs - finished.startedAtMs),
        status: { code: finished.failed === true ? SpanStatusCode.ERROR : SpanStatusCode.UNSET },
        attributes: finished.attributes,
        links: [...(finished.links ?? [])],
        events: (finished.moments ?? []).map(({ name, atMs }) => ({ name, time: hrTime(atMs) })),
        ended: true,
        resource: this.#resource,
        instrumentationScope: { name: '@lockstep/telemetry' },
        droppedAttributesCount: 0,
        droppedEventsCount: 0,
        droppedLinksCount: 0,
      } satisfies ReadableSpan;
    });
  }
}

interface FinishedSpan {
  readonly name: string;
  readonly kind: SpanKind;
  readonly context: TraceContext;
  readonly parentSpanId: string | null;
  readonly startedAtMs: number;
  readonly endedAtMs: number;
  readonly attributes: Attributes;
  readonly failed?: boolean;
  readonly links?: readonly Link[];
  readonly moments?: readonly { readonly name: string; readonly atMs: number }[];
}

function timesOf(fact: { readonly startedAtMs: number; readonly endedAtMs: number }) {
  return { startedAtMs: fact.startedAtMs, endedAtMs: fact.endedAtMs };
}

function placeOf(span: SpanContext): Pick<FinishedSpan, 'context' | 'parentSpanId'> {
  return { context: span, parentSpanId: span.parentSpanId };
}

/** 202 is a write whose stage was not reached in its time. */
function isWorthKeeping(request: {
  readonly status: number;
  readonly startedAtMs: number;
  readonly endedAtMs: number;
}): boolean {
  const { endedAtMs, startedAtMs, status } = request;
  return status >= 500 || status === 202 || endedAtMs - startedAtMs >= SLOW_MS_MIN;
}

const ordinal = (value: bigint | null): number | null => (value === null ? null : Number(value));

function placeInLog(shard: ShardName) {
  const parsed = parseShardName(shard);
  if (parsed === null) throw new Error(`not a shard name: ${shard}`);
  const { dataset, partition } = parsed;
  return { dataset, topic: topicOf(dataset), partition: String(partition) };
}

function apiContext(context: TraceContext) {
  return {
    traceId: context.traceId,
    spanId: context.spanId,
    traceFlags: context.sampled ? TraceFlags.SAMPLED : TraceFlags.NONE,
  };
}

/** What is not known is not an attribute. */
function known(attributes: { readonly [name: string]: string | number | null }): Attributes {
  const present: Attributes = {};
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null) present[name] = value;
  }
  return present;
}

/** Seconds and nanoseconds; a millisecond's fraction is kept to the microsecond, which is all a number can hold. */
function hrTime(ms: number): HrTime {
  const microseconds = Math.round(ms * 1_000);
  const seconds = Math.floor(microseconds / 1_000_000);
  return [seconds, (microseconds - seconds * 1_000_000) * 1_000];
}
