/** The control log as its audits take it. Nobody saw when fences and commits came to stand, so that only its order counts. */
import { CONTROL_TOPIC, type LogRecord } from '@lockstep/protocol';
import { controlHistoryOf, type ControlHistory } from '@lockstep/testing/history';
import { recordsOf } from './system-topic.js';

/** About three days of a leader that is heard four times a second. */
const RECORDS_MAX = 1_000_000;

/** Null where the log no longer holds its first record, or more than can be kept in memory. */
export async function wholeControlLog(brokers: readonly string[]): Promise<ControlHistory | null> {
  const records: LogRecord[] = [];
  for await (const record of recordsOf(brokers, CONTROL_TOPIC)) {
    if (records.length === 0 && record.offset !== 0n) return null;
    if (records.length >= RECORDS_MAX) return null;
    records.push(record);
  }
  return controlHistoryOf(
    records,
    ({ offset }) => Number(offset),
    () => null,
  );
}
