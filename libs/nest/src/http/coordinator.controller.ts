/** The coordinator's routes. Those whose part does not exist yet say so: `not-yet` instead of silence or a guess. */
import { All, Controller, Get, Inject, Param, Post, Req, Res } from '@nestjs/common';
import { ReturnTurns } from '@lockstep/engine';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { CoordinatorApi, RegionFact } from './coordinator-api.js';
import { PASSED_ON_HEADER } from './leader-call.js';
import { Refusal, writeAnswer, type HttpAnswer } from './http-answer.js';
import { BODY_BYTES_MAX, IncomingBodies, incomingHeaders, incomingQuery } from './incoming.js';

const isPassedOn = ({ headers }: IncomingMessage): boolean => headers[PASSED_ON_HEADER] !== undefined;

export const COORDINATOR_API = Symbol('CoordinatorApi');

const CLUSTER = 'v1/cluster';
const DECISIONS = 'v1/decisions';
const HISTORY = 'v1/history';
const RECORDS = 'v1/history/records';
const PREFLIGHT = 'v1/preflight';
const RULE = 'v1/datasets/:dataset/rule';
const SWITCHOVER = 'v1/shards/:dataset/:n/switchover';
const FAILOVER = 'v1/shards/:dataset/:n/failover';
const APPROVE = 'v1/shards/:dataset/:n/approve';
const EVACUATE = 'v1/regions/:region/evacuate';
const CANCEL = 'v1/decisions/:decision/cancel';
const ACKNOWLEDGE = 'v1/decisions/:decision/acknowledge';
const PAUSE = 'v1/pause';
const RESUME = 'v1/resume';
const VERIFY = 'v1/verify';
const CONSOLE = 'v1/console';
const CANARIES = 'v1/canaries';
const RULE_CHANGES = 'v1/rule-changes';
const REGION_SHARDS = 'v1/regions/:region/shards';
const REGION_STATUS = 'v1/regions/:region/status';
const REGION_QUARANTINE = 'v1/regions/:region/quarantine';
const REGION_CANARIES = 'v1/regions/:region/canaries';
const REGION_RECEIPT = 'v1/regions/:region/datasets/:dataset/receipts/:idempotencyKey';
const OF_REGIONS = [REGION_SHARDS, REGION_STATUS, REGION_QUARANTINE, REGION_CANARIES, REGION_RECEIPT];

/** As it stands in the path. */
interface ShardInPath {
  readonly dataset: string;
  readonly n: string;
}

@Controller()
export class CoordinatorController {
  private readonly turns = new ReturnTurns();

  constructor(
    @Inject(COORDINATOR_API) private readonly coordinator: CoordinatorApi,
    @Inject(IncomingBodies) private readonly bodies: IncomingBodies,
  ) {}

  @Get(CLUSTER)
  async cluster(@Res() response: ServerResponse): Promise<void> {
    this.tell(response, await this.coordinator.cluster());
  }

  @Get(DECISIONS)
  async decisions(@Req() request: IncomingMessage, @Res() response: ServerResponse): Promise<void> {
    this.tell(response, await this.coordinator.decisions(incomingQuery(request)));
  }

  @Get(HISTORY)
  async history(@Res() response: ServerResponse): Promise<void> {
    this.tell(response, await this.coordinator.history());
  }

  @Get(RECORDS)
  async records(@Req() request: IncomingMessage, @Res() response: ServerResponse): Promise<void> {
    this.tell(response, await this.coordinator.records(incomingQuery(request)));
  }

  @Get(PREFLIGHT)
  async preflight(@Req() request: IncomingMessage, @Res() response: ServerResponse): Promise<void> {
    this.tell(response, await this.coordinator.preflight(incomingQuery(request)));
  }

  @Get(CONSOLE)
  async console(@Res() response: ServerResponse): Promise<void> {
    this.tell(response, await this.coordinator.console());
  }

  @Get(CANARIES)
  async canaries(@Req() request: IncomingMessage, @Res() response: ServerResponse): Promise<void> {
    this.tell(response, await this.coordinator.canaries(incomingQuery(request)));
  }

  @Get(RULE_CHANGES)
  async ruleChanges(@Res() response: ServerResponse): Promise<void> {
    this.tell(response, await this.coordinator.ruleChanges());
  }

  @Get(REGION_SHARDS)
  regionShards(
    @Param('region') region: string,
    @Req() request: IncomingMessage,
    @Res() response: ServerResponse,
  ): Promise<void> {
    return this.tellOfRegion(region, { kind: 'shards' }, request, response);
  }

  @Get(REGION_STATUS)
  regionStatus(
    @Param('region') region: string,
    @Req() request: IncomingMessage,
    @Res() response: ServerResponse,
  ): Promise<void> {
    return this.tellOfRegion(region, { kind: 'status' }, request, response);
  }

  @Get(REGION_QUARANTINE)
  regionQuarantine(
    @Param('region') region: string,
    @Req() request: IncomingMessage,
    @Res() response: ServerResponse,
  ): Promise<void> {
    return this.tellOfRegion(region, { kind: 'quarantine' }, request, response);
  }

  @Get(REGION_CANARIES)
  regionCanaries(
    @Param('region') region: string,
    @Req() request: IncomingMessage,
    @Res() response: ServerResponse,
  ): Promise<void> {
    return this.tellOfRegion(region, { kind: 'canaries' }, request, response);
  }

  @Get(REGION_RECEIPT)
  regionReceipt(
    @Param() receipt: { readonly region: string; readonly dataset: string; readonly idempotencyKey: string },
    @Req() request: IncomingMessage,
    @Res() response: ServerResponse,
  ): Promise<void> {
    const { dataset, idempotencyKey, region } = receipt;
    return this.tellOfRegion(region, { kind: 'receipt', dataset, idempotencyKey }, request, response);
  }

  @Post(RULE)
  changeRule(
    @Param('dataset') dataset: string,
    @Req() request: IncomingMessage,
    @Res() response: ServerResponse,
  ): Promise<void> {
    return this.answer(request, response, (body) => this.coordinator.changeRule(dataset, body));
  }

  @Post(SWITCHOVER)
  switchover(
    @Param() shard: ShardInPath,
    @Req() request: IncomingMessage,
    @Res() response: ServerResponse,
  ): Promise<void> {
    return this.answer(request, response, (body) =>
      this.coordinator.move('switchover', shard, body, isPassedOn(request)),
    );
  }

  @Post(FAILOVER)
  failover(
    @Param() shard: ShardInPath,
    @Req() request: IncomingMessage,
    @Res() response: ServerResponse,
  ): Promise<void> {
    return this.answer(request, response, (body) =>
      this.coordinator.move('failover', shard, body, isPassedOn(request)),
    );
  }

  @Post(APPROVE)
  approve(
    @Param() shard: ShardInPath,
    @Req() request: IncomingMessage,
    @Res() response: ServerResponse,
  ): Promise<void> {
    return this.answer(request, response, (body) => this.coordinator.approve(shard, body));
  }

  @Post(EVACUATE)
  evacuate(
    @Param('region') region: string,
    @Req() request: IncomingMessage,
    @Res() response: ServerResponse,
  ): Promise<void> {
    return this.answer(request, response, (body) =>
      this.coordinator.evacuate(region, body, isPassedOn(request)),
    );
  }

  @Post(CANCEL)
  cancel(
    @Param('decision') decision: string,
    @Req() request: IncomingMessage,
    @Res() response: ServerResponse,
  ): Promise<void> {
    return this.answer(request, response, (body) => this.coordinator.cancel(decision, body));
  }

  @Post(ACKNOWLEDGE)
  acknowledge(
    @Param('decision') decision: string,
    @Req() request: IncomingMessage,
    @Res() response: ServerResponse,
  ): Promise<void> {
    return this.answer(request, response, (body) => this.coordinator.acknowledge(decision, body));
  }

  @Post(PAUSE)
  pause(@Req() request: IncomingMessage, @Res() response: ServerResponse): Promise<void> {
    return this.answer(request, response, (body) => this.coordinator.pause(body));
  }

  @Post(RESUME)
  resume(@Req() request: IncomingMessage, @Res() response: ServerResponse): Promise<void> {
    return this.answer(request, response, (body) => this.coordinator.resume(body));
  }

  @Post(VERIFY)
  verify(): never {
    throw new Refusal(
      'not-yet',
      'Regions are compared by the hashes in /v1/shards; deep digests are not made in this version.',
    );
  }

  @All([CLUSTER, DECISIONS, HISTORY, RECORDS, PREFLIGHT, CONSOLE, CANARIES, RULE_CHANGES, ...OF_REGIONS])
  onlyGet(): never {
    throw new Refusal('method-not-allowed', 'This is read with GET.', { allow: 'GET, HEAD' });
  }

  @All([RULE, SWITCHOVER, FAILOVER, APPROVE, EVACUATE, CANCEL, ACKNOWLEDGE, PAUSE, RESUME, VERIFY])
  onlyPost(): never {
    throw new Refusal('method-not-allowed', 'This is asked for with POST.', { allow: 'POST' });
  }

  private async tellOfRegion(
    region: string,
    about: RegionFact,
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<void> {
    const asked = { about, query: incomingQuery(request), headers: incomingHeaders(request) };
    this.tell(response, await this.coordinator.ofRegion(region, asked));
  }

  private tell(response: ServerResponse, answer: HttpAnswer): void {
    writeAnswer(response, this.turns.give(answer));
  }

  private async answer(
    request: IncomingMessage,
    response: ServerResponse,
    to: (body: string) => Promise<HttpAnswer>,
  ): Promise<void> {
    await this.bodies.withBody(request, BODY_BYTES_MAX, async (body) => this.tell(response, await to(body)));
  }
}
