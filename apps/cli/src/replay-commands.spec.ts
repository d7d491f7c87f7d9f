/** The control log replayed from a coordinator's pages or from a file: differences are found, and half a log is none. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import {
  considerMove,
  controlEntryText,
  controlPageJson,
  DEFAULT_CONTROL_SETTINGS,
  dueSnapshot,
  EMPTY_CONTROL_STATE,
  epoch,
  foldControl,
  moveInputsJson,
  offset,
  sequence,
  type ControlCommand,
  type ControlRecord,
  type ControlState,
  type RegionName,
  type SeenShard,
  type ShardName,
} from '@lockstep/protocol';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { run, runLine, type FakeAnswer, type Script } from './coordinator.fixture.js';

const EU = 'eu' as RegionName;
const US = 'us' as RegionName;
const SHARD = 'accounts/0' as ShardName;
const WISH = { move: 'switchover', shard: SHARD, to: US, acceptLoss: false, actor: 'anna' } as const;
const FIRST = 'GET /v1/history/records';

function seen(lagRecords: number): SeenShard {
  const told = {
    sequence: sequence(10n),
    epoch: epoch(1n),
    home: EU,
    term: 0n,
    decision: 0n,
    lagRecords,
    halted: null,
    withheld: null,
  };
  const regions = [EU, US].map((region) => ({ region, isConnected: true, differs: false, told }));
  return { shard: SHARD, legal: [EU, US], regions, rule: 'majority' };
}

/** What a coordinator records that judges the wish by what it sees. */
function decided(state: ControlState, lagRecords: number): Extract<ControlCommand, { kind: 'decision' }> {
  const inputs = considerMove(state, WISH, seen(lagRecords))!;
  const { expectedEpoch, from } = inputs;
  const asked = { ...WISH, from, expectedEpoch, reason: 'a drill', evacuation: null };
  return { kind: 'decision', term: 1n, ...asked, inputs: moveInputsJson(inputs) };
}

/** Genesis and a leader at offsets 0 and 1, then what it is told to say. */
function controlLog(...said: readonly ((state: ControlState) => ControlCommand)[]): readonly ControlRecord[] {
  const records: ControlRecord[] = [];
  let state = EMPTY_CONTROL_STATE;
  const begin: readonly ((state: ControlState) => ControlCommand)[] = [
    () => ({ kind: 'genesis', members: [EU, US], settings: DEFAULT_CONTROL_SETTINGS }),
    () => ({ kind: 'claim', term: 1n, replaces: 0n }),
  ];
  for (const command of [...begin, ...said]) {
    const number = BigInt(records.length + 1);
    const entry = {
      author: EU,
      session: 'e'.repeat(32),
      number,
      clockMs: 1_000_000,
      command: command(state),
    };
    const record = {
      offset: offset(number - 1n),
      appendTimeMs: 1_000_000,
      valueText: controlEntryText(entry),
    };
    const step = foldControl(state, record);
    if (step.kind === 'halted') throw new Error(step.detail);
    records.push(record);
    state = step.state;
  }
  return records;
}

const beat = (): ControlCommand => ({ kind: 'heartbeat', term: 1n });
const near = (state: ControlState): ControlCommand => decided(state, 0);
/** Behind a decision that is open. */
const declined = (state: ControlState): ControlCommand => ({
  ...decided(state, 20_000),
  kind: 'declined',
  codes: ['lag', 'open-decision'],
});

/** The page of the records from there to there. */
function page(records: readonly ControlRecord[], from: number, to: number, changes: object = {}): object {
  const ended = controlPageJson({
    log: 'a-log',
    startOffset: offset(0n),
    endOffset: offset(BigInt(records.length)),
    fromOffset: offset(BigInt(from)),
    records: records.slice(from, to),
    nextOffset: offset(BigInt(to)),
  });
  return { ...ended, ...changes };
}
const ok = (body: object): FakeAnswer => ({ status: 200, body });
const whole = (records: readonly ControlRecord[]): Script => ({
  [FIRST]: [ok(page(records, 0, records.length))],
});
const reportIn = (out: string): { readonly [name: string]: unknown } => JSON.parse(out) as never;

describe('a replay', () => {
  test('of a log whose decisions follow from it says so, with how much it was', async () => {
    const records = controlLog(near, declined, beat);
    const { code, err, out } = await run(whole(records), ['decisions', 'replay']);
    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(out).toContain(
      '5 entries from offset 0 to 5, 1 terms: 2 decisions judged again, 2 of them compared',
    );
    expect(out).toContain('No difference.');
  });

  test('finds a decision against its own inputs: where, what was recorded and what follows', async () => {
    const late = (state: ControlState): ControlCommand => decided(state, 20_000);
    const records = controlLog(beat, late);
    const { code, err, out } = await run(whole(records), ['decisions', 'replay', '--json']);
    expect(code).toBe(1);
    expect(err).toContain('differs from the log in 1 places');
    const report = reportIn(out);
    expect(report).toMatchObject({ entries: 4, decisions: 1 });
    expect(report['differences']).toMatchObject([
      {
        at: 4,
        offset: '3',
        code: 'judged-differently',
        recorded: { refusedBy: [], inputs: { to: 'us', lagRecordsMax: 10_000 } },
        recomputed: { refusedBy: ['lag'], inputs: { to: 'us', lagRecordsMax: 10_000 } },
      },
    ]);
  });

  test('finds inputs that the log contradicts', async () => {
    const generous = (state: ControlState): ControlCommand => {
      const command = decided(state, 20_000);
      return { ...command, inputs: { ...command.inputs, lagRecordsMax: 30_000 } };
    };
    const { code, out } = await run(whole(controlLog(generous)), ['decisions', 'replay']);
    expect(code).toBe(1);
    expect(out).toContain('inputs-differ at 3 (offset 2): the log says otherwise of lagRecordsMax');
    expect(out).toMatch(/recorded: +decided, from .*"lagRecordsMax":30000/);
    expect(out).toMatch(/recomputed: refused by lag, from .*"lagRecordsMax":10000/);
  });

  test('reads page after page to where the log ended when it began', async () => {
    const records = controlLog(near, declined, beat, beat);
    const script: Script = {
      [FIRST]: [ok(page(records, 0, 2, { endOffset: '5' }))],
      [`${FIRST}?from=2`]: [ok(page(records, 2, 3))],
      // It has grown meanwhile.
      [`${FIRST}?from=3`]: [ok(page(records, 3, 6, { endOffset: '9' }))],
    };
    const { asked, code, err, out } = await run(script, ['decisions', 'replay', '--json']);
    expect(code).toBe(0);
    expect(err).toContain('offset 3 of 6');
    expect(asked).toHaveLength(3);
    expect(reportIn(out)).toMatchObject({ log: 'a-log', fromOffset: '0', nextOffset: '6', decisions: 2 });
  });

  test('of a log whose beginning is gone starts at its first snapshot, and says what it left out', async () => {
    const beats = Array.from({ length: 997 }, () => beat);
    const records = controlLog(near, ...beats, (state) => dueSnapshot(state)!, declined);
    const { code, out } = await run(
      { [FIRST]: [ok(page(records, 10, records.length, { startOffset: '10' }))] },
      ['decisions', 'replay'],
    );
    expect(code).toBe(0);
    expect(out).toContain('2 entries from offset 10 to 1002');
    expect(out).toContain('1 decisions judged again');
    expect(out).toContain('990 entries were not folded');
  });
});

const records = controlLog(near, declined);

describe('what cannot be read exits 2, and says why', () => {
  test.each<[string, Script, RegExp]>([
    ['a coordinator that is away', { [FIRST]: ['gone'] }, /does not answer/],
    [
      'a refusal',
      { [FIRST]: [{ status: 503, body: { code: 'control-unavailable', detail: 'no broker' } }] },
      /503: control-unavailable: no broker/,
    ],
    ['another answer', { [FIRST]: [ok({ decisions: [] })] }, /no page of it: page has an unknown name/],
    [
      'a log that was made anew',
      {
        [FIRST]: [ok(page(records, 0, 2))],
        [`${FIRST}?from=2`]: [ok(page(records, 2, 4, { log: 'another' }))],
      },
      /made anew/,
    ],
    [
      'a page that tells nothing',
      { [FIRST]: [ok(page(records, 0, 2))], [`${FIRST}?from=2`]: [ok(page(records, 2, 2))] },
      /nothing is told from offset 2 on/,
    ],
    [
      'a log without beginning and snapshot',
      { [FIRST]: [ok(page(records, 2, 4, { startOffset: '2' }))] },
      /begins at offset 2 and holds no snapshot/,
    ],
  ])('%s', async (_, script, why) => {
    const { code, err, out } = await run(script, ['decisions', 'replay', '--json']);
    expect({ code, out }).toEqual({ code: 2, out: '' });
    expect(err).toMatch(why);
  });
});

describe('an exported log', () => {
  let folder: string;
  beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), 'lockstep-replay-'))));
  afterAll(() => rmSync(folder, { recursive: true }));
  /** `--url`, which the fixture gives to every command, is refused beside `--file`. */
  const replayed = async (text: string): Promise<{ code: number; out: string; err: string }> => {
    const file = join(folder, 'log.jsonl');
    writeFileSync(file, text);
    return runLine(['decisions', 'replay', '--json', '--file', file], null);
  };

  test('is replayed as the log itself is', async () => {
    const script: Script = {
      [FIRST]: [ok(page(records, 0, 2))],
      [`${FIRST}?from=2`]: [ok(page(records, 2, 4))],
    };
    const { out } = await run(script, ['decisions', 'export']);
    expect(out.split('\n')).toHaveLength(2);
    const [fromFile, fromLog] = [await replayed(out), await run(script, ['decisions', 'replay', '--json'])];
    expect(fromFile.code).toBe(0);
    expect(reportIn(fromFile.out)).toEqual(reportIn(fromLog.out));
    expect(reportIn(fromFile.out)).toMatchObject({ entries: 4, decisions: 2 });
  });

  test.each<[string, readonly object[], RegExp]>([
    ['its end', [page(records, 0, 2)], /ends at offset 2, the log ended at 4/],
    ['a page', [page(records, 0, 1), page(records, 2, 4)], /from offset 2 is not the one from 1/],
    ['its beginning', [page(records, 2, 4)], /from offset 2 is not the one from 0/],
    ['everything', [], /it is empty/],
  ])('that lacks %s is refused', async (_, pages, why) => {
    const { code, err, out } = await replayed(pages.map((one) => JSON.stringify(one)).join('\n'));
    expect({ code, out }).toEqual({ code: 2, out: '' });
    expect(err).toMatch(why);
  });

  test('that is none is refused', async () => {
    expect(await replayed('{"records":')).toMatchObject({ code: 2, err: expect.stringMatching(/no JSON/) });
    const nowhere = ['decisions', 'replay', '--file', join(folder, 'nowhere')];
    expect(await runLine(nowhere, null)).toMatchObject({ code: 2, err: expect.stringMatching(/ENOENT/) });
    const folderItself = await runLine(['decisions', 'replay', '--file', folder], null);
    expect(folderItself).toMatchObject({ code: 2, err: expect.stringMatching(/is no file/) });
    const both = ['decisions', 'replay', '--file', 'a', '--region', 'eu'];
    expect(await runLine(both, null)).toMatchObject({
      code: 2,
      err: expect.stringMatching(/cannot be used/),
    });
  });
});
