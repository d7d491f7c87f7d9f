import type { SpanContext } from './ports/observer.js';

/** The W3C trace context that makes what follows a child of the span. */
export const traceparentOf = ({ traceId, spanId, sampled }: SpanContext): string =>
  `00-${traceId}-${spanId}-${sampled ? '01' : '00'}`;
