import { createRequire } from 'node:module';
import { describe, expect, test } from '@jest/globals';
import { brokerError } from './kafkajs-internals.js';
import { LOG_FAILURES, LinkError, logFailure } from './log-failure.js';

const { errorCodes } = createRequire(import.meta.url)('kafkajs/src/protocol/error') as {
  errorCodes: readonly { readonly type: string; readonly code: number }[];
};
const codeOf = (type: string): number => errorCodes.find((found) => found.type === type)!.code;
const named = (name: string): Error => Object.assign(new Error('story'), { name });

describe('the table of failures', () => {
  for (const [sign, code, unsent, refused] of [
    ['NOT_LEADER_FOR_PARTITION', 'log-leader-moved', 'retryable', 'retryable'],
    ['LEADER_NOT_AVAILABLE', 'log-leader-moved', 'retryable', 'retryable'],
    ['UNKNOWN_TOPIC_OR_PARTITION', 'log-topic-missing', 'retryable', 'retryable'],
    ['NOT_ENOUGH_REPLICAS', 'log-replicas-missing', 'retryable', 'retryable'],
    ['NOT_ENOUGH_REPLICAS_AFTER_APPEND', 'log-replicas-missing', 'retryable', 'unknown'],
    ['REQUEST_TIMED_OUT', 'log-timed-out', 'retryable', 'unknown'],
    ['REASSIGNMENT_IN_PROGRESS', 'log-being-reassigned', 'retryable', 'retryable'],
    ['KAFKA_STORAGE_ERROR', 'log-storage-failed', 'retryable', 'unknown'],
    ['UNKNOWN', 'log-storage-failed', 'retryable', 'unknown'],
    ['CORRUPT_MESSAGE', 'log-record-damaged', 'retryable', 'retryable'],
    ['MESSAGE_TOO_LARGE', 'log-record-too-large', 'fatal', 'fatal'],
    ['TOPIC_AUTHORIZATION_FAILED', 'log-access-denied', 'fatal', 'fatal'],
    ['INVALID_REPLICATION_FACTOR', 'log-brokers-missing', 'retryable', 'retryable'],
    ['UNSUPPORTED_VERSION', 'log-version-unsupported', 'fatal', 'fatal'],
    ['INVALID_RECORD', 'log-request-refused', 'fatal', 'fatal'],
  ] as const) {
    test(`${sign} is ${code}`, () => {
      const error = brokerError(codeOf(sign));
      expect(logFailure(error, 'unsent', 'c')).toMatchObject({
        name: 'PortError',
        code,
        disposition: unsent,
        cause: error,
      });
      expect(logFailure(error, 'refused', 'c')).toMatchObject({ code, disposition: refused });
      expect(logFailure(error, 'sent', 'c')).toMatchObject({ code, disposition: 'unknown' });
    });
  }

  for (const [error, code, unsent] of [
    [named('KafkaJSConnectionError'), 'log-unreachable', 'retryable'],
    [named('KafkaJSConnectionClosedError'), 'log-unreachable', 'retryable'],
    [named('KafkaJSRequestTimeoutError'), 'log-timed-out', 'retryable'],
    [named('KafkaJSSASLAuthenticationError'), 'log-access-denied', 'fatal'],
    [new LinkError('link-timed-out', 's'), 'log-timed-out', 'retryable'],
    [new LinkError('link-closed', 's'), 'log-closed', 'retryable'],
    [new LinkError('batch-compressed', 's'), 'log-batch-compressed', 'fatal'],
    [new LinkError('versions-unsupported', 's'), 'log-version-unsupported', 'fatal'],
    [new TypeError('a defect'), 'log-client-failed', 'fatal'],
    ['not even an error', 'log-client-failed', 'fatal'],
    [undefined, 'log-client-failed', 'fatal'],
  ] as const) {
    test(`${error instanceof LinkError ? error.kind : error instanceof Error ? error.name : String(error)} is ${code}`, () => {
      expect(logFailure(error, 'unsent', 'c')).toMatchObject({ code, disposition: unsent });
      expect(logFailure(error, 'sent', 'c')).toMatchObject({ code, disposition: 'unknown' });
    });
  }

  test('an error code that the client has no name for is never read as failed once bytes were sent', () => {
    expect(logFailure(brokerError(9_999), 'refused', 'c').disposition).toBe('unknown');
    expect(logFailure(brokerError(9_999), 'sent', 'c').disposition).toBe('unknown');
  });

  test('each sign has one row, and each row tells the next step', () => {
    const signs = LOG_FAILURES.flatMap((kind) => kind.signs);
    expect(new Set(signs).size).toBe(signs.length);
    for (const { code, nextStep } of LOG_FAILURES) {
      expect(code).toMatch(/^log(-[a-z]+)+$/);
      expect(nextStep).toMatch(/^[A-Z].*\.$/);
    }
  });

  test('every sign in capitals is a name that the client gives to an error of a broker', () => {
    const types = new Set(errorCodes.map(({ type }) => type));
    const unknown = LOG_FAILURES.flatMap((kind) => kind.signs).filter(
      (sign) => /^[A-Z_]+$/.test(sign) && !types.has(sign),
    );
    expect(unknown).toEqual([]);
  });

  test('the message says what was done, what happened and what to do', () => {
    expect(
      logFailure(new LinkError('link-timed-out', 'Produce took longer than 5 ms'), 'sent', 'appending to t/0')
        .message,
    ).toBe(
      'appending to t/0: Produce took longer than 5 ms. Check the load of the brokers, the replicas of the partition and the network between.',
    );
  });
});
