/** What every role answers: liveness, readiness, metrics, and the description of all calls. */
import { All, Controller, Get, Inject, Res } from '@nestjs/common';
import type { ServerResponse } from 'node:http';
import type { HealthApi } from './health-api.js';
import { Refusal, writeAnswer } from './http-answer.js';
import { OPENAPI_TEXT } from './openapi.js';

export const HEALTH_API = Symbol('HealthApi');
export const METRICS_TEXT = Symbol('MetricsText');

@Controller()
export class ProcessController {
  constructor(
    @Inject(HEALTH_API) private readonly health: HealthApi,
    @Inject(METRICS_TEXT) private readonly metricsText: () => Promise<string>,
  ) {}

  @Get('healthz')
  healthz(@Res() response: ServerResponse): void {
    writeAnswer(response, this.health.health());
  }

  @Get('readyz')
  readyz(@Res() response: ServerResponse): void {
    writeAnswer(response, this.health.ready());
  }

  @Get('metrics')
  async metrics(@Res() response: ServerResponse): Promise<void> {
    const body = await this.metricsText();
    writeAnswer(response, {
      status: 200,
      headers: { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' },
      body,
    });
  }

  @Get('openapi.json')
  openapi(@Res() response: ServerResponse): void {
    writeAnswer(response, {
      status: 200,
      headers: { 'content-type': 'application/json' },
      body: OPENAPI_TEXT,
    });
  }

  @All(['healthz', 'readyz', 'metrics', 'openapi.json'])
  onlyGet(): never {
    throw new Refusal('method-not-allowed', 'This is read with GET.', { allow: 'GET, HEAD' });
  }
}
