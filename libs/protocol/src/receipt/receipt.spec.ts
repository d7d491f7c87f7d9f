/** The receipt as clients see it: every field where the contract puts it, and absent while it is not known (I7, I9). */
import { describe, expect, test } from '@jest/globals';
import { AP, EU, LOG_INCARNATION, SHARD, START_MS, US } from '../fold/fold.fixture.js';
import { epoch, sequence, type DatasetName } from '../identity/identity.js';
import { decodeToken } from '../position/token.js';
import { highestStage, toReceipt, type WriteFacts } from './receipt.js';
import { defaultStage, isStage, STAGES } from './stage.js';

const FACTS: WriteFacts = {
  id: 'order-17',
  dataset: 'accounts' as DatasetName,
  shard: SHARD,
  traceId: '4bf92f3577b34da6a3ce929d0e0e4736',
  eventKeys: ['eu:ada', 'eu:bob'],
  judged: null,
  stages: {},
};
const JUDGED = {
  verdict: 'accepted',
  sequence: sequence(42n),
  epoch: epoch(3n),
  logIncarnation: LOG_INCARNATION,
} as const;

describe('the JSON of a receipt', () => {
  test('an accepted write that has reached every stage', () => {
    const receipt = toReceipt({
      ...FACTS,
      judged: JUDGED,
      stages: {
        logged: { atMs: START_MS },
        accepted: { atMs: START_MS + 5, region: EU },
        quorum: { atMs: START_MS + 40, regions: [EU, US] },
        everywhere: { atMs: START_MS + 90 },
      },
    });
    expect(JSON.parse(JSON.stringify(receipt))).toStrictEqual({
      id: 'order-17',
      dataset: 'accounts',
      shard: 'accounts/0',
      epoch: 3,
      sequence: 42,
      outcome: 'accepted',
      stage: 'everywhere',
      stages: {
        logged: { at: '2027-01-15T08:00:00.000Z' },
        accepted: { at: '2027-01-15T08:00:00.005Z', region: 'eu' },
        quorum: { at: '2027-01-15T08:00:00.040Z', regions: ['eu', 'us'] },
        everywhere: { at: '2027-01-15T08:00:00.090Z' },
      },
      versions: { 'eu:ada': 42, 'eu:bob': 42 },
      token: expect.any(String),
      traceId: '4bf92f3577b34da6a3ce929d0e0e4736',
    });
    expect(decodeToken(receipt.token!)).toEqual(
      new Map([[SHARD, { logIncarnation: LOG_INCARNATION, sequence: 42n }]]),
    );
  });

  test('a write of which nothing is known yet is unknown, never rejected, and claims nothing', () => {
    expect(JSON.parse(JSON.stringify(toReceipt(FACTS)))).toStrictEqual({
      id: 'order-17',
      dataset: 'accounts',
      shard: 'accounts/0',
      outcome: 'unknown',
      stage: null,
      stages: {},
      traceId: '4bf92f3577b34da6a3ce929d0e0e4736',
    });
  });

  test('a logged write whose verdict is pending is unknown at stage logged', () => {
    const receipt = toReceipt({ ...FACTS, stages: { logged: { atMs: START_MS } } });
    expect(receipt).toMatchObject({ outcome: 'unknown', stage: 'logged' });
    expect(receipt).not.toHaveProperty('sequence');
    expect(receipt).not.toHaveProperty('versions');
  });

  test('a rejected write names its code and its place, and no versions', () => {
    const receipt = toReceipt({
      ...FACTS,
      judged: { ...JUDGED, verdict: 'guard' },
      stages: { logged: { atMs: START_MS } },
    });
    expect(receipt).toMatchObject({
      outcome: 'rejected',
      code: 'guard',
      epoch: 3,
      sequence: 42,
      stage: 'logged',
    });
    expect(receipt).not.toHaveProperty('versions');
    expect(decodeToken(receipt.token!)?.get(SHARD)?.sequence).toBe(42n);
  });

  test('an accepted write has no code; without a known log incarnation no token', () => {
    const receipt = toReceipt({ ...FACTS, judged: { ...JUDGED, logIncarnation: null } });
    expect(receipt.outcome).toBe('accepted');
    expect(receipt).not.toHaveProperty('code');
    expect(receipt).not.toHaveProperty('token');
  });

  test('a key that several events name has one version', () => {
    const receipt = toReceipt({ ...FACTS, eventKeys: ['eu:ada', 'eu:ada'], judged: JUDGED });
    expect(receipt.versions).toEqual({ 'eu:ada': 42 });
  });
});

describe('stages', () => {
  test.each([
    [{}, null],
    [{ logged: { atMs: 1 } }, 'logged'],
    [{ quorum: { atMs: 1, regions: [EU, AP] }, logged: { atMs: 9 } }, 'quorum'],
    [{ everywhere: { atMs: 1 } }, 'everywhere'],
  ])('the stage of %j is the highest reached, whatever lies below: %s', (stages, highest) => {
    expect(highestStage(stages)).toBe(highest);
  });

  test('by default a class waits for the stage that the design promises', () => {
    expect((['bulk', 'standard', 'critical', 'local'] as const).map(defaultStage)).toEqual([
      'logged',
      'accepted',
      'quorum',
      'stored',
    ]);
  });

  test('only the five stages are stages', () => {
    expect(STAGES.every(isStage)).toBe(true);
    for (const other of ['Logged', '', 'committed', null, undefined, 1, ['logged']])
      expect(isStage(other)).toBe(false);
  });
});
