/** The gateway's routes. Each reads the request in bounds, asks the API and writes its answer as it stands. */
import { All, Controller, Get, Inject, Param, Post, Req, Res } from '@nestjs/common';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { GatewayApi, IncomingHeaders } from './gateway-api.js';
import { Refusal, writeAnswer, type HttpAnswer } from './http-answer.js';
import {
  BATCH_BODY_BYTES_MAX,
  BODY_BYTES_MAX,
  IncomingBodies,
  incomingHeaders,
  incomingQuery,
  isForwarded,
} from './incoming.js';

export const GATEWAY_API = Symbol('GatewayApi');

const ENTRIES = 'v1/datasets/:dataset/entries';
/** Unescaped, Express would read `:batch` as a parameter. */
const BATCH = 'v1/datasets/:dataset/entries\\:batch';
const RECEIPT = 'v1/datasets/:dataset/receipts/:idempotencyKey';
const ROW = 'v1/datasets/:dataset/rows/:key';
const ROWS = 'v1/rows';
const QUARANTINE = 'v1/quarantine';
const ENTRY = 'v1/quarantine/:id';
const REAPPLY = 'v1/quarantine/:id/reapply';
const DISCARD = 'v1/quarantine/:id/discard';
const STATUS = 'v1/status';
const SHARDS = 'v1/shards';
const SHARD = 'v1/shards/:dataset/:n';
const OUTBOX = 'v1/shards/:dataset/:n/outbox';

@Controller()
export class GatewayController {
  constructor(
    @Inject(GATEWAY_API) private readonly gateway: GatewayApi,
    @Inject(IncomingBodies) private readonly bodies: IncomingBodies,
  ) {}

  @Post(ENTRIES)
  async write(
    @Param('dataset') dataset: string,
    @Req() request: IncomingMessage,
    @Res() response: ServerResponse,
  ): Promise<void> {
    await this.admitted(dataset, request, response, () =>
      this.answerBody(request, response, BODY_BYTES_MAX, (asked) =>
        this.gateway.write({ dataset, ...asked }),
      ),
    );
  }

  @Post(BATCH)
  async writeBatch(
    @Param('dataset') dataset: string,
    @Req() request: IncomingMessage,
    @Res() response: ServerResponse,
  ): Promise<void> {
    await this.admitted(dataset, request, response, () =>
      this.answerBody(request, response, BATCH_BODY_BYTES_MAX, (asked) =>
        this.gateway.writeBatch({ dataset, ...asked }),
      ),
    );
  }

  @Get(RECEIPT)
  async receipt(
    @Param('dataset') dataset: string,
    @Param('idempotencyKey') idempotencyKey: string,
    @Req() request: IncomingMessage,
    @Res() response: ServerResponse,
  ): Promise<void> {
    const asked = {
      dataset,
      idempotencyKey,
      query: incomingQuery(request),
      headers: incomingHeaders(request),
    };
    writeAnswer(response, await this.gateway.receipt(asked));
  }

  @Get(ROW)
  async row(
    @Param('dataset') dataset: string,
    @Param('key') key: string,
    @Req() request: IncomingMessage,
    @Res() response: ServerResponse,
  ): Promise<void> {
    const asked = { dataset, key, query: incomingQuery(request), headers: incomingHeaders(request) };
    writeAnswer(response, await this.gateway.row(asked));
  }

  @Post(ROWS)
  async rows(@Req() request: IncomingMessage, @Res() response: ServerResponse): Promise<void> {
    await this.answerBody(request, response, BODY_BYTES_MAX, (asked) => this.gateway.rows(asked));
  }

  @Get(QUARANTINE)
  async quarantine(@Req() request: IncomingMessage, @Res() response: ServerResponse): Promise<void> {
    writeAnswer(response, await this.gateway.quarantine({ query: incomingQuery(request) }));
  }

  @Get(ENTRY)
  async quarantined(@Param('id') id: string, @Res() response: ServerResponse): Promise<void> {
    writeAnswer(response, await this.gateway.quarantined(id));
  }

  @Post(REAPPLY)
  async reapply(
    @Param('id') id: string,
    @Req() request: IncomingMessage,
    @Res() response: ServerResponse,
  ): Promise<void> {
    await this.answerBody(request, response, BODY_BYTES_MAX, (asked) =>
      this.gateway.reapply({ id, ...asked }),
    );
  }

  @Post(DISCARD)
  async discard(
    @Param('id') id: string,
    @Req() request: IncomingMessage,
    @Res() response: ServerResponse,
  ): Promise<void> {
    await this.answerBody(request, response, BODY_BYTES_MAX, (asked) =>
      this.gateway.discard({ id, ...asked }),
    );
  }

  @Get(STATUS)
  async status(@Req() request: IncomingMessage, @Res() response: ServerResponse): Promise<void> {
    writeAnswer(response, await this.gateway.status({ query: incomingQuery(request) }));
  }

  @Get(SHARDS)
  async shards(@Res() response: ServerResponse): Promise<void> {
    writeAnswer(response, await this.gateway.shards());
  }

  @Get(SHARD)
  async shard(
    @Param('dataset') dataset: string,
    @Param('n') n: string,
    @Res() response: ServerResponse,
  ): Promise<void> {
    writeAnswer(response, await this.gateway.shard(dataset, n));
  }

  @Get(OUTBOX)
  async outbox(
    @Param('dataset') dataset: string,
    @Param('n') n: string,
    @Res() response: ServerResponse,
  ): Promise<void> {
    writeAnswer(response, await this.gateway.outbox(dataset, n));
  }

  private async answerBody(
    request: IncomingMessage,
    response: ServerResponse,
    bytesMax: number,
    answer: (asked: { readonly body: string; readonly headers: IncomingHeaders }) => Promise<HttpAnswer>,
  ): Promise<void> {
    const headers = incomingHeaders(request);
    await this.bodies.withBody(request, bytesMax, async (body) =>
      writeAnswer(response, await answer({ body, headers })),
    );
  }

  /** A body that is not read is received and thrown away by the server. */
  private async admitted(
    dataset: string,
    request: IncomingMessage,
    response: ServerResponse,
    write: () => Promise<void>,
  ): Promise<void> {
    const admission = this.gateway.admit({ dataset, forwarded: isForwarded(request) });
    if ('refused' in admission) {
      writeAnswer(response, admission.refused);
      return;
    }
    try {
      await write();
    } finally {
      admission.release();
    }
  }

  @All([ENTRIES, BATCH])
  onlyPost(): never {
    throw new Refusal('method-not-allowed', 'Entries are written with POST.', { allow: 'POST' });
  }

  @All(ROWS)
  onlyPostRows(): never {
    throw new Refusal('method-not-allowed', 'Rows are read together with POST.', { allow: 'POST' });
  }

  @All([REAPPLY, DISCARD])
  onlyPostOfEntry(): never {
    throw new Refusal('method-not-allowed', 'This is asked for with POST.', { allow: 'POST' });
  }

  @All([RECEIPT, ROW, QUARANTINE, ENTRY, STATUS, SHARDS, SHARD, OUTBOX])
  onlyGet(): never {
    throw new Refusal('method-not-allowed', 'This is read with GET.', { allow: 'GET, HEAD' });
  }
}
