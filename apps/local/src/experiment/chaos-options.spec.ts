import { expect, test } from '@jest/globals';
import { parseChaosOptions } from './chaos-options.js';

const parse = (line: string) =>
  parseChaosOptions(
    line.split(' ').filter((word) => word !== ''),
    '/somewhere',
  );

test('nothing said is a minute of whatever a random seed says', () => {
  expect(parse('')).toMatchObject({ seed: null, minutes: 1, kills: null, log: null, json: false });
});

test('what is said is read as it is meant, files from where it was called', () => {
  expect(
    parse('--data here --seed 7 --minutes 0.25 --kills replicator=3,gateway=1,broker=1 --log a.jsonl --json'),
  ).toEqual({
    data: '/somewhere/here',
    seed: 7,
    minutes: 0.25,
    kills: { replicator: 3, gateway: 1, broker: 1 },
    log: '/somewhere/a.jsonl',
    json: true,
  });
});

test.each([
  '--bogus',
  'eu',
  '--seed -1',
  '--seed 4294967296',
  '--minutes 0',
  '--minutes 1441',
  '--minutes soon',
  '--kills replicator',
  '--kills replicator=x',
  '--kills replicator=1,replicator=2',
  '--kills replicator=1=2',
  '--kills zookeeper=1',
  '--kills replicator=1,',
])('%s is refused with exit code 2', (line) => {
  let refusal: unknown;
  try {
    parse(line);
  } catch (error) {
    refusal = error;
  }
  expect(refusal).toMatchObject({ name: 'LocalError', exitCode: 2 });
});
