/**
 * Finished spans on their way out: a bounded queue in front of the batch processor and the OTLP/HTTP exporter.
 *
 * Offering never waits and never throws. At most `QUEUE_SPANS_MAX` spans wait; a span more is dropped and counted, so
 * is a batch that the collector did not take. Nothing of this reaches the engine.
 */
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { BatchSpanProcessor, type ReadableSpan, type SpanExporter } from '@opentelemetry/sdk-trace';

/** Four of the largest apply batches with every entry traced; about 8 MB. */
export const QUEUE_SPANS_MAX = 8_192;
const EXPORT_SPANS_MAX = 512;
const EXPORT_DELAY_MS = 500;
/** Bound of one export with its retries, and so of the last one in `shutdown`. */
const EXPORT_MS_MAX = 3_000;

export type SpanLoss = 'queue-full' | 'export-failed';
type LossListener = (loss: SpanLoss, spans: number, cause: unknown) => void;

export class SpanQueue {
  readonly #exporter: SpanExporter;
  readonly #processor: BatchSpanProcessor;
  readonly #lost: LossListener;
  /** Spans that the processor holds and has not given to the exporter. */
  #waiting = 0;
  #closed = false;

  constructor(url: string, lost: LossListener) {
    this.#lost = lost;
    this.#exporter = new OTLPTraceExporter({ url, timeoutMillis: EXPORT_MS_MAX });
    this.#processor = new BatchSpanProcessor({
      exporter: {
        export: (spans, answer) => this.#export(spans, answer),
        shutdown: () => this.#exporter.shutdown(),
      },
      maxQueueSize: QUEUE_SPANS_MAX,
      maxExportBatchSize: EXPORT_SPANS_MAX,
      scheduledDelayMillis: EXPORT_DELAY_MS,
      exportTimeoutMillis: EXPORT_MS_MAX + 1_000,
    });
  }

  /** Builds the span only when there is room for it. */
  offer(build: () => ReadableSpan): void {
    if (this.#closed) return;
    if (this.#waiting >= QUEUE_SPANS_MAX) {
      this.#lost('queue-full', 1, null);
      return;
    }
    const span = build();
    this.#waiting += 1;
    this.#processor.onEnd(span);
  }

  /** Sends what waits, once. Ends within the bound of one export and does not reject: a loss is told as any other. */
  async shutdown(): Promise<void> {
    this.#closed = true;
    try {
      await this.#processor.shutdown();
    } catch {
      // The listener was told. The processor stops at a failed export and leaves the exporter open.
      await this.#exporter.shutdown();
    }
  }

  #export(spans: ReadableSpan[], answer: Parameters<SpanExporter['export']>[1]): void {
    this.#waiting -= spans.length;
    this.#exporter.export(spans, (result) => {
      if (result.code !== EXPORT_SUCCEEDED) this.#lost('export-failed', spans.length, result.error ?? null);
      answer(result);
    });
  }
}

/** `ExportResultCode.SUCCESS`; its package is not one of ours. */
const EXPORT_SUCCEEDED = 0;
