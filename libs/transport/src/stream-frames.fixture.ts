/** Frames for this library's specs: every field set, with the values that are easiest to get wrong on the wire. */
import { entryNumber, epoch, hashFromHex, offset, sequence } from '@lockstep/protocol';
import type {
  LogIncarnation,
  PublisherId,
  RegionName,
  ShardName,
  StoreIncarnation,
} from '@lockstep/protocol';
import type { StreamFrame, ToldVerdict } from '@lockstep/engine';

const HASH = '0000000100000002fffffffffffffffe';
const ZERO = '0'.repeat(32);

export function watermarkFrame(at: bigint): StreamFrame {
  return {
    kind: 'watermark',
    watermark: {
      region: 'eu' as RegionName,
      storeIncarnation: '0123456789abcdef0123456789abcdef' as StoreIncarnation,
      shard: 'accounts/3' as ShardName,
      logIncarnation: '00112233445566778899aabbccddeeff' as LogIncarnation,
      sequence: sequence(at),
      offset: offset(2n ** 53n + 1n),
      epoch: epoch(7n),
      home: 'eu' as RegionName,
      term: 2n ** 53n - 1n,
      decision: 12n,
      logTimeMs: 1_760_000_000_000,
      rules: [
        {
          from: sequence(1n),
          text: 'each [aws: any 1]',
          withdrawn: ['us' as RegionName],
          demands: [{ needed: 1, domains: [['eu' as RegionName], ['ap' as RegionName]] }],
          jointly: [{ needed: 2, domains: [['eu' as RegionName], ['us' as RegionName]] }],
        },
      ],
      inputHash: HASH,
      effectsHash: ZERO,
      marks: [{ sequence: sequence(256n), inputHash: hashFromHex(HASH), effectsHash: hashFromHex(ZERO) }],
      caughtUpAtMs: null,
      lagRecords: 0,
      halted: { code: 'log-replaced', detail: 'die Länge "stimmt" nicht' },
      withheld: { code: 'unverified', detail: 'went back' },
    },
  };
}

export function toldVerdict(at: bigint): ToldVerdict {
  return {
    publisher: '89abcdef0123456789abcdef01234567' as PublisherId,
    number: entryNumber(at),
    verdict: 'repeated',
    sequence: sequence(at),
    epoch: epoch(7n),
    appendTimeMs: 1_760_000_000_000,
    committedAtMs: 1_760_000_000_012,
    first: {
      verdict: 'version-conflict',
      sequence: sequence(1n),
      epoch: epoch(1n),
      appendTimeMs: 1_759_999_999_999,
    },
  };
}

export function verdictsFrame(at: bigint): StreamFrame {
  return {
    kind: 'verdicts',
    shard: 'accounts/3' as ShardName,
    verdicts: [toldVerdict(at), { ...toldVerdict(at), first: null }],
  };
}
