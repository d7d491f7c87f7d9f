import { describe, expect, test } from '@jest/globals';
import { FETCH, PRODUCE, requestFrame, responseFrame } from './kafka-frames.fixture.js';
import { KafkaConversation, ResponseSwallower } from './response-swallower.js';

/** What a client gets of a conversation whose bytes come in pieces of this size. */
function conversation(swallower: ResponseSwallower, pieceBytes = Number.MAX_SAFE_INTEGER) {
  const one = new KafkaConversation(swallower);
  const pieces = (frames: readonly Buffer[]) => {
    const bytes = Buffer.concat(frames);
    return Array.from({ length: Math.ceil(bytes.length / pieceBytes) }, (_, index) =>
      bytes.subarray(index * pieceBytes, (index + 1) * pieceBytes),
    );
  };
  return {
    ask: (...frames: readonly Buffer[]) => pieces(frames).forEach((piece) => one.follow(piece)),
    answer: (...frames: readonly Buffer[]) => {
      const delivered: Buffer[] = [];
      for (const piece of pieces(frames)) {
        const length = one.deliverable(piece);
        delivered.push(piece.subarray(0, length));
        if (length < piece.length) return { delivered: Buffer.concat(delivered), over: true };
      }
      return { delivered: Buffer.concat(delivered), over: false };
    },
  };
}

function ordered(responses: number): ResponseSwallower {
  const swallower = new ResponseSwallower();
  swallower.swallowNext(responses);
  return swallower;
}

describe('a conversation with a broker', () => {
  const answers = [responseFrame(1), responseFrame(2), responseFrame(3)];

  test.each([1, 3, 7, 8, 11, 48, 50, 1_000])(
    'in pieces of %i bytes: what stands before the produce response is delivered whole, nothing behind it',
    (pieceBytes) => {
      const swallower = ordered(1);
      const { ask, answer } = conversation(swallower, pieceBytes);
      ask(requestFrame(FETCH, 1), requestFrame(PRODUCE, 2), requestFrame(FETCH, 3));
      const { delivered, over } = answer(...answers);
      expect(over).toBe(true);
      const whole = answers[0]!.length;
      expect(delivered.subarray(0, whole).equals(answers[0]!)).toBe(true);
      // A head that came in pieces cannot be judged before its last one.
      expect(delivered.length - whole).toBeLessThan(8);
      expect(swallower).toMatchObject({ due: 0, swallowed: 1 });
    },
  );

  test.each([1, 5, 1_000])('in pieces of %i bytes: without an order every byte passes', (pieceBytes) => {
    const { ask, answer } = conversation(new ResponseSwallower(), pieceBytes);
    ask(requestFrame(PRODUCE, 1), requestFrame(PRODUCE, 2), requestFrame(FETCH, 3));
    const { delivered, over } = answer(...answers);
    expect(over).toBe(false);
    expect(delivered.equals(Buffer.concat(answers))).toBe(true);
  });

  test('an order that comes in the middle of a frame finds the next produce response', () => {
    const swallower = new ResponseSwallower();
    const { ask, answer } = conversation(swallower);
    ask(requestFrame(PRODUCE, 1), requestFrame(PRODUCE, 2));
    const [first, second] = [responseFrame(1), responseFrame(2)];
    expect(answer(first.subarray(0, 20)).over).toBe(false);
    swallower.swallowNext(1);
    expect(answer(first.subarray(20)).over).toBe(false);
    expect(answer(second)).toEqual({ delivered: Buffer.alloc(0), over: true });
  });

  test('a request that wants no answer is not mistaken for one that was answered', () => {
    const swallower = ordered(1);
    const { ask, answer } = conversation(swallower);
    // Produce with acks=0: the broker says nothing, the next answer is that of the fetch.
    ask(requestFrame(PRODUCE, 1), requestFrame(FETCH, 2));
    expect(answer(responseFrame(2)).over).toBe(false);
    expect(swallower.swallowed).toBe(0);
  });

  test('however many requests want no answer, the next produce response is found', () => {
    const { ask, answer } = conversation(ordered(1));
    for (let id = 0; id < 5_000; id += 1) ask(requestFrame(PRODUCE, id));
    expect(answer(responseFrame(4_999)).over).toBe(true);
  });
});

describe('an order', () => {
  test('is shared by all conversations, and the last one holds', () => {
    const swallower = ordered(5);
    swallower.swallowNext(2);
    const overs = [1, 2, 3].map(() => {
      const { ask, answer } = conversation(swallower);
      ask(requestFrame(PRODUCE, 1));
      return answer(responseFrame(1)).over;
    });
    expect(overs).toEqual([true, true, false]);
    expect(swallower).toMatchObject({ due: 0, swallowed: 2 });
  });

  test('is taken back by 0', () => {
    const swallower = ordered(5);
    swallower.swallowNext(0);
    expect(swallower.take()).toBe(false);
  });
});
