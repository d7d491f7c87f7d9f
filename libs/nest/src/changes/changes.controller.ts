/** The gateway's change feeds, to a bounded number of readers at a time. */
import { All, Controller, Get, Inject, Param, Req, Res } from '@nestjs/common';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Logger } from '@lockstep/telemetry';
import { serveLong, type Telling } from '@lockstep/transport';
import type { FeedMessage } from '@lockstep/engine';
import type { GatewayApi } from '../http/gateway-api.js';
import { GATEWAY_API } from '../http/gateway.controller.js';
import { Refusal, writeAnswer, type HttpAnswer } from '../http/http-answer.js';
import { incomingHeaders, incomingQuery } from '../http/incoming.js';
import { LOGGER } from '../http/stream.controller.js';
import { EVENTS } from './event-text.js';

/** Each holds a reader of the log. */
export const FEEDS_MAX = 256;
const CHANGES = 'v1/datasets/:dataset/changes';

/** The feeds that are open or being opened; none ends by itself, so whoever stops the server ends them first. */
export class OpenFeeds {
  readonly #feeds = new Set<Telling<FeedMessage>>();
  #opening = 0;
  #closed = false;

  get count(): number {
    return this.#feeds.size + this.#opening;
  }

  /** Null once a feed was served; what stands in the place of one is handed back. */
  async serve(
    open: () => Promise<Telling<FeedMessage> | HttpAnswer>,
    response: ServerResponse,
  ): Promise<HttpAnswer | null> {
    this.#opening += 1;
    const opened = await open().finally(() => (this.#opening -= 1));
    if (!('next' in opened)) return opened;
    this.#feeds.add(opened);
    if (this.#closed) opened.close();
    try {
      await serveLong(opened, response, EVENTS);
    } finally {
      this.#feeds.delete(opened);
    }
    return null;
  }

  close(): void {
    this.#closed = true;
    for (const feed of this.#feeds) feed.close();
  }
}

@Controller()
export class ChangesController {
  constructor(
    @Inject(GATEWAY_API) private readonly gateway: GatewayApi,
    @Inject(OpenFeeds) private readonly feeds: OpenFeeds,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  @Get(CHANGES)
  async changes(
    @Param('dataset') dataset: string,
    @Req() request: IncomingMessage,
    @Res() response: ServerResponse,
  ): Promise<void> {
    // Express hands HEAD to GET; a feed without a body would run for nobody.
    if (request.method !== 'GET') this.onlyGet();
    const asked = { dataset, query: incomingQuery(request), headers: incomingHeaders(request) };
    if (this.feeds.count >= FEEDS_MAX) throw new Refusal('overloaded', `${FEEDS_MAX} change feeds are open.`);
    try {
      const refused = await this.feeds.serve(() => this.gateway.changes(asked), response);
      if (refused !== null) writeAnswer(response, refused);
    } catch (error) {
      if (!response.headersSent) throw error;
      // The answer has begun: the reader sees his feed end, and resumes.
      this.logger.error({ err: error, dataset }, 'a change feed met a defect');
    }
  }

  @All(CHANGES)
  onlyGet(): never {
    throw new Refusal('method-not-allowed', 'Changes are read with GET.', { allow: 'GET' });
  }
}
