/**
 * Grafana's dashboards, made by its SDK: one overview, one for each role, one for a shard. Run with Node 24 it writes them
 * into `dashboards/`; a test compares the files with what is made here, and every metric with the table of what roles tell.
 *
 * Unknown is not zero: no panel fills in a number where nothing was told, and lines break where series do.
 */
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import {
  AnnotationQueryBuilder,
  DashboardBuilder,
  DatasourceVariableBuilder,
  QueryVariableBuilder,
  RowBuilder,
} from '@grafana/grafana-foundation-sdk/dashboard';
import { ReduceDataOptionsBuilder } from '@grafana/grafana-foundation-sdk/common';
import { DataqueryBuilder } from '@grafana/grafana-foundation-sdk/prometheus';
import { PanelBuilder as StatBuilder } from '@grafana/grafana-foundation-sdk/stat';
import { PanelBuilder as LinesBuilder } from '@grafana/grafana-foundation-sdk/timeseries';

const SOURCE = { type: 'prometheus', uid: '${source}' };
const FOLDER = new URL('dashboards/', import.meta.url);
const QUANTILES = { p50: 0.5, p99: 0.99 };
/** Lines that each process of a role draws; `role` limits them to one. */
const processPanels = (role) => {
  const of = `region=~"$region",role="${role}"`;
  return [
    lines('Processor', 'percentunit', {
      '{{region}}': `sum by (region) (rate(process_cpu_seconds_total{${of}}[$__rate_interval]))`,
    }),
    lines('Memory', 'bytes', {
      '{{region}} resident': `process_resident_memory_bytes{${of}}`,
      '{{region}} heap': `process_heap_used_bytes{${of}}`,
      '{{region}} external': `process_external_memory_bytes{${of}}`,
    }),
    lines('Read and written, nearly all of it network', 'Bps', {
      '{{region}} {{direction}}': `sum by (region, direction) (rate(process_transferred_bytes_total{${of}}[$__rate_interval]))`,
    }),
    lines('Late timers', 's', {
      '{{region}} {{quantile}}': `lockstep_event_loop_delay_seconds{${of},quantile=~"0.99|1"}`,
    }),
    lines('Loops that failed', 'ops', {
      '{{region}} {{loop}} {{code}}': `sum by (region, loop, code) (rate(lockstep_loop_failures_total{${of}}[$__rate_interval]))`,
    }),
    lines('Used of its budgets', 'percentunit', {
      '{{region}} {{budget}}': `lockstep:used{${of}} / on (budget, role) group_left () lockstep:budget{role="${role}"}`,
    }),
  ];
};

/** Name of each dashboard's file, and the dashboard. */
export const dashboards = () => [
  dashboard('overview', 'How the whole of it stands', [], {
    Now: [
      number('Regions that answer', 'count(sum by (region) (up{job="lockstep"}) > 0)'),
      number('Alerts', 'count(ALERTS{alertstate="firing"}) or 0 * count(up{job="lockstep"})'),
      number('Leader', 'max by (region) (lockstep_leads) == 1', '{{region}}', 'name'),
      number('Term', 'max(lockstep_term)'),
      number('Open moves', 'max(lockstep_open_moves)'),
      number('Pauses', 'max(lockstep_pauses)'),
    ],
    Writes: [
      lines('Writes answered', 'reqps', {
        '{{dataset}}': 'sum by (dataset) (rate(lockstep_answered_writes_total[$__rate_interval]))',
      }),
      lines('Writes that failed', 'percentunit', { '{{dataset}}': 'lockstep:writes_failed:ratio_rate5m' }),
      lines('Writes over a second', 'percentunit', { '{{dataset}}': 'lockstep:writes_slow:ratio_rate5m' }),
      lines('Requests turned away', 'reqps', {
        '{{region}} {{code}}':
          'sum by (region, code) (rate(lockstep_refused_requests_total[$__rate_interval]))',
      }),
      lines('Writes degraded', 'reqps', {
        '{{dataset}}': 'sum by (dataset) (rate(lockstep_degraded_writes_total[$__rate_interval]))',
      }),
    ],
    Regions: [
      lines('Lag', 's', { '{{region}} {{dataset}}': 'max by (region, dataset) (lockstep_lag_seconds)' }),
      lines('Records still to fold', 'short', {
        '{{region}} {{dataset}}': 'sum by (region, dataset) (lockstep_lag_records)',
      }),
      lines('Shards that stand still', 'short', {
        '{{region}} {{code}}': 'count by (region, code) (lockstep_shard_halted == 1)',
      }),
      lines('Votes that do not count', 'short', {
        '{{region}} {{code}}': 'count by (region, code) (lockstep_vote_withheld == 1)',
      }),
      lines('Regions that vote, least of a dataset', 'short', {
        '{{dataset}}': 'min by (dataset) (max by (dataset, shard) (lockstep_quorum_voters))',
      }),
      lines('Doubted by', 'short', { '{{about}}': 'max by (about) (lockstep_region_doubts)' }),
    ],
    'If a home were lost now': [
      lines('Entries lost', 'short', {
        '{{dataset}}': 'max by (dataset) (max by (dataset, shard) (lockstep_failover_lost_entries))',
      }),
      lines('Lost with the log too', 'short', {
        '{{dataset}} {{stage}}':
          'sum by (dataset, stage) (max by (dataset, shard, stage) (lockstep_failover_at_risk_entries))',
      }),
      lines('Nobody takes writes for', 's', {
        '{{dataset}}': 'max by (dataset) (lockstep_failover_gap_seconds)',
      }),
      lines('Shards that could go', 'percentunit', {
        '{{dataset}}': 'avg by (dataset) (max by (dataset, shard) (lockstep_failover_allowed))',
      }),
    ],
  }),

  dashboard('gateway', 'What callers meet', ['region'], {
    Answers: [
      lines('By code', 'reqps', {
        '{{status}} {{code}}':
          'sum by (status, code) (rate(lockstep_answered_writes_total{region=~"$region"}[$__rate_interval]))',
      }),
      lines('Turned away at the door', 'reqps', {
        '{{status}} {{code}}':
          'sum by (status, code) (rate(lockstep_refused_requests_total{region=~"$region"}[$__rate_interval]))',
      }),
      quantiles('Time to the answer', 'lockstep_write_answer_seconds', ['region', 'dataset']),
      quantiles('Time to each stage', 'lockstep_write_stage_seconds', ['dataset', 'stage']),
    ],
    'The log': [
      lines('Entries appended', 'ops', {
        '{{region}} {{dataset}}':
          'sum by (region, dataset) (rate(lockstep_appended_entries_total{region=~"$region"}[$__rate_interval]))',
      }),
      lines('Bytes appended', 'Bps', {
        '{{region}} {{dataset}}':
          'sum by (region, dataset) (rate(lockstep_appended_bytes_total{region=~"$region"}[$__rate_interval]))',
      }),
      lines('Appends that failed', 'ops', {
        '{{disposition}} {{code}}':
          'sum by (disposition, code) (rate(lockstep_append_failures_total{region=~"$region"}[$__rate_interval]))',
      }),
      lines('Entries sent again', 'ops', {
        '{{dataset}} {{verdict}}':
          'sum by (dataset, verdict) (rate(lockstep_resubmitted_entries_total{region=~"$region"}[$__rate_interval]))',
      }),
    ],
    Process: processPanels('gateway'),
  }),

  dashboard('replicator', 'How regions fold', ['region'], {
    Folding: [
      lines('Verdicts', 'ops', {
        '{{dataset}} {{verdict}}':
          'sum by (dataset, verdict) (rate(lockstep_verdicts_total{region=~"$region"}[$__rate_interval]))',
      }),
      lines('Lag', 's', { '{{region}} {{shard}}': 'lockstep_lag_seconds{region=~"$region"}' }),
      lines('Age at the commit, from home to region, p99', 's', {
        '{{home}} to {{region}}':
          'histogram_quantile(0.99, sum by (le, home, region) (rate(lockstep_apply_age_seconds_bucket{region=~"$region"}[$__rate_interval])))',
      }),
      lines('Rows changed by an event', 'short', {
        '{{dataset}}':
          'sum by (dataset) (rate(lockstep_batch_rows_sum{region=~"$region"}[$__rate_interval])) / sum by (dataset) (rate(lockstep_batch_events_sum{region=~"$region"}[$__rate_interval]))',
      }),
      lines('Bytes written ahead by the database for a byte of log', 'short', {
        '{{region}}':
          'sum by (region) (rate(lockstep_database_wal_bytes_total{region=~"$region"}[$__rate_interval])) / (sum by (region) (rate(lockstep_batch_bytes_sum{region=~"$region"}[$__rate_interval])) > 0)',
      }),
      lines('In the outbox and in quarantine', 'short', {
        '{{region}} {{dataset}} pending': 'lockstep_outbox_entries{region=~"$region"}',
        '{{region}} {{dataset}} {{cause}}': 'lockstep_quarantined_entries{region=~"$region"}',
      }),
      lines('Records in a batch', 'short', {
        '{{region}} {{dataset}}':
          'sum by (region, dataset) (rate(lockstep_batch_records_sum{region=~"$region"}[$__rate_interval])) / sum by (region, dataset) (rate(lockstep_batch_records_count{region=~"$region"}[$__rate_interval]))',
      }),
    ],
    'Where a batch spends its time': [
      quantiles('Read', 'lockstep_batch_read_seconds', ['region', 'dataset']),
      quantiles('Fold', 'lockstep_batch_fold_seconds', ['region', 'dataset']),
      quantiles('Commit', 'lockstep_batch_commit_seconds', ['region', 'dataset']),
      lines('Commits lost or unknown', 'ops', {
        '{{region}} lost':
          'sum by (region) (rate(lockstep_commits_lost_total{region=~"$region"}[$__rate_interval]))',
        '{{region}} unknown':
          'sum by (region) (rate(lockstep_commits_unknown_total{region=~"$region"}[$__rate_interval]))',
      }),
      lines('Leases that changed', 'ops', {
        '{{region}} {{change}}':
          'sum by (region, change) (rate(lockstep_lease_changes_total{region=~"$region"}[$__rate_interval]))',
      }),
    ],
    Process: processPanels('replicator'),
  }),

  dashboard('coordinator', 'Who leads, and what was decided', ['region'], {
    Elections: [
      lines('Term', 'short', { '{{region}}': 'lockstep_term{region=~"$region"}' }),
      lines('Leads', 'short', { '{{region}}': 'lockstep_leads{region=~"$region"}' }),
      lines('Terms begun in an hour', 'short', {
        '{{region}} {{because}}':
          'sum by (region, because) (increase(lockstep_terms_total{region=~"$region"}[1h]))',
      }),
      lines('Nobody led for, at most', 's', {
        p99: 'histogram_quantile(0.99, sum by (le) (increase(lockstep_leaderless_seconds_bucket[1h])))',
      }),
      lines('Reads the control log to its end', 'short', {
        '{{region}}': 'lockstep_control_current{region=~"$region"}',
      }),
    ],
    Evidence: [
      lines('Heard last', 's', {
        '{{region}} of {{about}}': 'lockstep_region_heard_seconds{region=~"$region"}',
      }),
      lines('Doubted by', 'short', {
        '{{about}}': 'max by (about) (lockstep_region_doubts{region=~"$region"})',
      }),
    ],
    Moves: [
      lines('Over in an hour', 'short', {
        '{{move}} {{outcome}}': 'sum by (move, outcome) (increase(lockstep_moves_total[1h]))',
      }),
      lines('Nobody took writes for, at most', 's', {
        '{{move}}':
          'histogram_quantile(0.99, sum by (le, move) (increase(lockstep_move_gap_seconds_bucket[1h])))',
      }),
      lines('Time to each stage', 's', {
        '{{move}} {{stage}}':
          'sum by (move, stage) (increase(lockstep_move_stage_seconds_sum[1h])) / sum by (move, stage) (increase(lockstep_move_stage_seconds_count[1h]))',
      }),
      lines('Oldest open move', 's', {
        '{{region}}': 'lockstep_oldest_open_move_seconds{region=~"$region"}',
      }),
    ],
    Process: processPanels('coordinator'),
  }),

  dashboard('shard', 'One shard in every region', ['shard'], {
    Position: [
      lines('Sequence', 'short', { '{{region}}': 'lockstep_shard_sequence{shard="$shard"}' }),
      lines('Epoch', 'short', { '{{region}}': 'lockstep_shard_epoch{shard="$shard"}' }),
      lines('Lag', 's', { '{{region}}': 'lockstep_lag_seconds{shard="$shard"}' }),
      lines('Records still to fold', 'short', { '{{region}}': 'lockstep_lag_records{shard="$shard"}' }),
      lines('Stands still', 'short', { '{{region}} {{code}}': 'lockstep_shard_halted{shard="$shard"}' }),
      lines('Vote withheld', 'short', { '{{region}} {{code}}': 'lockstep_vote_withheld{shard="$shard"}' }),
    ],
    Quorum: [
      lines('Regions that vote', 'short', {
        'as {{region}} sees them': 'lockstep_quorum_voters{shard="$shard"}',
      }),
      lines('Rule can be met', 'short', {
        'as {{region}} sees it': 'lockstep_quorum_reachable{shard="$shard"}',
      }),
    ],
    'If its home were lost now': [
      lines('Entries lost', 'short', {
        'as {{region}} sees it': 'lockstep_failover_lost_entries{shard="$shard"}',
      }),
      lines('Lost with the log too', 'short', {
        '{{stage}} as {{region}} sees it': 'lockstep_failover_at_risk_entries{shard="$shard"}',
      }),
      lines('Nobody takes writes for', 's', {
        'as {{region}} sees it': 'lockstep_failover_gap_seconds{shard="$shard"}',
      }),
      lines('Some region may take it', 'short', {
        'as {{region}} sees it': 'lockstep_failover_allowed{shard="$shard"}',
      }),
    ],
  }),
];

/** As the files hold it. */
export const textOf = (built) => `${JSON.stringify(built, null, 2)}\n`;

function dashboard(name, description, variables, rows) {
  const builder = new DashboardBuilder(`Lockstep: ${name}`)
    .uid(`lockstep-${name}`)
    .description(description)
    .tags(['lockstep'])
    .timezone('utc')
    .time({ from: 'now-1h', to: 'now' })
    .refresh('15s')
    .tooltip(1)
    .withVariable(new DatasourceVariableBuilder('source').label('Prometheus').type('prometheus'));
  for (const variable of variables) builder.withVariable(VARIABLES[variable]());
  // Whatever is shown lies over what was decided meanwhile.
  for (const [what, expression, colour] of [
    ['Alerts', 'ALERTS{alertstate="firing"}', 'red'],
    ['Elections', 'max(lockstep_term) > max(lockstep_term offset 1m)', 'blue'],
    ['Moves', 'sum by (move, outcome) (increase(lockstep_moves_total[1m])) > 0', 'orange'],
  ])
    builder.annotation(
      new AnnotationQueryBuilder()
        .name(what)
        .datasource(SOURCE)
        .enable(true)
        .iconColor(colour)
        .expr(expression),
    );
  let id = 0;
  for (const [title, panels] of Object.entries(rows)) {
    builder.withRow(new RowBuilder(title).id((id += 1)));
    for (const panel of panels) builder.withPanel(panel.id((id += 1)));
  }
  return { file: `${name}.json`, built: builder.build() };
}

const VARIABLES = {
  region: () =>
    new QueryVariableBuilder('region')
      .datasource(SOURCE)
      .query('label_values(up{job="lockstep"}, region)')
      .refresh(2)
      .multi(true)
      .includeAll(true)
      .current({ text: 'All', value: '$__all' }),
  shard: () =>
    new QueryVariableBuilder('shard')
      .datasource(SOURCE)
      .query('label_values(lockstep_shard_sequence, shard)')
      .refresh(2),
};

/** @param expressions by the legend of their lines. */
function lines(title, unit, expressions) {
  const panel = new LinesBuilder()
    .title(title)
    .datasource(SOURCE)
    .unit(unit)
    .min(0)
    .span(8)
    .height(7)
    .spanNulls(false);
  for (const [index, [legend, expression]] of Object.entries(expressions).entries())
    panel.withTarget(
      new DataqueryBuilder().refId('ABCDEF'[index]).expr(expression).legendFormat(legend).range(),
    );
  return panel;
}

function quantiles(title, histogram, labels) {
  const by = labels.join(', ');
  const legend = labels.map((label) => `{{${label}}}`).join(' ');
  return lines(
    title,
    's',
    Object.fromEntries(
      Object.entries(QUANTILES).map(([name, quantile]) => [
        `${legend} ${name}`,
        `histogram_quantile(${quantile}, sum by (le, ${by}) (rate(${histogram}_bucket{region=~"$region"}[$__rate_interval])))`,
      ]),
    ),
  );
}

function number(title, expression, legend = '', show = 'value') {
  return new StatBuilder()
    .title(title)
    .datasource(SOURCE)
    .span(4)
    .height(4)
    .textMode(show)
    .graphMode('none')
    .reduceOptions(new ReduceDataOptionsBuilder().calcs(['last']).values(false))
    .noValue('unknown')
    .withTarget(new DataqueryBuilder().expr(expression).legendFormat(legend).instant());
}

if (process.argv[1] === fileURLToPath(import.meta.url))
  for (const { built, file } of dashboards()) writeFileSync(new URL(file, FOLDER), textOf(built));
