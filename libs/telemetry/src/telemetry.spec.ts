import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, test } from '@jest/globals';
import type {
  BatchCommitted,
  ClusterOutlook,
  DatabaseStanding,
  EntryAppended,
  Fact,
  FailoverForecast,
  MoveEnded,
  SpanContext,
  WriteAnswered,
} from '@lockstep/engine';
import {
  epoch,
  leaseNumber,
  offset,
  sequence,
  type DatasetName,
  type Prediction,
  type RegionName,
  type ShardName,
  type StoreIncarnation,
  type Watermark,
} from '@lockstep/protocol';
import { openLogger } from './logger.js';
import { METRICS } from './metric-table.js';
import { LAG_KNOWN_MS_MAX } from './metrics.js';
import { QUEUE_SPANS_MAX } from './span-queue.js';
import { HELD_APPENDS_MAX } from './spans.js';
import { openTelemetry, type Telemetry, type TelemetryOptions } from './telemetry.js';
import { formatTraceparent } from './trace-context.js';

const SHARD = 'accounts/3' as ShardName;
const DATASET = 'accounts' as DatasetName;

/** Ended after each test, in reverse order. */
const opened: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of opened.splice(0).reverse()) await close();
});

describe('spans', () => {
  test('one write is one trace through gateway and regions, and each apply links to the batch that committed it', async () => {
    const sink = await openSink();
    const gateway = open({ otlpUrl: sink.url, role: 'gateway', region: 'eu' });
    const replicators = [
      open({ otlpUrl: sink.url, role: 'replicator', region: 'eu' }),
      open({ otlpUrl: `${sink.url}/`, role: 'replicator', region: 'us' }),
    ];
    const client = { traceId: 'a'.repeat(32), spanId: 'b'.repeat(16), sampled: true };
    const request = gateway.telemetry.openSpan(formatTraceparent(client));
    const append: SpanContext = { ...request, spanId: 'c'.repeat(16), parentSpanId: request.spanId };
    gateway.telemetry.observer.report(entryAppended(append));
    replicators.forEach(({ telemetry }, region) => {
      telemetry.observer.report(
        batchCommitted((['eu', 'us'] as RegionName[])[region]!, [formatTraceparent(append)]),
      );
    });
    gateway.telemetry.observer.report(writeAnswered(request));
    const read = gateway.telemetry.openSpan(formatTraceparent({ ...client, spanId: 'd'.repeat(16) }));
    gateway.telemetry.httpSpan({
      method: 'GET',
      route: '/v1/datasets/{dataset}/rows/{key}',
      status: 200,
      startedAtMs: 2e3,
      endedAtMs: 2001,
      span: read,
    });
    for (const { telemetry } of [gateway, ...replicators]) await telemetry.shutdown();

    const spans = sink.spans();
    const write = spans.filter(({ traceId }) => traceId === client.traceId);
    const publish = write.find(({ name }) => name === 'publish accounts')!;
    const summaryOf = ({ name, kind, parentSpanId, resource }: SunkSpan) =>
      [name, kind, parentSpanId, resource['lockstep.region']].join(' ');
    expect(new Set(write.map(summaryOf))).toEqual(
      new Set([
        `GET /v1/datasets/{dataset}/rows/{key} 2 ${'d'.repeat(16)} eu`,
        `POST entries 2 ${client.spanId} eu`,
        `publish accounts 1 ${request.spanId} eu`,
        `append lockstep.accounts 4 ${publish.spanId} eu`,
        `apply lockstep.accounts 5 ${append.spanId} eu`,
        `apply lockstep.accounts 5 ${append.spanId} us`,
        `quorum accounts 1 ${request.spanId} eu`,
      ]),
    );
    expect(write).toHaveLength(7);
    const timesOf = (name: string) => {
      const span = write.find((one) => one.name === name)!;
      return [span.startTimeUnixNano, span.endTimeUnixNano];
    };
    expect(timesOf('publish accounts')).toEqual(['1005000000', '1020000000']);
    expect(timesOf('append lockstep.accounts')).toEqual(['1010000000', '1020000000']);
    expect(timesOf('quorum accounts')).toEqual(['1020000000', '1050000000']);
    const batches = spans.filter(({ traceId }) => traceId !== client.traceId);
    expect(batches.map(({ name, parentSpanId }) => [name, parentSpanId])).toEqual([
      ['apply-batch accounts', undefined],
      ['apply-batch accounts', undefined],
    ]);
    for (const apply of write.filter(({ name }) => name.startsWith('apply'))) {
      const batch = batches.find(
        ({ resource }) => resource['lockstep.region'] === apply.resource['lockstep.region'],
      );
      expect(apply.links).toEqual([
        expect.objectContaining({ traceId: batch?.traceId, spanId: batch?.spanId }),
      ]);
      expect(apply.attributes).toEqual({
        'messaging.system.name': 'kafka',
        'messaging.operation.name': 'apply',
        'messaging.operation.type': 'process',
        'messaging.destination.name': 'lockstep.accounts',
        'messaging.destination.partition.id': '3',
        'kafka.offset': 41,
        'lockstep.region': apply.resource['lockstep.region'],
        'lockstep.shard': 'accounts/3',
        'lockstep.epoch': 4,
        'lockstep.sequence': 40,
        'lockstep.verdict': 'accepted',
      });
      expect([apply.startTimeUnixNano, apply.endTimeUnixNano]).toEqual(['1020000000', '1030500000']);
    }
    const post = write.find(({ name }) => name === 'POST entries');
    expect(post?.events.map(({ name, timeUnixNano }) => [name, timeUnixNano])).toEqual([
      ['logged', '1020000000'],
      ['quorum', '1050000000'],
    ]);
    expect(new Set(spans.map(({ spanId }) => spanId)).size).toBe(spans.length);
  });

  test('nothing is sampled, built or sent while no URL is set, even where the environment names a collector', async () => {
    const sink = await openSink();
    process.env['OTEL_EXPORTER_OTLP_ENDPOINT'] = sink.url;
    opened.push(() => Promise.resolve(delete process.env['OTEL_EXPORTER_OTLP_ENDPOINT']));
    const { telemetry } = open({ otlpUrl: null });
    const request = telemetry.openSpan(`00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`);
    expect(request).toMatchObject({ traceId: 'a'.repeat(32), parentSpanId: 'b'.repeat(16), sampled: false });
    const sampled = { ...request, sampled: true };
    for (const fact of [
      writeAnswered(sampled),
      entryAppended(sampled),
      batchCommitted('eu' as RegionName, [formatTraceparent(sampled)]),
    ]) {
      telemetry.observer.report(fact);
    }
    telemetry.httpSpan({
      method: 'GET',
      route: '/',
      status: 200,
      startedAtMs: 1,
      endedAtMs: 2,
      span: sampled,
    });
    await telemetry.shutdown();
    expect(sink.requests()).toBe(0);
  });

  test('an unsampled write leaves no span, and a batch without a sampled entry none either', async () => {
    const sink = await openSink();
    const { telemetry } = open({ otlpUrl: sink.url, sampleRatio: 0 });
    const unsampled = telemetry.openSpan(null);
    telemetry.observer.report(writeAnswered(unsampled));
    telemetry.observer.report(entryAppended(unsampled));
    telemetry.observer.report(batchCommitted('eu' as RegionName, [formatTraceparent(unsampled), 'nonsense']));
    telemetry.httpSpan({
      method: 'GET',
      route: '/sampled',
      status: 200,
      startedAtMs: 1,
      endedAtMs: 2,
      span: { ...unsampled, sampled: true },
    });
    await telemetry.shutdown();
    expect(sink.spans().map(({ name }) => name)).toEqual(['GET /sampled']);
  });

  test.each([
    ['failed', { status: 503, code: 'log-unreachable' }],
    ['open', { status: 202, stage: 'logged' }],
    ['slow', { endedAtMs: 2_000 }],
  ])('of an unsampled write that was %s its gateway keeps all that it knows', async (_how, change) => {
    const sink = await openSink();
    const { telemetry } = open({ otlpUrl: sink.url, sampleRatio: 0 });
    const asked = telemetry.openSpan(null);
    const other = telemetry.openSpan(null);
    for (const span of [asked, other])
      telemetry.observer.report(
        entryAppended({ ...span, spanId: 'c'.repeat(16), parentSpanId: span.spanId }),
      );
    telemetry.observer.report(writeAnswered(other));
    telemetry.observer.report({ ...writeAnswered(asked), ...change });
    await telemetry.shutdown();
    const spans = sink.spans();
    expect(new Set(spans.map(({ traceId }) => traceId))).toEqual(new Set([asked.traceId]));
    expect(spans.map(({ name }) => name).sort()).toEqual([
      'POST entries',
      'append lockstep.accounts',
      'publish accounts',
      'quorum accounts',
    ]);
  });

  test('an unsampled read that failed or was slow is kept, another is not', async () => {
    const sink = await openSink();
    const { telemetry } = open({ otlpUrl: sink.url, sampleRatio: 0 });
    const read = (status: number, endedAtMs: number): void =>
      telemetry.httpSpan({
        method: 'GET',
        route: `/${status}/${endedAtMs}`,
        status,
        startedAtMs: 0,
        endedAtMs,
        span: telemetry.openSpan(null),
      });
    read(200, 999);
    read(200, 1_000);
    read(503, 1);
    read(412, 1);
    await telemetry.shutdown();
    expect(sink.spans().map(({ name }) => name)).toEqual(['GET /200/1000', 'GET /503/1']);
  });

  test('appends that wait for their write are bounded: the oldest is forgotten, its write is kept', async () => {
    const sink = await openSink();
    const { telemetry } = open({ otlpUrl: sink.url, sampleRatio: 0 });
    const writes = Array.from({ length: HELD_APPENDS_MAX + 1 }, () => telemetry.openSpan(null));
    for (const span of writes)
      telemetry.observer.report(
        entryAppended({ ...span, spanId: 'c'.repeat(16), parentSpanId: span.spanId }),
      );
    for (const span of [writes[0]!, writes[1]!])
      telemetry.observer.report({ ...writeAnswered(span), status: 503 });
    await telemetry.shutdown();
    const appends = sink.spans().filter(({ name }) => name.startsWith('append'));
    expect(appends.map(({ traceId }) => traceId)).toEqual([writes[1]!.traceId]);
    expect(sink.spans().filter(({ name }) => name === 'POST entries')).toHaveLength(2);
  });

  test('a move is one trace, sampled or not: every stage with term, epoch and evidence', async () => {
    const sink = await openSink();
    const { telemetry, lines } = open({ otlpUrl: sink.url, sampleRatio: 0, role: 'coordinator' });
    telemetry.observer.report(moveEnded({}));
    await telemetry.shutdown();
    const spans = sink.spans();
    expect(spans.map(({ name, parentSpanId, spanId }) => [name, spanId, parentSpanId])).toEqual([
      ['failover accounts', '1'.repeat(16), undefined],
      ['stage decided', '2'.repeat(16), '1'.repeat(16)],
      ['stage done', '3'.repeat(16), '1'.repeat(16)],
    ]);
    expect(spans[0]?.attributes).toEqual({
      'lockstep.dataset': 'accounts',
      'lockstep.shard': 'accounts/3',
      'lockstep.term': 2,
      'lockstep.epoch': 5,
      'lockstep.move.decision': 38,
      'lockstep.move.from': 'eu',
      'lockstep.move.to': 'us',
      'lockstep.move.reason': 'eu is unfit',
      'lockstep.move.actor': 'governor',
      'lockstep.move.outcome': 'done',
      'lockstep.move.detail': 'us is home',
    });
    expect(spans[2]?.attributes).toEqual({
      'lockstep.shard': 'accounts/3',
      'lockstep.stage': 'done',
      'lockstep.term': 2,
      'lockstep.epoch': 5,
      'lockstep.evidence': 'us is home',
    });
    // What is not known is not an attribute.
    expect(spans[1]?.attributes).toEqual({
      'lockstep.shard': 'accounts/3',
      'lockstep.stage': 'decided',
      'lockstep.epoch': 4,
    });
    expect(lines().filter(({ event }) => event === 'move-ended')).toEqual([
      expect.objectContaining({ shard: 'accounts/3', epoch: 5, decision: 38, traceId: 'a'.repeat(32) }),
    ]);
  });

  test('beyond the bound of the queue spans are dropped and counted, and reporting goes on', async () => {
    const sink = await openSink();
    sink.hold();
    const { telemetry } = open({ otlpUrl: sink.url });
    const span = telemetry.openSpan(null);
    // The first export takes 512 spans out of the queue and waits for its answer.
    const read = { method: 'GET', route: '/', status: 200, startedAtMs: 1, endedAtMs: 2, span };
    for (let n = 0; n < QUEUE_SPANS_MAX + 512 + 7; n += 1) telemetry.httpSpan(read);
    expect(
      valueOf(await telemetry.metricsText(), 'lockstep_dropped_spans_total', 'reason="queue-full"'),
    ).toBe(7);
    sink.release();
    await telemetry.shutdown();
    expect(sink.spans()).toHaveLength(QUEUE_SPANS_MAX + 512);
  });

  test('spans that the collector refuses are counted as lost and told once', async () => {
    const sink = await openSink(400);
    const { telemetry, lines } = open({ otlpUrl: sink.url });
    telemetry.observer.report(entryAppended(telemetry.openSpan(null)));
    telemetry.observer.report(entryAppended(telemetry.openSpan(null)));
    await telemetry.shutdown();
    expect(sink.requests()).toBe(1);
    expect(lines().filter(({ event }) => event === 'spans-lost')).toEqual([
      expect.objectContaining({ code: 'export-failed', spans: 4 }),
    ]);
  });
});

describe('metrics', () => {
  test('series carry their values in the units of their names, with region and role', async () => {
    const { telemetry } = open({});
    telemetry.observer.report(batchCommitted('eu' as RegionName, []));
    telemetry.observer.report(writeAnswered(telemetry.openSpan(null)));
    telemetry.observer.report(entryAppended(null));
    telemetry.observer.report(entryAppended(null));
    const text = await telemetry.metricsText();
    const accounts = 'dataset="accounts"';
    expect(
      valueOf(
        text,
        'lockstep_verdicts_total',
        accounts,
        'verdict="accepted"',
        'region="eu"',
        'role="replicator"',
      ),
    ).toBe(3);
    expect(valueOf(text, 'lockstep_verdicts_total', accounts, 'verdict="guard"')).toBe(1);
    expect(valueOf(text, 'lockstep_batch_records_sum', accounts)).toBe(4);
    expect(valueOf(text, 'lockstep_batch_events_sum', accounts)).toBe(5);
    expect(valueOf(text, 'lockstep_batch_rows_sum', accounts)).toBe(3);
    expect(valueOf(text, 'lockstep_batch_bytes_sum', accounts)).toBe(1_880);
    expect(valueOf(text, 'lockstep_batch_read_seconds_sum', accounts)).toBeCloseTo(0.002, 9);
    expect(valueOf(text, 'lockstep_batch_fold_seconds_sum', accounts)).toBeCloseTo(0.001, 9);
    expect(valueOf(text, 'lockstep_batch_commit_seconds_sum', accounts)).toBeCloseTo(0.0075, 9);
    expect(valueOf(text, 'lockstep_batch_commit_seconds_bucket', 'le="0.005"')).toBe(0);
    expect(valueOf(text, 'lockstep_batch_commit_seconds_bucket', 'le="0.01"')).toBe(1);
    expect(valueOf(text, 'lockstep_apply_age_seconds_sum', accounts, 'home="us"', 'region="eu"')).toBeCloseTo(
      0.04,
      9,
    );
    expect(valueOf(text, 'lockstep_write_stage_seconds_sum', 'stage="quorum"')).toBeCloseTo(0.05, 9);
    expect(valueOf(text, 'lockstep_write_answer_seconds_sum', accounts)).toBeCloseTo(0.06, 9);
    expect(valueOf(text, 'lockstep_answered_writes_total', accounts, 'status="200"', 'code="none"')).toBe(1);
    expect(valueOf(text, 'lockstep_appended_entries_total', accounts)).toBe(2);
    expect(valueOf(text, 'lockstep_appended_bytes_total', accounts)).toBe(940);
  });

  test('lag that is not known has no series; it is not zero', async () => {
    const { telemetry } = open({});
    telemetry.observer.report({
      kind: 'watermark',
      watermark: watermark({ lagRecords: null, caughtUpAtMs: null }),
    });
    const text = await telemetry.metricsText();
    expect(text).not.toContain('lockstep_lag_records{');
    expect(text).not.toContain('lockstep_lag_seconds{');
    expect(valueOf(text, 'lockstep_shard_epoch', 'shard="accounts/3"')).toBe(4);
    expect(valueOf(text, 'lockstep_shard_sequence', 'shard="accounts/3"')).toBe(40);
  });

  test('lag that is known is shown; when nobody renews it, its records become unknown and its seconds grow', async () => {
    const { telemetry, clock } = open({});
    clock.ms = 100_000;
    telemetry.observer.report({
      kind: 'watermark',
      watermark: watermark({ lagRecords: 0, caughtUpAtMs: 99_500 }),
    });
    const fresh = await telemetry.metricsText();
    expect(valueOf(fresh, 'lockstep_lag_records', 'shard="accounts/3"')).toBe(0);
    expect(valueOf(fresh, 'lockstep_lag_seconds', 'shard="accounts/3"')).toBe(0.5);
    clock.ms += LAG_KNOWN_MS_MAX + 1;
    const old = await telemetry.metricsText();
    expect(old).not.toContain('lockstep_lag_records{');
    expect(valueOf(old, 'lockstep_lag_seconds', 'shard="accounts/3"')).toBe(30.501);
  });

  test('a halted shard shows 1 with its code and 0 after it goes on', async () => {
    const { telemetry } = open({});
    telemetry.observer.report({
      kind: 'shard-halted',
      shard: SHARD,
      halt: { code: 'log-truncated', detail: 'x' },
    });
    const halted = await telemetry.metricsText();
    expect(valueOf(halted, 'lockstep_shard_halted', 'shard="accounts/3"', 'code="log-truncated"')).toBe(1);
    telemetry.observer.report({ kind: 'watermark', watermark: watermark({}) });
    const goesOn = await telemetry.metricsText();
    expect(goesOn).not.toContain('code="log-truncated"');
    expect(valueOf(goesOn, 'lockstep_shard_halted', 'shard="accounts/3"', 'code="none"')).toBe(0);
  });

  test('a shard whose lease is lost is not reported by this instance any more', async () => {
    const { telemetry } = open({});
    telemetry.observer.report({ kind: 'watermark', watermark: watermark({}) });
    telemetry.observer.report({ kind: 'lease-lost', shard: SHARD, lease: leaseNumber(7n) });
    const text = await telemetry.metricsText();
    expect(text).not.toMatch(/lockstep_(lag_records|lag_seconds|shard_\w+)\{/);
    expect(valueOf(text, 'lockstep_lease_changes_total', 'shard="accounts/3"', 'change="lost"')).toBe(1);
  });

  test('a dataset that only a client believes in gets no label of its own', async () => {
    const { telemetry } = open({});
    const fact = writeAnswered(telemetry.openSpan(null));
    telemetry.observer.report({
      ...fact,
      dataset: 'made_up' as DatasetName,
      status: 404,
      code: 'unknown-dataset',
    });
    const text = await telemetry.metricsText();
    expect(text).not.toContain('made_up');
    expect(valueOf(text, 'lockstep_answered_writes_total', 'dataset="unknown"', 'status="404"')).toBe(1);
  });

  test('the database is asked at each scrape; while it does not answer there is no series', async () => {
    const { telemetry } = open({});
    let answer = (): Promise<DatabaseStanding> => Promise.resolve(STANDING);
    telemetry.observeDatabase(() => answer());
    const text = await telemetry.metricsText();
    expect(valueOf(text, 'lockstep_database_wal_bytes_total')).toBe(4_096);
    expect(valueOf(text, 'lockstep_outbox_entries', 'dataset="accounts"')).toBe(3);
    expect(valueOf(text, 'lockstep_quarantined_entries', 'dataset="accounts"', 'cause="undone"')).toBe(2);
    expect(valueOf(text, 'lockstep_quarantined_entries', 'dataset="accounts"', 'cause="late"')).toBe(0);
    const unknown = /lockstep_(database_wal_bytes_total|outbox_entries|quarantined_entries)\{/;
    answer = () => Promise.reject(new Error('down'));
    expect(await telemetry.metricsText()).not.toMatch(unknown);
    answer = () => new Promise(() => undefined);
    expect(await telemetry.metricsText()).not.toMatch(unknown);
  });

  test('what a failover would cost now is read at each scrape; what is not known has no series', async () => {
    const { telemetry } = open({});
    let now = forecast({});
    telemetry.observeCluster(() => outlook({ forecasts: [now] }));
    const known = await telemetry.metricsText();
    const shard = 'shard="accounts/3"';
    expect(valueOf(known, 'lockstep_failover_lost_entries', shard)).toBe(0);
    expect(valueOf(known, 'lockstep_failover_gap_seconds', shard)).toBe(0.42);
    expect(valueOf(known, 'lockstep_failover_allowed', shard)).toBe(1);
    for (const [stage, entries] of Object.entries({ logged: 12, accepted: 9, quorum: 4 }))
      expect(valueOf(known, 'lockstep_failover_at_risk_entries', shard, `stage="${stage}"`)).toBe(entries);
    const atRisk = { logged: null, accepted: 9, quorum: null };
    now = forecast({ lostEntries: null, gapMs: null, atRisk });
    const unknown = await telemetry.metricsText();
    expect(unknown).not.toMatch(/lockstep_failover_(lost_entries|gap_seconds)\{/);
    expect(unknown.match(/lockstep_failover_at_risk_entries\{/g)).toHaveLength(1);
    now = { shard: SHARD, to: null, isAllowed: false, predicted: null };
    const nowhere = await telemetry.metricsText();
    expect(valueOf(nowhere, 'lockstep_failover_allowed', shard)).toBe(0);
    expect(nowhere).not.toMatch(/lockstep_failover_(lost_entries|gap_seconds|at_risk_entries)\{/);
  });

  test('how the cluster stands is read once at each scrape; what a coordinator does not know has no series', async () => {
    const { telemetry } = open({});
    let now = outlook({});
    let reads = 0;
    telemetry.observeCluster(() => {
      reads += 1;
      return now;
    });
    const known = await telemetry.metricsText();
    expect(reads).toBe(1);
    const values = {
      term: 7,
      leads: 1,
      control_current: 1,
      pauses: 0,
      open_moves: 1,
      oldest_open_move_seconds: 2.5,
    };
    for (const [name, value] of Object.entries(values))
      expect(valueOf(known, `lockstep_${name}`)).toBe(value);
    expect(valueOf(known, 'lockstep_region_heard_seconds', 'about="us"')).toBe(0.25);
    expect(valueOf(known, 'lockstep_region_doubts', 'about="us"')).toBe(2);
    expect(valueOf(known, 'lockstep_quorum_voters', 'shard="accounts/3"')).toBe(1);
    expect(valueOf(known, 'lockstep_quorum_reachable', 'shard="accounts/3"')).toBe(0);
    now = outlook({
      leads: false,
      term: null,
      isControlCurrent: false,
      pauses: null,
      openMoves: null,
      oldestMoveMs: null,
      regions: [{ about: 'us' as RegionName, heardMsAgo: null, doubts: null }],
      quorums: [{ shard: SHARD, voters: 0, isReachable: null }],
    });
    const unknown = await telemetry.metricsText();
    expect(valueOf(unknown, 'lockstep_leads')).toBe(0);
    expect(valueOf(unknown, 'lockstep_control_current')).toBe(0);
    expect(valueOf(unknown, 'lockstep_quorum_voters', 'shard="accounts/3"')).toBe(0);
    expect(unknown).not.toMatch(
      /lockstep_(term|pauses|open_moves|oldest_open_move_seconds|region_\w+|quorum_reachable)\{/,
    );
  });

  test('terms and moves are told by outcome and with their times', async () => {
    const { telemetry } = open({});
    telemetry.observer.report({ kind: 'term-begun', term: 1n, because: 'vacant', leaderlessMs: null });
    telemetry.observer.report({ kind: 'term-begun', term: 2n, because: 'suspected', leaderlessMs: 1_500 });
    telemetry.observer.report(moveEnded({ gapMs: 300 }));
    telemetry.observer.report(moveEnded({ outcome: 'cancelled', passed: [], gapMs: null }));
    const text = await telemetry.metricsText();
    expect(valueOf(text, 'lockstep_terms_total', 'because="suspected"')).toBe(1);
    expect(valueOf(text, 'lockstep_leaderless_seconds_count')).toBe(1);
    expect(valueOf(text, 'lockstep_leaderless_seconds_sum')).toBe(1.5);
    const failover = 'move="failover"';
    expect(valueOf(text, 'lockstep_moves_total', failover, 'outcome="done"')).toBe(1);
    expect(valueOf(text, 'lockstep_moves_total', failover, 'outcome="cancelled"')).toBe(1);
    expect(valueOf(text, 'lockstep_move_stage_seconds_sum', failover, 'stage="fencing"')).toBe(0.2);
    expect(valueOf(text, 'lockstep_move_stage_seconds_sum', failover, 'stage="done"')).toBe(0.8);
    expect(valueOf(text, 'lockstep_move_gap_seconds_count', failover)).toBe(1);
    expect(valueOf(text, 'lockstep_move_gap_seconds_sum', failover)).toBe(0.3);
  });

  test('a vote that does not count shows 1 with its code', async () => {
    const { telemetry } = open({});
    const withheld = { code: 'diverged', detail: 'x' } as const;
    telemetry.observer.report({ kind: 'watermark', watermark: watermark({ withheld }) });
    const text = await telemetry.metricsText();
    expect(valueOf(text, 'lockstep_vote_withheld', 'shard="accounts/3"', 'code="diverged"')).toBe(1);
    telemetry.observer.report({ kind: 'watermark', watermark: watermark({}) });
    const counts = await telemetry.metricsText();
    expect(counts).not.toContain('code="diverged"');
    expect(valueOf(counts, 'lockstep_vote_withheld', 'shard="accounts/3"', 'code="none"')).toBe(0);
  });

  test('requests that were turned away at the door are counted by status and code', async () => {
    const { telemetry } = open({});
    for (let n = 0; n < 3; n += 1) telemetry.requestRefused(429, 'too-many-requests');
    telemetry.requestRefused(413, 'too-large');
    const text = await telemetry.metricsText();
    const refused = 'lockstep_refused_requests_total';
    expect(valueOf(text, refused, 'status="429"', 'code="too-many-requests"')).toBe(3);
    expect(valueOf(text, refused, 'status="413"', 'code="too-large"')).toBe(1);
  });

  test('every metric of the table has a series once its fact was reported', async () => {
    const sink = await openSink();
    const { telemetry, textOnceSampled } = open({ otlpUrl: sink.url });
    for (const fact of everyFact(telemetry)) telemetry.observer.report(fact);
    telemetry.observeCluster(() => outlook({ forecasts: [forecast({})] }));
    telemetry.observeDatabase(() => Promise.resolve(STANDING));
    telemetry.requestRefused(429, 'too-many-requests');
    telemetry.observer.report(entryAppended(telemetry.openSpan(null), 'not a shard' as ShardName));
    sink.hold();
    for (let n = 0; n < QUEUE_SPANS_MAX + 600; n += 1)
      telemetry.observer.report(entryAppended(telemetry.openSpan(null)));
    const text = await textOnceSampled();
    sink.release();
    const missing = Object.values(METRICS).filter(
      ({ name }) => !new RegExp(`^${name}(_count)?\\{`, 'm').test(text),
    );
    expect(missing).toEqual([]);
  });
});

describe('reporting', () => {
  test('a fact that cannot be read is counted, and later scrapes show all others', async () => {
    const { telemetry } = open({});
    telemetry.observer.report({
      kind: 'watermark',
      watermark: watermark({ shard: 'not a shard' as ShardName }),
    });
    telemetry.observer.report({ kind: 'watermark', watermark: watermark({}) });
    const text = await telemetry.metricsText();
    expect(valueOf(text, 'lockstep_unreported_facts_total', 'kind="watermark"')).toBe(1);
    expect(valueOf(text, 'lockstep_lag_records', 'shard="accounts/3"')).toBe(2);
  });

  test('does not throw when the log does, and metrics are still counted', async () => {
    const logger = openLogger(ORIGIN, {
      write() {
        throw new Error('no space left');
      },
    });
    const { telemetry } = open({ logger });
    telemetry.observer.report({
      kind: 'commit-lost',
      dataset: DATASET,
      shards: [SHARD],
      message: 'cursor moved',
    });
    const text = await telemetry.metricsText();
    expect(valueOf(text, 'lockstep_commits_lost_total', 'dataset="accounts"')).toBe(1);
    expect(valueOf(text, 'lockstep_unreported_facts_total', 'kind="commit-lost"')).toBe(1);
  });

  test('facts worth a line become one, with the fields that are known, as events', () => {
    const { telemetry, lines } = open({});
    for (const fact of everyFact(telemetry)) telemetry.observer.report(fact);
    expect(lines().map(({ level, event }) => [level, event])).toEqual([
      ['warn', 'batch-slow'],
      ['warn', 'write-refused'],
      ['warn', 'append-failed'],
      ['warn', 'commit-unknown'],
      ['warn', 'commit-lost'],
      ['info', 'lease-taken'],
      ['info', 'lease-lost'],
      ['error', 'shard-halted'],
      ['error', 'loop-failed'],
      ['warn', 'write-degraded'],
      ['info', 'term-begun'],
      ['info', 'move-ended'],
    ]);
    expect(lines().find(({ event }) => event === 'batch-slow')).toMatchObject({
      region: 'eu',
      role: 'replicator',
      dataset: 'accounts',
      tookMs: 1500,
      shard: 'accounts/3',
      epoch: 4,
      sequence: 40,
      traceId: 'e'.repeat(32),
    });
    expect(lines().find(({ event }) => event === 'write-refused')).toMatchObject({
      traceId: expect.stringMatching(/^[0-9a-f]{32}$/),
    });
    expect(lines().find(({ event }) => event === 'loop-failed')).not.toHaveProperty('disposition');
  });

  test('a loop that fails again and again is told once per ten seconds, with the number held back', () => {
    const { telemetry, lines, clock } = open({});
    const failed: Fact = {
      kind: 'loop-failed',
      loop: 'lane accounts',
      code: 'log-unreachable',
      disposition: 'retryable',
      message: 'x',
    };
    for (let n = 0; n < 100; n += 1) telemetry.observer.report(failed);
    telemetry.observer.report({ ...failed, loop: 'lane orders' });
    expect(lines().map(({ loop }) => loop)).toEqual(['lane accounts', 'lane orders']);
    clock.ms += 10_000;
    telemetry.observer.report(failed);
    expect(lines()[2]).toMatchObject({ level: 'warn', heldBack: 99 });
  });
});

// --- the world of these tests

const ORIGIN = {
  level: 'info',
  service: 'lockstep',
  region: 'eu',
  role: 'replicator',
  instance: 'replicator-1',
} as const;

function open(different: Partial<TelemetryOptions>) {
  const written: string[] = [];
  const clock = { ms: 1_000 };
  const seed = String(opened.length).padStart(8, '9');
  let minted = 0;
  const mint = (digits: number) => `${seed}${(minted += 1).toString(16).padStart(digits - seed.length, '0')}`;
  const options: TelemetryOptions = {
    ...ORIGIN,
    otlpUrl: null,
    sampleRatio: 1,
    logger: openLogger(ORIGIN, { write: (line) => void written.push(line) }),
    clock: { nowMs: () => clock.ms, monotonicMs: () => clock.ms },
    identities: { traceId: () => mint(32), spanId: () => mint(16) },
    ...different,
  };
  const telemetry = openTelemetry(options);
  opened.push(() => telemetry.shutdown());
  return {
    telemetry,
    clock,
    lines: () => written.map((line) => JSON.parse(line) as { readonly [field: string]: unknown }),
    /** Scrapes until the event loop was sampled between two scrapes; there is no event for that. */
    async textOnceSampled() {
      for (;;) {
        const text = await telemetry.metricsText();
        if (text.includes('lockstep_event_loop_delay_seconds{')) return text;
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    },
  };
}

interface SunkSpan {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly name: string;
  readonly kind: number;
  readonly startTimeUnixNano: string;
  readonly endTimeUnixNano: string;
  readonly attributes: { readonly [name: string]: unknown };
  readonly links: readonly unknown[];
  readonly events: readonly { readonly name: string; readonly timeUnixNano: string }[];
  readonly resource: { readonly [name: string]: unknown };
}

/** A collector that keeps what it is sent. */
async function openSink(status = 200) {
  const bodies: string[] = [];
  const held: (() => void)[] = [];
  let holding = false;
  const server: Server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      bodies.push(
        request.url === '/v1/traces' ? Buffer.concat(chunks).toString('utf8') : `unexpected ${request.url}`,
      );
      const answer = () => response.writeHead(status, { 'content-type': 'application/json' }).end('{}');
      if (holding) held.push(answer);
      else answer();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const release = () => {
    holding = false;
    for (const answer of held.splice(0)) answer();
  };
  opened.push(async () => {
    release();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    hold: () => (holding = true),
    release,
    requests: () => bodies.length,
    spans: (): readonly SunkSpan[] => bodies.flatMap(readSpans),
  };
}

interface Pair {
  readonly key: string;
  readonly value: {
    readonly stringValue?: string;
    readonly intValue?: number;
    readonly doubleValue?: number;
  };
}

function readSpans(body: string): SunkSpan[] {
  const pairs = (list: readonly Pair[]) =>
    Object.fromEntries(
      list.map(({ key, value }) => [key, value.stringValue ?? value.intValue ?? value.doubleValue]),
    );
  const parsed = JSON.parse(body) as {
    resourceSpans: {
      resource: { attributes: Pair[] };
      scopeSpans: { spans: (Omit<SunkSpan, 'attributes'> & { attributes: Pair[] })[] }[];
    }[];
  };
  return parsed.resourceSpans.flatMap(({ resource, scopeSpans }) =>
    scopeSpans.flatMap(({ spans }) =>
      spans.map((span) => ({
        ...span,
        attributes: pairs(span.attributes),
        resource: pairs(resource.attributes),
      })),
    ),
  );
}

/** Value of the one series of a metric that has all these labels. */
function valueOf(text: string, metric: string, ...labels: readonly string[]): number {
  const lines = text
    .split('\n')
    .filter((line) => line.startsWith(`${metric}{`) && labels.every((label) => line.includes(label)));
  expect(lines).toHaveLength(1);
  return Number(lines[0]?.split(' ').at(-1));
}

function writeAnswered(span: SpanContext): WriteAnswered {
  return {
    kind: 'write-answered',
    dataset: DATASET,
    shard: SHARD,
    status: 200,
    code: null,
    stage: 'quorum',
    forwardedTo: null,
    startedAtMs: 1_000,
    endedAtMs: 1060,
    span,
    stageMs: new Map([
      ['logged', 20],
      ['quorum', 50],
    ]),
  };
}

function entryAppended(span: SpanContext | null, shard = SHARD): EntryAppended {
  return {
    kind: 'entry-appended',
    shard,
    epoch: epoch(4n),
    offset: offset(41n),
    bytes: 470,
    span,
    queuedAtMs: 1_005,
    startedAtMs: 1_010,
    endedAtMs: 1_020,
  };
}

function moveEnded(change: Partial<MoveEnded>): MoveEnded {
  const below = (digit: string): SpanContext => ({
    traceId: 'a'.repeat(32),
    spanId: digit.repeat(16),
    parentSpanId: digit === '1' ? null : '1'.repeat(16),
    sampled: true,
  });
  return {
    kind: 'move-ended',
    decision: 38n,
    move: 'failover',
    shard: SHARD,
    from: 'eu' as RegionName,
    to: 'us' as RegionName,
    expectedEpoch: epoch(4n),
    reason: 'eu is unfit',
    actor: 'governor',
    evacuation: null,
    outcome: 'done',
    detail: 'us is home',
    passed: [
      { stage: 'decided', at: 38n, atMs: 1_000 },
      { stage: 'fencing', at: 39n, atMs: 1_200 },
      { stage: 'done', at: 40n, atMs: 2_000 },
    ],
    gapMs: 300,
    stages: [
      {
        stage: 'decided',
        term: null,
        epoch: 4n,
        evidence: null,
        startedAtMs: 1,
        endedAtMs: 3,
        span: below('2'),
      },
      {
        stage: 'done',
        term: 2n,
        epoch: 5n,
        evidence: 'us is home',
        startedAtMs: 3,
        endedAtMs: 3,
        span: below('3'),
      },
    ],
    startedAtMs: 1,
    endedAtMs: 3,
    span: below('1'),
    ...change,
  };
}

const STANDING: DatabaseStanding = {
  walBytes: 4_096n,
  held: [{ dataset: DATASET, pending: 3, undone: 2, late: 0 }],
};

function batchCommitted(region: RegionName, traceparents: readonly string[]): BatchCommitted {
  return {
    kind: 'batch-committed',
    region,
    dataset: DATASET,
    records: 4,
    events: 5,
    rows: 3,
    bytes: 1880,
    readMs: 2,
    foldMs: 1,
    commitMs: 7.5,
    startedAtMs: 1020,
    endedAtMs: 1030.5,
    verdicts: new Map([
      ['accepted', 3],
      ['guard', 1],
    ]),
    ages: [{ home: 'us' as RegionName, ms: 40 }],
    traced: traceparents.map((traceparent) => ({
      traceparent,
      shard: SHARD,
      sequence: sequence(40n),
      epoch: epoch(4n),
      offset: offset(41n),
      verdict: 'accepted',
    })),
  };
}

function watermark(different: Partial<Watermark>): Watermark {
  return {
    region: 'eu' as RegionName,
    storeIncarnation: 'f'.repeat(32) as StoreIncarnation,
    shard: SHARD,
    logIncarnation: null,
    sequence: sequence(40n),
    offset: offset(41n),
    epoch: epoch(4n),
    home: 'eu' as RegionName,
    term: 0n,
    decision: 0n,
    logTimeMs: 1_000,
    rules: [],
    inputHash: '0'.repeat(32),
    effectsHash: '0'.repeat(32),
    marks: [],
    withheld: null,
    caughtUpAtMs: 900,
    lagRecords: 2,
    halted: null,
    ...different,
  };
}

/** Each kind of fact once, slow or failed where it can be. */
function everyFact(telemetry: Telemetry): readonly Fact[] {
  return [
    {
      ...batchCommitted('eu' as RegionName, [`00-${'e'.repeat(32)}-${'b'.repeat(16)}-01`]),
      endedAtMs: 2_520,
    },
    { ...writeAnswered(telemetry.openSpan(null)), status: 503, code: 'log-unreachable' },
    entryAppended(null),
    {
      kind: 'append-failed',
      shard: SHARD,
      code: 'log-unreachable',
      disposition: 'unknown',
      message: 'no answer',
    },
    { kind: 'commit-unknown', dataset: DATASET, shards: [SHARD], message: 'connection ended' },
    { kind: 'commit-lost', dataset: DATASET, shards: [SHARD], message: 'cursor moved' },
    { kind: 'lease-taken', shard: SHARD, lease: leaseNumber(7n) },
    { kind: 'lease-lost', shard: SHARD, lease: leaseNumber(7n) },
    { kind: 'shard-halted', shard: SHARD, halt: { code: 'log-truncated', detail: 'offset 41 is gone' } },
    { kind: 'loop-failed', loop: 'lane accounts', code: 'defect', disposition: null, message: 'assertion' },
    { kind: 'watermark', watermark: watermark({}) },
    { kind: 'entry-resubmitted', shard: SHARD, verdict: 'fenced' },
    { kind: 'write-degraded', shard: SHARD, sequence: sequence(40n) },
    { kind: 'term-begun', term: 7n, because: 'suspected', leaderlessMs: 1_500 },
    moveEnded({}),
  ];
}

const forecast = (change: Partial<Prediction>): FailoverForecast => ({
  shard: SHARD,
  to: 'us' as RegionName,
  isAllowed: true,
  predicted: {
    lostEntries: 0,
    atRisk: { logged: 12, accepted: 9, quorum: 4 },
    recordsToFold: 12,
    foldRecordsPerSecond: 600,
    catchUpMs: 20,
    gapMs: 420,
    gapMsWorst: 700,
    measuredMoves: 3,
    ...change,
  },
});

const outlook = (change: Partial<ClusterOutlook>): ClusterOutlook => ({
  leads: true,
  term: 7n,
  isControlCurrent: true,
  pauses: 0,
  openMoves: 1,
  oldestMoveMs: 2_500,
  regions: [{ about: 'us' as RegionName, heardMsAgo: 250, doubts: 2 }],
  quorums: [{ shard: SHARD, voters: 1, isReachable: false }],
  forecasts: [],
  ...change,
});
