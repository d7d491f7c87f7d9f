/** The door of @lockstep/telemetry. */
export { openTelemetry } from './telemetry.js';
export type { Telemetry, TelemetryOptions } from './telemetry.js';
export type { Origin } from './origin.js';
export type { AnsweredRequest } from './spans.js';
export { openLogger } from './logger.js';
export type { LoggerOptions, LogLevel } from './logger.js';
export type { Logger } from 'pino';
export { formatTraceparent, parseTraceparent, presentTraceparent } from './trace-context.js';
export type { SpanIdentities, TraceContext } from './trace-context.js';
