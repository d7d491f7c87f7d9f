/** The slow copy as it is written and read; whatever else stands in its topic is passed over (I12). */
import { expect, test } from '@jest/globals';
import { EU, watermark } from '../quorum/ledger.fixture.js';
import { readRecordedWatermark, recordedWatermarkText } from './recorded-watermark.js';

const text = recordedWatermarkText(watermark({ region: EU, at: 300 }));
const withField = (field: string, value: unknown): string =>
  JSON.stringify({ ...(JSON.parse(text) as object), [field]: value });

test('what was written is read', () => {
  const { region, storeIncarnation, shard, logIncarnation, sequence, inputHash, effectsHash } = watermark({
    region: EU,
    at: 300,
  });
  expect(readRecordedWatermark(text)).toEqual({
    region,
    storeIncarnation,
    shard,
    logIncarnation,
    sequence,
    inputHash,
    effectsHash,
    withheld: null,
  });
});

test('a copy from before it was recorded whether the vote counted is one whose vote did', () => {
  expect(readRecordedWatermark(withField('withheld', undefined))).toEqual(readRecordedWatermark(text));
});

test.each<[string, string | null]>([
  ['nothing', null],
  ['no JSON', '{'],
  ['no object', '7'],
  ['null', 'null'],
  ['a region that is none', withField('region', 'EU')],
  ['a shard that is none', withField('shard', 'accounts')],
  ['a sequence that was rounded', withField('sequence', 2 ** 53)],
  ['a sequence below zero', withField('sequence', -1)],
  ['a watermark from before genesis', withField('logIncarnation', null)],
  ['a hash that is none', withField('inputHash', 'x')],
  ['a reason that is none', withField('withheld', 'lost')],
  ['no store', withField('storeIncarnation', undefined)],
])('is passed over: %s', (_, strange) => {
  expect(readRecordedWatermark(strange)).toBeNull();
});
