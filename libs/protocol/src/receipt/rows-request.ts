/** The body of POST /v1/rows: rows of any shards and datasets, to be read from one snapshot. */
import { isRecord } from '../entry/body.js';
import { TOKEN_SHARDS_MAX } from '../position/token.js';
import { malformed, readObject, readTimeoutMs, refused, type Read } from './request-body.js';
import { problem } from './problem.js';

export const CONSISTENCIES = ['local', 'session', 'strong'] as const;
export type Consistency = (typeof CONSISTENCIES)[number];
export const isConsistency = (text: unknown): text is Consistency =>
  CONSISTENCIES.includes(text as Consistency);

export interface RowsRequest {
  readonly rows: readonly { readonly dataset: string; readonly key: string }[];
  readonly consistency: Consistency;
  readonly timeoutMs: number;
}

/** So that their positions fit one token. */
export const ROWS_MAX = TOKEN_SHARDS_MAX;

export function readRowsRequest(body: string): Read<RowsRequest> {
  const parsed = readObject(body, ['rows', 'consistency', 'timeoutMs']);
  if (parsed.kind === 'refused') return parsed;
  const { consistency = 'local', rows } = parsed.value;
  if (!isConsistency(consistency))
    return malformed(`"consistency" must be one of ${CONSISTENCIES.join(', ')}`);
  if (!Array.isArray(rows) || rows.length === 0)
    return malformed('"rows" must be a list of at least one row');
  if (rows.length > ROWS_MAX)
    return refused(problem('too-large', `at most ${ROWS_MAX} rows are read together`));
  const places: { readonly dataset: string; readonly key: string }[] = [];
  for (const [index, item] of (rows as readonly unknown[]).entries()) {
    if (!isRecord(item) || Object.keys(item).some((name) => name !== 'dataset' && name !== 'key'))
      return malformed(`rows[${index}] must be an object of "dataset" and "key"`);
    const { dataset, key } = item;
    if (typeof dataset !== 'string' || typeof key !== 'string')
      return malformed(`rows[${index}] must name "dataset" and "key" as texts`);
    places.push({ dataset, key });
  }
  const timeoutMs = readTimeoutMs(parsed.value);
  if (timeoutMs.kind === 'refused') return timeoutMs;
  return { kind: 'read', value: { rows: places, consistency, timeoutMs: timeoutMs.value } };
}
