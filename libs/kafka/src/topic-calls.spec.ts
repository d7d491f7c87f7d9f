import { describe, expect, test } from '@jest/globals';
import { electCall, fetchCall, metadataCall, readElectAnswer, readMetadataAnswer } from './topic-calls.js';
import type { BrokerCall } from './kafka-client.js';

const ID = '000102030405060708090a0b0c0d0e0f';

const bytesOf = async (call: BrokerCall<unknown>): Promise<string> =>
  (await (call.request as { encode(): Promise<{ buffer: Buffer }> }).encode()).buffer.toString('hex');

/** Joins what is written here field by field. */
const hex = (...fields: readonly string[]): string => fields.join('');

describe('calls that know a topic by its id', () => {
  test('a fetch asks for the partitions of one id, from their offsets', async () => {
    const call = fetchCall({
      topicId: ID,
      positions: [
        { partition: 3, offset: 2n ** 40n, leaderEpoch: 9, lastEpoch: 7 },
        { partition: 1, offset: 0n, leaderEpoch: 3, lastEpoch: null },
      ],
      waitMsMax: 200,
      bytesMax: 4096,
    });
    expect(call.request).toMatchObject({ apiKey: 1, apiVersion: 13, apiName: 'Fetch' });
    expect(await bytesOf(call)).toBe(
      hex(
        '00', // tags of the header
        'ffffffff000000c8000000010000100000', // replica, wait, least and most bytes, isolation
        '00000000ffffffff', // no session
        hex('02', ID, '03'), // one topic, two partitions
        hex('0000000300000009000001000000000000000007ffffffffffffffff00001000', '00'),
        hex('00000001000000030000000000000000ffffffffffffffffffffffff00001000', '00'),
        hex('00', '01', '01', '00'), // tags, nothing forgotten, no rack, tags
      ),
    );
  });

  test('a topic is looked up by its name, and nothing is created', async () => {
    const call = metadataCall('lockstep.orders');
    expect(call.request).toMatchObject({ apiKey: 3, apiVersion: 12, apiName: 'Metadata' });
    const name = Buffer.from('lockstep.orders').toString('hex');
    expect(await bytesOf(call)).toBe(hex('00', '02', '00'.repeat(16), '10', name, '00', '00', '00', '00'));
  });

  test('its answer names brokers, the id and the places of its partitions; tags that are new are skipped', () => {
    const text = (value: string): string =>
      hex(Buffer.of(value.length + 1).toString('hex'), Buffer.from(value).toString('hex'));
    const answer = readMetadataAnswer(
      Buffer.from(
        hex(
          hex('00', '0000000c'), // tags, throttle
          hex('03', '00000001', text('one'), '00002384', text('eu'), '00'),
          hex('00000002', text('two'), '00002385', '00', '01', '05', '02', 'aabb'), // no rack, one unknown tag
          hex(text('cluster'), '00000001'),
          hex('02', '0000', text('t'), ID, '00', '03'),
          hex(
            '0000',
            '00000001',
            '00000002',
            '00000007',
            '03',
            '00000002',
            '00000001',
            '02',
            '00000002',
            '01',
            '00',
          ),
          hex('0005', '00000000', 'ffffffff', '00000007', '02', '00000001', '01', '02', '00000001', '00'),
          hex('80000000', '00', '00'),
        ),
        'hex',
      ),
    );
    expect(answer).toEqual({
      clientSideThrottleTime: 12,
      brokers: [
        { nodeId: 1, host: 'one', port: 9092, rack: 'eu' },
        { nodeId: 2, host: 'two', port: 9093, rack: null },
      ],
      topics: [
        {
          errorCode: 0,
          topic: 't',
          id: ID,
          partitions: [
            { partition: 1, leader: 2, leaderEpoch: 7, replicas: [2, 1] },
            { partition: 0, leader: -1, leaderEpoch: 7, replicas: [1] },
          ],
        },
      ],
    });
  });
});

describe('the call that lets a preferred replica lead', () => {
  test('names one partition', async () => {
    const call = electCall('t', 3, 5_000);
    expect(call.request).toMatchObject({ apiKey: 43, apiVersion: 2 });
    expect(await bytesOf(call)).toBe(hex('00', '00', '02', '0274', '02', '00000003', '00', '00001388', '00'));
  });

  test('has an answer for that partition, or for the whole call', () => {
    const read = (...fields: readonly string[]): object =>
      readElectAnswer(Buffer.from(hex(...fields), 'hex'));
    expect(
      read('00', '00000007', '0000', '02', '0274', '02', '00000003', '0050', '046e6f74', '00', '00', '00'),
    ).toEqual({ clientSideThrottleTime: 7, errorCode: 0, partitions: [{ partition: 3, errorCode: 80 }] });
    expect(read('00', '00000000', '0029', '01', '00')).toEqual({
      clientSideThrottleTime: 0,
      errorCode: 41,
      partitions: [],
    });
  });
});
