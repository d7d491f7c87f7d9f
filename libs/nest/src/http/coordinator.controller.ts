/** The coordinator's routes. Those whose part does not exist yet say so: `not-yet` instead of silence or a guess. */
import { All, Controller, Get, Inject, Param, Post, Req, Res } from '@nestjs/common';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { CoordinatorApi } from './coordinator-api.js';
import { Refusal, writeAnswer } from './http-answer.js';
import { BODY_BYTES_MAX, IncomingBodies, incomingQuery } from './incoming.js';

export const COORDINATOR_API = Symbol('CoordinatorApi');

const CLUSTER = 'v1/cluster';
const DECISIONS = 'v1/decisions';
const HISTORY = 'v1/history';
const MOVES = [
  'v1/shards/:dataset/:n/switchover',
  'v1/shards/:dataset/:n/failover',
  'v1/regions/:region/evacuate',
];
const PAUSES = ['v1/pause', 'v1/resume'];
const PREFLIGHT = 'v1/preflight';
const VERIFY = 'v1/verify';
const RULE = 'v1/datasets/:dataset/rule';

@Controller()
export class CoordinatorController {
  constructor(
    @Inject(COORDINATOR_API) private readonly coordinator: CoordinatorApi,
    @Inject(IncomingBodies) private readonly bodies: IncomingBodies,
  ) {}

  @Get(CLUSTER)
  async cluster(@Res() response: ServerResponse): Promise<void> {
    writeAnswer(response, await this.coordinator.cluster());
  }

  @Get(DECISIONS)
  async decisions(@Req() request: IncomingMessage, @Res() response: ServerResponse): Promise<void> {
    writeAnswer(response, await this.coordinator.decisions(incomingQuery(request)));
  }

  @Get(HISTORY)
  async history(@Req() request: IncomingMessage, @Res() response: ServerResponse): Promise<void> {
    writeAnswer(response, await this.coordinator.history(incomingQuery(request)));
  }

  @Post(RULE)
  async changeRule(
    @Param('dataset') dataset: string,
    @Req() request: IncomingMessage,
    @Res() response: ServerResponse,
  ): Promise<void> {
    await this.bodies.withBody(request, BODY_BYTES_MAX, async (body) =>
      writeAnswer(response, await this.coordinator.changeRule(dataset, body)),
    );
  }

  @Post(MOVES)
  move(): never {
    throw new Refusal('not-yet', 'Shards stay at their homes: ownership cannot be moved in this version.');
  }

  @Post(PAUSES)
  pause(): never {
    throw new Refusal('not-yet', 'There is no automation that could be paused in this version.');
  }

  @Get(PREFLIGHT)
  preflight(): never {
    throw new Refusal('not-yet', 'A move cannot be predicted in this version, because none can be made.');
  }

  @Post(VERIFY)
  verify(): never {
    throw new Refusal(
      'not-yet',
      'Regions are compared by the hashes in /v1/shards; deep digests are not made in this version.',
    );
  }

  @All([CLUSTER, DECISIONS, HISTORY, PREFLIGHT])
  onlyGet(): never {
    throw new Refusal('method-not-allowed', 'This is read with GET.', { allow: 'GET, HEAD' });
  }

  @All([...MOVES, ...PAUSES, VERIFY, RULE])
  onlyPost(): never {
    throw new Refusal('method-not-allowed', 'This is asked for with POST.', { allow: 'POST' });
  }
}
