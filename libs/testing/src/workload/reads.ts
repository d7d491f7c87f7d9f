/**
 * Reads between the writes: of a row that its client has just been told about, in any region, with the token of the answer
 * or strongly. What an answer shows is taken from it as it stands; whether that is right is the judge's to say.
 */
import type { Receipt } from '@lockstep/protocol';
import type { ReadCompletionLine, ReadInvokeLine, SeenRow } from '../history/index.js';
import type { Chance } from '../world/chance.js';
import type { Ending, HeardAnswer } from './answer.js';
import type { Operation } from './operation.js';

export type ReadQuestion = Pick<
  ReadInvokeLine,
  'op' | 'region' | 'dataset' | 'row' | 'consistency' | 'token' | 'timeoutMs'
>;

export type ReadEnding = Pick<ReadCompletionLine, 'type' | 'status' | 'code' | 'seen'>;

const TIMEOUT_MS = 5_000;

export class Reads {
  /** @param percent of the writes that were told accepted: so many are followed by a read. */
  constructor(
    private readonly chance: Chance,
    private readonly percent: number,
    private readonly regions: readonly string[],
  ) {}

  /** @param takeOrdinal gives the read its place among the operations of the run, when there is one. */
  after({ dataset, events }: Operation, { receipt }: Ending, takeOrdinal: () => number): ReadQuestion | null {
    if (!isAccepted(receipt) || this.chance.next() * 100 >= this.percent) return null;
    const consistency = this.chance.pick(['session', 'strong'] as const);
    return {
      op: takeOrdinal(),
      region: this.chance.pick(this.regions),
      dataset,
      row: this.chance.pick(events).key,
      consistency,
      token: consistency === 'session' ? receipt.token : null,
      timeoutMs: TIMEOUT_MS,
    };
  }
}

const isAccepted = (receipt: Receipt | null): receipt is Receipt & { readonly token: string } =>
  receipt?.outcome === 'accepted' && receipt.token !== undefined;

export const readPath = ({ consistency, dataset, row, timeoutMs }: ReadQuestion): string =>
  `/v1/datasets/${dataset}/rows/${encodeURIComponent(row)}?consistency=${consistency}&timeoutMs=${timeoutMs}`;

export function judgeReadAnswer({ body, headers, status }: HeardAnswer): ReadEnding {
  const told = parsed(body);
  const code = typeof told?.['code'] === 'string' ? told['code'] : null;
  const place = /^(.+)@[0-9a-f]{32}\.(\d+)$/.exec(textOf(headers['lockstep-position']) ?? '');
  const row = status === 200 ? rowIn(told) : code === 'not-found' ? { version: 0, columns: null } : null;
  if (row === null || place === null) {
    return { type: 'fail', status, code: code ?? 'unreadable-answer', seen: null };
  }
  const [, shard = '', sequence = ''] = place;
  const seen = { shard, sequence: Number(sequence), ...row, token: textOf(headers['lockstep-token']) };
  return { type: 'ok', status, code, seen };
}

export const readUnanswered = (code: string): ReadEnding => ({
  type: 'info',
  status: null,
  code,
  seen: null,
});

function rowIn(
  told: { readonly [name: string]: unknown } | null,
): Pick<SeenRow, 'version' | 'columns'> | null {
  const [version, columns] = [told?.['version'], told?.['row']];
  if (typeof version !== 'number' || typeof columns !== 'object' || columns === null) return null;
  return { version, columns: columns as NonNullable<SeenRow['columns']> };
}

const textOf = (header: HeardAnswer['headers'][string]): string | null =>
  typeof header === 'string' ? header : null;

function parsed(text: string): { readonly [name: string]: unknown } | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as { [name: string]: unknown }) : null;
  } catch {
    return null;
  }
}
