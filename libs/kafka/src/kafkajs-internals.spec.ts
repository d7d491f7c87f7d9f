import { createRequire } from 'node:module';
import { describe, expect, test } from '@jest/globals';
import { unsupportedCalls } from './kafkajs-internals.js';

interface Queue {
  pending: object[];
  throttleCheckTimeoutId: NodeJS.Timeout | null;
  scheduleCheckPendingRequests(): void;
  destroy(): void;
}
const RequestQueue = createRequire(import.meta.url)('kafkajs/src/network/requestQueue') as new (
  options: object,
) => Queue;
const newQueue = (): Queue =>
  new RequestQueue({
    logger: {},
    maxInFlightRequests: null,
    requestTimeout: 1,
    enforceRequestTimeout: false,
    clientId: 'c',
    broker: 'b',
  });

describe('the queue of a connection', () => {
  test('arms no timer while nothing is pending, so an idle connection does not poll', () => {
    const queue = newQueue();
    queue.scheduleCheckPendingRequests();
    expect(queue.throttleCheckTimeoutId).toBeNull();
  });

  test('still looks again when a request is held back', () => {
    const queue = newQueue();
    queue.pending.push({});
    queue.scheduleCheckPendingRequests();
    expect(queue.throttleCheckTimeoutId).not.toBeNull();
    queue.destroy();
  });
});

describe('what a broker supports', () => {
  const KAFKA_4 = [
    [0, 3, 13],
    [1, 4, 18],
    [2, 1, 11],
    [3, 0, 13],
    [18, 0, 4],
    [19, 2, 7],
    [32, 1, 4],
    [43, 0, 2],
    [45, 0, 1],
    [46, 0, 0],
  ] as const;
  const answer = (
    ranges: readonly (readonly [apiKey: number, minVersion: number, maxVersion: number])[],
  ) => ({
    errorCode: 0,
    apiVersions: ranges.map(([apiKey, minVersion, maxVersion]) => ({ apiKey, minVersion, maxVersion })),
  });

  test('is enough with the ranges of Kafka 4', () => {
    expect(unsupportedCalls(answer(KAFKA_4))).toEqual([]);
  });

  test('is named where it is too old, too new or missing', () => {
    expect(unsupportedCalls(answer([[0, 3, 6], [1, 14, 18], ...KAFKA_4.slice(3)]))).toEqual([
      'Produce',
      'Fetch',
      'ListOffsets',
    ]);
  });
});
