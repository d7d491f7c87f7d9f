/**
 * Reads between the writes: of a row that its client has just been told about, or that anybody wrote lately, in any region:
 * as it is there, with the token of all that the client was told, or strongly. What an answer shows is taken from it as it
 * stands; whether that is right is the judge's to say.
 */
import type { ReadCompletionLine, ReadInvokeLine, SeenRow } from '../history/index.js';
import type { Chance } from '../world/chance.js';
import type { Ending, HeardAnswer } from './answer.js';
import type { Operation } from './operation.js';
import type { Session } from './session.js';

export type ReadQuestion = Pick<
  ReadInvokeLine,
  'op' | 'region' | 'dataset' | 'row' | 'consistency' | 'token' | 'timeoutMs'
>;

export type ReadEnding = Pick<ReadCompletionLine, 'type' | 'status' | 'code' | 'seen'>;

const TIMEOUT_MS = 5_000;
const SHORT_TIMEOUT_MS_MAX = 50;
/** So short that what is not there yet is refused instead of awaited. */
const SHORT_SHARE = 0.1;
const RECENT_MAX = 32;

export class Reads {
  private readonly recent: Pick<ReadQuestion, 'dataset' | 'row'>[] = [];

  /** @param percent of the writes that were told accepted: so many are followed by a read. */
  constructor(
    private readonly chance: Chance,
    private readonly percent: number,
    private readonly regions: readonly string[],
  ) {}

  /**
   * @param session of the client that was told; it has taken the answer.
   * @param takeOrdinal gives the read its place among the operations of the run, when there is one.
   */
  after(
    { dataset, events }: Operation,
    { receipt }: Ending,
    session: Session,
    takeOrdinal: () => number,
  ): ReadQuestion | null {
    const { chance } = this;
    if (receipt?.outcome !== 'accepted' || chance.next() * 100 >= this.percent) return null;
    const own = { dataset, row: chance.pick(events).key };
    const read = chance.next() < 0.6 ? own : chance.pick([own, ...this.recent]);
    const question = this.question(read, session, takeOrdinal);
    if (this.recent.length < RECENT_MAX) this.recent.push(own);
    else this.recent[chance.below(RECENT_MAX)] = own;
    return question;
  }

  /** By somebody who only reads; null while there is nothing to read. */
  anywhere(session: Session, takeOrdinal: () => number): ReadQuestion | null {
    return this.recent.length === 0
      ? null
      : this.question(this.chance.pick(this.recent), session, takeOrdinal);
  }

  private question(
    read: Pick<ReadQuestion, 'dataset' | 'row'>,
    session: Session,
    takeOrdinal: () => number,
  ): ReadQuestion {
    const { chance } = this;
    const consistency = chance.pick(['local', 'session', 'session', 'strong', 'strong'] as const);
    return {
      op: takeOrdinal(),
      region: chance.pick(this.regions),
      ...read,
      consistency,
      token: consistency === 'session' ? session.token : null,
      timeoutMs: chance.next() < SHORT_SHARE ? 1 + chance.below(SHORT_TIMEOUT_MS_MAX) : TIMEOUT_MS,
    };
  }
}

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
