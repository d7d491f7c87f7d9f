/**
 * What must hold in every state, by the numbers of SPEC.md. Two witnesses: `Images.reference`, the same fold over the same
 * log, one record at a time and without crashes, which every store must equal; and `factsOf`, which judges order,
 * sessions and epochs of a log from its entries alone, so that a defect of the fold itself is found as well.
 */
import type { Entries, Entry, LogNode } from './entries.js';
import type { Violation } from './explore.js';
import { totalOf, type Image, type Images } from './images.js';
import { textOfAnswer } from './parts.js';
import { REGIONS, type Scope } from './scope.js';
import type { Answered, Call, Region, State } from './state.js';

export class Invariants {
  private readonly ofImages = new Map<string, readonly Violation[]>();

  constructor(
    private readonly scope: Scope,
    private readonly entries: Entries,
    private readonly images: Images,
  ) {}

  broken(state: State, isEnd: boolean): readonly Violation[] {
    return [
      ...state.regions.flatMap((region) => [
        ...this.ofImage(state.log, region),
        ...this.ofVote(region),
        ...(isEnd ? this.ofEnd(state, region) : []),
      ]),
      ...state.gateways.flatMap(({ ledger }) => this.ofLedger(state, ledger)),
      ...state.calls.flatMap((call) => (call.definite.length === 0 ? [] : this.ofAnswers(state, call))),
    ];
  }

  /** A store against the log that it has folded; the same for every state with the same two. */
  private ofImage(log: LogNode, { image, place }: Region): readonly Violation[] {
    const { cursor } = image;
    const length = Number(cursor.offset) + 1;
    const folded = this.entries.prefix(log, length);
    const text = `${place}|${image.id}|${folded.id}`;
    const known = this.ofImages.get(text);
    if (known !== undefined) return known;
    const name = REGIONS[place];
    const broken: Violation[] = [];
    const add = (invariant: string, detail: string): void => {
      broken.push({ invariant, detail: `${name}: ${detail}` });
    };

    if (cursor.sequence !== BigInt(length))
      add('I2', `sequence ${cursor.sequence} at offset ${cursor.offset}`);
    const facts = factsOf(folded);
    if (cursor.epoch !== facts.epoch)
      add('I5', `epoch ${cursor.epoch} where the valid fences of the log make ${facts.epoch}`);
    for (const [index, wish] of this.scope.wishes.entries()) {
      const effects = effectsOf(image, wish.amount);
      if (effects > 1) add('I8', `${wish.name} took effect ${effects} times`);
      if (effects === 0) continue;
      const places = facts.entries.filter(({ entry }) => entry.wish === index);
      if (!places.some(({ hasOrder, isOwned }) => hasOrder && isOwned)) {
        const isOrderly = places.some(({ hasOrder }) => hasOrder);
        if (isOrderly) add('I6', `${wish.name} took effect though every entry of it is of another epoch`);
        else add('I8', `${wish.name} took effect though its session skipped a number or repeats one`);
      }
      const twin = this.scope.wishes.findIndex(
        ({ amount, key }, at) =>
          at < index && key !== null && key === wish.key && effectsOf(image, amount) > 0,
      );
      if (twin >= 0) add('I10', `${this.scope.wishes[twin]!.name} and ${wish.name} of one key took effect`);
    }
    const expected = this.images.reference(folded).image;
    if (image !== expected) {
      const isSameCursor = this.images.memoryOf(image) === this.images.memoryOf(expected);
      const what = `at sequence ${cursor.sequence}, total ${totalOf(image)} instead of ${totalOf(expected)}`;
      if (isSameCursor) add('I4', `cursor and effects do not belong together ${what}`);
      else add('I3', `verdicts and effects are not those of the log (I11 too) ${what}`);
    }
    this.ofImages.set(text, broken);
    return broken;
  }

  /** A store that lacks what was told of it has a new incarnation, and its vote is withheld. */
  private ofVote({ place, said, told }: Region): readonly Violation[] {
    if (said === null) return [];
    const beyond = told.filter((one) => one.sequence > said.sequence);
    const own = beyond.find((one) => one.storeIncarnation === said.storeIncarnation);
    const name = REGIONS[place];
    const broken: Violation[] = [];
    if (own !== undefined)
      broken.push({
        invariant: 'I12',
        detail: `${name} speaks of sequence ${said.sequence} in the life that told ${own.sequence}`,
      });
    if (beyond.length > 0 && said.withheld === null)
      broken.push({
        invariant: 'I12',
        detail: `${name} votes at sequence ${said.sequence} and has told ${beyond.at(-1)!.sequence} before`,
      });
    return broken;
  }

  /** Nobody counts what was never durable. */
  private ofLedger(state: State, ledger: State['gateways'][number]['ledger']): readonly Violation[] {
    return state.regions.flatMap(({ committed, place }) => {
      const counted = ledger.regions.get(REGIONS[place] as Parameters<typeof ledger.regions.get>[0]);
      if (counted === undefined || counted.watermark.sequence <= committed) return [];
      const detail = `a gateway counts ${REGIONS[place]} at sequence ${counted.watermark.sequence}, which it never committed`;
      return [{ invariant: 'I7', detail }];
    });
  }

  private ofAnswers(state: State, call: Call): readonly Violation[] {
    const broken: Violation[] = [];
    const name = this.scope.wishes[call.index]?.name ?? 'the receipt';
    const add = (invariant: string, detail: string): void => {
      broken.push({ invariant, detail: `${name}: ${detail}` });
    };
    const verdicts = new Set(
      call.definite.filter(({ kind }) => kind !== 'failed').map((answer) => placeOf(answer)),
    );
    if (verdicts.size > 1) add('I10', `answered in two ways: ${call.definite.map(textOfAnswer).join('; ')}`);
    for (const answer of call.definite) {
      if (answer.kind === 'accepted') this.ofAccepted(state, call, answer, add);
      else this.ofNever(state, call, answer, add);
    }
    return broken;
  }

  private ofAccepted(
    state: State,
    call: Call,
    { sequence, stage }: Extract<Answered, { kind: 'accepted' }>,
    add: (invariant: string, detail: string) => void,
  ): void {
    const log = this.entries.prefix(state.log, Number(sequence));
    const entry = log.entries.at(-1);
    const isItsOwn = this.wishesOf(call).some((wish) => wish === entry?.wish);
    const verdict = entry === undefined ? null : this.images.reference(log).last?.verdict;
    if (!isItsOwn || verdict !== 'accepted')
      add(
        'I9',
        `told accepted at sequence ${sequence}, where ${entry?.name ?? 'nothing'} stands, ${verdict}`,
      );
    const holding = state.regions.filter(({ committed }) => committed >= sequence).length;
    const needed = stage === 'quorum' ? state.regions.length : 1;
    if (holding < needed)
      add('I7', `told ${stage} at sequence ${sequence}, which ${holding} regions ever committed`);
    const wish = this.scope.wishes[entry?.wish ?? -1];
    if (wish === undefined) return;
    for (const { image, place } of state.regions) {
      if (image.cursor.sequence >= sequence && effectsOf(image, wish.amount) === 0)
        add('I9', `told accepted at sequence ${sequence}, without effect in ${REGIONS[place]}`);
    }
  }

  private ofNever(
    state: State,
    call: Call,
    answer: Answered,
    add: (invariant: string, detail: string) => void,
  ): void {
    // It speaks of one request, and neither of an earlier one without an answer nor of a later one.
    if (answer.kind === 'failed' && (call.wasDoubted || call.answer?.kind !== 'failed')) return;
    if (call.definite.some(({ kind }) => kind === 'accepted')) return;
    for (const wish of this.wishesOf(call)) {
      for (const { image, place } of state.regions) {
        if (effectsOf(image, this.scope.wishes[wish]!.amount) > 0)
          add('I9', `told "${textOfAnswer(answer)}", and took effect in ${REGIONS[place]}`);
      }
    }
  }

  private ofEnd({ log }: State, { image, place }: Region): readonly Violation[] {
    const { sequence } = image.cursor;
    if (sequence === BigInt(log.entries.length)) return [];
    const detail = `${REGIONS[place]} rests at sequence ${sequence} of ${log.entries.length}`;
    return [{ invariant: 'I20', detail }];
  }

  /** The wishes that the call's answer speaks of. */
  private wishesOf(call: Call): readonly number[] {
    if (call.index < this.scope.wishes.length) return [call.index];
    return this.scope.wishes.flatMap(({ key }, index) => (key === 'K' ? [index] : []));
  }
}

/** What a repeat must find again. `key-reused` binds nothing: each entry that is refused has a sequence of its own. */
const placeOf = (answer: Answered): string => {
  if (answer.kind === 'accepted') return `accepted ${answer.sequence}`;
  return answer.kind === 'rejected' && answer.code === 'key-reused' ? answer.code : textOfAnswer(answer);
};

/** How often an amount went into the row: its digit. */
function effectsOf(image: Image, amount: number): number {
  return Math.floor(Number(totalOf(image)) / amount) % 10;
}

interface LogFacts {
  readonly epoch: bigint;
  readonly entries: readonly {
    readonly entry: Entry;
    /** The first copy of the next number of its session. */
    readonly hasOrder: boolean;
    /** Stamped with the epoch that the fences before it make. */
    readonly isOwned: boolean;
  }[];
}

/** Order and ownership, from the entries alone. */
function factsOf(log: LogNode): LogFacts {
  let epoch = 0n;
  /** Every fence and term of a scope is of one term. */
  let decision = 0n;
  const sessions = new Map<string, bigint>();
  const entries: LogFacts['entries'][number][] = [];
  for (const entry of log.entries) {
    const { body, number, publisher } = entry;
    if (body?.kind === 'genesis' && epoch === 0n) epoch = 1n;
    if (body?.kind === 'fence' && body.expectedEpoch === epoch && body.decision > decision) {
      epoch += 1n;
      ({ decision } = body);
    }
    if (body?.kind === 'term' && epoch > 0n && body.decision > decision) ({ decision } = body);
    const last = sessions.get(publisher) ?? 0n;
    const hasOrder = number === last + 1n;
    if (hasOrder) sessions.set(publisher, number);
    entries.push({ entry, hasOrder, isOwned: entry.epoch === epoch });
  }
  return { epoch, entries };
}
