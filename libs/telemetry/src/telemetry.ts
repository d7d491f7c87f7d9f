/**
 * The adapter of the observer port: each fact becomes metrics, where it is traced a span, where it is worth one a log
 * line.
 *
 * Reporting never throws, never waits and holds a bounded amount. One part that fails on a fact does not keep the
 * others from it; the failure is counted and told. No URL, no spans: then nothing is sampled and nothing is sent.
 */
import type { Clock, ClusterOutlook, DatabaseStanding, Fact, Observer, SpanContext } from '@lockstep/engine';
import type { Logger } from 'pino';
import { FactLog } from './fact-log.js';
import { Instruments } from './instruments.js';
import { Metrics } from './metrics.js';
import type { Origin } from './origin.js';
import { observeProcess } from './process-load.js';
import { Spans, type AnsweredRequest } from './spans.js';
import { continueTrace, type SpanIdentities } from './trace-context.js';

export interface TelemetryOptions extends Origin {
  /** Base of the collector, `/v1/traces` is appended; null for no spans. */
  readonly otlpUrl: string | null;
  /** Share of new traces that are sampled, 0 to 1; a caller's own flag is followed whatever this says. */
  readonly sampleRatio: number;
  readonly logger: Logger;
  readonly clock: Pick<Clock, 'nowMs' | 'monotonicMs'>;
  readonly identities: SpanIdentities;
}

export interface Telemetry {
  readonly observer: Observer;
  /** Called once, of a coordinator: how the cluster stands is asked of it at each scrape. */
  observeCluster(outlook: () => ClusterOutlook): void;
  /**
   * Called once, of a replicator: its database is asked at each scrape how it stands. What rejects, or takes longer than a
   * second, has no series then.
   */
  observeDatabase(standing: () => Promise<DatabaseStanding>): void;
  /** A request was turned away before any part of the role had seen it. Never throws, never waits. */
  requestRefused(status: number, code: string): void;
  /** The span of an arriving request. Its ids are always there; it is sampled only while tracing is on. */
  openSpan(traceparent: string | null): SpanContext;
  /** The span of an answered request that is not a write; a write's follows from its fact. Never throws, never waits. */
  httpSpan(request: AnsweredRequest): void;
  /** Prometheus exposition format; content type `text/plain; version=0.0.4`. Rejects after `shutdown`. */
  metricsText(): Promise<string>;
  /** Sends the spans that wait, within a few seconds; later facts are counted nowhere. Does not reject. */
  shutdown(): Promise<void>;
}

export function openTelemetry(options: TelemetryOptions): Telemetry {
  const { otlpUrl, clock, identities } = options;
  const instruments = new Instruments(options);
  const metrics = new Metrics(instruments, clock);
  const factLog = new FactLog(options.logger, clock);
  const spans =
    otlpUrl === null
      ? null
      : new Spans(otlpUrl, options, identities, (loss, count, cause) => {
          instruments.add('spansDropped', { reason: loss }, count);
          factLog.spansLost(loss, count, cause);
        });
  const endProcessLoad = observeProcess(instruments);

  function attempt(kind: Fact['kind'] | 'request-answered', report: () => void): void {
    try {
      report();
    } catch (error) {
      try {
        instruments.add('factsUnreported', { kind });
        factLog.unreported(kind, error);
      } catch {
        // The log itself is broken: there is nowhere left to tell it, and the engine must go on.
      }
    }
  }

  return {
    observer: {
      report(fact) {
        attempt(fact.kind, () => metrics.report(fact));
        attempt(fact.kind, () => factLog.report(fact));
        if (spans !== null) attempt(fact.kind, () => spans.report(fact));
      },
    },
    observeCluster: (outlook) => metrics.observeCluster(outlook),
    observeDatabase: (standing) => metrics.observeDatabase(standing),
    requestRefused: (status, code) => metrics.requestRefused(status, code),
    openSpan(traceparent) {
      const span = continueTrace(traceparent, identities, options.sampleRatio);
      return spans === null ? { ...span, sampled: false } : span;
    },
    httpSpan(request) {
      if (spans !== null) attempt('request-answered', () => spans.requestAnswered(request));
    },
    metricsText: () => instruments.text(),
    async shutdown() {
      endProcessLoad();
      await spans?.shutdown();
      await instruments.shutdown();
    },
  };
}
