/**
 * Gives every HTTP request of a service its session: token and idempotency key come from the request's headers, the
 * token of all that was written and read goes out with the response, refusals too. Other kinds of context pass as they
 * are: a handler of messages opens its session with `inSession`.
 */
import { BadRequestException, Injectable } from '@nestjs/common';
import type { CallHandler, ExecutionContext, NestInterceptor } from '@nestjs/common';
import { decodeToken } from '@lockstep/protocol';
import { Observable, tap } from 'rxjs';
import { inSession, REQUEST_KEY_PATTERN, RequestSession } from './request-session.js';

/** Of Express and Fastify alike. */
interface IncomingRequest {
  readonly headers: { readonly [name: string]: string | readonly string[] | undefined };
}
interface OutgoingResponse {
  setHeader?(name: string, value: string): void;
  header?(name: string, value: string): void;
}

@Injectable()
export class LockstepInterceptor implements NestInterceptor {
  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    if (context.getType() !== 'http') return next.handle();
    const http = context.switchToHttp();
    const session = sessionOf(http.getRequest<IncomingRequest>());
    const answer = (): void => writeToken(http.getResponse<OutgoingResponse>(), session.token);
    return new Observable((subscriber) =>
      inSession(session, () =>
        next
          .handle()
          .pipe(tap({ next: answer, complete: answer, error: answer }))
          .subscribe(subscriber),
      ),
    );
  }
}

function sessionOf({ headers }: IncomingRequest): RequestSession {
  const token = headers['lockstep-token'] ?? null;
  const key = headers['idempotency-key'] ?? null;
  if (token !== null && (typeof token !== 'string' || decodeToken(token) === null))
    throw new BadRequestException('The header Lockstep-Token cannot be read; send it as an answer gave it.');
  if (key !== null && (typeof key !== 'string' || !REQUEST_KEY_PATTERN.test(key)))
    throw new BadRequestException('The header Idempotency-Key must be 1 to 100 printable ASCII characters.');
  return new RequestSession(token, key);
}

function writeToken(response: OutgoingResponse, token: string | null): void {
  if (token === null || (response as { headersSent?: boolean }).headersSent === true) return;
  if (response.setHeader === undefined) response.header?.('Lockstep-Token', token);
  else response.setHeader('Lockstep-Token', token);
}
