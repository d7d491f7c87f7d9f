import { describe, expect, test } from '@jest/globals';
import type { RegionName, ShardName } from '@lockstep/protocol';
import type { AuditedCommand } from './control-audit.js';
import { FAILOVER_MS_MAX, judgeFailoverTimes, type JudgedOutage } from './failover-times.js';

const SHARD = 'orders/0' as ShardName;
const MS = 1e6;
const GONE_MS = 20_000;

/** Said at a millisecond of the run; its number is its place. */
const said = (ms: number, command: object, author = 'us'): object => ({ ms, author, command });
const log = (...all: readonly object[]): readonly AuditedCommand[] =>
  all.map((one, index) => {
    const { author, command, ms } = one as { ms: number; author: string; command: object };
    const at = BigInt(index + 1);
    return {
      ...{ at, author, command, t: ms * MS, appendTimeMs: ms, clockMs: ms, verdict: 'accepted' },
    } as unknown as AuditedCommand;
  });

const decided = (ms: number, shard = SHARD): object => said(ms, { kind: 'decision', shard });
const staged = (ms: number, decision: bigint, event: string): object =>
  said(ms, { kind: 'stage', decision, event });
const failover = (ms: number, region: string): object => said(ms, { kind: 'fail-over', region });

function judged(
  commands: readonly AuditedCommand[],
  {
    acceptedMs = null,
    homeAtEnd = 'eu',
    ruleMetT = 0,
    ...more
  }: { acceptedMs?: number | null; homeAtEnd?: string; ruleMetT?: number } & Partial<JudgedOutage> = {},
) {
  const shards = [
    {
      shard: SHARD,
      acceptedT: acceptedMs === null ? null : acceptedMs * MS,
      homeAtEnd: homeAtEnd as RegionName,
      ruleMetT,
    },
  ];
  const fromT = GONE_MS * MS;
  return judgeFailoverTimes(
    { region: 'eu', fromT, orderlyT: 0, endT: 80_000 * MS, shards, ...more },
    commands,
  );
}

const openedIn = (ms: number, ...before: readonly object[]): readonly AuditedCommand[] => {
  const decision = BigInt(before.length + 1);
  return log(...before, decided(GONE_MS + 1_000), staged(GONE_MS + ms, decision, 'open'));
};

describe('the time until a home that is gone is replaced', () => {
  test('is taken until its shard is open elsewhere, and may be as long as the bound', () => {
    expect(judged(openedIn(3_000))).toEqual({ openedMs: [3_000], passedOver: [], tooSlow: [] });
    expect(judged(openedIn(FAILOVER_MS_MAX)).tooSlow).toEqual([]);
  });

  test('is too long beyond the bound, and where the shard is never opened', () => {
    expect(judged(openedIn(FAILOVER_MS_MAX + 100)).tooSlow).toEqual([
      'orders/0: open 6.1 s after eu was gone',
    ]);
    expect(judged(log()).tooSlow).toEqual(['orders/0: not open 60.0 s after eu was gone']);
    // What another shard did does not count, nor what was opened before.
    const others = log(decided(1_000), staged(2_000, 1n, 'open'), staged(2_100, 1n, 'done'));
    expect(judged(others).tooSlow).toHaveLength(1);
    const another = log(decided(GONE_MS + 1, 'orders/1' as ShardName), staged(GONE_MS + 2, 1n, 'open'));
    expect(judged(another).tooSlow).toHaveLength(1);
  });

  test('begins when the others are in order and meet the rule, believe each other, and no pause holds', () => {
    const late = openedIn(9_000);
    expect(judged(late).tooSlow).toHaveLength(1);
    expect(judged(late, { ruleMetT: (GONE_MS + 6_000) * MS })).toMatchObject({
      openedMs: [3_000],
      tooSlow: [],
    });
    expect(judged(late, { ruleMetT: (GONE_MS + 2_000) * MS }).tooSlow).toEqual([
      'orders/0: open 7.0 s after eu was gone',
    ]);
    expect(judged(late, { orderlyT: (GONE_MS + 5_000) * MS })).toMatchObject({
      openedMs: [4_000],
      tooSlow: [],
    });
    const doubt = said(GONE_MS - 500, { kind: 'vote', about: 'ap', opinion: 'unfit' });
    expect(judged(openedIn(9_000, doubt))).toMatchObject({ openedMs: [4_500], tooSlow: [] });
    const pause = said(GONE_MS - 500, { kind: 'pause', scope: 'all', untilMs: GONE_MS + 4_000 });
    expect(judged(openedIn(9_000, pause))).toMatchObject({ openedMs: [5_000], tooSlow: [] });
    // Votes against the region that is gone, doubts that are over and a pause that was ended excuse nothing.
    const found = said(GONE_MS + 1, { kind: 'vote', about: 'eu', opinion: 'unfit' });
    const over = said(GONE_MS - 400, { kind: 'vote', about: 'ap', opinion: 'fit' });
    const resumed = said(GONE_MS - 400, { kind: 'resume', pause: 3n });
    expect(judged(openedIn(9_000, doubt, over, pause, resumed, found)).tooSlow).toHaveLength(1);
  });

  test('is not judged where something else forbids or decides it', () => {
    const passed = (commands: readonly AuditedCommand[], more = {}) => judged(commands, more).passedOver;
    expect(passed(log(failover(1_000, 'eu')))).toEqual(['failed-over-before']);
    expect(passed(log(...['us', 'ap', 'us'].map((region) => failover(1_000, region))))).toEqual([
      'failed-over-before',
    ]);
    expect(passed(log(failover(1_000, 'us')))).toEqual([]);
    expect(passed(log(decided(19_000)))).toEqual(['move-under-way']);
    expect(passed(log(decided(19_000), staged(19_500, 1n, 'done')))).toEqual([]);
    const cancel = said(19_600, { kind: 'cancel', decision: 1n });
    expect(passed(log(decided(19_000), cancel))).toEqual([]);
    expect(passed(log(decided(19_000), staged(19_500, 1n, 'fencing'), cancel))).toEqual(['move-under-way']);
    const withdrawn = staged(19_700, 1n, 'withdrawn');
    expect(passed(log(decided(19_000), staged(19_500, 1n, 'fencing'), cancel, withdrawn))).toEqual([]);
    expect(passed(log(), { ruleMetT: Infinity })).toEqual(['rule-not-met']);
    expect(passed(log(), { homeAtEnd: 'us' })).toEqual(['moved-otherwise']);
    expect(passed(log(), { orderlyT: Infinity })).toEqual(['others-not-in-order']);
  });

  test('ends with the first write that was taken, where nothing was noted of its opening', () => {
    expect(judged(log(), { acceptedMs: GONE_MS + 2_000 }).openedMs).toEqual([2_000]);
    expect(judged(log(), { acceptedMs: GONE_MS + 7_000 }).tooSlow).toHaveLength(1);
  });
});
