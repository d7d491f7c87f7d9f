/**
 * The table of all metrics. Instruments are created from it and the README repeats it (`npm run readme` in this
 * folder); a metric that is not here does not exist.
 *
 * A name ends with its unit. Labels are few and their values come from code or catalogue, never from a client. Every
 * series carries `region` and `role` besides its own labels. Unknown is not zero: a gauge whose value is not known has
 * no series. Imports nothing, so that the README's script can run it as it stands.
 */
interface Metric {
  /** `observed` ones are read at the scrape, the others are told as things happen. */
  readonly kind: 'counter' | 'observed-counter' | 'observed-gauge' | 'histogram';
  readonly name: string;
  readonly unit: string;
  readonly labels: readonly string[];
  readonly sentence: string;
  /** Upper bounds of a histogram's buckets. */
  readonly boundaries?: readonly number[];
}

const SECONDS = [
  0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60,
] as const;
const COUNTS = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000] as const;
const BYTES = [256, 1_024, 4_096, 16_384, 65_536, 262_144, 1_048_576, 4_194_304, 8_388_608] as const;

export const METRICS = {
  lagRecords: {
    kind: 'observed-gauge',
    name: 'lockstep_lag_records',
    unit: 'records',
    labels: ['dataset', 'shard'],
    sentence:
      "Records between this region's cursor and the log end as last seen; no series while that is not known.",
  },
  lagSeconds: {
    kind: 'observed-gauge',
    name: 'lockstep_lag_seconds',
    unit: 'seconds',
    labels: ['dataset', 'shard'],
    sentence:
      'Time since this region last knew that it had folded the log to its end; grows while it cannot know; no series before it first knew.',
  },
  epoch: {
    kind: 'observed-gauge',
    name: 'lockstep_shard_epoch',
    unit: 'epoch',
    labels: ['dataset', 'shard'],
    sentence: "Epoch of the shard in this region's fold.",
  },
  sequence: {
    kind: 'observed-gauge',
    name: 'lockstep_shard_sequence',
    unit: 'sequence',
    labels: ['dataset', 'shard'],
    sentence: 'Sequence through which this region has committed the fold.',
  },
  halted: {
    kind: 'observed-gauge',
    name: 'lockstep_shard_halted',
    unit: '0 or 1',
    labels: ['dataset', 'shard', 'code'],
    sentence:
      'Whether this region has stopped at the shard, and the code that says why; code is none while it goes on.',
  },
  voteWithheld: {
    kind: 'observed-gauge',
    name: 'lockstep_vote_withheld',
    unit: '0 or 1',
    labels: ['dataset', 'shard', 'code'],
    sentence:
      "Whether this region's vote on the shard does not count, and the code that says why; code is none while it counts.",
  },
  term: {
    kind: 'observed-gauge',
    name: 'lockstep_term',
    unit: 'term',
    labels: [],
    sentence:
      'Number of the term as this coordinator has read it; no series before the first. Only of coordinators, as all down to the failover metrics.',
  },
  leads: {
    kind: 'observed-gauge',
    name: 'lockstep_leads',
    unit: '0 or 1',
    labels: [],
    sentence: 'Whether this coordinator leads, as far as it has read.',
  },
  controlCurrent: {
    kind: 'observed-gauge',
    name: 'lockstep_control_current',
    unit: '0 or 1',
    labels: [],
    sentence:
      'Whether this coordinator has read the control log to its end; 0 while the log does not answer it.',
  },
  pauses: {
    kind: 'observed-gauge',
    name: 'lockstep_pauses',
    unit: 'pauses',
    labels: [],
    sentence: 'Pauses of moves that stand; no series before the control log was read.',
  },
  openMoves: {
    kind: 'observed-gauge',
    name: 'lockstep_open_moves',
    unit: 'moves',
    labels: [],
    sentence: 'Moves of shards that are decided and not over; no series before the control log was read.',
  },
  oldestMove: {
    kind: 'observed-gauge',
    name: 'lockstep_oldest_open_move_seconds',
    unit: 'seconds',
    labels: [],
    sentence: 'Log time since the oldest open move was decided; no series while none is open.',
  },
  heard: {
    kind: 'observed-gauge',
    name: 'lockstep_region_heard_seconds',
    unit: 'seconds',
    labels: ['about'],
    sentence:
      'Time since the streams of the region named in about told this coordinator something last, a heartbeat included; no series before they did.',
  },
  doubts: {
    kind: 'observed-gauge',
    name: 'lockstep_region_doubts',
    unit: 'regions',
    labels: ['about'],
    sentence:
      'Regions that now find the region named in about unfit, by votes in the control log; no series before that was read.',
  },
  quorumVoters: {
    kind: 'observed-gauge',
    name: 'lockstep_quorum_voters',
    unit: 'regions',
    labels: ['dataset', 'shard'],
    sentence: 'Regions that count for the shard, are heard by this coordinator and have not stopped at it.',
  },
  quorumReachable: {
    kind: 'observed-gauge',
    name: 'lockstep_quorum_reachable',
    unit: '0 or 1',
    labels: ['dataset', 'shard'],
    sentence:
      "Whether those regions can meet the shard's rule in force; no series while nobody has told a rule.",
  },
  failoverLost: {
    kind: 'observed-gauge',
    name: 'lockstep_failover_lost_entries',
    unit: 'entries',
    labels: ['dataset', 'shard'],
    sentence:
      'Entries that a failover now, to the region that had best take the shard, would lose; 0 while the end of its log is known; no series while it is not.',
  },
  failoverAtRisk: {
    kind: 'observed-gauge',
    name: 'lockstep_failover_at_risk_entries',
    unit: 'entries',
    labels: ['dataset', 'shard', 'stage'],
    sentence:
      'Entries that this region lacks, at most, by the stage that callers may have been told: lost if the log were lost too; no series while that is not known.',
  },
  failoverGap: {
    kind: 'observed-gauge',
    name: 'lockstep_failover_gap_seconds',
    unit: 'seconds',
    labels: ['dataset', 'shard'],
    sentence:
      'How long nobody would take writes of the shard in a failover now, by past moves and what is left to fold; no series before a move was measured.',
  },
  failoverAllowed: {
    kind: 'observed-gauge',
    name: 'lockstep_failover_allowed',
    unit: '0 or 1',
    labels: ['dataset', 'shard'],
    sentence: 'Whether every check would allow a failover of the shard now.',
  },
  terms: {
    kind: 'counter',
    name: 'lockstep_terms_total',
    unit: 'terms',
    labels: ['because'],
    sentence:
      'Terms that this coordinator began by its claim, by what had become of the leader before: vacant (it resigned, or nobody had led), suspected or silenced.',
  },
  leaderless: {
    kind: 'histogram',
    name: 'lockstep_leaderless_seconds',
    unit: 'seconds',
    labels: [],
    sentence:
      'Log time from the last sign of one leader to the claim of the next, told by the one that claimed.',
    boundaries: SECONDS,
  },
  moves: {
    kind: 'counter',
    name: 'lockstep_moves_total',
    unit: 'moves',
    labels: ['move', 'outcome'],
    sentence:
      'Moves of shards that were over, by kind and outcome, told by the coordinator whose entry ended them.',
  },
  moveStage: {
    kind: 'histogram',
    name: 'lockstep_move_stage_seconds',
    unit: 'seconds',
    labels: ['move', 'stage'],
    sentence: 'Log time that a finished move took to reach the stage from the one before.',
    boundaries: SECONDS,
  },
  moveGap: {
    kind: 'histogram',
    name: 'lockstep_move_gap_seconds',
    unit: 'seconds',
    labels: ['move'],
    sentence: 'Log time in which nobody took writes of the shard because of a finished move.',
    boundaries: SECONDS,
  },
  leaseChanges: {
    kind: 'counter',
    name: 'lockstep_lease_changes_total',
    unit: 'changes',
    labels: ['dataset', 'shard', 'change'],
    sentence: 'Leases that this instance took or lost.',
  },
  verdicts: {
    kind: 'counter',
    name: 'lockstep_verdicts_total',
    unit: 'entries',
    labels: ['dataset', 'verdict'],
    sentence: 'Entries folded and committed, by verdict.',
  },
  batchRecords: {
    kind: 'histogram',
    name: 'lockstep_batch_records',
    unit: 'records',
    labels: ['dataset'],
    sentence: 'Records in one apply transaction.',
    boundaries: COUNTS,
  },
  batchEvents: {
    kind: 'histogram',
    name: 'lockstep_batch_events',
    unit: 'events',
    labels: ['dataset'],
    sentence: 'Events in one apply transaction.',
    boundaries: COUNTS,
  },
  batchRows: {
    kind: 'histogram',
    name: 'lockstep_batch_rows',
    unit: 'rows',
    labels: ['dataset'],
    sentence: 'Rows changed by one apply transaction.',
    boundaries: COUNTS,
  },
  batchBytes: {
    kind: 'histogram',
    name: 'lockstep_batch_bytes',
    unit: 'bytes',
    labels: ['dataset'],
    sentence: 'Bytes of the records in one apply transaction.',
    boundaries: BYTES,
  },
  readSeconds: {
    kind: 'histogram',
    name: 'lockstep_batch_read_seconds',
    unit: 'seconds',
    labels: ['dataset'],
    sentence: 'Time to read from the database what a batch is judged by.',
    boundaries: SECONDS,
  },
  foldSeconds: {
    kind: 'histogram',
    name: 'lockstep_batch_fold_seconds',
    unit: 'seconds',
    labels: ['dataset'],
    sentence: 'Time to fold a batch.',
    boundaries: SECONDS,
  },
  commitSeconds: {
    kind: 'histogram',
    name: 'lockstep_batch_commit_seconds',
    unit: 'seconds',
    labels: ['dataset'],
    sentence: 'Time to write and commit a batch.',
    boundaries: SECONDS,
  },
  applyAge: {
    kind: 'histogram',
    name: 'lockstep_apply_age_seconds',
    unit: 'seconds',
    labels: ['dataset', 'home'],
    sentence:
      "From the log time of a shard's newest entry in a batch to the batch's commit: what the way from the shard's home to this region takes, as far as clocks agree.",
    boundaries: SECONDS,
  },
  walBytes: {
    kind: 'observed-counter',
    name: 'lockstep_database_wal_bytes_total',
    unit: 'bytes',
    labels: [],
    sentence:
      "Bytes of write-ahead log that this region's database server has written, for whatever reason; no series while it does not answer. Only of replicators.",
  },
  outboxPending: {
    kind: 'observed-gauge',
    name: 'lockstep_outbox_entries',
    unit: 'entries',
    labels: ['dataset'],
    sentence:
      "Entries in this region's outbox that the log has not decided yet; no series while the database does not answer. Only of replicators.",
  },
  quarantined: {
    kind: 'observed-gauge',
    name: 'lockstep_quarantined_entries',
    unit: 'entries',
    labels: ['dataset', 'cause'],
    sentence:
      "Entries in this region's quarantine: undone ones of its outbox wait for a person, late ones of former homes are forgotten in time; no series while the database does not answer. Only of replicators.",
  },
  commitsUnknown: {
    kind: 'counter',
    name: 'lockstep_commits_unknown_total',
    unit: 'commits',
    labels: ['dataset'],
    sentence: 'Commits whose outcome was not known until the cursors were loaded again.',
  },
  commitsLost: {
    kind: 'counter',
    name: 'lockstep_commits_lost_total',
    unit: 'commits',
    labels: ['dataset'],
    sentence: 'Commits refused because a cursor or lease number had moved; nothing was written.',
  },
  entriesAppended: {
    kind: 'observed-counter',
    name: 'lockstep_appended_entries_total',
    unit: 'entries',
    labels: ['dataset'],
    sentence: 'Entries that this instance appended to the log.',
  },
  bytesAppended: {
    kind: 'observed-counter',
    name: 'lockstep_appended_bytes_total',
    unit: 'bytes',
    labels: ['dataset'],
    sentence: 'Bytes of the entries that this instance appended to the log.',
  },
  appendFailures: {
    kind: 'counter',
    name: 'lockstep_append_failures_total',
    unit: 'appends',
    labels: ['dataset', 'disposition', 'code'],
    sentence:
      'Appends that were not acknowledged; with disposition unknown the entries may stand in the log.',
  },
  entriesResubmitted: {
    kind: 'counter',
    name: 'lockstep_resubmitted_entries_total',
    unit: 'entries',
    labels: ['dataset', 'verdict'],
    sentence: 'Entries appended anew under their key because the verdict judged the attempt only.',
  },
  writesDegraded: {
    kind: 'counter',
    name: 'lockstep_degraded_writes_total',
    unit: 'writes',
    labels: ['dataset'],
    sentence: 'Writes acknowledged though their quorum rule was not met in time. Alarm on any.',
  },
  writesAnswered: {
    kind: 'counter',
    name: 'lockstep_answered_writes_total',
    unit: 'writes',
    labels: ['dataset', 'status', 'code'],
    sentence:
      'Writes answered to clients of this gateway, by HTTP status and code; code is none for a receipt.',
  },
  requestsRefused: {
    kind: 'counter',
    name: 'lockstep_refused_requests_total',
    unit: 'requests',
    labels: ['status', 'code'],
    sentence:
      'Requests turned away at the door, before they were taken for a write, a read or an order: too-many-requests is admission. What is no HTTP is not counted.',
  },
  writeSeconds: {
    kind: 'histogram',
    name: 'lockstep_write_answer_seconds',
    unit: 'seconds',
    labels: ['dataset'],
    sentence: 'Time from a write to its answer, whatever the answer is.',
    boundaries: SECONDS,
  },
  stageSeconds: {
    kind: 'histogram',
    name: 'lockstep_write_stage_seconds',
    unit: 'seconds',
    labels: ['dataset', 'stage'],
    sentence: 'Time from a write until its gateway knew that it had reached the stage.',
    boundaries: SECONDS,
  },
  loopFailures: {
    kind: 'counter',
    name: 'lockstep_loop_failures_total',
    unit: 'failures',
    labels: ['loop', 'disposition', 'code'],
    sentence: 'Loops that failed and were built anew; disposition is none for what no port reported.',
  },
  spansDropped: {
    kind: 'counter',
    name: 'lockstep_dropped_spans_total',
    unit: 'spans',
    labels: ['reason'],
    sentence: 'Spans that did not reach the collector: queue-full or export-failed.',
  },
  factsUnreported: {
    kind: 'counter',
    name: 'lockstep_unreported_facts_total',
    unit: 'facts',
    labels: ['kind'],
    sentence: 'Facts that telemetry itself failed on; a defect of telemetry, not of the engine.',
  },
  eventLoopDelay: {
    kind: 'observed-gauge',
    name: 'lockstep_event_loop_delay_seconds',
    unit: 'seconds',
    labels: ['quantile'],
    sentence: 'How late timers ran since the last scrape: quantiles 0.5, 0.99 and 1.',
  },
  cpu: {
    kind: 'observed-counter',
    name: 'process_cpu_seconds_total',
    unit: 'seconds',
    labels: ['mode'],
    sentence: 'Processor time of this process.',
  },
  residentBytes: {
    kind: 'observed-gauge',
    name: 'process_resident_memory_bytes',
    unit: 'bytes',
    labels: [],
    sentence: 'Resident memory of this process.',
  },
  heapBytes: {
    kind: 'observed-gauge',
    name: 'process_heap_used_bytes',
    unit: 'bytes',
    labels: [],
    sentence: "Used part of the process's JavaScript heap.",
  },
  transferredBytes: {
    kind: 'observed-counter',
    name: 'process_transferred_bytes_total',
    unit: 'bytes',
    labels: ['direction'],
    sentence:
      'Bytes that system calls of this process read and wrote: its network, but for its log lines and the files it loads at its start. Linux only.',
  },
  externalBytes: {
    kind: 'observed-gauge',
    name: 'process_external_memory_bytes',
    unit: 'bytes',
    labels: [],
    sentence: 'Memory of buffers outside the JavaScript heap.',
  },
} as const satisfies { readonly [key: string]: Metric };

export type MetricKey = keyof typeof METRICS;

/** Keys of the metrics of one kind. */
export type KeyOfKind<Kind extends Metric['kind']> = {
  [Key in MetricKey]: (typeof METRICS)[Key]['kind'] extends Kind ? Key : never;
}[MetricKey];

/** Exactly the labels that the table names. */
export type LabelsOf<Key extends MetricKey> = Readonly<
  Record<(typeof METRICS)[Key]['labels'][number], string>
>;

/** The table as the README shows it. */
export function metricTableMarkdown(): string {
  const rows = Object.values<Metric>(METRICS).map(
    ({ name, kind, unit, labels, sentence }) =>
      `| \`${name}\` | ${kind.replace('observed-', '')} | ${unit} | ${labels.join(', ')} | ${sentence} |`,
  );
  return ['| metric | type | unit | labels | meaning |', '| --- | --- | --- | --- | --- |', ...rows].join(
    '\n',
  );
}
