/**
 * What an answer says of the operation, by the table of GUARANTEES.md: `ok` took effect or will, `fail` can never take
 * effect, `info` everything else. In doubt it is `info`: a wrong `fail` or `ok` accuses the system of what it never said,
 * a wrong `info` only asks once more.
 */
import { isStage, STAGES, type Receipt } from '@lockstep/protocol';
import type { CompletionLine } from '../history/index.js';
import { wantedStage, type Operation } from './operation.js';

export type Ending = Pick<CompletionLine, 'type' | 'status' | 'code' | 'replayed' | 'receipt' | 'location'>;

export interface HeardAnswer {
  readonly status: number;
  /** Lower-case names. */
  readonly headers: { readonly [name: string]: string | readonly string[] | undefined };
  readonly body: string;
}

/** Without a receipt these say: by this call nothing was written. */
const NOTHING_WRITTEN: ReadonlySet<number> = new Set([400, 404, 413, 421, 422, 429, 503]);
/** With a receipt these say: judged by the fold and rejected. */
const REJECTED: ReadonlySet<number> = new Set([400, 409, 422]);

export function judgeAnswer(operation: Operation, { body, headers, status }: HeardAnswer): Ending {
  return {
    ...judge(operation, status, parsed(body)),
    replayed: headers['idempotent-replayed'] === 'true',
    location: typeof headers['location'] === 'string' ? headers['location'] : null,
  };
}

/** One ending for each operation, in order; a refusal of the whole call is told to each. */
export function judgeBatchAnswer(operations: readonly Operation[], answer: HeardAnswer): readonly Ending[] {
  if (answer.status !== 207) return operations.map((operation) => judgeAnswer(operation, answer));
  const entries = parsed(answer.body)?.['entries'];
  return operations.map((operation, index) => {
    const item: unknown =
      Array.isArray(entries) && entries.length === operations.length ? entries[index] : null;
    const body = isObject(item) ? item : null;
    return judge(operation, entryStatus(operation, body), body);
  });
}

/** No answer came. @param nothingSent it is certain that no byte of the request left. */
export function endedUnanswered(code: string, nothingSent: boolean): Ending {
  return { ...UNTOLD, type: nothingSent ? 'fail' : 'info', code };
}

const UNTOLD = { status: null, code: null, replayed: false, receipt: null, location: null } as const;

function judge(
  operation: Operation,
  status: number | null,
  body: { readonly [name: string]: unknown } | null,
): Ending {
  const receipt = isReceipt(body) ? body : isReceipt(body?.['receipt']) ? body['receipt'] : null;
  const told = body !== null && body !== receipt && typeof body['code'] === 'string' ? body['code'] : null;
  const type = judgeFacts(operation, status, receipt, told);
  const isUnreadable = receipt === null && told === null;
  return { ...UNTOLD, type, status, code: isUnreadable ? 'unreadable-answer' : told, receipt };
}

function judgeFacts(
  operation: Operation,
  status: number | null,
  receipt: Receipt | null,
  code: string | null,
): Ending['type'] {
  if (status === null) return 'info';
  if (receipt === null) return code !== null && NOTHING_WRITTEN.has(status) ? 'fail' : 'info';
  switch (receipt.outcome) {
    case 'accepted':
      return status === 200 || status === 202 ? 'ok' : 'info';
    case 'rejected':
      return REJECTED.has(status) ? 'fail' : 'info';
    case 'unknown':
      return status === 200 && wantedStage(operation) === 'logged' && receipt.stage !== null ? 'ok' : 'info';
  }
}

/** As a single write would have been answered; a problem carries its status, a receipt does not. */
function entryStatus(operation: Operation, body: { readonly [name: string]: unknown } | null): number | null {
  if (!isReceipt(body)) return typeof body?.['status'] === 'number' ? body['status'] : null;
  const { stage } = body;
  return stage !== null && STAGES.indexOf(stage) >= STAGES.indexOf(wantedStage(operation)) ? 200 : 202;
}

function parsed(text: string): { readonly [name: string]: unknown } | null {
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value) ? value : null;
  } catch {
    return null;
  }
}

const isObject = (value: unknown): value is { readonly [name: string]: unknown } =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const OUTCOMES: readonly unknown[] = ['accepted', 'rejected', 'unknown'];

const isReceipt = (value: unknown): value is { readonly [name: string]: unknown } & Receipt =>
  isObject(value) &&
  typeof value['id'] === 'string' &&
  OUTCOMES.includes(value['outcome']) &&
  (value['stage'] === null || isStage(value['stage']));
