/** A pause counts when it is confirmed; until then the program waits, and says so. */
import { describe, expect, test } from '@jest/globals';
import { run, type FakeAnswer } from './coordinator.fixture.js';

const PAUSE = 'POST /v1/pause';
const RESUME = 'POST /v1/resume';
const CLUSTER = 'GET /v1/cluster';
const UNTIL = '2026-11-21T20:00:00.000Z';

const pause = (confirmed: boolean) => ({ pause: 7, scope: 'region:eu', until: UNTIL, confirmed });
const cluster = (paused: readonly object[] | null, changes: object = {}): FakeAnswer => ({
  status: 200,
  body: { region: 'eu', term: 3, leader: 'us', members: ['eu', 'us'], paused, regions: [], ...changes },
});
const WORDS = ['pause', 'region:eu', '--reason', 'works', '--until', '2026-11-21T21:00:00+01:00'];

describe('a pause', () => {
  test('that is confirmed at once is done; its time is told in UTC', async () => {
    const { asked, code, err, out } = await run(
      { [PAUSE]: [{ status: 200, body: pause(true) }] },
      WORDS,
      'y\n',
    );
    expect(code).toBe(0);
    expect(asked).toEqual([{ call: PAUSE, body: { scope: 'region:eu', reason: 'works', until: UNTIL } }]);
    expect(err).toContain(`pause region:eu until ${UNTIL}? [y/N] `);
    expect(out).toBe(`Paused region:eu until ${UNTIL}: pause 7, confirmed.`);
  });

  test('is awaited until it is confirmed', async () => {
    const script = {
      [PAUSE]: [{ status: 202, body: pause(false) }],
      [CLUSTER]: [cluster(null), cluster([pause(false)]), cluster([pause(true)])],
    };
    const { asked, code, out } = await run(script, [...WORDS, '--yes', '--json']);
    expect(code).toBe(0);
    expect(asked).toHaveLength(4);
    expect(JSON.parse(out)).toEqual(pause(true));
  });

  test('that is not confirmed in time exits 1, and says what may still happen', async () => {
    const script = { [PAUSE]: [{ status: 202, body: pause(false) }], [CLUSTER]: [cluster([pause(false)])] };
    const { code, err, out } = await run(script, [...WORDS, '--yes', '--timeout', '1']);
    expect(code).toBe(1);
    expect(out).toBe('Pause 7 of region:eu is not confirmed.');
    expect(err).toContain('A move that was under way may still come about');
  });

  test('that begins later is a window, told and done', async () => {
    const FROM = '2026-11-21T19:00:00.000Z';
    const window = { window: 9, scope: 'region:eu', from: FROM, until: UNTIL };
    const { asked, code, err, out } = await run(
      { [PAUSE]: [{ status: 202, body: window }] },
      [...WORDS.slice(0, 4), '--from', '2026-11-21T19:00:00Z', '--for', '1h'],
      'y\n',
    );
    expect(code).toBe(0);
    const body = { scope: 'region:eu', reason: 'works', from: FROM, until: UNTIL };
    expect(asked).toEqual([{ call: PAUSE, body }]);
    expect(err).toContain(`pause region:eu from ${FROM} until ${UNTIL}? [y/N] `);
    expect(out).toBe(`Window 9: region:eu is paused from ${FROM} until ${UNTIL}.`);
  });

  test.each([
    ['90s', 90_000],
    ['30m', 1_800_000],
    ['2h', 7_200_000],
    ['1d', 86_400_000],
  ])('for %s ends so much later than now', async (duration, durationMs) => {
    const before = Date.now();
    const script = { [PAUSE]: [{ status: 200, body: pause(true) }] };
    const { asked } = await run(script, ['pause', 'all', '--reason', 'a', '--for', duration, '--yes']);
    const { until } = asked[0]!.body as { until: string };
    expect(Date.parse(until) - durationMs).toBeGreaterThanOrEqual(before);
    expect(Date.parse(until) - durationMs).toBeLessThanOrEqual(Date.now());
  });

  test.each([
    [[], 'Say how long'],
    [['--until', '2026-11-21'], 'Expected a time with its zone'],
    [['--until', '2026-11-21T20:00:00'], 'Expected a time with its zone'],
    [['--until', '2026-13-21T20:00:00Z'], 'Expected a time with its zone'],
    [['--for', '30'], 'Expected a duration'],
    [['--for', '0m'], 'Expected a duration'],
    [['--for', '30m', '--until', UNTIL], 'cannot be used with'],
  ])('%j cannot be meant so', async (words, sentence) => {
    const { asked, code, err } = await run({}, ['pause', 'all', '--reason', 'a', '--yes', ...words]);
    expect([code, asked]).toEqual([2, []]);
    expect(err).toContain(sentence);
  });
});

describe('a resumption', () => {
  const RESUMED = ['resume', 'region:eu', '--reason', 'it is over'];

  test('names the pauses that it ended', async () => {
    const script = { [RESUME]: [{ status: 200, body: { resumed: [7, 9] } }] };
    const { asked, code, err, out } = await run(script, RESUMED, 'y\n');
    expect(code).toBe(0);
    expect(asked).toEqual([{ call: RESUME, body: { scope: 'region:eu', reason: 'it is over' } }]);
    expect(err).toContain('resume region:eu? [y/N] ');
    expect(out).toBe('Resumed region:eu: ended 7, 9.');
  });

  test('of what is not paused exits 1', async () => {
    const refused = { status: 409, body: { code: 'not-paused', detail: 'no pause of region:eu' } };
    const { code, err } = await run({ [RESUME]: [refused] }, [...RESUMED, '--yes']);
    expect(code).toBe(1);
    expect(err).toContain('409: not-paused: no pause of region:eu');
  });
});

describe('the status', () => {
  test('tells who leads, how far the control log is folded, and what is paused', async () => {
    const paused = [{ ...pause(false), owner: 'ada', reason: 'works' }];
    const control = { sequence: 57, current: true, halted: null };
    const { out } = await run({ [CLUSTER]: [cluster(paused, { control })] }, ['status']);
    expect(out).toContain('Seen from eu; leader us, term 3');
    expect(out).toContain('Control log folded up to 57, current');
    const row = out.split('\n').find((line) => line.includes('region:eu'));
    expect(row?.split('│').map((cell) => cell.trim())).toEqual([
      '', '7', 'region:eu', UNTIL, 'no', 'ada', 'works', '',
    ]); // prettier-ignore
  });

  test.each([
    [{ sequence: 5, current: false, halted: null }, 'up to 5, behind its end'],
    [{ sequence: 5, current: false, halted: 'snapshot differs' }, 'up to 5, halted: snapshot differs'],
  ])('tells of a control log %j', async (control, sentence) => {
    const { out } = await run({ [CLUSTER]: [cluster([], { control })] }, ['status']);
    expect(out).toContain(sentence);
  });

  test('tells the windows that are to come', async () => {
    const window = { window: 9, scope: 'all', from: 'A', until: 'B', owner: 'ada', reason: 'works' };
    const { out } = await run({ [CLUSTER]: [cluster([], { windows: [window] })] }, ['status']);
    const row = out.split('\n').find((line) => line.includes('works'));
    expect(row?.split('│').map((cell) => cell.trim())).toEqual([
      '', '9', 'all', 'A', 'B', 'ada', 'works', '',
    ]); // prettier-ignore
  });

  test('tells nothing paused from not known', async () => {
    expect((await run({ [CLUSTER]: [cluster([])] }, ['status'])).out).toContain('Nothing is paused.');
    const unknown = await run({ [CLUSTER]: [cluster(null, { term: null, leader: null })] }, ['status']);
    expect(unknown.out).toContain('Pauses: ?');
    expect(unknown.out).toContain('leader none, term none');
  });
});
