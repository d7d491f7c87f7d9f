/**
 * One write's path: what each region tells of its receipt, in one table, and in words what became of it. A region that did not
 * answer, or has not seen the key, is told apart: the write may stand there all the same.
 */
import type { Problem, Receipt } from '../facts.js';
import type { Tone } from './region-rows.js';
import { clockWords, plural } from './words.js';

export type Asked =
  | { readonly kind: 'receipt'; readonly receipt: Receipt }
  | { readonly kind: 'refused'; readonly problem: Problem };

/** What a person pastes: the answer to the write, receipt or problem, or the bare key. */
export interface Sought {
  readonly key: string;
  readonly dataset: string | null;
  /** Of the write itself; a look-up has a trace of its own. */
  readonly traceId: string | null;
}

export function readSought(text: string): Sought | null {
  const trimmed = text.trim();
  if (trimmed === '') return null;
  if (!trimmed.startsWith('{')) return { key: trimmed, dataset: null, traceId: null };
  try {
    const told = JSON.parse(trimmed) as Partial<Receipt> & { readonly receipt?: Partial<Receipt> };
    const { dataset, id, traceId } = told.receipt ?? told;
    if (typeof id !== 'string') return null;
    return { key: id, dataset: dataset ?? null, traceId: traceId ?? null };
  } catch {
    return null;
  }
}

export interface WritePath {
  readonly tone: Tone;
  readonly text: string;
  /** What the code of a rejection means, and what to do. */
  readonly why: string | null;
  readonly stages: readonly {
    readonly stage: string;
    readonly cells: readonly { readonly region: string; readonly text: string }[];
  }[];
  readonly holders: readonly string[] | null;
}

const STAGES = ['logged', 'accepted', 'quorum', 'everywhere'] as const;

export function writePath(told: ReadonlyMap<string, Asked>): WritePath {
  const receipts = [...told.values()].flatMap((asked) => (asked.kind === 'receipt' ? [asked.receipt] : []));
  const best = receipts.find(({ outcome }) => outcome !== 'unknown') ?? receipts[0];
  return {
    ...verdictOf(best, told),
    stages: STAGES.map((stage) => ({
      stage,
      cells: [...told].map(([region, asked]) => ({ region, text: cellOf(stage, asked) })),
    })),
    holders: best?.holders ?? null,
  };
}

function verdictOf(
  best: Receipt | undefined,
  told: ReadonlyMap<string, Asked>,
): Pick<WritePath, 'tone' | 'text' | 'why'> {
  if (best === undefined) {
    const problems = [...told.values()].flatMap((asked) => (asked.kind === 'refused' ? [asked.problem] : []));
    const [first] = problems;
    if (problems.every(({ code }) => code === 'not-seen'))
      return {
        tone: 'unknown',
        text: 'No region has seen this key.',
        why: 'It may never have been sent, or its outcome is no longer kept, or it lives in another dataset.',
      };
    return {
      tone: 'unknown',
      text: `Nothing is known: ${first?.title ?? 'no region told anything'}.`,
      why: first === undefined ? null : `${first.detail} ${first.next}`,
    };
  }
  const place =
    best.sequence === undefined
      ? best.shard
      : `${best.shard}, sequence ${best.sequence}, epoch ${best.epoch}`;
  switch (best.outcome) {
    case 'accepted':
      return {
        tone: 'well',
        text: `Accepted in ${place}; reached ${best.stage ?? 'no stage yet'}.`,
        why: best.degraded === true ? 'Acknowledged degraded: its quorum rule was not met in time.' : null,
      };
    case 'rejected':
      return {
        tone: 'bad',
        text: `Rejected as ${best.code ?? 'unknown'} in ${place}.`,
        why: reasonOf(best.code),
      };
    case 'unknown':
      return {
        tone: 'unknown',
        text: `Its outcome is unknown yet (${place}).`,
        why: 'Unknown is not failed: ask again under the same key until it is definite.',
      };
  }
}

function cellOf(stage: (typeof STAGES)[number], asked: Asked): string {
  if (asked.kind === 'refused')
    return asked.problem.code === 'region-silent' ? 'did not answer' : asked.problem.code;
  const reached = asked.receipt.stages[stage];
  if (reached === undefined)
    return asked.receipt.outcome === 'rejected' && stage !== 'logged' ? 'never' : 'not yet';
  const where = reached.region ?? reached.regions?.join(', ');
  return where === undefined ? clockWords(reached.at) : `${clockWords(reached.at)} (${where})`;
}

const REASONS: { readonly [code: string]: string } = {
  guard:
    "The dataset's reducer refused it, for example because a balance would have gone below zero. Read the row; send what its rules allow, under a new key.",
  'version-conflict':
    'The row had another version than the writer expected. Read it again, decide again, write under a new key.',
  schema: 'An event does not fit its schema. Correct the event; see the dataset in the catalogue.',
  policy: 'Residency or policy forbids it. Write it in a region that may hold this group.',
  expired: 'It reached the log after its deadline and will never take effect. Write again under a new key.',
  'key-reused': 'Its key belongs to another entry. Use a new key for a new entry.',
  fenced:
    'Its writer was no longer the owner: the shard had moved. The gateway tries again in the new epoch by itself.',
  'not-owner': 'Its region was not the home of the shard.',
  malformed: 'The record could not be read.',
  forged: 'Its signature or its context did not fit.',
};

const reasonOf = (code: string | undefined): string =>
  (code === undefined ? undefined : REASONS[code]) ??
  'The log alone decides this, and every region decided the same.';

/** Spans of the write, as Jaeger finds them. */
export function traceLink(tracesUrl: string | null, traceId: string | null): string | null {
  if (tracesUrl === null || traceId === null || !/^[0-9a-f]{32}$/.test(traceId)) return null;
  return `${tracesUrl.replace(/\/$/, '')}/trace/${traceId}`;
}

export const holderWords = (holders: readonly string[] | null): string =>
  holders === null
    ? 'Who holds it now is unknown.'
    : `${plural(holders.length, 'region')} hold it now: ${holders.join(', ')}.`;
