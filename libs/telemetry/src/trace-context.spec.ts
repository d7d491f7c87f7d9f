import { describe, expect, test } from '@jest/globals';
import { continueTrace, formatTraceparent, parseTraceparent, presentTraceparent } from './trace-context.js';
import { propagation, type TextMapPropagator } from '@opentelemetry/api';

const TRACE = '0af7651916cd43dd8448eb211c80319c';
const SPAN = 'b7ad6b7169203331';

describe('traceparent', () => {
  test.each([
    [`00-${TRACE}-${SPAN}-01`, true],
    [`00-${TRACE}-${SPAN}-00`, false],
    // Of the flags, the second bit (random trace id) is not ours.
    [`00-${TRACE}-${SPAN}-03`, true],
    [`00-${TRACE}-${SPAN}-02`, false],
    [`00-${TRACE}-${SPAN}-ff`, true],
  ])('%s is read with sampled %s', (text, sampled) => {
    expect(parseTraceparent(text)).toEqual({ traceId: TRACE, spanId: SPAN, sampled });
  });

  test.each([
    ['nothing', ''],
    ['another version', `01-${TRACE}-${SPAN}-01`],
    ['the forbidden version', `ff-${TRACE}-${SPAN}-01`],
    ['upper-case hex', `00-${TRACE.toUpperCase()}-${SPAN}-01`],
    ['upper-case flags', `00-${TRACE}-${SPAN}-0A`],
    ['a trace id of zeros', `00-${'0'.repeat(32)}-${SPAN}-01`],
    ['a span id of zeros', `00-${TRACE}-${'0'.repeat(16)}-01`],
    ['a short trace id', `00-${TRACE.slice(1)}-${SPAN}-01`],
    ['a long span id', `00-${TRACE}-${SPAN}0-01`],
    ['no flags', `00-${TRACE}-${SPAN}`],
    ['something behind the flags', `00-${TRACE}-${SPAN}-01-extra`],
    ['a line break at the end', `00-${TRACE}-${SPAN}-01\n`],
    ['a space in front', ` 00-${TRACE}-${SPAN}-01`],
    ['other separators', `00_${TRACE}_${SPAN}_01`],
  ])('with %s is no context', (_what, text) => {
    expect(parseTraceparent(text)).toBeNull();
  });

  test('is written as it was read', () => {
    for (const text of [`00-${TRACE}-${SPAN}-01`, `00-${TRACE}-${SPAN}-00`]) {
      const context = parseTraceparent(text);
      expect(context === null ? null : formatTraceparent(context)).toBe(text);
    }
  });
});

describe('the span of an arriving request', () => {
  const identities = { traceId: () => `${'0'.repeat(19)}8000000000000`, spanId: () => '1'.repeat(16) };

  test("stands in the caller's trace and follows the caller's flag, whatever the ratio", () => {
    const parent = { traceId: TRACE, parentSpanId: SPAN, spanId: '1'.repeat(16) };
    expect(continueTrace(`00-${TRACE}-${SPAN}-01`, identities, 0)).toEqual({ ...parent, sampled: true });
    expect(continueTrace(`00-${TRACE}-${SPAN}-00`, identities, 1)).toEqual({ ...parent, sampled: false });
  });

  test.each([null, 'nonsense'])('begins a new trace without a valid context (%s)', (traceparent) => {
    expect(continueTrace(traceparent, identities, 1)).toEqual({
      traceId: identities.traceId(),
      spanId: '1'.repeat(16),
      parentSpanId: null,
      sampled: true,
    });
  });

  test('samples a new trace by the share its id falls in', () => {
    // The id lies exactly in the middle.
    expect(continueTrace(null, identities, 0.5).sampled).toBe(false);
    expect(continueTrace(null, identities, 0.51).sampled).toBe(true);
    expect(continueTrace(null, { ...identities, traceId: () => 'f'.repeat(32) }, 1).sampled).toBe(true);
    expect(continueTrace(null, { ...identities, traceId: () => `1${'0'.repeat(31)}` }, 0).sampled).toBe(
      false,
    );
  });
});

test('the present traceparent is what the process is instrumented with, and none where it is not', () => {
  expect(presentTraceparent()).toBeNull();
  const told = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
  const propagator: TextMapPropagator = {
    inject: (_context, carrier, setter) => setter.set(carrier, 'traceparent', told),
    extract: (context) => context,
    fields: () => ['traceparent'],
  };
  propagation.setGlobalPropagator(propagator);
  try {
    expect(presentTraceparent()).toBe(told);
  } finally {
    propagation.disable();
  }
});
