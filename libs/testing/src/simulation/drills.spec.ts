import { expect, test } from '@jest/globals';
import type { Coordinator } from '@lockstep/engine';
import { answerJson, type Answer, type RegionName, type ShardName } from '@lockstep/protocol';
import { Drills } from './drills.js';
import { Tally } from './tally.js';

const ASKED = { to: 'us' as RegionName, reason: 'chaos', acceptLoss: false, timeoutMs: 1, actor: null };
const done = (entriesLost: number): Answer => answerJson(200, { outcome: 'done', real: { entriesLost } });
const refused = answerJson(409, { checks: [] });
const drilled = (allowed: boolean, entriesLost: number | null = 0): Answer =>
  answerJson(200, { allowed, entriesLost });

async function untrue(drill: Answer, moved: Answer): Promise<readonly unknown[]> {
  const tally = new Tally();
  const drills = new Drills(tally);
  const operator = {
    move: (_kind: string, _shard: string, { dryRun }: { readonly dryRun: boolean }) =>
      Promise.resolve(dryRun ? drill : moved),
  } as unknown as Coordinator['operator'];
  await drills.moveAfterDrill(operator, 'failover', 'orders/0' as ShardName, ASKED, 'operator');
  const log = { records: () => [] };
  const violations = drills.violations({ log } as unknown as Parameters<typeof drills.violations>[0]);
  return violations.flatMap(({ code, examples }) => [code, ...examples]);
}

test('a drill is true where the move behind it is decided, refused, and costs as it said', async () => {
  expect(await untrue(drilled(true), done(0))).toEqual([]);
  expect(await untrue(drilled(true), answerJson(202, {}))).toEqual([]);
  expect(await untrue(drilled(false), refused)).toEqual([]);
  // Nothing was decided: nobody led.
  expect(await untrue(drilled(false), answerJson(503, { code: 'no-leader' }))).toEqual([]);
});

test('a drill is untrue where it allowed what was refused, forbade what was done, or named too small a loss', async () => {
  const move = 'failover of orders/0 to us';
  expect(await untrue(drilled(true), refused)).toEqual([
    'drill-untrue',
    `${move}: allowed in the drill, and not then`,
  ]);
  expect(await untrue(drilled(false), done(0))).toEqual([
    'drill-untrue',
    `${move}: refused in the drill, and not then`,
  ]);
  expect(await untrue(drilled(true), done(2))).toEqual([
    'drill-untrue',
    `${move}: lost 2 entries, 0 were said`,
  ]);
});
