import { join } from 'node:path';
import { beforeAll, describe, expect, test } from '@jest/globals';
import { loadCatalogue, loadReducer } from '@lockstep/catalogue';
import {
  compileConfiguration,
  controlText,
  encodeHeader,
  entryNumber,
  epoch,
  NO_CONFIGURATION_PREFIX,
  NO_PUBLISHER,
  RECORD_HEADER,
  topicOf,
  type ConfigurationHash,
  type Configurations,
  type DatasetName,
  type EntryHeader,
  type FoldConfiguration,
  type KeyHash,
  type LogIncarnation,
  type LogRecord,
  type PublisherId,
  type RegionName,
  type ShardName,
} from '@lockstep/protocol';
import { memoryLog, type MemoryLog } from '../log/memory-log.js';
import { realTimeCompletions } from '../world/completions.js';
import { Refold, type RefoldedLog } from './refold.js';

const ACCOUNTS = 'accounts' as DatasetName;
const SHARD = 'accounts/0' as ShardName;
const SAMPLE_CATALOGUE = join(import.meta.dirname, '../../../../infra/catalogue/sample');
const KEY = 'eu:r1-a0';
const NOW_MS = 1_800_000_000_000;

let configuration: FoldConfiguration;
const known: Configurations = (hash) => (hash === configuration.hash ? configuration : null);

beforeAll(async () => {
  const result = await loadCatalogue(SAMPLE_CATALOGUE);
  if (result.kind === 'invalid') throw new Error('the sample catalogue is invalid');
  const { content, hash } = result.catalogue.datasets.get(ACCOUNTS)!;
  configuration = compileConfiguration(
    hash,
    content,
    await loadReducer(content.projection.reducer as string),
  );
});

/** A log with genesis; what is appended stands in partition 0. */
async function begunLog(genesisOf: ConfigurationHash = configuration.hash): Promise<{
  readonly log: MemoryLog;
  readonly data: (number: number, events: unknown, key?: string) => void;
  readonly records: () => readonly LogRecord[];
}> {
  const log = memoryLog(
    realTimeCompletions({ nowMs: () => NOW_MS, after: (ms, call) => setTimeout(call, ms) }),
  );
  const topic = topicOf(ACCOUNTS);
  const description = {
    partitions: 6,
    replicationFactor: 1,
    minInsyncReplicas: 1,
    compression: 'none',
    retentionMs: 1,
    replicas: null,
  } as const;
  await log.open().admin.ensure({ topic, ...description });
  const append = (header: Partial<EntryHeader> & Pick<EntryHeader, 'kind'>, value: string): void => {
    const whole = {
      epoch: epoch(1n),
      publisherClockMs: NOW_MS,
      notAfterMs: NOW_MS + 60_000,
      publisher: NO_PUBLISHER,
      number: entryNumber(0n),
      configurationPrefix: NO_CONFIGURATION_PREFIX,
      region: 'eu' as RegionName,
      idempotency: null,
      signature: null,
      ...header,
    };
    log.appendForeign(topic, 0, {
      key: Buffer.from('key'),
      value: Buffer.from(value),
      headers: [[RECORD_HEADER, encodeHeader(whole)]],
    });
  };
  const logIncarnation = 'a'.repeat(32) as LogIncarnation;
  const genesis = {
    kind: 'genesis',
    logIncarnation,
    home: 'eu' as RegionName,
    configuration: genesisOf,
  } as const;
  append({ kind: 'genesis' }, controlText(genesis));
  return {
    log,
    data: (number, events, key) =>
      append(
        {
          kind: 'data',
          publisher: 'b'.repeat(32) as PublisherId,
          number: entryNumber(BigInt(number)),
          idempotency:
            key === undefined
              ? null
              : { key: key.repeat(32) as KeyHash, fingerprint: key.repeat(32) as never },
        },
        JSON.stringify(events),
      ),
    records: () => log.records(topic, 0),
  };
}

const opened = (key: string) => ({ key, type: 'opened', data: { owner: 'Ada', currency: 'EUR' } });
const credited = (amount: number) => ({ key: KEY, type: 'credited', data: { amount } });
const debited = (amount: number) => ({ key: KEY, type: 'debited', data: { amount } });

/** Keys of the first shard only, as the sample routes them. */
async function workedLog(): ReturnType<typeof begunLog> {
  const log = await begunLog();
  log.data(1, [opened(KEY)], '1');
  log.data(2, [credited(10)], '2');
  log.data(2, [credited(10)], '2');
  log.data(3, [credited(10)], '2');
  log.data(4, [debited(11)], '4');
  log.data(5, [{ ...debited(10), expectedVersion: 3 }], '5');
  log.data(7, [credited(1)], '7');
  return log;
}

function refold(
  pieces: readonly (readonly LogRecord[])[],
  configurations: Configurations = known,
): RefoldedLog {
  const fold = new Refold(configurations, (key) => key === KEY);
  for (const piece of pieces) fold.take(SHARD, piece);
  return fold.finish();
}

describe('a log that is folded again', () => {
  test('shows each entry with its verdict, copies and holes included', async () => {
    const { records } = await workedLog();
    const { entries, shards } = refold([records()]);
    expect(entries.map(({ sequence, verdict }) => `${sequence} ${verdict}`)).toEqual([
      '2 accepted',
      '3 accepted',
      '4 duplicate',
      '5 repeated',
      '6 guard',
      '7 accepted',
      '8 hole',
    ]);
    expect(entries[0]).toMatchObject({ shard: SHARD, keyHash: '1'.repeat(32), id: `${'b'.repeat(32)}:1` });
    expect(Object.fromEntries(shards.get(SHARD)!.verdicts)).toEqual({
      accepted: 4,
      duplicate: 1,
      repeated: 1,
      guard: 1,
      hole: 1,
    });
  });

  test('is the same in pieces of any size', async () => {
    const { records } = await workedLog();
    const whole = refold([records()]);
    expect(refold(records().map((record) => [record]))).toEqual(whole);
    expect(refold([records().slice(0, 3), [], records().slice(3)])).toEqual(whole);
  });

  test('has other hashes when one byte of it is another', async () => {
    const one = await begunLog();
    const other = await begunLog();
    one.data(1, [opened(KEY)], '1');
    other.data(1, [{ ...opened(KEY), data: { owner: 'Adb', currency: 'EUR' } }], '1');
    const [x, y] = [one, other].map(({ records }) => refold([records()]).shards.get(SHARD)!);
    expect(x!.sequence).toBe(y!.sequence);
    expect(x!.inputHash).not.toBe(y!.inputHash);
    expect(x!.effectsHash).not.toBe(y!.effectsHash);
  });

  test('keeps only entries of the keys that are wanted, and judges all', async () => {
    const { data, records } = await begunLog();
    data(1, [opened('eu:somebody-else')]);
    const { entries, shards } = refold([records()]);
    expect(entries).toEqual([]);
    expect(shards.get(SHARD)!.sequence).toBe(2n);
  });

  test('stops by name where nobody keeps a configuration', async () => {
    const { data, records } = await begunLog('f'.repeat(64) as ConfigurationHash);
    data(1, [opened(KEY)]);
    const shard = refold([records()]).shards.get(SHARD)!;
    expect(shard).toMatchObject({ sequence: 0n, halted: { code: 'configuration-missing' } });
  });
});
