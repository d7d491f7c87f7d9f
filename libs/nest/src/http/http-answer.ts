/**
 * An answer as it goes out: status, headers and text, written as they stand. Refusals are problem documents
 * (RFC 9457) with a stable code and what to do next; they never carry a stack, SQL, or an address.
 */
import type { ServerResponse } from 'node:http';
import { problem } from '@lockstep/protocol';
import type { Problem, ProblemCode } from '@lockstep/protocol';

export interface HttpAnswer {
  readonly status: number;
  readonly headers: { readonly [name: string]: string };
  readonly body: string;
}

/** Refusals that only an HTTP server knows; all others stand in the protocol's catalogue. */
export const HTTP_PROBLEMS = {
  'foreign-page': {
    status: 403,
    title: "A page from elsewhere may not act in a browser's name",
    next: 'Act from the console, or from a program; nothing was done.',
  },
  'method-not-allowed': {
    status: 405,
    title: 'This path has no such method',
    next: 'Use a method that the header Allow names.',
  },
  'request-timeout': {
    status: 408,
    title: 'The request came too slowly',
    next: 'Send it again, faster; nothing was done.',
  },
  'unsupported-encoding': {
    status: 415,
    title: 'The body is compressed',
    next: 'Send it without Content-Encoding.',
  },
  'header-too-large': {
    status: 431,
    title: 'The header is larger than the limit',
    next: 'Send a shorter URL and fewer headers.',
  },
  'region-silent': {
    status: 504,
    title: 'The region did not answer',
    next: 'What it would have said is unknown; see /v1/cluster for what is known of it, or ask the region itself.',
  },
  overloaded: {
    status: 503,
    title: 'This process holds as much as it may',
    next: 'Wait as long as Retry-After says; nothing was done.',
  },
} as const satisfies {
  readonly [code: string]: { readonly status: number; readonly title: string; readonly next: string };
};

export type HttpProblemCode = keyof typeof HTTP_PROBLEMS;

export const PROBLEM_CONTENT_TYPE = 'application/problem+json';

/** Thrown where a request is refused before an API sees it; the filter writes its answer. */
export class Refusal extends Error {
  readonly answer: HttpAnswer;
  readonly code: string;

  constructor(
    code: ProblemCode | HttpProblemCode,
    detail: string,
    headers: { readonly [name: string]: string } = {},
  ) {
    super(detail);
    this.name = 'Refusal';
    this.code = code;
    this.answer = problemAnswer(code, detail, headers);
  }
}

export function problemAnswer(
  code: ProblemCode | HttpProblemCode,
  detail: string,
  headers: { readonly [name: string]: string } = {},
): HttpAnswer {
  const document = isHttpProblem(code) ? httpProblem(code, detail) : problem(code, detail);
  return {
    status: document.status,
    headers: { 'content-type': PROBLEM_CONTENT_TYPE, ...headers },
    body: JSON.stringify(document),
  };
}

/** Nothing is written to a caller who has gone, or twice. */
export function writeAnswer(response: ServerResponse, answer: HttpAnswer): void {
  if (response.headersSent || response.destroyed) return;
  const bytes = Buffer.from(answer.body, 'utf8');
  response.writeHead(answer.status, { ...answer.headers, 'content-length': bytes.length });
  response.end(bytes);
}

function httpProblem(code: HttpProblemCode, detail: string): Problem {
  const { status, title, next } = HTTP_PROBLEMS[code];
  return { type: `urn:lockstep:problem:${code}`, title, status, code, detail, next };
}

const isHttpProblem = (code: string): code is HttpProblemCode => Object.hasOwn(HTTP_PROBLEMS, code);
