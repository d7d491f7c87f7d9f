/** The replicator's stream of watermarks and verdicts, to a bounded number of listeners at a time. */
import { All, Controller, Get, Inject, Req, Res } from '@nestjs/common';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Logger } from '@lockstep/telemetry';
import { serveStream } from '@lockstep/transport';
import type { Subscription } from '@lockstep/engine';
import { Refusal } from './http-answer.js';
import { incomingQuery } from './incoming.js';

export const OPEN_STREAM = Symbol('OpenStream');
export const LOGGER = Symbol('Logger');
export type OpenStream = (publisherPrefix: string | null) => Subscription;

/** Gateways and coordinators of all regions, and some people with curl. */
export const STREAMS_MAX = 256;
const PREFIX_PATTERN = /^[0-9a-f]{16}$/;
const STREAM = 'v1/stream';

/** The streams that are open; a stream never ends by itself, so whoever stops the server ends them first. */
export class OpenStreams {
  readonly #subscriptions = new Set<Subscription>();

  get count(): number {
    return this.#subscriptions.size;
  }

  async serve(subscription: Subscription, response: ServerResponse): Promise<void> {
    this.#subscriptions.add(subscription);
    try {
      await serveStream(subscription, response);
    } finally {
      this.#subscriptions.delete(subscription);
    }
  }

  close(): void {
    for (const subscription of this.#subscriptions) subscription.close();
  }
}

@Controller()
export class StreamController {
  constructor(
    @Inject(OPEN_STREAM) private readonly openStream: OpenStream,
    @Inject(OpenStreams) private readonly streams: OpenStreams,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  @Get(STREAM)
  async stream(@Req() request: IncomingMessage, @Res() response: ServerResponse): Promise<void> {
    // Express hands HEAD to GET; a stream without a body would run for nobody.
    if (request.method !== 'GET') this.onlyGet();
    const { verdicts: prefix = null, ...others } = incomingQuery(request);
    const [strange] = Object.keys(others);
    if (strange !== undefined)
      throw new Refusal(
        'malformed',
        `The query names ${JSON.stringify(strange)}; a stream knows only verdicts.`,
      );
    if (prefix !== null && !PREFIX_PATTERN.test(prefix)) {
      throw new Refusal('malformed', 'verdicts is the first 16 lower-case hex digits of a publisher.');
    }
    if (this.streams.count >= STREAMS_MAX) {
      throw new Refusal('overloaded', `${STREAMS_MAX} streams are open.`);
    }
    try {
      await this.streams.serve(this.openStream(prefix), response);
    } catch (error) {
      // The answer has begun: the listener sees its stream end, and connects again.
      this.logger.info({ err: error, verdicts: prefix }, 'a stream was ended by its subscription');
    }
  }

  @All(STREAM)
  onlyGet(): never {
    throw new Refusal('method-not-allowed', 'A stream is read with GET.', { allow: 'GET' });
  }
}
