/** Interns the parts of states: equal content, same object, same number. */
import {
  EMPTY_LEDGER,
  reachedRanges,
  tallyOf,
  type FoldedEntry,
  type ShardLedger,
  type Watermark,
} from '@lockstep/protocol';
import type { Core } from './core.js';
import { type Entry } from './entries.js';
import type { Budget } from './scope.js';
import type { Answered, Call, Gateway, Late, Numbered, Region, Said, Told, Work } from './state.js';

type Unnumbered<Part extends Numbered> = Omit<Part, 'id'>;

export class Parts {
  private readonly known = new Map<string, Numbered>();
  private readonly ledgers = new Map<string, Numbered & ShardLedger>();

  constructor(private readonly core: Core) {}

  region(part: Unnumbered<Region>): Region {
    const { copy, lateCommit } = part;
    const text = [
      'r',
      part.place,
      part.image.id,
      part.lease,
      part.life,
      copy === null ? '' : `${copy.image.id},${copy.lease},${copy.life}`,
      lateCommit === null ? '' : `${lateCommit.batch.id},${lateCommit.lease}`,
      idsOf(part.told),
      textOfWork(part.work),
      part.said?.id,
      idsOf(part.pushed[0]),
      idsOf(part.pushed[1]),
      part.committed,
    ].join('|');
    return this.keep(text, part);
  }

  gateway(part: Unnumbered<Gateway>): Gateway {
    const { flight, queue } = part;
    const text = [
      'g',
      part.place,
      part.session,
      part.last,
      queue.map(({ call, epoch }) => `${call},${epoch}`).join(';'),
      flight === null ? '' : `${idsOf(flight.entries)};${flight.calls.join(',')};${flight.mayStand}`,
      part.ledger.id,
      part.quorum,
    ].join('|');
    return this.keep(text, part);
  }

  call(part: Unnumbered<Call>): Call {
    const { answer, definite, judged } = part;
    const text = [
      'c',
      part.index,
      part.stage,
      part.origin,
      part.at,
      part.forwardedEpoch,
      part.attempts,
      part.mayStand,
      part.wasDoubted,
      part.entry?.id,
      part.offset,
      judged === null ? '' : `${judged.verdict},${judged.sequence}`,
      answer === null ? '' : textOfAnswer(answer),
      definite.map(textOfAnswer).join(';'),
    ].join('|');
    return this.keep(text, part);
  }

  late(batches: readonly (readonly Entry[])[]): Late {
    const sorted = [...batches].sort((x, y) => (idsOf(x) < idsOf(y) ? -1 : 1));
    return this.keep(`l|${sorted.map(idsOf).join(';')}`, { batches: sorted });
  }

  left(part: Budget): Numbered & Budget {
    return this.keep(`b|${Object.values(part).join(',')}`, { ...part });
  }

  said(watermark: Watermark): Said {
    const { effectsHash, epoch, inputHash, logIncarnation, region, sequence, storeIncarnation } = watermark;
    const withheld = watermark.withheld?.detail;
    const place = [region, storeIncarnation, logIncarnation, sequence, epoch, inputHash, effectsHash];
    return this.keep(`w|${place.join(',')},${withheld}`, watermark);
  }

  told(one: FoldedEntry, entry: Entry): Told {
    const { epoch, first, sequence, verdict } = one;
    const text = `t|${entry.id},${verdict},${sequence},${epoch},${first?.verdict},${first?.sequence}`;
    return this.keep(text, { entry, verdict, sequence, epoch, first });
  }

  emptyLedger(): Numbered & ShardLedger {
    return this.keepLedger(EMPTY_LEDGER);
  }

  /** The ledger after one more watermark, and what the quorum rule finds reached in it. */
  count(
    ledger: Numbered & ShardLedger,
    said: Said,
  ): { readonly ledger: Numbered & ShardLedger; readonly quorum: bigint } {
    const next = this.keepLedger(this.core.recordWatermark(ledger, said));
    const { logIncarnation } = said;
    if (logIncarnation === null) return { ledger: next, quorum: 0n };
    const ranges = reachedRanges(tallyOf(next, logIncarnation));
    return { ledger: next, quorum: ranges.at(-1)?.reached ?? 0n };
  }

  private keepLedger(ledger: ShardLedger): Numbered & ShardLedger {
    const text = [...ledger.regions]
      .map(([region, { watermark }]) => `${region},${(watermark as Said).id}`)
      .sort()
      .join(';');
    const known = this.ledgers.get(text);
    if (known !== undefined) return known;
    const kept = { ...ledger, id: this.ledgers.size };
    this.ledgers.set(text, kept);
    return kept;
  }

  private keep<Part extends Numbered>(text: string, part: Unnumbered<Part>): Part {
    const known = this.known.get(text);
    if (known !== undefined) return known as Part;
    const kept = { ...part, id: this.known.size } as unknown as Part;
    this.known.set(text, kept);
    return kept;
  }
}

const idsOf = (parts: readonly Numbered[]): string => parts.map(({ id }) => id).join(',');

function textOfWork(work: Work): string {
  if (work.kind === 'idle') return '';
  if (work.kind === 'claimed') return `${work.lease}`;
  const { batch, from, lease, memory, standing } = work;
  const proof = standing.kind === 'counts' ? '' : standing.kind === 'diverged' ? standing.at : standing.until;
  return [lease, memory.id, standing.kind, proof, idsOf(work.toldBefore), from, batch?.id].join(';');
}

export const textOfAnswer = (answer: Answered): string => {
  switch (answer.kind) {
    case 'accepted':
      return `accepted at ${answer.sequence}, ${answer.stage}`;
    case 'rejected':
      return `rejected: ${answer.code} at ${answer.sequence}`;
    case 'failed':
      return 'nothing was written';
    case 'unknown':
      return 'unknown';
    case 'broken':
      return 'no answer, the connection broke';
  }
};
