/** What is asked of the brokers to place a leader, and what each of their answers means; real ones are asked elsewhere. */
import { describe, expect, test } from '@jest/globals';
import type { RegionName } from '@lockstep/protocol';
import type { BrokerDirectory } from './broker-directory.js';
import type { BrokerCall } from './kafka-client.js';
import { placeLeader } from './leader-placement.js';
import { LinkError } from './log-failure.js';

const IDLE = { errorCode: 0, topics: [] };
const REORDERED = { errorCode: 0, responses: [{ partitions: [{ partition: 0, errorCode: 0 }] }] };
const elected = (errorCode: number): object => ({ errorCode: 0, partitions: [{ partition: 0, errorCode }] });
const US = 'us' as RegionName;

/** Answers in the order of the calls; an error is thrown. */
function asked(answers: readonly (object | Error)[], replicas: readonly number[] = [1, 2, 3]) {
  const left = [...answers];
  const names: string[] = [];
  const directory = {
    places: async () => ({
      id: '',
      partitions: [{ partition: 0, leader: null, replicas }],
      brokers: ['eu', 'us', 'ap'].map((rack, index) => ({ id: index + 1, rack })),
    }),
    ask: async ({ name }: BrokerCall<unknown>) => {
      names.push(name);
      const answer = left.shift();
      if (answer instanceof Error) throw answer;
      return answer;
    },
  } as unknown as BrokerDirectory;
  const placing = placeLeader(directory, { topic: 't', partition: 0, region: US, timeoutMs: 1_000 });
  return { placing, names };
}

describe('placing a leader', () => {
  test('looks for reassignments, reorders the replicas, and lets the first of them lead', async () => {
    const { names, placing } = asked([IDLE, REORDERED, elected(0)]);
    expect(await placing).toEqual({ kind: 'placed', broker: 2 });
    expect(names).toEqual([
      'ListPartitionReassignments',
      'AlterPartitionReassignments',
      'ElectPreferredLeaders',
    ]);
  });

  test.each([
    ['leads already', 84, { kind: 'placed', broker: 2 }],
    ['is not in sync', 80, { kind: 'preferred', broker: 2 }],
  ])(
    'where the first replica stands in the region and %s only asks for the election',
    async (_, code, told) => {
      const { names, placing } = asked([elected(code)], [2, 1, 3]);
      expect(await placing).toEqual(told);
      expect(names).toEqual(['ElectPreferredLeaders']);
    },
  );

  test('leaves a reassignment of the partition alone', async () => {
    const moving = { errorCode: 0, topics: [{ name: 't', partitions: [{ partition: 0 }] }] };
    const { names, placing } = asked([moving]);
    await expect(placing).rejects.toMatchObject({ code: 'log-being-reassigned', disposition: 'retryable' });
    expect(names).toEqual(['ListPartitionReassignments']);
    const others = { errorCode: 0, topics: [{ name: 't', partitions: [{ partition: 1 }] }] };
    expect(await asked([others, REORDERED, elected(0)]).placing).toMatchObject({ kind: 'placed' });
  });

  test('tells what was refused from what is not known', async () => {
    const denied = { errorCode: 31, responses: [] };
    await expect(asked([IDLE, denied]).placing).rejects.toMatchObject({
      code: 'log-access-denied',
      disposition: 'fatal',
    });
    await expect(asked([IDLE, REORDERED, elected(41)]).placing).rejects.toMatchObject({
      code: 'log-leader-moved',
      disposition: 'retryable',
    });
    const late = new LinkError('link-timed-out', 'no answer');
    const unknown = { code: 'log-timed-out', disposition: 'unknown' };
    await expect(asked([IDLE, late]).placing).rejects.toMatchObject(unknown);
    await expect(asked([IDLE, REORDERED, late]).placing).rejects.toMatchObject(unknown);
    await expect(asked([late]).placing).rejects.toMatchObject({ ...unknown, disposition: 'retryable' });
  });

  test('does not believe an answer that speaks of no partition', async () => {
    const suspicious = { code: 'log-answer-suspicious', disposition: 'unknown' };
    await expect(asked([IDLE, { errorCode: 0, responses: [] }]).placing).rejects.toMatchObject(suspicious);
    const silent = { errorCode: 0, partitions: [] };
    await expect(asked([silent], [2, 1]).placing).rejects.toMatchObject(suspicious);
  });
});
