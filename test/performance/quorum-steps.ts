/**
 * Where the time of one critical write goes: its trace, cut at the moments in which it passes from one process to another.
 * All processes read one clock, in whole milliseconds; a mean over many writes says more than that.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { OtlpSink, type SeenSpan } from '../e2e/otlp-sink.ts';
import type { LocalCluster } from '../e2e/local-cluster.ts';
import { spread, type Benchmark, type Context, type Figure } from './benchmark.ts';
import { Accounts, quantile, type Receipt } from './critical-writes.ts';
import { AT_HOME, DELAY_MS, HOME, STRETCHED } from './quorum.ts';

const ROUNDS = 3;
const WARM_UP_WRITES = 50;
const WRITES = 100;
/** Spans leave a process every half second. */
const SPANS_MS = 3_000;

export const quorumSteps = stepsOf('quorum-steps', STRETCHED, 'one in each region');
export const quorumStepsHome = stepsOf('quorum-steps-home', AT_HOME, 'all in the home region');

function stepsOf(name: string, options: readonly string[], brokers: string): Benchmark {
  return {
    name,
    profile: `Three regions with ${DELAY_MS} ms one way between them, three brokers, ${brokers}, every write traced; ${WRITES} credits one after \
the other from a client beside the home's gateway, quorum majority, ${ROUNDS} rounds. Each step: the mean of a round's writes, and p99 of all. \
The far region is the one that commits first.`,
    run: async ({ cluster, ends, say }) => {
      const sink = await OtlpSink.open();
      await ends(Promise.resolve({ stop: () => sink.close() }));
      return measure(say, await cluster([...options, '--otlp', sink.url]), sink);
    },
  };
}

interface Write {
  readonly askedMs: number;
  readonly answeredMs: number;
  readonly receipt: Receipt;
}

type Steps = Readonly<Record<string, number>>;

async function measure(
  say: Context['say'],
  cluster: LocalCluster,
  sink: OtlpSink,
): Promise<readonly Figure[]> {
  const accounts = new Accounts(cluster.gateway(HOME), HOME);
  try {
    await accounts.open(1);
    await writes(accounts, WARM_UP_WRITES);
    const rounds: Steps[][] = [];
    for (let count = 1; count <= ROUNDS; count += 1) {
      const written = await writes(accounts, WRITES);
      await delay(SPANS_MS);
      const spans = new Spans(sink.spans);
      const steps = written.map((write) => stepsIn(write, spans));
      rounds.push(steps);
      say(
        `round ${count}/${ROUNDS}  ${Object.keys(steps[0]!)
          .map((step) => `${step} ${mean(steps, step).toFixed(1)}`)
          .join(', ')}`,
      );
    }
    return Object.keys(rounds[0]![0]!).flatMap((step) => [
      { name: step, unit: 'ms, mean', ...spread(rounds.map((steps) => mean(steps, step))) },
      {
        name: step,
        unit: 'ms, p99',
        ...spread([
          quantile(
            rounds.flat().map((steps) => steps[step]!),
            0.99,
          ),
        ]),
      },
    ]);
  } finally {
    accounts.close();
  }
}

async function writes(accounts: Accounts, count: number): Promise<readonly Write[]> {
  const written: Write[] = [];
  while (written.length < count) {
    const askedMs = Date.now();
    const receipt = await accounts.credit(0, 'quorum');
    written.push({ askedMs, answeredMs: Date.now(), receipt });
  }
  return written;
}

/** The way of one write; what follows each other adds up to the whole. */
function stepsIn({ askedMs, answeredMs, receipt }: Write, spans: Spans): Steps {
  const posted = spans.one(receipt.traceId, 'POST entries');
  const append = spans.one(receipt.traceId, 'append lockstep.accounts');
  const applies = spans.all(receipt.traceId, 'apply lockstep.accounts');
  const home = applies.find((span) => regionOf(span) === HOME);
  const far = applies
    .filter((span) => regionOf(span) !== HOME)
    .toSorted((x, y) => endMs(x) - endMs(y))
    .at(0);
  if (home === undefined || far === undefined) throw new Error(`a region has not told of ${receipt.traceId}`);
  const loggedMs = Date.parse(receipt.stages.logged!.at);
  const quorumMs = Date.parse(receipt.stages.quorum!.at);
  const batch = spans.batch(far);
  const part = (name: string): number => Number(batch.attributes[`lockstep.batch.${name}_ms`]);
  return {
    'client to gateway': startMs(posted) - askedMs,
    'gateway: read, route, number': startMs(append) - startMs(posted),
    'to the log of the leader': loggedMs - startMs(append),
    'log: replicas follow, acknowledged': endMs(append) - loggedMs,
    'acknowledged until the far region begins': startMs(far) - endMs(append),
    'far region: reads, fold and commit': endMs(far) - startMs(far),
    'far watermark to the home gateway': quorumMs - endMs(far),
    'gateway: receipt': endMs(posted) - quorumMs,
    'gateway to client': answeredMs - endMs(posted),
    'the whole': answeredMs - askedMs,
    'beside: far region, reads': part('read'),
    'beside: far region, fold': part('fold'),
    'beside: far region, commit': part('commit'),
    'beside: acknowledged until the home begins': startMs(home) - endMs(append),
    'beside: home, reads, fold and commit': endMs(home) - startMs(home),
  };
}

class Spans {
  readonly #byTrace: Map<string, SeenSpan[]>;
  readonly #byId: Map<string, SeenSpan>;

  constructor(spans: readonly SeenSpan[]) {
    this.#byTrace = Map.groupBy(spans, ({ traceId }) => traceId);
    this.#byId = new Map(spans.map((span) => [span.spanId, span]));
  }

  all(traceId: string, name: string): readonly SeenSpan[] {
    return (this.#byTrace.get(traceId) ?? []).filter((span) => span.name === name);
  }

  one(traceId: string, name: string): SeenSpan {
    const [span, ...more] = this.all(traceId, name);
    if (span === undefined || more.length > 0)
      throw new Error(`${more.length + (span === undefined ? 0 : 1)} spans ${name} in ${traceId}`);
    return span;
  }

  /** The batch in which an entry was applied. */
  batch(apply: SeenSpan): SeenSpan {
    const batch = this.#byId.get(apply.links[0]?.spanId ?? '');
    if (batch === undefined) throw new Error(`no batch of ${apply.spanId}`);
    return batch;
  }
}

const regionOf = (span: SeenSpan): unknown => span.attributes['lockstep.region'];
const startMs = (span: SeenSpan): number => Number(BigInt(span.startTimeUnixNano) / 1_000_000n);
const endMs = (span: SeenSpan): number => Number(BigInt(span.endTimeUnixNano) / 1_000_000n);
const mean = (steps: readonly Steps[], step: string): number =>
  steps.reduce((sum, one) => sum + one[step]!, 0) / steps.length;
