import { describe, expect, test } from '@jest/globals';
import { defaultOptions, parseRequest, settleOptions, type ClusterOptions } from './options.js';

const parse = (line: string) =>
  parseRequest(
    line.split(' ').filter((word) => word !== ''),
    '/somewhere',
  );
const codeOf = (action: () => unknown) => {
  try {
    action();
  } catch (error) {
    return error as { code: string; exitCode: number; message: string };
  }
  throw new Error('nothing was refused');
};

describe('the options of npm start', () => {
  test('nothing said means nothing recorded', () => {
    expect(parse('').said).toEqual({});
  });

  test('what is said is read as it is meant, folders from where npm was called', () => {
    expect(
      parse(
        '--regions eu,us --brokers 3 --brokers-in eu --wan 40 --catalogue mine --otlp http://127.0.0.1:4318 --ports auto --standby --ledger --data here --detach',
      ),
    ).toEqual({
      action: 'start',
      data: '/somewhere/here',
      detach: true,
      reset: false,
      said: {
        regions: ['eu', 'us'],
        brokers: 3,
        brokersIn: 'eu',
        wanMs: 40,
        catalogue: '/somewhere/mine',
        otlpUrl: 'http://127.0.0.1:4318',
        ports: { kind: 'auto' },
        standby: true,
        ledger: true,
      },
    });
  });

  test.each([
    '--bogus',
    'eu',
    '--regions',
    '--regions EU',
    '--regions eu,eu',
    '--regions eu,,us',
    '--brokers 2',
    '--wan -1',
    '--wan 10001',
    '--wan 4.5',
    '--ports 80',
    '--ports 60001',
    '--ports some',
    '--otlp ftp://x',
    '--jaeger --otlp http://127.0.0.1:4318',
  ])('%s is refused with exit code 2', (line) => {
    expect(codeOf(() => parse(line)).exitCode).toBe(2);
  });
});

describe('options meet a data folder', () => {
  const recorded: ClusterOptions = {
    ...defaultOptions,
    regions: ['eu', 'us'],
    wanMs: 40,
    ports: { kind: 'auto' },
  };

  test('a first start runs with what was said over the defaults', () => {
    expect(settleOptions({ brokers: 3 }, undefined)).toEqual({ ...defaultOptions, brokers: 3 });
  });

  test('a later start without options takes the record', () => {
    expect(settleOptions({}, recorded)).toEqual(recorded);
  });

  test('a Jaeger is recorded like the rest: said once, and taken up later', () => {
    const withJaeger = settleOptions(parse('--jaeger').said, undefined);
    expect(withJaeger).toEqual({ ...defaultOptions, jaeger: true });
    expect(settleOptions({}, withJaeger)).toEqual(withJaeger);
  });

  test('a record that is older than an option has its default', () => {
    const { standby: _standby, ...older } = recorded;
    expect(settleOptions({}, older as ClusterOptions)).toEqual(recorded);
  });

  test('the recorded value said again is no conflict', () => {
    expect(settleOptions({ regions: ['eu', 'us'], ports: { kind: 'auto' } }, recorded)).toEqual(recorded);
  });

  test.each([
    [{ regions: ['us', 'eu'] }, '--regions: made with eu,us, now us,eu'],
    [{ brokers: 3 as const }, '--brokers: made with 1, now 3'],
    [{ wanMs: 0 }, '--wan: made with 40, now 0'],
    [{ ports: { kind: 'base' as const, base: 8_000 } }, '--ports: made with auto, now 8000'],
    [{ standby: true }, '--standby: made with the default, now on'],
    [{ ledger: true }, '--ledger: made with the default, now on'],
    [{ jaeger: true }, '--jaeger: made with the default, now on'],
    [{ brokersIn: 'eu' }, '--brokers-in: made with the default, now eu'],
    [{ otlpUrl: 'http://127.0.0.1:4318' }, '--otlp: made with the default, now http://127.0.0.1:4318'],
  ])('%j is a conflict that exits 2, says what differs and names --reset', (said, sentence) => {
    const refusal = codeOf(() => settleOptions(said, recorded));
    expect(refusal.exitCode).toBe(2);
    expect(refusal.message).toContain(sentence);
    expect(refusal.message).toContain('--reset');
  });
});
