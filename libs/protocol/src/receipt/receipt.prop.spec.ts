/** Laws of receipts: whoever asks again is never told the contrary of what was told before (I7, I9). */
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { AP, EU, LOG_INCARNATION, SHARD, START_MS, US } from '../fold/fold.fixture.js';
import { epoch, sequence, type DatasetName } from '../identity/identity.js';
import { answerWrite, isReached } from './answer.js';
import { toReceipt, type ToldVerdictCode, type WriteFacts } from './receipt.js';
import { STAGES } from './stage.js';

const VERDICTS: readonly ToldVerdictCode[] = [
  'accepted',
  'expired',
  'schema',
  'policy',
  'version-conflict',
  'guard',
  'key-reused',
  'malformed',
];

/** What can become known of one write, in the order in which it becomes known. Stages above `logged` are facts of accepted ones. */
const histories: fc.Arbitrary<readonly WriteFacts[]> = fc
  .record({
    verdict: fc.oneof(fc.constant('accepted' as const), fc.constantFrom(...VERDICTS)),
    sequence: fc.bigInt({ min: 1n, max: 2n ** 53n - 1n }),
    eventKeys: fc.array(fc.constantFrom('eu:ada', 'eu:bob', 'eu:__proto__'), { minLength: 1, maxLength: 3 }),
    regions: fc.subarray([EU, US, AP], { minLength: 1 }),
    atMs: fc.nat(1_000_000).map((ms) => START_MS + ms),
    order: fc.shuffledSubarray(['logged', 'judged', 'named', 'accepted', 'quorum', 'everywhere'] as const, {
      minLength: 1,
    }),
  })
  .map(({ verdict, eventKeys, regions, atMs, order, ...place }) => {
    const judged = { verdict, sequence: sequence(place.sequence), epoch: epoch(1n), logIncarnation: null };
    const learnt: Record<(typeof order)[number], (known: WriteFacts) => WriteFacts> = {
      logged: (known) => ({ ...known, stages: { ...known.stages, logged: { atMs } } }),
      judged: (known) => ({ ...known, judged: known.judged ?? judged }),
      named: (known) => ({
        ...known,
        judged: known.judged === null ? null : { ...judged, logIncarnation: LOG_INCARNATION },
      }),
      accepted: (known) => ({
        ...known,
        judged: known.judged ?? judged,
        stages: { ...known.stages, accepted: { atMs, region: EU } },
      }),
      quorum: (known) => ({
        ...known,
        judged: known.judged ?? judged,
        stages: { ...known.stages, quorum: { atMs, regions } },
      }),
      everywhere: (known) => ({
        ...known,
        judged: known.judged ?? judged,
        stages: { ...known.stages, everywhere: { atMs } },
      }),
    };
    const nothing: WriteFacts = {
      id: 'k',
      dataset: 'accounts' as DatasetName,
      shard: SHARD,
      traceId: 'f'.repeat(32),
      eventKeys,
      judged: null,
      stages: {},
    };
    const known = [nothing];
    for (const step of order) {
      const isOfAccepted = step === 'accepted' || step === 'quorum' || step === 'everywhere';
      if (verdict === 'accepted' || !isOfAccepted) known.push(learnt[step](known.at(-1)!));
    }
    return known;
  });

/** All pairs of what was known earlier and later. */
const everyPair = (known: readonly WriteFacts[]): readonly (readonly [WriteFacts, WriteFacts])[] =>
  known.flatMap((earlier, index) => known.slice(index).map((later) => [earlier, later] as const));

const rank = (stage: string | null): number => (STAGES as readonly (string | null)[]).indexOf(stage);

test('a later receipt repeats every word of an earlier one, and adds to it; the stage never falls', () => {
  fc.assert(
    fc.property(histories, (known) => {
      for (const [earlier, later] of everyPair(known)) {
        const { outcome, stage, ...told } = toReceipt(earlier);
        const after = toReceipt(later);
        expect(after).toMatchObject(told);
        if (outcome !== 'unknown') expect(after.outcome).toBe(outcome);
        expect(rank(after.stage)).toBeGreaterThanOrEqual(rank(stage));
        // What is accepted is never said of a write whose verdict is not.
        if (rank(after.stage) >= rank('accepted')) expect(after.outcome).toBe('accepted');
      }
    }),
    { numRuns: 300 },
  );
});

test('a definite answer stays: 200 for an accepted write, and the same refusal for a rejected one', () => {
  const wanted = fc.constantFrom(...STAGES);
  fc.assert(
    fc.property(histories, wanted, fc.boolean(), (known, stage, replayed) => {
      for (const [earlier, later] of everyPair(known)) {
        const told = answerWrite(earlier, stage, false, '/location');
        const again = answerWrite(later, stage, replayed, '/location');
        // A logged write was told 200 with its outcome open; only that one may be refused later.
        if (earlier.judged === null) continue;
        if (told.status === 202) expect([200, 202]).toContain(again.status);
        else expect([again.status, again.code]).toEqual([told.status, told.code]);
      }
    }),
    { numRuns: 300 },
  );
});

test('who has reached a stage has reached all below it', () => {
  fc.assert(
    fc.property(histories, (known) => {
      for (const facts of known) {
        const reached = STAGES.map((stage) => isReached(facts, stage));
        expect(reached).toEqual([...reached].sort((x, y) => Number(y) - Number(x)));
        expect(reached.lastIndexOf(true)).toBe(rank(toReceipt(facts).stage));
      }
    }),
    { numRuns: 200 },
  );
});
