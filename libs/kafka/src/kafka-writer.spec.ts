import { describe, expect, test } from '@jest/globals';
import type { BrokerDirectory } from './broker-directory.js';
import type { AppendAnswer } from './append-call.js';
import { appendedBy, KafkaWriter } from './kafka-writer.js';

const REFUSED_WITHOUT_APPEND = -1n;
const NOT_LEADER = 6;
const TOO_LARGE = 10;
const TIMED_OUT = 7;

const answer = (fields: Partial<AppendAnswer['partitions'][number]>): AppendAnswer => ({
  clientSideThrottleTime: 0,
  partitions: [
    {
      partition: 2,
      errorCode: 0,
      baseOffset: 10n,
      logAppendTime: 1_790_000_000_123,
      logStartOffset: 4n,
      ...fields,
    },
  ],
});
const read = (given: AppendAnswer) => () => appendedBy(given, { topic: 't', partition: 2 });

describe('the answer to an append', () => {
  test('tells the offset and the append time', () => {
    expect(read(answer({}))()).toEqual({ baseOffset: 10n, appendTimeMs: 1_790_000_000_123 });
    expect(read(answer({ baseOffset: 0n, logStartOffset: 0n }))()).toMatchObject({ baseOffset: 0n });
  });

  test('is retryable when the broker was not the leader before it appended', () => {
    expect(read(answer({ errorCode: NOT_LEADER, baseOffset: REFUSED_WITHOUT_APPEND }))).toThrow(
      expect.objectContaining({ code: 'log-leader-moved', disposition: 'retryable' }),
    );
  });

  test('is unknown when the broker lost its office after it had appended', () => {
    expect(read(answer({ errorCode: NOT_LEADER, baseOffset: 10n }))).toThrow(
      expect.objectContaining({ code: 'log-leader-moved', disposition: 'unknown' }),
    );
  });

  test('is unknown after a time-out of the replicas, with or without an offset', () => {
    for (const baseOffset of [REFUSED_WITHOUT_APPEND, 10n]) {
      expect(read(answer({ errorCode: TIMED_OUT, baseOffset }))).toThrow(
        expect.objectContaining({ disposition: 'unknown' }),
      );
    }
  });

  test('is fatal when the records are too large', () => {
    expect(read(answer({ errorCode: TOO_LARGE, baseOffset: REFUSED_WITHOUT_APPEND }))).toThrow(
      expect.objectContaining({ code: 'log-record-too-large', disposition: 'fatal' }),
    );
  });

  for (const [title, given] of [
    ['success without an offset', answer({ baseOffset: -1n })],
    ['offset 0 of a log that begins later', answer({ baseOffset: 0n })],
    ['no append time', answer({ logAppendTime: -1 })],
    ['another partition', answer({ partition: 3 })],
    ['no partition', { ...answer({}), partitions: [] }],
    ['two partitions', { ...answer({}), partitions: [...answer({}).partitions, ...answer({}).partitions] }],
  ] as const) {
    test(`is unknown when it is suspicious: ${title}`, () => {
      expect(read(given)).toThrow(
        expect.objectContaining({ code: 'log-answer-suspicious', disposition: 'unknown' }),
      );
    });
  }
});

/** Plays the leaders, one for each look-up, with their answers. */
async function appendAt(answers: readonly AppendAnswer[], timeoutMs = 5_000) {
  const left = [...answers];
  const suspects: number[] = [];
  let looks = 0;
  const directory = {
    suspect: ({ port }: { port: number }) => void suspects.push(port),
    linkToLeader: async () => {
      looks += 1;
      const address = { host: 'h', port: looks };
      return { address, usable: true, close: () => {}, send: async () => left.shift() ?? answers.at(-1) };
    },
  } as unknown as BrokerDirectory;
  const appending = new KafkaWriter(directory, () => {}).append({
    topic: 't',
    partition: 2,
    records: [{ key: 'k', value: 'v', header: Uint8Array.of(1), traceparent: null }],
    timeoutMs,
  });
  const outcome = await appending.catch((error: unknown) => error);
  return { outcome, looks, suspects };
}

describe('an append at a broker that leads no more', () => {
  const refused = answer({ errorCode: NOT_LEADER, baseOffset: REFUSED_WITHOUT_APPEND });

  test('goes to the next leader when it was certainly refused, and nobody is suspected', async () => {
    const { outcome, looks, suspects } = await appendAt([refused, refused, answer({})]);
    expect([outcome, looks, suspects]).toEqual([{ baseOffset: 10n, appendTimeMs: 1_790_000_000_123 }, 3, []]);
  });

  test('is not repeated when it may stand', async () => {
    const lost = answer({ errorCode: NOT_LEADER, baseOffset: 10n });
    const { outcome, looks } = await appendAt([refused, lost]);
    expect(outcome).toMatchObject({ code: 'log-leader-moved', disposition: 'unknown' });
    expect(looks).toBe(2);
  });

  test('is given up within its time', async () => {
    const { looks, outcome } = await appendAt([refused], 60);
    // One that oversleeps finds its time over before it asks again.
    const code = expect.stringMatching(/^log-(leader-moved|timed-out)$/);
    expect(outcome).toMatchObject({ code, disposition: 'retryable' });
    // After 0, 5, 15 and 35 ms; a slow machine looks less often, and one that goes on for longer looks more often.
    expect(looks).toBeLessThan(6);
  });
});
