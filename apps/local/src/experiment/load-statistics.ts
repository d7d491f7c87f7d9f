/** What a load has heard so far: counts, and latencies in histograms of fixed size. */
import { createHistogram, type RecordableHistogram } from 'node:perf_hooks';
import type { Ending, Operation } from '@lockstep/testing/workload';

/** Words of people: rejected was judged by the fold, refused was never written. */
export type Fate = 'accepted' | 'rejected' | 'refused' | 'unknown';
export type Fates = { readonly [fate in Fate]: number };

export interface Latency {
  readonly p50Ms: number;
  readonly p99Ms: number;
}

const LATENCY_MS_MAX = 120_000;

const newHistogram = (): RecordableHistogram =>
  createHistogram({ lowest: 1, highest: LATENCY_MS_MAX * 1_000, figures: 2 });

export class LoadStatistics {
  readonly fates: Record<Fate, number> = { accepted: 0, rejected: 0, refused: 0, unknown: 0 };
  operations = 0;
  /** Of all operations, whatever became of them. */
  events = 0;
  answered = 0;
  /** By status and code. */
  private readonly answers = new Map<string, number>();
  private readonly latencies = new Map<string, RecordableHistogram>();
  private recent = { fates: { ...this.fates }, latency: newHistogram(), operations: 0 };

  note({ dataset, events }: Operation, ending: Ending, latencyMs: number): void {
    const fate = fateOf(ending);
    this.operations += 1;
    this.events += events.length;
    this.fates[fate] += 1;
    this.recent.operations += 1;
    this.recent.fates[fate] += 1;
    const answer = [ending.status ?? 'no answer', ending.code ?? ending.receipt?.outcome].join(' ');
    this.answers.set(answer, (this.answers.get(answer) ?? 0) + 1);
    if (ending.status === null) return;
    this.answered += 1;
    const histogram = this.latencies.get(dataset) ?? newHistogram();
    this.latencies.set(dataset, histogram);
    const microseconds = Math.min(LATENCY_MS_MAX * 1_000, Math.max(1, Math.round(latencyMs * 1_000)));
    histogram.record(microseconds);
    this.recent.latency.record(microseconds);
  }

  /** Since the last call. */
  takeRecent(): { readonly operations: number; readonly fates: Fates; readonly latency: Latency | null } {
    const { fates, latency, operations } = this.recent;
    this.recent = {
      fates: { accepted: 0, rejected: 0, refused: 0, unknown: 0 },
      latency: newHistogram(),
      operations: 0,
    };
    return { operations, fates, latency: latencyOf(latency) };
  }

  answerCounts(): { readonly [answer: string]: number } {
    return Object.fromEntries([...this.answers].sort(([one], [other]) => (one < other ? -1 : 1)));
  }

  latencyByDataset(): { readonly [dataset: string]: Latency } {
    return Object.fromEntries(
      [...this.latencies].flatMap(([dataset, histogram]) => {
        const latency = latencyOf(histogram);
        return latency === null ? [] : [[dataset, latency]];
      }),
    );
  }
}

const fateOf = ({ receipt, type }: Ending): Fate => {
  switch (type) {
    case 'ok':
      return 'accepted';
    case 'info':
      return 'unknown';
    case 'fail':
      return receipt === null ? 'refused' : 'rejected';
  }
};

const latencyOf = (histogram: RecordableHistogram): Latency | null =>
  histogram.count === 0
    ? null
    : { p50Ms: histogram.percentile(50) / 1_000, p99Ms: histogram.percentile(99) / 1_000 };
