/**
 * W3C trace context: the `traceparent` of a request or a record, read strictly and written back.
 *
 * Only version 00 is read, lower-case hex, neither id all zero; anything else is no context at all. A text that came
 * from elsewhere never becomes part of a trace by being repaired. Of the flags only `sampled` is kept.
 */
import type { Identities, SpanContext } from '@lockstep/engine';
import { context as present, propagation } from '@opentelemetry/api';

export interface TraceContext {
  /** 32 lower-case hex digits, not all zero. */
  readonly traceId: string;
  /** 16 lower-case hex digits, not all zero. */
  readonly spanId: string;
  readonly sampled: boolean;
}

/** What new spans need from the world. */
export type SpanIdentities = Pick<Identities, 'traceId' | 'spanId'>;

const TRACEPARENT = /^00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$/;
const ZEROS = /^0+$/;
const SAMPLED_FLAG = 0x01;

/** Null when the text is not a valid traceparent. */
export function parseTraceparent(text: string): TraceContext | null {
  const [, traceId, spanId, flags] = TRACEPARENT.exec(text) ?? [];
  if (traceId === undefined || spanId === undefined || flags === undefined) return null;
  if (ZEROS.test(traceId) || ZEROS.test(spanId)) return null;
  return { traceId, spanId, sampled: (Number.parseInt(flags, 16) & SAMPLED_FLAG) !== 0 };
}

export function formatTraceparent(context: TraceContext): string {
  return `00-${context.traceId}-${context.spanId}-${context.sampled ? '01' : '00'}`;
}

/**
 * The span of an arriving request: within the caller's trace, and sampled as the caller says, or the first of a new
 * trace. The choice for a new trace follows from its id, so that whoever asks again chooses the same.
 *
 * @param sampleRatio share of new traces that are sampled, 0 to 1
 */
export function continueTrace(
  traceparent: string | null,
  identities: SpanIdentities,
  sampleRatio: number,
): SpanContext {
  const parent = traceparent === null ? null : parseTraceparent(traceparent);
  const spanId = identities.spanId();
  if (parent !== null) {
    return { traceId: parent.traceId, spanId, parentSpanId: parent.spanId, sampled: parent.sampled };
  }
  const traceId = identities.traceId();
  return { traceId, spanId, parentSpanId: null, sampled: lotOf(traceId) < sampleRatio };
}

/** Between 0 (included) and 1, from the id's last 52 bits: as many as a number holds exactly. */
function lotOf(traceId: string): number {
  return Number.parseInt(traceId.slice(-13), 16) / 2 ** 52;
}

/**
 * The `traceparent` of what this process is doing at present, as whatever instruments it says; null where nothing does. For
 * calls that stay in the process: across a connection the instrumentation of the client sends it.
 */
export function presentTraceparent(): string | null {
  const carrier: { traceparent?: string } = {};
  propagation.inject(present.active(), carrier);
  return carrier.traceparent ?? null;
}
