/**
 * Swallows answers to Kafka's produce requests on their way to a client, as a network does that fails after a request was
 * carried out: the answer is not delivered, and the connection ends where it would have begun.
 *
 * A conversation is followed from its first byte, by the lengths and correlation ids of its frames alone, because an
 * order may come at any time and nothing in the middle of a stream tells where a frame begins. Bytes are neither changed
 * nor kept.
 */

/** What was ordered for the clients of one region, and what became of it. */
export class ResponseSwallower {
  #due = 0;
  #swallowed = 0;

  /** How many are still to be swallowed. */
  get due(): number {
    return this.#due;
  }

  get swallowed(): number {
    return this.#swallowed;
  }

  /** The next so many from now on, whatever was ordered before; 0 takes the order back. */
  swallowNext(responses: number): void {
    this.#due = responses;
  }

  /** A produce response passes: is it swallowed? */
  take(): boolean {
    if (this.#due === 0) return false;
    this.#due -= 1;
    this.#swallowed += 1;
    return true;
  }
}

const PRODUCE = 0;
/** Length, key and version of the API, correlation id. */
const REQUEST_HEAD_BYTES = 12;
/** Length, correlation id. */
const RESPONSE_HEAD_BYTES = 8;
/** Clients have few requests in flight; those that want no answer (acks=0) would gather. */
const AWAITED_MAX = 1_000;

/** One connection of a client to a broker. */
export class KafkaConversation {
  readonly #swallower: ResponseSwallower;
  readonly #requests = new FrameHeads(REQUEST_HEAD_BYTES);
  readonly #responses = new FrameHeads(RESPONSE_HEAD_BYTES);
  /** Correlation ids of produce requests, in the order in which a broker answers. */
  readonly #awaited: number[] = [];

  constructor(swallower: ResponseSwallower) {
    this.#swallower = swallower;
  }

  follow(request: Buffer): void {
    this.#requests.read(request, (head) => {
      if (head.readInt16BE(4) !== PRODUCE) return;
      this.#awaited.push(head.readInt32BE(8));
      if (this.#awaited.length > AWAITED_MAX) this.#awaited.shift();
    });
  }

  /** How many of these bytes are delivered; fewer than all: the rest is swallowed, and the connection ends there. */
  deliverable(response: Buffer): number {
    let length = response.length;
    this.#responses.read(response, (head, end) => {
      if (length < response.length || !this.#isAwaited(head.readInt32BE(4)) || !this.#swallower.take())
        return;
      // Of a head that came in pieces the first ones have passed; without the rest they say nothing.
      length = Math.max(0, end - RESPONSE_HEAD_BYTES);
    });
    return length;
  }

  #isAwaited(correlationId: number): boolean {
    const index = this.#awaited.indexOf(correlationId);
    // Those before it wanted no answer.
    this.#awaited.splice(0, index + 1);
    return index >= 0;
  }
}

/** Finds the heads of length-prefixed frames in a stream, however it is cut into pieces. */
class FrameHeads {
  readonly #head: Buffer;
  #headLength = 0;
  #restLength = 0;

  constructor(bytes: number) {
    this.#head = Buffer.alloc(bytes);
  }

  /** Calls with each head that ends in this piece, and where in the piece it ends. */
  read(piece: Buffer, onHead: (head: Buffer, end: number) => void): void {
    for (let position = 0; position < piece.length;) {
      if (this.#restLength > 0) {
        const skipped = Math.min(this.#restLength, piece.length - position);
        this.#restLength -= skipped;
        position += skipped;
        continue;
      }
      const copied = piece.copy(this.#head, this.#headLength, position);
      this.#headLength += copied;
      position += copied;
      if (this.#headLength < this.#head.length) return;
      this.#headLength = 0;
      this.#restLength = 4 + this.#head.readInt32BE(0) - this.#head.length;
      onHead(this.#head, position);
    }
  }
}
