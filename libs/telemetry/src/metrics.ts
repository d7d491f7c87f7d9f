/**
 * Facts to metrics. Work per fact is small and of constant size: a batch is recorded as a batch, appended entries are
 * only tallied and read at the scrape.
 *
 * Unknown is not zero: lag has a series only while it is known. A watermark that nobody renewed for `LAG_KNOWN_MS_MAX`
 * says nothing about the records behind it any more, so a stuck loop cannot show its last good lag; the lag in seconds
 * grows instead. A shard whose lease is lost is another instance's to report.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type {
  BatchCommitted,
  Clock,
  ClusterOutlook,
  DatabaseStanding,
  EntryAppended,
  Fact,
  FailoverForecast,
  MoveEnded,
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
const DATABASE_WAIT_MS_MAX = 1_000;
const STAGES_AT_RISK = ['logged', 'accepted', 'quorum'] as const;

type UnlabelledKey = 'controlCurrent' | 'leads' | 'oldestMove' | 'openMoves' | 'pauses' | 'term';

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
      case 'term-begun':
        this.#instruments.add('terms', { because: fact.because });
        if (fact.leaderlessMs !== null) this.#instruments.record('leaderless', {}, fact.leaderlessMs / 1_000);
        return;
      case 'move-ended':
        this.#moveEnded(fact);
        return;
    }
  }

  /** Asked once at each scrape; beyond `SERIES_MAX` series of a metric, shards have none, which reads as unknown. */
  observeCluster(outlook: () => ClusterOutlook): void {
    let seen!: ClusterOutlook;
    this.#instruments.beforeScrape(() => {
      seen = outlook();
    });
    this.#observeControl(() => seen);
    this.#observeQuorums(() => seen.quorums.slice(0, SERIES_MAX));
    this.#observeFailovers(() => seen.forecasts.slice(0, Math.floor(SERIES_MAX / STAGES_AT_RISK.length)));
  }

  observeDatabase(standing: () => Promise<DatabaseStanding>): void {
    let seen: DatabaseStanding | null = null;
    this.#instruments.beforeScrape(async () => {
      const asked = standing().catch(() => null);
      const waited = new AbortController();
      const late = sleep(DATABASE_WAIT_MS_MAX, null, { signal: waited.signal, ref: false }).catch(() => null);
      seen = await Promise.race([asked, late]);
      waited.abort();
    });
    this.#instruments.observe('walBytes', (tell) => {
      if (seen !== null) tell({}, Number(seen.walBytes));
    });
    this.#instruments.observe('outboxPending', (tell) => {
      for (const { dataset, pending } of seen?.held ?? []) tell({ dataset }, pending);
    });
    this.#instruments.observe('quarantined', (tell) => {
      for (const { dataset, late, undone } of seen?.held ?? []) {
        tell({ dataset, cause: 'undone' }, undone);
        tell({ dataset, cause: 'late' }, late);
      }
    });
  }

  #observeControl(seen: () => ClusterOutlook): void {
    const observe = (key: UnlabelledKey, valueOf: (outlook: ClusterOutlook) => number | null): void =>
      this.#instruments.observe(key, (tell) => {
        const value = valueOf(seen());
        if (value !== null) tell({}, value);
      });
    observe('term', ({ term }) => (term === null ? null : Number(term)));
    observe('leads', ({ leads }) => (leads ? 1 : 0));
    observe('controlCurrent', ({ isControlCurrent }) => (isControlCurrent ? 1 : 0));
    observe('pauses', ({ pauses }) => pauses);
    observe('openMoves', ({ openMoves }) => openMoves);
    observe('oldestMove', ({ oldestMoveMs }) => (oldestMoveMs === null ? null : oldestMoveMs / 1_000));
    this.#instruments.observe('heard', (tell) => {
      for (const { about, heardMsAgo } of seen().regions)
        if (heardMsAgo !== null) tell({ about }, heardMsAgo / 1_000);
    });
    this.#instruments.observe('doubts', (tell) => {
      for (const { about, doubts } of seen().regions) if (doubts !== null) tell({ about }, doubts);
    });
  }

  #observeQuorums(quorums: () => ClusterOutlook['quorums']): void {
    this.#instruments.observe('quorumVoters', (tell) => {
      for (const { shard, voters } of quorums()) tell(labelsOf(shard), voters);
    });
    this.#instruments.observe('quorumReachable', (tell) => {
      for (const { isReachable, shard } of quorums())
        if (isReachable !== null) tell(labelsOf(shard), isReachable ? 1 : 0);
    });
  }

  #observeFailovers(forecasts: () => readonly FailoverForecast[]): void {
    this.#instruments.observe('failoverAllowed', (tell) => {
      for (const { isAllowed, shard } of forecasts()) tell(labelsOf(shard), isAllowed ? 1 : 0);
    });
    this.#instruments.observe('failoverLost', (tell) => {
      for (const { predicted, shard } of forecasts())
        if (predicted !== null && predicted.lostEntries !== null)
          tell(labelsOf(shard), predicted.lostEntries);
    });
    this.#instruments.observe('failoverGap', (tell) => {
      for (const { predicted, shard } of forecasts())
        if (predicted !== null && predicted.gapMs !== null) tell(labelsOf(shard), predicted.gapMs / 1_000);
    });
    this.#instruments.observe('failoverAtRisk', (tell) => {
      for (const { predicted, shard } of forecasts())
        for (const stage of STAGES_AT_RISK) {
          const entries = predicted?.atRisk[stage] ?? null;
          if (entries !== null) tell({ ...labelsOf(shard), stage }, entries);
        }
    });
  }

  /** Of a request that no part of the role has seen. */
  requestRefused(status: number, code: string): void {
    this.#instruments.add('requestsRefused', { status: String(status), code });
  }

  #moveEnded({ gapMs, move, outcome, passed }: MoveEnded): void {
    this.#instruments.add('moves', { move, outcome });
    for (const [index, { atMs, stage }] of passed.entries()) {
      const before = passed[index - 1];
      if (before !== undefined)
        this.#instruments.record('moveStage', { move, stage }, secondsBetween(before.atMs, atMs));
    }
    if (gapMs !== null) this.#instruments.record('moveGap', { move }, gapMs / 1_000);
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
    for (const { home, ms } of fact.ages)
      this.#instruments.record('applyAge', { dataset, home }, Math.max(0, ms) / 1_000);
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
    this.#instruments.observe('voteWithheld', (tell) => {
      for (const { labels, watermark } of this.#shards.values()) {
        if (watermark === null) continue;
        const { withheld } = watermark.value;
        tell({ ...labels, code: withheld?.code ?? 'none' }, withheld === null ? 0 : 1);
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
