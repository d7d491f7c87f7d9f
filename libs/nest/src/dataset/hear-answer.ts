/** What an answer of the port says. Pure and total: an answer that cannot be read says nothing about the write. */
import {
  parseJson,
  PROBLEMS,
  problem,
  type Problem,
  type ProblemCode,
  type Receipt,
} from '@lockstep/protocol';
import type { PortAnswer } from './dataset-port.js';
import { ownProblem } from './lockstep-error.js';

/** Of one write, or of a receipt asked for. */
export type Heard =
  /** Its outcome may be `unknown`. */
  | { readonly kind: 'receipt'; readonly receipt: Receipt; readonly replayed: boolean }
  /** The fold's verdict: final. */
  | { readonly kind: 'rejected'; readonly problem: Problem; readonly receipt: Receipt | null }
  /** This call had no effect, and saying it again changes nothing. */
  | { readonly kind: 'refused'; readonly problem: Problem }
  /** This call had no effect; later it may. */
  | { readonly kind: 'busy'; readonly problem: Problem; readonly retryAfterMs: number }
  /** Nobody said what became of the call. */
  | { readonly kind: 'silence'; readonly detail: string; readonly mayStand: boolean };

export interface HeardRow {
  readonly key: string;
  readonly version: number;
  readonly row: object;
}

const RETRY_AFTER_MS_DEFAULT = 1_000;
/** Deeper than any receipt or row. */
const ANSWER_DEPTH_MAX = 32;
/** Verdicts that bind a key, and the two that no new attempt could change: the fold's word, not the gateway's. */
const VERDICT_CODES: readonly string[] = [
  'version-conflict',
  'guard',
  'expired',
  'schema',
  'policy',
  'key-reused',
];

export function hearWrite(answer: PortAnswer): Heard {
  const retryAfter = answer.headers['retry-after'] ?? null;
  const replayed = answer.headers['idempotent-replayed'] === 'true';
  return hearBody(readObject(answer.body), { status: answer.status, retryAfter, replayed });
}

/** One for each entry that was sent; null when the batch as a whole was answered otherwise. */
export function hearBatch(answer: PortAnswer, count: number): readonly Heard[] | null {
  if (answer.status !== 207) return null;
  const entries = readObject(answer.body)?.['entries'];
  if (!Array.isArray(entries) || entries.length !== count) return null;
  return entries.map((entry: unknown) => {
    const body = isObject(entry) ? entry : null;
    const status = typeof body?.['status'] === 'number' ? body['status'] : 200;
    return hearBody(body, { status, retryAfter: null, replayed: false });
  });
}

/** A row, null where there is none, or what was said instead. */
export function hearRow(answer: PortAnswer): { readonly row: HeardRow | null } | { readonly heard: Heard } {
  const body = readObject(answer.body);
  if (answer.status === 404 && body?.['code'] === 'not-found') return { row: null };
  const { key, row, version } = body ?? {};
  if (answer.status === 200 && typeof key === 'string' && typeof version === 'number' && isObject(row))
    return { row: { key, version, row } };
  return { heard: hearWrite(answer) };
}

function hearBody(
  body: Readonly<Record<string, unknown>> | null,
  {
    replayed,
    retryAfter,
    status,
  }: { readonly status: number; readonly retryAfter: string | null; readonly replayed: boolean },
): Heard {
  if (status === 200 || status === 202) {
    const receipt = readReceipt(body);
    if (receipt === null) return unreadable(status);
    if (receipt.outcome !== 'rejected') return { kind: 'receipt', receipt, replayed };
    return { kind: 'rejected', problem: problemOfReceipt(receipt), receipt };
  }
  const told = readProblem(body);
  if (told === null) return unreadable(status);
  if (status === 429 || status === 503) {
    return { kind: 'busy', problem: told, retryAfterMs: retryAfterMsOf(retryAfter) };
  }
  // A defect, or somebody between who gave up: the write may have been appended before.
  if (status >= 500 && told.code !== 'not-yet')
    return { kind: 'silence', detail: `${told.title} (${told.code}): ${told.detail}`, mayStand: true };
  const receipt = readReceipt(body?.['receipt']);
  if (receipt !== null || VERDICT_CODES.includes(told.code))
    return { kind: 'rejected', problem: told, receipt };
  return { kind: 'refused', problem: told };
}

function unreadable(status: number): Heard {
  const { detail, title } = ownProblem('answer-unreadable', `status ${status} with a body of another kind`);
  return { kind: 'silence', detail: `${title}: ${detail}`, mayStand: true };
}

/** Asked for as a receipt, a rejection comes without its problem document. */
function problemOfReceipt({ code = 'malformed', id, shard }: Receipt): Problem {
  const known: ProblemCode = Object.hasOwn(PROBLEMS, code) ? (code as ProblemCode) : 'malformed';
  return problem(known, `entry ${id} of ${shard} was rejected: ${code}`);
}

/** In seconds; a date is not used by gateways. */
function retryAfterMsOf(text: string | null): number {
  return text !== null && /^\d{1,4}$/.test(text) ? Number(text) * 1_000 : RETRY_AFTER_MS_DEFAULT;
}

function readReceipt(value: unknown): Receipt | null {
  if (!isObject(value)) return null;
  const { id, outcome, shard, stages } = value;
  const isReceipt =
    typeof id === 'string' && typeof shard === 'string' && typeof outcome === 'string' && isObject(stages);
  return isReceipt ? (value as unknown as Receipt) : null;
}

function readProblem(value: Readonly<Record<string, unknown>> | null): Problem | null {
  const { code, detail, next, status, title, type } = value ?? {};
  if (typeof code !== 'string' || typeof title !== 'string' || typeof status !== 'number') return null;
  const text = (told: unknown): string => (typeof told === 'string' ? told : '');
  return { type: text(type), code, title, status, detail: text(detail), next: text(next) };
}

function readObject(text: string): Readonly<Record<string, unknown>> | null {
  const parsed = parseJson(text, ANSWER_DEPTH_MAX);
  return parsed.kind !== 'refused' && isObject(parsed.value) ? parsed.value : null;
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
