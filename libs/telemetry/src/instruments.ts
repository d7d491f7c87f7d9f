/**
 * The rows of the metric table as things that can be told or read, and their text in Prometheus' exposition format.
 * There is no HTTP server here: the role's own serves the text.
 *
 * Counters and histograms are OpenTelemetry instruments; one holds at most `SERIES_MAX` combinations of labels, what is
 * beyond falls into one overflow series. Observed metrics are read at the scrape and written as read: the SDK's
 * observable instruments keep a series that is observed no more, and keep an old value while the wall clock is behind it,
 * so that what is not known any more would still be shown.
 */
import { ValueType, type Counter, type HrTime, type Meter, type Histogram } from '@opentelemetry/api';
import { PrometheusSerializer } from '@opentelemetry/exporter-prometheus';
import { resourceFromAttributes } from '@opentelemetry/resources';
import {
  AggregationTemporality,
  DataPointType,
  MeterProvider,
  MetricReader,
  type DataPoint,
  type MetricData,
} from '@opentelemetry/sdk-metrics';
import { METRICS, type KeyOfKind, type LabelsOf, type MetricKey } from './metric-table.js';
import type { Origin } from './origin.js';

export const SERIES_MAX = 2_000;

type ObservedKey = KeyOfKind<'observed-counter' | 'observed-gauge'>;
type Tell<Labels> = (labels: Labels, value: number) => void;

export class Instruments {
  readonly #reader = new PulledReader();
  readonly #serializer = new PrometheusSerializer('', false, /^(region|role)$/, false, true);
  readonly #provider: MeterProvider;
  readonly #counters = new Map<MetricKey, Counter>();
  readonly #histograms = new Map<MetricKey, Histogram>();
  readonly #prepared: (() => void | Promise<void>)[] = [];
  readonly #observed: (() => MetricData)[] = [];

  constructor(origin: Origin) {
    this.#provider = new MeterProvider({
      // Never exported but to Prometheus, hence its label names: `region` and `role` are copied to every series.
      resource: resourceFromAttributes({
        'service.name': origin.service,
        'service.instance.id': origin.instance,
        region: origin.region,
        role: origin.role,
      }),
      readers: [this.#reader],
    });
    const meter = this.#provider.getMeter(SCOPE.name);
    for (const key of Object.keys(METRICS) as MetricKey[]) this.#create(key, meter);
  }

  add<Key extends KeyOfKind<'counter'>>(key: Key, labels: LabelsOf<Key>, value = 1): void {
    this.#counters.get(key)?.add(value, labels);
  }

  record<Key extends KeyOfKind<'histogram'>>(key: Key, labels: LabelsOf<Key>, value: number): void {
    this.#histograms.get(key)?.record(value, labels);
  }

  /** Called at each scrape, before anything is read; bounds its own wait. */
  beforeScrape(step: () => void | Promise<void>): void {
    this.#prepared.push(step);
  }

  /** `read` is called at each scrape and tells what is known then; what it does not tell has no series. */
  observe<Key extends ObservedKey>(key: Key, read: (tell: Tell<LabelsOf<Key>>) => void): void {
    this.#observed.push(() => {
      const dataPoints: DataPoint<number>[] = [];
      read((attributes, value) =>
        dataPoints.push({ attributes, value, startTime: UNTIMED, endTime: UNTIMED }),
      );
      return observedData(key, dataPoints);
    });
  }

  /** Prometheus exposition format, version 0.0.4. Rejects after `shutdown`. */
  async text(): Promise<string> {
    const { resource, scopeMetrics } = (await this.#reader.collect()).resourceMetrics;
    for (const step of this.#prepared) await step();
    const metrics = this.#observed.map((read) => read()).filter(({ dataPoints }) => dataPoints.length > 0);
    return this.#serializer.serialize({
      resource,
      scopeMetrics: [...scopeMetrics, { scope: SCOPE, metrics }],
    });
  }

  shutdown(): Promise<void> {
    return this.#provider.shutdown();
  }

  #create(key: MetricKey, meter: Meter): void {
    const metric = METRICS[key];
    switch (metric.kind) {
      case 'counter':
        this.#counters.set(key, meter.createCounter(metric.name, { description: metric.sentence }));
        return;
      case 'histogram':
        this.#histograms.set(
          key,
          meter.createHistogram(metric.name, {
            description: metric.sentence,
            advice: { explicitBucketBoundaries: [...metric.boundaries] },
          }),
        );
        return;
      case 'observed-counter':
      case 'observed-gauge':
        return;
    }
  }
}

const SCOPE = { name: '@lockstep/telemetry' };
/** The text carries no times: Prometheus takes the scrape's. */
const UNTIMED: HrTime = [0, 0];

function observedData(key: ObservedKey, dataPoints: DataPoint<number>[]): MetricData {
  const { kind, name, sentence } = METRICS[key];
  const descriptor = { name, description: sentence, unit: '', valueType: ValueType.DOUBLE };
  const data = { descriptor, aggregationTemporality: AggregationTemporality.CUMULATIVE, dataPoints };
  switch (kind) {
    case 'observed-counter':
      return { ...data, dataPointType: DataPointType.SUM, isMonotonic: true };
    case 'observed-gauge':
      return { ...data, dataPointType: DataPointType.GAUGE };
  }
}

/** Collects when asked, and never by itself. */
class PulledReader extends MetricReader {
  constructor() {
    super({ cardinalitySelector: () => SERIES_MAX });
  }

  protected override onForceFlush(): Promise<void> {
    return Promise.resolve();
  }

  protected override onShutdown(): Promise<void> {
    return Promise.resolve();
  }
}
