/**
 * Traces as a person finds them: in a real Jaeger that the cluster started, by its query API. One critical write is one trace
 * through every region; a home that is lost and replaced by itself is one trace with all stages.
 */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { call, eventually, LocalCluster, type Region } from './local-cluster.js';
import {
  expectFailoverTrace,
  expectWriteTrace,
  isWholeMove,
  WRITE_SPANS,
  type TracedSpan,
} from './trace-shape.js';

/** As `/api/traces` answers. */
interface JaegerTrace {
  readonly spans: readonly {
    readonly traceID: string;
    readonly spanID: string;
    readonly operationName: string;
    readonly processID: string;
    readonly references: readonly { readonly refType: string; readonly spanID: string }[];
    readonly tags: readonly Tag[];
  }[];
  readonly processes: Readonly<
    Record<string, { readonly serviceName: string; readonly tags: readonly Tag[] }>
  >;
}

interface Tag {
  readonly key: string;
  readonly value: unknown;
}

/** The first start builds Jaeger, on two cores that others may use too. */
const START_MS_MAX = 1_500_000;
const FOUND_MS_MAX = 30_000;

let cluster: LocalCluster;

beforeAll(async () => {
  cluster = await LocalCluster.start(['--jaeger']);
}, START_MS_MAX);

afterAll(() => cluster?.stop(), 60_000);

const ask = async (path: string): Promise<readonly JaegerTrace[]> =>
  ((await call(`${cluster.file.jaeger}${path}`)).body as { readonly data: readonly JaegerTrace[] | null })
    .data ?? [];

function spansOf({ processes, spans }: JaegerTrace): readonly TracedSpan[] {
  const attributesOf = (tags: readonly Tag[]) =>
    Object.fromEntries(tags.map(({ key, value }) => [key, value]));
  return spans.map(({ operationName, processID, references, spanID, tags, traceID }) => {
    const { serviceName, tags: ofProcess } = processes[processID]!;
    const parent = references.find(({ refType }) => refType === 'CHILD_OF');
    return {
      traceId: traceID,
      spanId: spanID,
      ...(parent === undefined ? {} : { parentSpanId: parent.spanID }),
      name: operationName,
      attributes: { 'service.name': serviceName, ...attributesOf(ofProcess), ...attributesOf(tags) },
    };
  });
}

test('a critical write has the spans of its gateways and of all three replicators, and of the read that saw it', async () => {
  const traceId = '7c9e6679f1364e5e9bd2b7a1c0ffee01';
  const root = 'a1b2c3d4e5f60718';
  const headers = { traceparent: `00-${traceId}-${root}-01` };
  const answer = await call(`${cluster.gateway('us')}/v1/datasets/accounts/entries`, {
    method: 'POST',
    headers,
    body: JSON.stringify({
      events: [{ key: 'eu:jaeger', type: 'opened', data: { owner: 'Ada', currency: 'EUR' } }],
      ack: 'everywhere',
    }),
  });
  expect(answer).toMatchObject({ status: 200, body: { traceId } });
  const row = `${cluster.gateway('ap')}/v1/datasets/accounts/rows/eu:jaeger?consistency=session`;
  expect(
    await call(row, { headers: { ...headers, 'lockstep-token': answer.body.token as string } }),
  ).toMatchObject({ status: 200 });
  const spans = await eventually(
    async () => (await ask(`/api/traces/${traceId}`)).flatMap(spansOf),
    (found) => found.length >= WRITE_SPANS,
    FOUND_MS_MAX,
  );
  expectWriteTrace(spans, root);
});

test('a home that is lost is replaced by itself in one trace, from the first doubt to the end', async () => {
  const remaining: readonly Region[] = ['us', 'ap'];
  await cluster.orderProcess('kill', 'eu', null);
  const moved = await eventually(
    async () => {
      const traces = await ask(
        '/api/traces?service=lockstep-coordinator&operation=failover%20accounts&limit=20',
      );
      // A machine that is very slow may go on to move a shard from there.
      const isOfLostHome = ({ attributes }: TracedSpan): boolean => attributes['lockstep.move.from'] === 'eu';
      return traces.map(spansOf).filter((spans) => spans.some(isOfLostHome));
    },
    (traces) => traces.length === 2 && traces.every((spans) => isWholeMove(spans, remaining)),
    120_000,
  );
  for (const spans of moved) {
    expectFailoverTrace(spans, { appliedIn: remaining, before: ['doubted'] });
    expect(new Set(spans.map(({ traceId }) => traceId)).size).toBe(1);
    const doubted = spans.find(({ name }) => name === 'stage doubted');
    expect(doubted?.attributes['lockstep.evidence']).toMatch(/(us|ap): .+; (us|ap): .+/);
  }
}, 180_000);
