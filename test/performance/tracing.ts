/** What telemetry costs a replicator: metrics alone, and with every hundredth entry's trace followed and sent. */
import { randomBytes } from 'node:crypto';
import type { SpanContext } from '@lockstep/engine';
import { openLogger, openTelemetry, type Telemetry } from '@lockstep/telemetry';
import { OtlpSink } from '../e2e/otlp-sink.ts';
import { named, onStage, SERVERS, takeTurns } from './apply.ts';
import { byReplicator } from './appliers.ts';
import {
  clientTimeOf,
  between,
  cost,
  disturbance,
  rate,
  ratio,
  ROUNDS,
  type Benchmark,
} from './benchmark.ts';
import { clock, randomId128 } from './real-world.ts';
import { readings } from './sample-writes.ts';
import { prepareWork, renamed } from './work.ts';

const ENTRIES = 12_000;
const STATIONS = 5_004;
const SAMPLED_ONE_IN = 100;
const BARE = 'without telemetry';
const UNTRACED = 'metrics, nothing traced';
const TRACED = 'metrics, one entry in a hundred traced';

const spanId = (): string => randomBytes(8).toString('hex');

/** As gateways stamp them: every record names its trace, few are sampled. */
const spanOf = (index: number): SpanContext => ({
  traceId: randomId128(),
  spanId: spanId(),
  parentSpanId: null,
  sampled: index % SAMPLED_ONE_IN === 0,
});

function telemetryOf(otlpUrl: string | null): Telemetry {
  const origin = { service: 'bench', region: 'eu', role: 'replicator', instance: 'bench' };
  return openTelemetry({
    ...origin,
    otlpUrl,
    sampleRatio: 1 / SAMPLED_ONE_IN,
    logger: openLogger({ ...origin, level: 'silent' }),
    clock,
    identities: { traceId: randomId128, spanId },
  });
}

export const tracing: Benchmark = {
  name: 'tracing',
  profile: `${ENTRIES} entries of ten readings in 12 shards, once without a trace context and once with one in each record, one in \
${SAMPLED_ONE_IN} sampled; the collector is in this process and throws nothing away. ${SERVERS}`,
  run: (context) =>
    onStage(context, async (stage) => {
      const sink = await context.ends(
        OtlpSink.open().then((open) => ({ url: open.url, spans: open.spans, stop: () => open.close() })),
      );
      const dataset = await named('readings');
      const entries = readings(dataset, ENTRIES, STATIONS);
      const untraced = await prepareWork(stage, dataset, entries);
      const traced = await prepareWork(stage, renamed(dataset, 'readings_traced'), entries, spanOf);
      const [metrics, spans] = [telemetryOf(null), telemetryOf(sink.url)];
      const rounds = await takeTurns(stage, [
        byReplicator(stage, BARE, untraced),
        byReplicator(stage, UNTRACED, untraced, { observer: metrics.observer }),
        byReplicator(stage, TRACED, traced, { observer: spans.observer }),
      ]);
      await Promise.all([metrics.shutdown(), spans.shutdown()]);
      const applied = sink.spans.filter(({ name }) => name.startsWith('apply lockstep')).length;
      const expected = (ROUNDS + 1) * (ENTRIES / SAMPLED_ONE_IN);
      if (applied !== expected)
        throw new Error(`${applied} spans of applied entries arrived, not ${expected}`);
      const sides = [BARE, UNTRACED, TRACED];
      return [
        ratio(rounds, TRACED, UNTRACED, 0.98),
        ratio(rounds, UNTRACED, BARE),
        between(rounds, `client time per event, ${TRACED} / ${UNTRACED}`, [TRACED, UNTRACED], clientTimeOf),
        ...sides.map((side) => rate(rounds, side, 'events/s')),
        ...sides.flatMap((side) => cost(rounds, side, 'event')),
        disturbance(rounds),
      ];
    }),
};
