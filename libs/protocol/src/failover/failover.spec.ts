/** Votes about regions, what they add up to, and what the leader makes of it, by example. */
import { describe, expect, test } from '@jest/globals';
import { AP, EU, ledByEu, SHARD, US, type ControlLog } from '../control/control.fixture.js';
import type { ControlCommandOf } from '../control/command.js';
import { controlStateHash, controlStateJson, readControlState } from '../control/state.js';
import { replayDecisions } from '../control/replay.js';
import type { Scope } from '../control/scope.js';
import type { RegionName } from '../identity/identity.js';
import { seenShard } from '../promotion/promotion.fixture.js';
import { agreedUnfit, isPlausible, votesAgainst } from './agreement.js';
import { DEFAULT_THRESHOLDS, dueVote, opinionOf, type RegionNoticed } from './evidence.js';
import { DEFAULT_FAILOVER_POLICY, dueFailovers, failoverPlan, type FailoverPlan } from './govern.js';
import { acknowledgementOf, VOTE_MS } from './vote.js';

const unfit = (about: RegionName): ControlCommandOf<'vote'> => ({
  kind: 'vote',
  about,
  opinion: 'unfit',
  kinds: ['silent', 'canary'],
  evidence: 'seen',
});
const fit = (about: RegionName): ControlCommandOf<'vote'> => ({
  kind: 'vote',
  about,
  opinion: 'fit',
  kinds: [],
  evidence: '',
});

describe('what an observer finds', () => {
  const { canaryMs, refusedMs, silentMs, stalledMs } = DEFAULT_THRESHOLDS;
  const well: RegionNoticed = {
    nowMs: 10_000,
    heardAtMs: 9_900,
    isConnected: true,
    stalledSinceMs: null,
    failingSinceMs: null,
    failures: 0,
    refusedAtMs: null,
  };
  const failing = { failingSinceMs: well.nowMs - canaryMs, failures: 2 };
  test.each<[string, Partial<RegionNoticed>, 'fit' | 'unfit', readonly string[]]>([
    ['a region that answers and tells', {}, 'fit', []],
    ['canaries alone', failing, 'fit', ['canary']],
    ['one canary, however long', { ...failing, failures: 1 }, 'fit', []],
    ['silence alone', { heardAtMs: well.nowMs - silentMs }, 'fit', ['silent']],
    ['streams that are gone alone', { isConnected: false }, 'fit', ['silent']],
    ['a stall alone', { stalledSinceMs: well.nowMs - stalledMs }, 'fit', ['stalled']],
    ['canaries and silence', { ...failing, isConnected: false }, 'unfit', ['silent', 'canary']],
    [
      'canaries and a stall',
      { ...failing, stalledSinceMs: well.nowMs - stalledMs },
      'unfit',
      ['stalled', 'canary'],
    ],
    [
      'all of it while its gateway says so itself, for as long as a process needs to come back',
      {
        failingSinceMs: well.nowMs - refusedMs + 1,
        failures: 9,
        refusedAtMs: well.nowMs - canaryMs + 1,
        isConnected: false,
      },
      'fit',
      ['silent'],
    ],
    [
      'the same for longer',
      {
        failingSinceMs: well.nowMs - refusedMs,
        failures: 9,
        refusedAtMs: well.nowMs,
        isConnected: false,
      },
      'unfit',
      ['silent', 'canary'],
    ],
    [
      'a gateway that said so and is gone itself',
      { ...failing, failingSinceMs: 0, refusedAtMs: well.nowMs - canaryMs, isConnected: false },
      'unfit',
      ['silent', 'canary'],
    ],
    [
      'all of it a moment too short',
      { failingSinceMs: well.nowMs - canaryMs + 1, failures: 9, isConnected: false },
      'fit',
      ['silent'],
    ],
  ])('%s', (_, change, opinion, kinds) => {
    expect(opinionOf({ ...well, ...change }, DEFAULT_THRESHOLDS)).toMatchObject({ opinion, kinds });
  });

  test('rests on what is borne of that region, and says it', () => {
    const borne = { ...DEFAULT_THRESHOLDS, silentMs: 3_000 };
    const silent = { ...well, ...failing, heardAtMs: well.nowMs - 2_999 };
    expect(opinionOf(silent, borne).opinion).toBe('fit');
    expect(opinionOf({ ...silent, heardAtMs: well.nowMs - 3_000 }, borne)).toEqual({
      opinion: 'unfit',
      kinds: ['silent', 'canary'],
      evidence:
        'its streams told nothing for 3000 ms, 3000 ms are borne; 2 canaries in 800 ms failed, 800 ms are borne',
    });
  });

  test('is said when it changes, and again before it lapses; that a region is fit is said only of one that was not', () => {
    const log = ledByEu();
    const say = (opinion: 'fit' | 'unfit') =>
      dueVote(log.state, US, EU, { opinion, kinds: [], evidence: '' });
    expect(say('fit')).toBeNull();
    expect(say('unfit')).toMatchObject({ kind: 'vote', about: EU });
    log.say(US, unfit(EU));
    expect(say('unfit')).toBeNull();
    log.nowMs += VOTE_MS / 2;
    log.say(EU, { kind: 'heartbeat', term: 1n });
    expect(say('unfit')).toMatchObject({ opinion: 'unfit' });
    expect(say('fit')).toMatchObject({ opinion: 'fit' });
    log.say(US, fit(EU));
    expect(say('fit')).toBeNull();
  });
});

describe('what votes add up to', () => {
  test('two of three: one is not enough, the latest of each counts, and only for a while', () => {
    const log = ledByEu();
    log.say(US, unfit(EU));
    expect(agreedUnfit(log.state)).toEqual([]);
    log.say(AP, unfit(EU));
    expect(agreedUnfit(log.state)).toEqual([EU]);
    log.say(US, fit(EU));
    expect(agreedUnfit(log.state)).toEqual([]);
    log.say(US, unfit(EU));
    expect(agreedUnfit(log.state)).toEqual([EU]);
    log.nowMs += VOTE_MS + 1;
    log.say(EU, { kind: 'heartbeat', term: 1n });
    expect(agreedUnfit(log.state)).toEqual([]);
  });

  test('nobody votes about itself, or about who is no member', () => {
    const log = ledByEu();
    expect(log.say(EU, unfit(EU))).toMatchObject({ verdict: 'refused' });
    expect(log.say(EU, unfit('mars' as RegionName))).toMatchObject({ verdict: 'refused' });
  });

  test('who finds all others unfit is not believed', () => {
    const log = ledByEu();
    for (const about of [EU, US]) log.say(AP, unfit(about));
    log.say(US, unfit(EU));
    expect(votesAgainst(log.state, EU).map(({ observer }) => observer)).toEqual([US]);
    expect(agreedUnfit(log.state)).toEqual([]);
  });

  test('a new process of an observer has seen nothing yet', () => {
    const log = ledByEu();
    log.say(US, unfit(EU));
    log.say(US, { kind: 'join', replaces: '5'.repeat(32) }, { session: '6'.repeat(32) });
    expect(log.state.votes).toEqual([]);
  });

  test('half of all at once is no picture of the world', () => {
    const { state } = ledByEu();
    const SA = 'sa' as RegionName;
    const votes = [AP, SA].flatMap((observer) =>
      [EU, US].map((about) => ({ ...unfit(about), observer, at: 9n, atMs: state.logTimeMs })),
    );
    const four = { ...state, configuration: { ...state.configuration!, members: [EU, US, AP, SA] }, votes };
    expect(agreedUnfit(four)).toEqual([EU, US]);
    expect(isPlausible(four)).toBe(false);
    expect(isPlausible({ ...four, votes: votes.filter(({ about }) => about === EU) })).toBe(true);
  });

  test('a state without votes has the hash that it had before there were any', () => {
    const { state } = ledByEu();
    const json = controlStateJson(state);
    expect(Object.keys(json)).not.toContain('votes');
    expect(readControlState(json)).toEqual({ kind: 'value', value: state });
    expect(controlStateHash(json)).toHaveLength(32);
  });
});

describe('what the leader does', () => {
  const plan = (): FailoverPlan => ({
    automatic: 1,
    shards: [{ shard: SHARD, to: US }],
    pause: null,
  });
  const due = (log: ControlLog, planOf: () => FailoverPlan = plan) =>
    dueFailovers(log.state, planOf, DEFAULT_FAILOVER_POLICY);
  function agreed(): ControlLog {
    const log = ledByEu();
    log.say(US, unfit(EU));
    log.say(AP, unfit(EU));
    return log;
  }

  test('nothing while nobody complains; says why not while one does; decides once enough agree', () => {
    const log = ledByEu();
    expect(due(log)).toEqual([]);
    log.say(US, unfit(EU));
    expect(due(log)).toMatchObject([{ kind: 'held', region: EU, codes: ['agreed'] }]);
    log.say(EU, due(log)[0]!);
    expect(due(log)).toEqual([]);
    log.say(AP, unfit(EU));
    expect(due(log)).toMatchObject([{ kind: 'fail-over', shards: [{ shard: SHARD, to: US }] }]);
    expect(log.say(EU, due(log)[0]!)).toMatchObject({ verdict: 'accepted' });
    expect(log.state.evacuations).toMatchObject([
      { region: EU, move: 'failover', actor: 'governor', reason: 'eu is unfit, say ap and us' },
    ]);
    expect(due(log)).toMatchObject([{ kind: 'held', codes: ['evacuation', 'cool-down'] }]);
  });

  test('what it did and did not do is judged alike by anybody later, and what does not follow is found', () => {
    const log = ledByEu();
    log.say(US, unfit(EU));
    log.say(EU, due(log)[0]!);
    log.say(AP, unfit(EU));
    const decided = due(log)[0] as ControlCommandOf<'fail-over'>;
    log.say(EU, decided);
    expect(replayDecisions(log.records)).toMatchObject({ decisions: 2, compared: 2, differences: [] });
    const { inputs, region, term } = decided;
    log.say(EU, { kind: 'held', term, region, inputs, codes: ['paused'] });
    log.say(EU, {
      ...(due(log)[0] as ControlCommandOf<'held'>),
      inputs: { ...decided.inputs, at: Number(log.state.sequence) },
    });
    expect(replayDecisions(log.records).differences).toMatchObject([
      { at: 8n + 1n, code: 'judged-differently' },
      { code: 'inputs-differ' },
    ]);
  });

  test('nothing about a region that has nothing to move by itself', () => {
    expect(due(agreed(), () => ({ automatic: 0, shards: [], pause: null }))).toEqual([]);
  });

  test('nothing in a pause of everything or of the region, and not without a region to go to', () => {
    for (const scope of ['all', 'region:eu']) {
      const log = agreed();
      log.say(EU, { kind: 'pause', scope: scope as Scope, owner: 'a', reason: '', untilMs: log.nowMs + 1 });
      expect(due(log)).toMatchObject([{ kind: 'held', codes: ['paused'] }]);
    }
    expect(due(agreed(), () => ({ automatic: 1, shards: [], pause: null }))).toMatchObject([
      { codes: ['candidate'] },
    ]);
  });

  test('a pause of the only shard that is left is named, and what it holds back goes when it is over', () => {
    const log = agreed();
    const planOf = (): FailoverPlan => failoverPlan(log.state, [seenShard()]);
    const untilMs = log.nowMs + 1_000;
    const scope = `shard:${SHARD}` as Scope;
    const { at: pause } = log.say(EU, { kind: 'pause', scope, owner: 'a', reason: '', untilMs });
    expect(planOf()).toEqual({ automatic: 1, shards: [], pause });
    expect(due(log, planOf)).toMatchObject([{ kind: 'held', codes: ['candidate', 'paused'] }]);
    log.say(EU, due(log, planOf)[0]!);
    expect(due(log, planOf)).toEqual([]);
    expect(replayDecisions(log.records)).toMatchObject({ decisions: 1, compared: 1, differences: [] });
    log.nowMs = untilMs + 1;
    log.say(EU, { kind: 'heartbeat', term: 1n });
    expect(due(log, planOf)).toMatchObject([{ kind: 'fail-over', shards: [{ shard: SHARD, to: US }] }]);
  });

  test('a pause of one shard neither holds the others back nor is named for them', () => {
    const log = agreed();
    const scope = 'shard:accounts/1' as Scope;
    log.say(EU, { kind: 'pause', scope, owner: 'a', reason: '', untilMs: log.nowMs + 1_000 });
    const other = { ...seenShard(), shard: 'accounts/1' as typeof SHARD };
    const planOf = (): FailoverPlan => failoverPlan(log.state, [other, seenShard()]);
    expect(due(log, planOf)).toMatchObject([
      { kind: 'fail-over', shards: [{ shard: SHARD, to: US }], inputs: { automatic: 2, pause: null } },
    ]);
  });

  test('what a pause kept out of a failover does not wait until that one has cooled down', () => {
    const log = agreed();
    const held = { ...seenShard(), shard: 'accounts/1' as typeof SHARD };
    const scope = `shard:${held.shard}` as Scope;
    const untilMs = log.nowMs + 1_000;
    log.say(EU, { kind: 'pause', scope, owner: 'a', reason: '', untilMs });
    const [first] = due(log, () => failoverPlan(log.state, [held, seenShard()]));
    expect(first).toMatchObject({ kind: 'fail-over', shards: [{ shard: SHARD }] });
    log.say(EU, first!);
    const isOver = (decision: bigint): void => {
      log.say(EU, { kind: 'cancel', decision, reason: '', actor: '' });
    };
    isOver(log.state.evacuations.at(-1)!.decision);
    const left = (): FailoverPlan => failoverPlan(log.state, [held]);
    expect(due(log, left)).toMatchObject([{ kind: 'held', codes: ['candidate', 'paused', 'cool-down'] }]);
    log.say(EU, due(log, left)[0]!);
    log.nowMs = untilMs + 1;
    log.say(EU, { kind: 'heartbeat', term: 1n });
    const [second] = due(log, left);
    expect(second).toMatchObject({
      kind: 'fail-over',
      shards: [{ shard: held.shard }],
      inputs: { lastAtMs: null, spent: 1 },
    });
    log.say(EU, second!);
    isOver(log.state.evacuations.at(-1)!.decision);
    // Where one of them comes again, the cool-down holds, for both.
    const both = (): FailoverPlan => failoverPlan(log.state, [held, seenShard()]);
    const inputs = { lastAtMs: log.state.logTimeMs };
    expect(due(log, both)).toMatchObject([{ kind: 'held', codes: ['cool-down'], inputs }]);
    log.say(EU, due(log, both)[0]!);
    expect(replayDecisions(log.records)).toMatchObject({ decisions: 4, compared: 4, differences: [] });
  });

  test('a failover that does not name the one before of the same shards is found when it is judged again', () => {
    const log = agreed();
    const [command] = due(log) as readonly ControlCommandOf<'fail-over'>[];
    log.say(EU, command!);
    log.say(EU, { kind: 'cancel', decision: log.state.evacuations[0]!.decision, reason: '', actor: '' });
    const [held] = due(log) as readonly ControlCommandOf<'held'>[];
    log.say(EU, { ...command!, inputs: { ...held!.inputs, lastAtMs: null } });
    expect(replayDecisions(log.records).differences).toMatchObject([
      { code: 'inputs-differ', detail: 'the log says otherwise of lastAtMs' },
    ]);
  });

  test('what is held back is told again at once under another pause, and behind a failover', () => {
    const log = agreed();
    const tell = (): readonly string[] => {
      const told = due(log) as readonly ControlCommandOf<'held'>[];
      for (const command of told) log.say(EU, command);
      return told.flatMap(({ codes }) => codes);
    };
    const pauseAgain = (): void => {
      const scope = 'region:eu' as Scope;
      log.say(EU, { kind: 'pause', scope, owner: 'a', reason: '', untilMs: log.nowMs + 10 });
    };
    pauseAgain();
    expect([tell(), tell()]).toEqual([['paused'], []]);
    log.nowMs += 11;
    pauseAgain();
    expect([tell(), tell()]).toEqual([['paused'], []]);
    log.nowMs += 11;
    log.say(EU, { kind: 'heartbeat', term: 1n });
    const policy = { ...DEFAULT_FAILOVER_POLICY, coolDownMs: 0 };
    const [command] = dueFailovers(log.state, plan, policy);
    log.say(EU, command!);
    const { decision } = log.state.evacuations.at(-1)!;
    log.say(EU, { kind: 'cancel', decision, reason: '', actor: '' });
    pauseAgain();
    expect(dueFailovers(log.state, plan, policy)).toMatchObject([{ kind: 'held', codes: ['paused'] }]);
  });

  test('again at once when somebody has acknowledged the one before; the next one counts anew', () => {
    const log = agreed();
    log.say(EU, due(log)[0]!);
    const { at } = log.state.failovers[0]!;
    const { decision } = log.state.evacuations.at(-1)!;
    log.say(EU, { kind: 'cancel', decision, reason: '', actor: '' });
    expect(due(log)).toMatchObject([{ kind: 'held', codes: ['cool-down'] }]);
    const seen = (failover: bigint): void =>
      void log.say(AP, {
        kind: 'approval',
        subject: acknowledgementOf(failover),
        reason: 'a broken disk, replaced',
        actor: 'anna',
        untilMs: log.nowMs + DEFAULT_FAILOVER_POLICY.windowMs,
      });
    seen(at + 1n);
    expect(due(log)).toMatchObject([{ kind: 'held', codes: ['cool-down'] }]);
    seen(at);
    expect(due(log)).toMatchObject([{ kind: 'fail-over', inputs: { lastAtMs: null, spent: 0 } }]);
    log.say(EU, due(log)[0]!);
    expect(due(log)).toMatchObject([{ codes: ['evacuation', 'cool-down'] }]);
    expect(replayDecisions(log.records)).toMatchObject({ decisions: 2, differences: [] });
  });

  test('not again before the cool-down is over, and not beyond the budget', () => {
    const log = agreed();
    const failOver = (): void => {
      log.say(US, unfit(EU));
      log.say(AP, unfit(EU));
      const [command] = due(log);
      expect(command).toMatchObject({ kind: 'fail-over' });
      log.say(EU, command!);
      const { decision } = log.state.evacuations.at(-1)!;
      log.say(EU, { kind: 'cancel', decision, reason: '', actor: '' });
    };
    for (let failover = 0; failover < DEFAULT_FAILOVER_POLICY.budget; failover += 1) {
      failOver();
      expect(due(log)).toMatchObject([{ kind: 'held' }]);
      expect((due(log)[0] as ControlCommandOf<'held'>).codes).toContain('cool-down');
      log.nowMs += DEFAULT_FAILOVER_POLICY.coolDownMs;
      log.say(EU, { kind: 'heartbeat', term: 1n });
    }
    log.say(US, unfit(EU));
    log.say(AP, unfit(EU));
    expect(due(log)).toMatchObject([{ kind: 'held', codes: ['budget'] }]);
    log.nowMs += DEFAULT_FAILOVER_POLICY.windowMs;
    log.say(US, unfit(EU));
    log.say(AP, unfit(EU));
    failOver();
  });

  test('shards go where they may, to a region that nobody doubts', () => {
    const log = agreed();
    const two = seenShard();
    const ap = { ...two.regions[1]!, region: AP };
    const seen = { ...two, legal: [EU, US, AP], regions: [...two.regions, ap] };
    expect(failoverPlan(log.state, [seen])).toEqual({
      automatic: 1,
      shards: [{ shard: SHARD, to: AP }],
      pause: null,
    });
    log.say(EU, unfit(AP));
    expect(failoverPlan(log.state, [seen]).shards).toEqual([{ shard: SHARD, to: US }]);
    expect(failoverPlan(log.state, [{ ...seen, legal: [EU, AP] }]).shards).toEqual([]);
  });
});
