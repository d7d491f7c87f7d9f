/** Laws of the control log: total, the same from any snapshot on, one leader per term, nothing unbounded. */
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { STAGE_EVENTS, OPEN_STAGES } from '../promotion/promotion-machine.js';
import { AP, ControlLog, decision, EU, ledByEu, session, US } from './control.fixture.js';
import type { ControlCommand } from './command.js';
import { foldControl } from './fold-control.js';
import { controlStateHash, controlStateJson, readControlState } from './state.js';

const term = fc.bigInt(0n, 4n);
const near = fc.bigInt(0n, 30n);
const commands: fc.Arbitrary<ControlCommand> = fc.oneof(
  fc.record({ kind: fc.constant('heartbeat' as const), term }),
  fc.record({ kind: fc.constant('resign' as const), term }),
  fc.record({ kind: fc.constantFrom('suspect' as const, 'silent' as const), term, heartbeat: near }),
  term.map((replaces): ControlCommand => ({ kind: 'claim', term: replaces + 1n, replaces })),
  fc.record({
    kind: fc.constant('join' as const),
    replaces: fc.constantFrom(null, session('e'), session('5')),
  }),
  term.map((of): ControlCommand => decision({ term: of, move: 'failover' })),
  fc.record({ kind: fc.constant('adopt' as const), term, decision: near }),
  fc.record({
    kind: fc.constant('stage' as const),
    term,
    decision: fc.bigInt(5n, 9n),
    from: fc.constantFrom(...OPEN_STAGES),
    event: fc.constantFrom(...STAGE_EVENTS),
    evidence: fc.constant(''),
  }),
  near.map((of): ControlCommand => ({ kind: 'cancel', decision: of, reason: '', actor: '' })),
  fc.constant<ControlCommand>({
    kind: 'pause',
    scope: 'all' as never,
    owner: '',
    reason: '',
    untilMs: 2_000_000,
  }),
  near.map((pause): ControlCommand => ({ kind: 'resume', pause, actor: '' })),
  fc.record({ kind: fc.constant('paused' as const), term, pause: near }),
);
const said = fc.tuple(fc.constantFrom(EU, US, AP), commands, fc.constantFrom(0, 10_000));

test('whatever is said, the state reads back as it was, and the log goes on from it as if it had been folded', () => {
  fc.assert(
    fc.property(fc.array(said, { maxLength: 40, size: 'max' }), fc.nat(40), (all, cut) => {
      const log = ledByEu();
      let restored = log.state;
      let at = log.records.length;
      for (const [index, [author, command, laterMs]] of all.entries()) {
        log.nowMs += laterMs;
        log.say(author, command);
        if (index !== cut) continue;
        const read = readControlState(JSON.parse(JSON.stringify(controlStateJson(log.state))));
        if (read.kind === 'refused') throw new Error(read.reason);
        restored = read.value;
        at = log.records.length;
      }
      for (const record of log.records.slice(at)) {
        const step = foldControl(restored, record);
        if (step.kind === 'halted') throw new Error(step.detail);
        restored = step.state;
      }
      expect(restored).toEqual(log.state);
      expect(controlStateHash(controlStateJson(restored))).toBe(
        controlStateHash(controlStateJson(log.state)),
      );
      const terms = log.state.terms.map((one) => one.term);
      expect(terms).toEqual([...new Set(terms)].sort((x, y) => (x < y ? -1 : 1)));
      expect(new Set(log.state.open.map(({ shard }) => shard)).size).toBe(log.state.open.length);
    }),
    { numRuns: 300 },
  );
});

test('a copy of any record, landing later, changes nothing but place and log time', () => {
  fc.assert(
    fc.property(fc.array(said, { minLength: 1, maxLength: 30, size: 'max' }), fc.nat(40), (all, which) => {
      const log = ledByEu();
      for (const [author, command] of all) log.say(author, command);
      const before = log.state;
      const copied = log.records[which % log.records.length]!;
      log.append(copied.valueText!, log.nowMs);
      const { offset, sequence } = log.state;
      expect(log.state).toEqual({ ...before, offset, sequence });
    }),
    { numRuns: 300 },
  );
});

test('any text is an entry or is not, and takes a control sequence', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
      const log = new ControlLog();
      expect(log.append(text)).toMatchObject({ verdict: 'malformed', at: 1n });
    }),
  );
});
