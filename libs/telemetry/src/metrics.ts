/**
 * Facts to metrics. Work per fact is small and of constant size: a batch is recorded as a batch, appended entries are
 * only tallied and read at the scrape.
 *
 * Unknown is not zero: lag has a series only while it is known. A watermark that nobody renewed for `LAG_KNOWN_MS_MAX`
 * says nothing about the records behind it any more, so a stuck loop cannot show its last good lag; the lag in seconds
 * grows instead. A shard whose lease is lost is another instance's to report.
 */
import type {
  BatchCommitted,
  Clock,
  EntryAppended,
  Fact,
  FailoverForecast,
  WriteAnswered,
} from '@lockstep/engine';
import {
  parseShardName,
  type DatasetName,
  type Halt,
  type ShardName,
  type Watermark,
} from '@lockstep/protocol';
import { type Instruments, SERIES_MAX } from './instruments.js';
import type { KeyOfKind, LabelsOf } from './metric-table.js';

export const LAG_KNOWN_MS_MAX = 30_000;
const STAGES_AT_RISK = ['logged', 'accepted', 'quorum'] as const;

/** What this process last knew of a shard. */
interface KnownShard {
  readonly labels: LabelsOf<'epoch'>;
  readonly watermark: { readonly value: Watermark; readonly toldAtMs: number } | null;
  readonly halt: Halt | null;
}

interface Tally {
  entries: number;
  bytes: number;
}

export class Metrics {
  readonly #instruments: Instruments;
  readonly #clock: Pick<Clock, 'nowMs' | 'monotonicMs'>;
  readonly #shards = new Map<ShardName, KnownShard>();
  readonly #appended = new Map<DatasetName, Tally>();

  constructor(instruments: Instruments, clock: Pick<Clock, 'nowMs' | 'monotonicMs'>) {
    this.#instruments = instruments;
    this.#clock = clock;
    this.#observeShards();
    this.#observeAppended();
  }

  report(fact: Fact): void {
    switch (fact.kind) {
      case 'batch-committed':
        this.#batchCommitted(fact);
        return;
      case 'entry-appended':
        this.#entryAppended(fact);
        return;
      case 'write-answered':
        this.#writeAnswered(fact);
        return;
      case 'append-failed':
        this.#instruments.add('appendFailures', {
          dataset: datasetOf(fact.shard),
          disposition: fact.disposition,
          code: fact.code,
        });
        return;
      case 'commit-unknown':
        this.#instruments.add('commitsUnknown', { dataset: fact.dataset });
        return;
      case 'commit-lost':
        this.#instruments.add('commitsLost', { dataset: fact.dataset });
        return;
      case 'lease-taken':
        this.#instruments.add('leaseChanges', { ...labelsOf(fact.shard), change: 'taken' });
        return;
      case 'lease-lost':
        this.#instruments.add('leaseChanges', { ...labelsOf(fact.shard), change: 'lost' });
        this.#shards.delete(fact.shard);
        return;
      case 'shard-halted':
        this.#know(fact.shard, {
          watermark: this.#shards.get(fact.shard)?.watermark ?? null,
          halt: fact.halt,
        });
        return;
      case 'shard-resumed':
      case 'move-ended':
      case 'vote':
      case 'store-went-back':
        // The next watermark says it.
        return;
      case 'loop-failed':
        this.#instruments.add('loopFailures', {
          loop: fact.loop,
          disposition: fact.disposition ?? 'none',
          code: fact.code,
        });
        return;
      case 'watermark':
        this.#know(fact.watermark.shard, {
          watermark: { value: fact.watermark, toldAtMs: this.#clock.monotonicMs() },
          halt: fact.watermark.halted,
        });
        return;
      case 'write-degraded':
        this.#instruments.add('writesDegraded', { dataset: datasetOf(fact.shard) });
        return;
      case 'entry-resubmitted':
        this.#instruments.add('entriesResubmitted', {
          dataset: datasetOf(fact.shard),
          verdict: fact.verdict,
        });
        return;
    }
  }

  /** What is asked for at each scrape; beyond `SERIES_MAX` series of a metric, shards have none, which reads as unknown. */
  observeFailovers(forecasts: () => readonly FailoverForecast[]): void {
    const predictions = (): readonly [LabelsOf<'epoch'>, FailoverForecast][] =>
      forecasts()
        .slice(0, Math.floor(SERIES_MAX / STAGES_AT_RISK.length))
        .map((forecast) => [labelsOf(forecast.shard), forecast]);
    this.#instruments.observe('failoverAllowed', (tell) => {
      for (const [labels, { isAllowed }] of predictions()) tell(labels, isAllowed ? 1 : 0);
    });
    this.#instruments.observe('failoverLost', (tell) => {
      for (const [labels, { predicted }] of predictions())
        if (predicted !== null && predicted.lostEntries !== null) tell(labels, predicted.lostEntries);
    });
    this.#instruments.observe('failoverGap', (tell) => {
      for (const [labels, { predicted }] of predictions())
        if (predicted !== null && predicted.gapMs !== null) tell(labels, predicted.gapMs / 1_000);
    });
    this.#instruments.observe('failoverAtRisk', (tell) => {
      for (const [labels, { predicted }] of predictions())
        for (const stage of STAGES_AT_RISK) {
          const entries = predicted?.atRisk[stage] ?? null;
          if (entries !== null) tell({ ...labels, stage }, entries);
        }
    });
  }

  #batchCommitted(fact: BatchCommitted): void {
    const { dataset } = fact;
    const sizes = {
      batchRecords: fact.records,
      batchEvents: fact.events,
      batchRows: fact.rows,
      batchBytes: fact.bytes,
    };
    const timesMs = { readSeconds: fact.readMs, foldSeconds: fact.foldMs, commitSeconds: fact.commitMs };
    for (const key of keysOf(sizes)) this.#instruments.record(key, { dataset }, sizes[key]);
    for (const key of keysOf(timesMs)) this.#instruments.record(key, { dataset }, timesMs[key] / 1_000);
    for (const [verdict, entries] of fact.verdicts)
      this.#instruments.add('verdicts', { dataset, verdict }, entries);
  }

  #entryAppended(fact: EntryAppended): void {
    const dataset = datasetOf(fact.shard);
    let tally = this.#appended.get(dataset);
    if (tally === undefined) {
      tally = { entries: 0, bytes: 0 };
      this.#appended.set(dataset, tally);
    }
    tally.entries += 1;
    tally.bytes += fact.bytes;
  }

  #writeAnswered(fact: WriteAnswered): void {
    // The name of a dataset that does not exist is the client's word, and clients have many.
    const dataset = fact.code === 'unknown-dataset' ? 'unknown' : fact.dataset;
    this.#instruments.add('writesAnswered', {
      dataset,
      status: String(fact.status),
      code: fact.code ?? 'none',
    });
    this.#instruments.record('writeSeconds', { dataset }, secondsBetween(fact.startedAtMs, fact.endedAtMs));
    for (const [stage, ms] of fact.stageMs)
      this.#instruments.record('stageSeconds', { dataset, stage }, ms / 1_000);
  }

  /** Shards are the catalogue's, at most `SERIES_MAX` are shown; one more has no series, which reads as unknown. */
  #know(shard: ShardName, known: Omit<KnownShard, 'labels'>): void {
    const labels = this.#shards.get(shard)?.labels ?? labelsOf(shard);
    if (!this.#shards.has(shard) && this.#shards.size >= SERIES_MAX) return;
    this.#shards.set(shard, { labels, ...known });
  }

  #observeShards(): void {
    this.#observeWatermarks('epoch', ({ epoch }) => Number(epoch));
    this.#observeWatermarks('sequence', ({ sequence }) => Number(sequence));
    this.#observeWatermarks('lagRecords', ({ lagRecords }, ageMs) =>
      ageMs > LAG_KNOWN_MS_MAX ? null : lagRecords,
    );
    this.#observeWatermarks('lagSeconds', ({ caughtUpAtMs }) =>
      caughtUpAtMs === null ? null : secondsBetween(caughtUpAtMs, this.#clock.nowMs()),
    );
    this.#instruments.observe('halted', (tell) => {
      for (const { labels, halt } of this.#shards.values()) {
        tell({ ...labels, code: halt?.code ?? 'none' }, halt === null ? 0 : 1);
      }
    });
  }

  #observeWatermarks(
    key: 'epoch' | 'sequence' | 'lagRecords' | 'lagSeconds',
    valueOf: (watermark: Watermark, ageMs: number) => number | null,
  ): void {
    this.#instruments.observe(key, (tell) => {
      const nowMs = this.#clock.monotonicMs();
      for (const { labels, watermark } of this.#shards.values()) {
        const value = watermark === null ? null : valueOf(watermark.value, nowMs - watermark.toldAtMs);
        if (value !== null) tell(labels, value);
      }
    });
  }

  #observeAppended(): void {
    this.#instruments.observe('entriesAppended', (tell) => {
      for (const [dataset, { entries }] of this.#appended) tell({ dataset }, entries);
    });
    this.#instruments.observe('bytesAppended', (tell) => {
      for (const [dataset, { bytes }] of this.#appended) tell({ dataset }, bytes);
    });
  }
}

function labelsOf(shard: ShardName): LabelsOf<'epoch'> {
  return { dataset: datasetOf(shard), shard };
}

function datasetOf(shard: ShardName): DatasetName {
  const parsed = parseShardName(shard);
  if (parsed === null) throw new Error(`not a shard name: ${shard}`);
  return parsed.dataset;
}

/** Wall clocks step back; a duration must not. */
function secondsBetween(fromMs: number, toMs: number): number {
  return Math.max(0, toMs - fromMs) / 1_000;
}

function keysOf<Key extends KeyOfKind<'histogram'>>(record: {
  readonly [key in Key]: number;
}): readonly Key[] {
  return Object.keys(record) as Key[];
}
