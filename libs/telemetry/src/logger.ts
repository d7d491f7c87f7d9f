/**
 * The process's log: pino, one JSON line per event, with service, region, role and instance on each, secrets redacted.
 *
 * Writing never waits for the reader of the stream: lines wait in a buffer of `WAITING_BYTES_MAX`, beyond which new
 * ones are dropped. What waits is written when the process exits.
 */
import { pino, type DestinationStream, type Logger } from 'pino';
import type { Origin } from './origin.js';
import { redact } from './redaction.js';

export type LogLevel = 'fatal' | 'error' | 'warn' | 'info' | 'debug' | 'trace' | 'silent';

export interface LoggerOptions extends Origin {
  readonly level: LogLevel;
}

const WAITING_BYTES_MAX = 4 * 1024 * 1024;

/** @param destination where lines go; standard output unless given. */
export function openLogger(
  options: LoggerOptions,
  destination: DestinationStream = standardOutput(),
): Logger {
  const { level, service, region, role, instance } = options;
  return pino(
    {
      level,
      base: { service, region, role, instance },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      hooks: { streamWrite: redact },
    },
    destination,
  );
}

function standardOutput(): DestinationStream {
  return pino.destination({ fd: 1, sync: false, maxLength: WAITING_BYTES_MAX });
}
