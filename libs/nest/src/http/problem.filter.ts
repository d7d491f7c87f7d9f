/**
 * Turns whatever a request ended with into a problem document. Refusals are told as they are. Anything else is a
 * defect of this service: the caller gets a trace id and no word of the cause, the log gets all of it under that id.
 */
import { Catch, HttpException } from '@nestjs/common';
import type { ArgumentsHost, ExceptionFilter } from '@nestjs/common';
import { randomBytes } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { ReturnTurns } from '@lockstep/engine';
import { parseTraceparent } from '@lockstep/telemetry';
import type { Logger } from '@lockstep/telemetry';
import { Refusal, writeAnswer } from './http-answer.js';

@Catch()
export class ProblemFilter implements ExceptionFilter {
  readonly #turns = new ReturnTurns();

  /** @param told of each refusal, with its status and code. */
  constructor(
    private readonly logger: Logger,
    private readonly told: (status: number, code: string) => void,
  ) {}

  catch(error: unknown, host: ArgumentsHost): void {
    const http = host.switchToHttp();
    const request = http.getRequest<IncomingMessage>();
    const refusal = refusalOf(error, request);
    const { answer, code } = refusal ?? this.#defect(error, request);
    this.told(answer.status, code);
    writeAnswer(http.getResponse<ServerResponse>(), refusal === null ? answer : this.#turns.give(answer));
  }

  #defect(error: unknown, request: IncomingMessage): Refusal {
    const traceparent = request.headers['traceparent'];
    const context = typeof traceparent === 'string' ? parseTraceparent(traceparent) : null;
    const traceId = context?.traceId ?? randomBytes(16).toString('hex');
    const path = request.url?.split('?')[0];
    this.logger.error(
      { err: error, trace_id: traceId, method: request.method, path },
      'a request met a defect',
    );
    return new Refusal('internal', `Trace id ${traceId}.`);
  }
}

/** Null when it is no refusal. Of Nest's own exceptions only the router's two can reach this. */
function refusalOf(error: unknown, request: IncomingMessage): Refusal | null {
  if (error instanceof Refusal) return error;
  if (!(error instanceof HttpException)) return null;
  switch (error.getStatus()) {
    case 404:
      return new Refusal(
        'not-found',
        `${request.method} ${request.url?.split('?')[0]} is no call of this process.`,
      );
    case 400:
      return new Refusal(
        'malformed',
        'The path has a percent sign that is no escape of UTF-8; write it as %25.',
      );
    default:
      return null;
  }
}
