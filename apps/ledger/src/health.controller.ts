/** For whoever restarts this process (`healthz`) and whoever sends it requests (`readyz`). */
import { Controller, Get } from '@nestjs/common';
import { ApiOperation, ApiTags } from '@nestjs/swagger';
import { HealthCheck, HealthCheckService, type HealthCheckResult } from '@nestjs/terminus';
import { LockstepHealthIndicator } from '@lockstep/nest';

@ApiTags('health')
@Controller()
export class HealthController {
  constructor(
    private readonly health: HealthCheckService,
    private readonly lockstep: LockstepHealthIndicator,
  ) {}

  @Get('healthz')
  @HealthCheck()
  @ApiOperation({ summary: 'Whether this process answers' })
  live(): Promise<HealthCheckResult> {
    return this.health.check([]);
  }

  @Get('readyz')
  @HealthCheck()
  @ApiOperation({ summary: 'Whether writes can be taken now' })
  ready(): Promise<HealthCheckResult> {
    return this.health.check([() => this.lockstep.isHealthy('lockstep')]);
  }
}
