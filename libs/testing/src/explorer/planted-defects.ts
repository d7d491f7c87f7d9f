/**
 * Defects that the explorer must find: the production core with one decision spoilt, and the scope in which that is looked
 * for. What is not found here is not attacked. They follow the catalogue of bugs that builds of such systems really had.
 */
import {
  COUNTS,
  entryNumber,
  offset,
  ShardFold,
  type DecodedEntry,
  type Epoch,
  type Fingerprint,
  type KeyHash,
  type ShardState,
} from '@lockstep/protocol';
import { PRODUCTION, type Core } from './core.js';
import { NOTHING, REGIONS, WISHES, type Budget, type Scope } from './scope.js';

export interface PlantedDefect {
  readonly name: string;
  /** The invariant that must be found broken, among others. */
  readonly breaks: string;
  /** Steps of the shortest schedule that shows it. */
  readonly stepsMin: number;
  readonly core: Core;
  readonly scope: Scope;
}

/** What a spoilt fold knows of the shard when it reads the next entry. */
interface Before {
  readonly epoch: Epoch;
  readonly lastOf: (entry: DecodedEntry) => bigint;
  /** Fingerprint of the first entry with the key. */
  readonly fingerprintOf: (key: KeyHash) => Fingerprint | null;
}

/** A fold that reads an entry as another than the one that stands in the log. */
const misreading =
  (spoil: (entry: DecodedEntry, before: Before) => DecodedEntry, onlyIn?: (typeof REGIONS)[number]) =>
  (...[place, state, answers, configurations]: Parameters<Core['beginFold']>) => {
    const fold = new ShardFold(state, answers, configurations);
    if (onlyIn !== undefined && REGIONS[place] !== onlyIn) return fold;
    let { epoch } = state.cursor;
    const last = lastNumbers(state);
    const fingerprints = new Map([...answers.outcomes].map(([key, one]) => [key, one.fingerprint]));
    const fingerprintOf = (key: KeyHash): Fingerprint | null => fingerprints.get(key) ?? null;
    return {
      fold: (entry: DecodedEntry) => {
        const lastOf = (one: DecodedEntry): bigint => last.get(one.header?.publisher ?? '') ?? 0n;
        const read = spoil(entry, { epoch, lastOf, fingerprintOf });
        const step = fold.fold(read);
        if (step.kind === 'folded') ({ epoch } = step.folded);
        const { header } = read;
        if (header !== null && header.number > lastOf(read)) last.set(header.publisher, header.number);
        const own = header?.idempotency ?? null;
        if (own !== null && !fingerprints.has(own.key)) fingerprints.set(own.key, own.fingerprint);
        return step;
      },
      finish: () => fold.finish(),
    };
  };

const lastNumbers = (state: ShardState): Map<string, bigint> =>
  new Map([...state.sessions].map(([publisher, { last }]) => [publisher, last]));

/** Data entries only. */
const withHeader =
  (
    change: (
      header: Extract<DecodedEntry, { kind: 'data' }>['header'],
      before: Before,
      entry: DecodedEntry,
    ) => object,
  ) =>
  (entry: DecodedEntry, before: Before): DecodedEntry =>
    entry.kind === 'data'
      ? { ...entry, header: { ...entry.header, ...change(entry.header, before, entry) } }
      : entry;

const wishes = (...names: string[]): Scope['wishes'] => WISHES.filter(({ name }) => names.includes(name));

const scope = (names: readonly string[], budget: Partial<Budget>): Scope => ({
  name: names.join(' '),
  wishes: wishes(...names),
  budget: { ...NOTHING, ...budget },
  attemptsMax: 2,
  batchMax: 2,
  knowledge: 'newest',
});

export const CARELESS_PUBLISHER: Core = { ...PRODUCTION, sessionAfterGivingUp: 'same' };

export const PLANTED_DEFECTS: readonly PlantedDefect[] = [
  {
    name: 'verdicts and watermarks are told before the commit',
    breaks: 'I7',
    stepsMin: 4,
    core: { ...PRODUCTION, tells: 'before-commit' },
    scope: scope(['w1'], { replicatorCrashes: 1 }),
  },
  {
    name: 'the compare-and-set of a commit is ignored',
    breaks: 'I3',
    stepsMin: 7,
    core: { ...PRODUCTION, mayCommit: () => true },
    scope: scope(['w1', 'w3'], { commitFaults: 1 }),
  },
  {
    name: 'the epoch check is off in one region',
    breaks: 'I3',
    stepsMin: 4,
    core: {
      ...PRODUCTION,
      beginFold: misreading(
        withHeader((_header, { epoch }) => ({ epoch })),
        'us',
      ),
    },
    scope: scope(['w1'], { fences: 1 }),
  },
  {
    name: 'the epoch check is off everywhere',
    breaks: 'I6',
    stepsMin: 6,
    core: { ...PRODUCTION, beginFold: misreading(withHeader((_header, { epoch }) => ({ epoch }))) },
    scope: scope(['w1'], { fences: 2 }),
  },
  {
    name: 'a key is compared without its fingerprint',
    breaks: 'I9',
    stepsMin: 7,
    core: {
      ...PRODUCTION,
      beginFold: misreading(
        withHeader(({ idempotency: own }, { fingerprintOf }) => ({
          idempotency: own && { ...own, fingerprint: fingerprintOf(own.key) ?? own.fingerprint },
        })),
      ),
    },
    scope: scope(['w1', 'w2'], {}),
  },
  {
    name: 'keys are not looked at',
    breaks: 'I8',
    stepsMin: 7,
    core: { ...PRODUCTION, beginFold: misreading(withHeader(() => ({ idempotency: null }))) },
    scope: scope(['w1'], { timeouts: 1, repeats: 1 }),
  },
  {
    name: 'a hole is folded over, of a publisher that leaves one',
    breaks: 'I8',
    stepsMin: 5,
    core: {
      ...CARELESS_PUBLISHER,
      beginFold: misreading(
        withHeader(({ number }, { lastOf }, entry) => {
          const last = lastOf(entry);
          return { number: entryNumber(number > last ? last + 1n : number) };
        }),
      ),
    },
    scope: scope(['w1', 'w3'], { timeouts: 1 }),
  },
  {
    name: 'a copy of an entry is folded again',
    breaks: 'I8',
    stepsMin: 4,
    core: {
      ...PRODUCTION,
      beginFold: misreading(
        withHeader(({ number }, { lastOf }, entry) => {
          const last = lastOf(entry);
          return { number: entryNumber(number <= last ? last + 1n : number) };
        }),
      ),
    },
    scope: scope(['w3'], { appendFaults: 1 }),
  },
  {
    name: 'reading resumes one record too far',
    breaks: 'I2',
    stepsMin: 4,
    core: {
      ...PRODUCTION,
      decideResume: (cursor, log) => {
        const resume = PRODUCTION.decideResume(cursor, log);
        return resume.kind === 'halt' ? resume : { ...resume, from: offset(resume.from + 1n) };
      },
    },
    scope: scope(['w1'], { fences: 1 }),
  },
  {
    name: 'the vote of a store that went back counts',
    breaks: 'I12',
    stepsMin: 7,
    core: {
      ...PRODUCTION,
      judgeStore: () => ({ standing: COUNTS, wentBack: false }),
      standingAfter: () => COUNTS,
    },
    scope: scope(['w1'], { copies: 1, restores: 1 }),
  },
  {
    name: 'a second fence for the same epoch wins too',
    breaks: 'I5',
    stepsMin: 3,
    core: {
      ...PRODUCTION,
      beginFold: misreading((entry, { epoch }) =>
        entry.kind === 'control' && entry.body.kind === 'fence'
          ? {
              ...entry,
              body: { ...entry.body, expectedEpoch: epoch, epoch: (epoch + 1n) as typeof epoch },
            }
          : entry,
      ),
    },
    scope: scope(['w1'], { fences: 2 }),
  },
  {
    name: 'a fence that was settled wins',
    breaks: 'I5',
    stepsMin: 3,
    core: {
      ...PRODUCTION,
      beginFold: misreading((entry) =>
        entry.kind === 'control' && entry.body.kind === 'term'
          ? { ...entry, body: { kind: 'probe' } }
          : entry,
      ),
    },
    scope: scope(['w1'], { fences: 1, terms: 1 }),
  },
  {
    name: 'a batch whose end is not known is told as failed',
    breaks: 'I9',
    stepsMin: 4,
    core: { ...PRODUCTION, toldOfDoubt: 'failed' },
    scope: scope(['w1'], { appendFaults: 1, timeouts: 1 }),
  },
];
