/**
 * A page of the control log: its records as they stand there, so that whoever reads them folds what the coordinators folded
 * and trusts nobody's summary. As JSON it is the answer of a coordinator, and a line of an exported log.
 */
import { offset, type Offset } from '../identity/identity.js';
import type { ControlRecord } from './fold-control.js';
import { as, integer, list, named, nullable, object, text, type Decoded } from './shape.js';

export interface ControlPage {
  /** Which log it is, among all that ever had the topic's name. */
  readonly log: string;
  /** Bounds of the log when it was read: its first record, and where the next one will stand. */
  readonly startOffset: Offset;
  readonly endOffset: Offset;
  /** Where the page begins: the offset that was asked for, or that of the first record. */
  readonly fromOffset: Offset;
  readonly records: readonly ControlRecord[];
  /** Where the next page begins. */
  readonly nextOffset: Offset;
}

/** Bounded by the answer or the line that carries it. */
const UNBOUNDED = Number.MAX_SAFE_INTEGER;
export const isOffset = (value: string): value is `${bigint}` => /^(0|[1-9][0-9]{0,17})$/.test(value);
const OFFSET = as(named(isOffset, 'an offset in digits'), (digits) => offset(BigInt(digits)));
const PAGE = object({
  log: text(256),
  startOffset: OFFSET,
  endOffset: OFFSET,
  fromOffset: OFFSET,
  records: list(
    object({ offset: OFFSET, appendTimeMs: integer, valueText: nullable(text(UNBOUNDED)) }),
    UNBOUNDED,
  ),
  nextOffset: OFFSET,
});

export const controlPageJson = ({
  endOffset,
  fromOffset,
  log,
  nextOffset,
  records,
  startOffset,
}: ControlPage): object => ({
  log,
  startOffset: String(startOffset),
  endOffset: String(endOffset),
  fromOffset: String(fromOffset),
  records: records.map(({ appendTimeMs, offset: at, valueText }) => ({
    offset: String(at),
    appendTimeMs,
    valueText,
  })),
  nextOffset: String(nextOffset),
});

export const readControlPage = (value: unknown): Decoded<ControlPage> => PAGE(value, 'page');
