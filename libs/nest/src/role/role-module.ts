/** Composes the controllers of the parts that a role has. It decides nothing. */
import { Module } from '@nestjs/common';
import type { DynamicModule, Provider, Type } from '@nestjs/common';
import type { Logger } from '@lockstep/telemetry';
import { ChangesController, OpenFeeds } from '../changes/changes.controller.js';
import { COORDINATOR_API, CoordinatorController } from '../http/coordinator.controller.js';
import { GATEWAY_API, GatewayController } from '../http/gateway.controller.js';
import { IncomingBodies } from '../http/incoming.js';
import { HEALTH_API, METRICS_TEXT, ProcessController } from '../http/process.controller.js';
import { LOGGER, OPEN_STREAM, OpenStreams, StreamController } from '../http/stream.controller.js';
import type { OpenStream } from '../http/stream.controller.js';
import type { Role } from './role.js';

@Module({})
export class RoleModule {
  static forRole(role: Role, logger: Logger): DynamicModule {
    const controllers: Type[] = [ProcessController];
    const providers: Provider[] = [
      IncomingBodies,
      OpenFeeds,
      OpenStreams,
      { provide: LOGGER, useValue: logger },
      { provide: HEALTH_API, useValue: role.health },
      { provide: METRICS_TEXT, useValue: () => role.metricsText() },
    ];
    if (role.gateway !== undefined) {
      controllers.push(GatewayController, ChangesController);
      providers.push({ provide: GATEWAY_API, useValue: role.gateway });
    }
    if (role.coordinator !== undefined) {
      controllers.push(CoordinatorController);
      providers.push({ provide: COORDINATOR_API, useValue: role.coordinator });
    }
    if (role.openStream !== undefined) {
      const openStream: OpenStream = role.openStream.bind(role);
      controllers.push(StreamController);
      providers.push({ provide: OPEN_STREAM, useValue: openStream });
    }
    return { module: RoleModule, controllers, providers };
  }
}
