import { describe, expect, test } from '@jest/globals';
import { entryNumber, sequence } from '@lockstep/protocol';
import type { PublisherId, ShardName } from '@lockstep/protocol';
import type { StreamFrame } from '@lockstep/engine';
import { decodeFrame, encodeFrame, LINE_BYTES_MAX, VERDICTS_PER_LINE_MAX } from './stream-frame.js';
import { toldVerdict, verdictsFrame, watermarkFrame } from './stream-frames.fixture.js';

const watermarkLine = encodeFrame(watermarkFrame(1n)).trimEnd();
const verdictsLine = encodeFrame(verdictsFrame(1n)).trimEnd();

const withField = (line: string, field: string, value: unknown): string =>
  JSON.stringify({ ...(JSON.parse(line) as object), [field]: value });

describe('a watermark frame', () => {
  test('is the line that the README documents', () => {
    expect(watermarkLine).toBe(
      '{"kind":"watermark","region":"eu","storeIncarnation":"0123456789abcdef0123456789abcdef","shard":"accounts/3",' +
        '"logIncarnation":"00112233445566778899aabbccddeeff","sequence":1,"offset":"9007199254740993","epoch":7,"home":"eu",' +
        '"term":9007199254740991,"decision":12,"logTimeMs":1760000000000,"rules":[{"from":1,"text":"each [aws: any 1]","withdrawn":["us"],' +
        '"demands":[{"needed":1,"domains":[["eu"],["ap"]]}],"jointly":[{"needed":2,"domains":[["eu"],["us"]]}]}],' +
        '"inputHash":"0000000100000002fffffffffffffffe","effectsHash":"00000000000000000000000000000000",' +
        '"marks":[{"sequence":256,"inputHash":"0000000100000002fffffffffffffffe","effectsHash":"00000000000000000000000000000000"}],' +
        '"caughtUpAtMs":null,"lagRecords":0,"halted":{"code":"log-replaced","detail":"die Länge \\"stimmt\\" nicht"},' +
        '"withheld":{"code":"unverified","detail":"went back"}}',
    );
  });

  test('survives the wire, offsets beyond 2^53 included', () => {
    expect(decodeFrame(watermarkLine)).toEqual(watermarkFrame(1n));
  });

  test('is refused at the sender when a sequence would be rounded', () => {
    expect(() => encodeFrame(watermarkFrame(2n ** 53n))).toThrow(RangeError);
  });
});

describe('a verdicts frame', () => {
  test('survives the wire, a repeated verdict with its first outcome included', () => {
    expect(decodeFrame(verdictsLine)).toEqual(verdictsFrame(1n));
  });

  test('with more verdicts than a line may hold is told in several lines, in order, none too long', () => {
    const verdicts = Array.from({ length: VERDICTS_PER_LINE_MAX * 2 + 1 }, (_, index) => ({
      ...toldVerdict(BigInt(Number.MAX_SAFE_INTEGER) - BigInt(index)),
      publisher: 'f'.repeat(32) as PublisherId,
    }));
    const frame: StreamFrame = { kind: 'verdicts', shard: `${'a'.repeat(40)}/999999` as ShardName, verdicts };
    const lines = encodeFrame(frame).trimEnd().split('\n');
    expect(lines).toHaveLength(3);
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThan(LINE_BYTES_MAX);
    expect(lines.map(decodeFrame).flatMap((told) => (told.kind === 'verdicts' ? told.verdicts : []))).toEqual(
      verdicts,
    );
  });
});

const RULE = { from: 1, text: 'all', withdrawn: [], demands: [], jointly: [] };

describe('a line that is no frame', () => {
  const garbage: readonly (readonly [string, string])[] = [
    ['text', 'hello'],
    ['half a line', watermarkLine.slice(0, 50)],
    ['null', 'null'],
    ['a list', '[]'],
    ['deep nesting', '['.repeat(100_000)],
    ['no kind', '{}'],
    ['an unknown kind', withField(watermarkLine, 'kind', 'hello')],
    ['a region that is none', withField(watermarkLine, 'region', 'EU')],
    ['a shard that is none', withField(watermarkLine, 'shard', 'accounts/03')],
    ['a sequence below zero', withField(watermarkLine, 'sequence', -1)],
    ['a fraction as sequence', withField(watermarkLine, 'sequence', 1.5)],
    ['a sequence that was rounded', withField(watermarkLine, 'sequence', 2 ** 53)],
    ['a sequence as text', withField(watermarkLine, 'sequence', '1')],
    ['an offset as number', withField(watermarkLine, 'offset', 1)],
    ['an offset below -1', withField(watermarkLine, 'offset', '-2')],
    ['a hash with upper-case digits', withField(watermarkLine, 'inputHash', 'A'.repeat(32))],
    ['a short hash', withField(watermarkLine, 'effectsHash', '00')],
    ['missing rules', withField(watermarkLine, 'rules', undefined)],
    [
      'a rule that demands nothing',
      withField(watermarkLine, 'rules', [{ ...RULE, demands: [{ needed: 0, domains: [] }] }]),
    ],
    ['a rule of regions that are none', withField(watermarkLine, 'rules', [{ ...RULE, withdrawn: ['EU'] }])],
    ['a rule without words', withField(watermarkLine, 'rules', [{ ...RULE, text: undefined }])],
    ['missing marks', withField(watermarkLine, 'marks', undefined)],
    [
      'an unknown reason to withhold a vote',
      withField(watermarkLine, 'withheld', { code: 'shy', detail: '' }),
    ],
    ['an unknown halt', withField(watermarkLine, 'halted', { code: 'tired', detail: '' })],
    ['a time that is no number', withField(watermarkLine, 'logTimeMs', 'now')],
    ['verdicts that are no list', withField(verdictsLine, 'verdicts', {})],
    ['an unknown verdict', withField(verdictsLine, 'verdicts', [{ verdict: 'perhaps' }])],
    ['a verdict without publisher', withField(verdictsLine, 'verdicts', [{}])],
  ];

  test.each(garbage)('is a PortError that asks for another connection: %s', (_what, line) => {
    let thrown: unknown = null;
    try {
      decodeFrame(line);
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toMatchObject({ name: 'PortError', code: 'stream-garbage', disposition: 'retryable' });
  });

  test('is not one that merely has fields of a newer version', () => {
    expect(decodeFrame(withField(watermarkLine, 'colour', 'blue'))).toEqual(watermarkFrame(1n));
  });
});

test('numbers come back as the ordinals they were', () => {
  const frame = decodeFrame(verdictsLine);
  expect(frame.kind === 'verdicts' && frame.verdicts[0]?.number).toBe(entryNumber(1n));
  expect(frame.kind === 'verdicts' && frame.verdicts[0]?.sequence).toBe(sequence(1n));
});
