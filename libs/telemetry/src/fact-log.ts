/**
 * Facts to log lines: only those that someone may want to read at night. A line is an event with fields (`event` is
 * the fact's kind; shard, epoch, sequence and traceId where they are known); positions are written as in JSON
 * everywhere, epoch and sequence as numbers.
 *
 * Alike lines (same event, place and code) are told once per `REPEAT_MS`, then with `heldBack`, the number not told.
 */
import type { Clock, Fact, WriteAnswered, BatchCommitted } from '@lockstep/engine';
import type { Logger } from 'pino';
import { LineLimit } from './line-limit.js';
import type { SpanLoss } from './span-queue.js';
import { parseTraceparent } from './trace-context.js';

const REPEAT_MS = 10_000;
const KINDS_OF_LINES_MAX = 1_000;
/** An apply transaction that took longer is told: a lease lasts one second. */
const SLOW_BATCH_MS_MIN = 1_000;

type Level = 'info' | 'warn' | 'error';
type Fields = { readonly [name: string]: string | number | readonly string[] | null };

export class FactLog {
  readonly #logger: Logger;
  readonly #clock: Pick<Clock, 'monotonicMs'>;
  readonly #limit = new LineLimit(REPEAT_MS, KINDS_OF_LINES_MAX);

  constructor(logger: Logger, clock: Pick<Clock, 'monotonicMs'>) {
    this.#logger = logger;
    this.#clock = clock;
  }

  report(fact: Fact): void {
    switch (fact.kind) {
      case 'loop-failed': {
        const { loop, code, disposition, message } = fact;
        const level = disposition === 'retryable' || disposition === 'unknown' ? 'warn' : 'error';
        this.#tell(level, [fact.kind, loop, code], { loop, code, disposition }, `${loop} failed: ${message}`);
        return;
      }
      case 'shard-halted': {
        const { code, detail } = fact.halt;
        this.#tell(
          'error',
          [fact.kind, fact.shard, code],
          { shard: fact.shard, code },
          `${fact.shard} halted: ${detail}`,
        );
        return;
      }
      case 'shard-resumed':
        this.#tell('info', [fact.kind, fact.shard], { shard: fact.shard }, `${fact.shard} goes on`);
        return;
      case 'vote': {
        const { shard, withheld } = fact;
        const code = withheld?.code ?? null;
        const told = withheld === null ? 'counts again' : `is withheld: ${withheld.detail}`;
        const level = code === null ? 'info' : 'error';
        this.#tell(level, [fact.kind, shard, code ?? ''], { shard, code }, `the vote on ${shard} ${told}`);
        return;
      }
      case 'store-went-back': {
        const { from, region, shards, to } = fact;
        this.#tell(
          'error',
          [fact.kind, to],
          { region, shards, from, to },
          `the store of ${region} lacks what it told before: it was put back to an earlier state and goes on as incarnation ${to}`,
        );
        return;
      }
      case 'lease-taken':
      case 'lease-lost': {
        const { kind, shard } = fact;
        const done = kind === 'lease-taken' ? 'taken' : 'lost';
        this.#tell('info', [kind, shard], { shard, lease: Number(fact.lease) }, `lease of ${shard} ${done}`);
        return;
      }
      case 'commit-unknown':
      case 'commit-lost': {
        const { kind, dataset, shards, message } = fact;
        const outcome = kind === 'commit-unknown' ? 'of unknown outcome' : 'lost';
        this.#tell(
          'warn',
          [kind, dataset],
          { dataset, shards },
          `commit of ${dataset} ${outcome}: ${message}`,
        );
        return;
      }
      case 'append-failed': {
        const { shard, code, disposition, message } = fact;
        this.#tell(
          'warn',
          [fact.kind, shard, code],
          { shard, code, disposition },
          `append to ${shard} failed: ${message}`,
        );
        return;
      }
      case 'batch-committed':
        this.#slowBatch(fact);
        return;
      case 'write-answered':
        this.#refusedWrite(fact);
        return;
      case 'move-ended': {
        const { decision, detail, from, move, outcome, shard, span, stages, to } = fact;
        const { epoch, term } = stages.at(-1)!;
        this.#tell(
          outcome === 'lost' ? 'error' : outcome === 'done' ? 'info' : 'warn',
          [fact.kind, shard, String(decision)],
          {
            shard,
            epoch: Number(epoch),
            term: term === null ? null : Number(term),
            decision: Number(decision),
            outcome,
            gapMs: fact.gapMs,
            traceId: span.traceId,
          },
          `${move} of ${shard} from ${from} to ${to}: ${outcome} (${detail})`,
        );
        return;
      }
      case 'write-degraded': {
        const { shard, sequence } = fact;
        this.#tell(
          'warn',
          [fact.kind, shard],
          { shard, sequence: Number(sequence) },
          `a write of ${shard} is acknowledged though its quorum rule was not met in time`,
        );
        return;
      }
      case 'term-begun': {
        const { because, term } = fact;
        this.#tell('info', [fact.kind], { term: Number(term), because }, `leads term ${term} from now on`);
        return;
      }
      case 'entry-appended':
      case 'watermark':
      case 'entry-resubmitted':
        return;
    }
  }

  spansLost(loss: SpanLoss, spans: number, cause: unknown): void {
    const reason = cause instanceof Object && 'message' in cause ? String(cause.message) : loss;
    this.#tell(
      'warn',
      ['spans-lost', loss],
      { code: loss, spans },
      `spans did not reach the collector: ${reason}`,
    );
  }

  /** Telemetry's own defect. */
  unreported(kind: string, error: unknown): void {
    this.#tell(
      'error',
      ['fact-unreported', kind],
      { fact: kind },
      `telemetry failed on ${kind}: ${String(error)}`,
    );
  }

  #slowBatch(fact: BatchCommitted): void {
    const tookMs = fact.endedAtMs - fact.startedAtMs;
    if (tookMs < SLOW_BATCH_MS_MIN) return;
    const { dataset, records, events, readMs, foldMs, commitMs } = fact;
    const example = fact.traced[0];
    this.#tell(
      'warn',
      ['batch-slow', dataset],
      {
        dataset,
        records,
        events,
        tookMs,
        readMs,
        foldMs,
        commitMs,
        ...(example === undefined
          ? {}
          : {
              shard: example.shard,
              epoch: Number(example.epoch),
              sequence: Number(example.sequence),
              traceId: parseTraceparent(example.traceparent)?.traceId ?? null,
            }),
      },
      `apply transaction of ${dataset} took ${Math.round(tookMs)} ms`,
    );
  }

  /** Refusals that are the system's, not the client's. */
  #refusedWrite(fact: WriteAnswered): void {
    if (fact.status < 500) return;
    const { dataset, shard, status, code } = fact;
    this.#tell(
      'warn',
      ['write-refused', shard ?? dataset, code ?? ''],
      { dataset, shard, status, code, traceId: fact.span?.traceId ?? null },
      `write to ${shard ?? dataset} answered ${status}`,
    );
  }

  /** @param alike what makes lines alike; its first part is the name of the event. */
  #tell(level: Level, alike: readonly [string, ...string[]], fields: Fields, message: string): void {
    const heldBack = this.#limit.admit(alike.join(' '), this.#clock.monotonicMs());
    if (heldBack === null) return;
    const present = Object.entries(fields).filter(([, value]) => value !== null);
    this.#logger[level](
      { event: alike[0], ...Object.fromEntries(present), ...(heldBack > 0 ? { heldBack } : {}) },
      message,
    );
  }
}
