/**
 * What a trace must look like, wherever its spans were collected: one write through every region, and one failover with all its
 * stages.
 */
import { expect } from '@jest/globals';

export interface TracedSpan {
  readonly traceId: string;
  readonly spanId: string;
  /** Empty or undefined for none. */
  readonly parentSpanId?: string;
  readonly name: string;
  /** Of the span and of its resource. */
  readonly attributes: Readonly<Record<string, unknown>>;
}

const REGION = 'lockstep.region';
const READ = 'GET /v1/datasets/{dataset}/rows/{key}';
/** Of a write that its gateway forwards, and of a read that saw it: two requests, publish, append, three applies, the quorum, the read. */
export const WRITE_SPANS = 9;

/**
 * A write to a home in eu that us took and forwarded, read in ap: each span below the one that caused it.
 * @param root of the caller, who sent its context with both.
 */
export function expectWriteTrace(spans: readonly TracedSpan[], root: string): void {
  expect(spans.map(({ name }) => name).sort()).toEqual([
    READ,
    'POST entries',
    'POST entries',
    'append lockstep.accounts',
    'apply lockstep.accounts',
    'apply lockstep.accounts',
    'apply lockstep.accounts',
    'publish accounts',
    'quorum accounts',
  ]);
  const only = (name: string, parent: string): TracedSpan => {
    const found = spans.filter((span) => span.name === name && span.parentSpanId === parent);
    expect({ name, found: found.length }).toEqual({ name, found: 1 });
    return found[0]!;
  };
  const first = only('POST entries', root);
  const home = only('POST entries', first.spanId);
  const append = only('append lockstep.accounts', only('publish accounts', home.spanId).spanId);
  const applies = spans.filter(({ parentSpanId }) => parentSpanId === append.spanId);
  only('quorum accounts', home.spanId);
  const read = only(READ, root);
  const regionOf = ({ attributes }: TracedSpan): unknown => attributes[REGION];
  expect([first, home, append, read].map(regionOf)).toEqual(['us', 'eu', 'eu', 'ap']);
  expect(applies.map(({ name }) => name)).toEqual(Array.from({ length: 3 }, () => 'apply lockstep.accounts'));
  expect(applies.map(regionOf).sort()).toEqual(['ap', 'eu', 'us']);
  expect(new Set(applies.map(({ attributes }) => attributes['lockstep.sequence'])).size).toBe(1);
  expect([first, append, applies[0]!].map(serviceOf)).toEqual([
    'lockstep-gateway',
    'lockstep-gateway',
    'lockstep-replicator',
  ]);
}

const serviceOf = ({ attributes }: TracedSpan): unknown => attributes['service.name'];

/** What stands between the decision and the end of a failover, in this order. */
const STAGES = ['decided', 'caught-up', 'fencing', 'fenced', 'folded', 'canary', 'open', 'placed', 'done'];

/** Whether the whole of a failover's trace has arrived: its stages, and the fence in the regions that fold it. */
export const isWholeMove = (spans: readonly TracedSpan[], appliedIn: readonly string[]): boolean =>
  spans.some(({ name }) => name === 'stage done') &&
  appliedIn.every((region) => appliesOfFence(spans).some(({ attributes }) => attributes[REGION] === region));

/**
 * @param before stages before the decision.
 * @param appliedIn regions that fold the fence.
 */
export function expectFailoverTrace(
  spans: readonly TracedSpan[],
  { appliedIn, before }: { readonly appliedIn: readonly string[]; readonly before: readonly string[] },
): void {
  const roots = spans.filter(({ name }) => name.startsWith('failover '));
  expect(roots).toHaveLength(1);
  const root = roots[0]!;
  expect(root.parentSpanId || null).toBeNull();
  expect(root.attributes['lockstep.move.outcome']).toBe('done');
  const stages = spans.filter(({ name }) => name.startsWith('stage '));
  const nameOf = ({ name }: TracedSpan): string => name.slice('stage '.length);
  expect(new Set(stages.map(nameOf))).toEqual(new Set([...before, ...STAGES]));
  expect(stages).toHaveLength(before.length + STAGES.length);
  for (const stage of stages) {
    const evidence = expect.stringMatching(/\S/) as unknown;
    const term = expect.any(Number) as unknown;
    expect(stage.parentSpanId).toBe(root.spanId);
    const isFenced = STAGES.indexOf(nameOf(stage)) >= STAGES.indexOf('fenced');
    expect(stage.attributes).toMatchObject({
      'lockstep.term': term,
      'lockstep.epoch': isFenced ? 2 : 1,
      'lockstep.evidence': evidence,
    });
  }
  expect(new Set(appliesOfFence(spans).map(({ attributes }) => attributes[REGION]))).toEqual(
    new Set(appliedIn),
  );
}

/** Below the stage that appended it. */
function appliesOfFence(spans: readonly TracedSpan[]): readonly TracedSpan[] {
  const below = (parents: readonly TracedSpan[]): readonly TracedSpan[] =>
    spans.filter(({ parentSpanId }) => parents.some(({ spanId }) => spanId === parentSpanId));
  return below(below(below(spans.filter(({ name }) => name === 'stage fencing'))));
}
