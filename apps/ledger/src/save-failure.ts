/**
 * What a caller is told when an entity could not be saved. A refusal of the outbox is definite: its transaction was rolled
 * back. Anything else may have happened behind the commit, so it is told as unknown.
 */
import { HttpException } from '@nestjs/common';
import { OutboxError, type OutboxRefusal } from '@lockstep/nest';

/** 500 is for those who run or wrote the service; the caller can change what the others say. */
const STATUSES: { readonly [code in OutboxRefusal]: number } = {
  // This process is not where it can be answered; `home` is.
  'not-owner': 421,
  'bad-key': 422,
  schema: 422,
  'too-large': 413,
  moving: 503,
  'backlog-full': 503,
  'not-ready': 503,
  'several-shards': 500,
  'bulk-change': 500,
  'no-events': 500,
  misconfigured: 500,
};

export function saveFailure(cause: unknown): HttpException {
  if (!(cause instanceof OutboxError)) {
    const message = 'It is not known whether it was saved. Save it again: that has one effect.';
    return new HttpException({ statusCode: 503, code: 'unknown', message }, 503, { cause });
  }
  const { code, home, message } = cause;
  const statusCode = STATUSES[code];
  const told = code === 'not-owner' ? { code, message, home } : { code, message };
  return new HttpException({ statusCode, ...told }, statusCode, { cause });
}
