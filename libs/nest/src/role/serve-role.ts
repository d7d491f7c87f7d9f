/**
 * Puts a composed role behind HTTP, and takes it away again in order: stop listening, answer what is under way
 * (bounded), close what is left, then end the role.
 */
import 'reflect-metadata';
import { NestFactory } from '@nestjs/core';
import type { LoggerService } from '@nestjs/common';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Logger } from '@lockstep/telemetry';
import { OpenFeeds } from '../changes/changes.controller.js';
import { BoundedExpressAdapter, drain } from '../http/bounded-http-server.js';
import { ProblemFilter } from '../http/problem.filter.js';
import type { Site } from '../http/site.js';
import { OpenStreams } from '../http/stream.controller.js';
import type { RoleConfiguration } from './configuration.js';
import { RoleModule } from './role-module.js';
import type { Role } from './role.js';

/** What a caller may still wait for when the process is told to end. */
export const DRAIN_MS_MAX = 5_000;

export interface ServedRole {
  /** Where it answers, with the port that it really has. */
  readonly url: string;
  /** Idempotent. */
  close(): Promise<void>;
}

/** @param site pages that are served beside the role's calls. */
export async function serveRole(
  role: Role,
  listen: RoleConfiguration['listen'],
  logger: Logger,
  site: Site | null = null,
): Promise<ServedRole> {
  const application = await NestFactory.create(
    RoleModule.forRole(role, logger),
    new BoundedExpressAdapter((write) => role.gateway?.refusal(write) ?? null),
    {
      logger: nestLog(logger),
      bodyParser: false,
      abortOnError: false,
    },
  );
  if (site !== null) {
    application.use((request: IncomingMessage, response: ServerResponse, next: () => void) => {
      if (!site.answer(request, response)) next();
    });
  }
  application.useGlobalFilters(new ProblemFilter(logger, (status, code) => role.refused(status, code)));
  await application.listen(listen.port, listen.host);
  const server = application.getHttpServer() as Server;
  const endless = [application.get(OpenStreams), application.get(OpenFeeds)];
  let closing: Promise<void> | null = null;

  async function close(): Promise<void> {
    const drained = drain(server, DRAIN_MS_MAX);
    for (const each of endless) each.close();
    await drained;
    await application.close();
    await role.close();
  }

  return {
    url: urlOf(server.address() as AddressInfo),
    close: () => (closing ??= close()),
  };
}

function urlOf({ address, family, port }: AddressInfo): string {
  return `http://${family === 'IPv6' ? `[${address}]` : address}:${port}`;
}

/** Nest tells every route at its start; that is detail. Its complaints keep their level. */
function nestLog(logger: Logger): LoggerService {
  const nest = logger.child({ from: 'nest' });
  return {
    log: (message: unknown) => nest.debug(String(message)),
    warn: (message: unknown) => nest.warn(String(message)),
    error: (message: unknown) => nest.error(String(message)),
    fatal: (message: unknown) => nest.fatal(String(message)),
    debug: (message: unknown) => nest.trace(String(message)),
    verbose: (message: unknown) => nest.trace(String(message)),
  };
}
