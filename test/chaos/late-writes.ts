/**
 * The home's gateway stands still (SIGSTOP) with writes in flight, queued behind them and not yet read, its shard is fenced to
 * another region, and it goes on: what it appends then is late. The log says which entries are; each must be rejected with
 * the same verdict in every region, and every caller must be told what the new home tells under the same key (I5, I6, I9).
 */
import { expect } from '@jest/globals';
import type { Log } from '@lockstep/engine';
import { decodeHeader, offset, parseShardName, topicOf, type ShardName } from '@lockstep/protocol';
import type { Chance } from '@lockstep/testing';
import { setTimeout as delay } from 'node:timers/promises';
import {
  eventually,
  REGIONS,
  write,
  type Answered,
  type LocalCluster,
  type Region,
} from '../e2e/local-cluster.js';
import { Failpoints, shardEntry } from './failpoints.js';
import { readRecords } from './log-records.js';
import { moveHome } from './control-plane.js';
import { Operators } from './operators.js';

/** Late entries by what the log makes of them. */
export interface LateEntries {
  readonly fenced: number;
  /** The key had its outcome from the new home already. */
  readonly repeated: number;
  /** A second copy of an entry, which its publisher sent again because it had no answer. */
  readonly duplicate: number;
}

interface Caller {
  readonly key: string;
  readonly via: Region;
  readonly body: object;
  readonly answer: Promise<Answered>;
}

const WAVE = 6;
const WAVES_MAX = 200;
const WAVE_PAUSE_MS = 4;
const WRITE_TIMEOUT_MS = 30_000;
const TURNS_MAX = 20;
/** Keys of the sample's shards. */
const SHARDS = [
  ['orders/0', 'eu:a'],
  ['orders/1', 'eu:d'],
  ['orders/2', 'us:a'],
  ['orders/3', 'us:d'],
  ['orders/4', 'ap:a'],
  ['orders/5', 'ap:d'],
] as const;

export class LateWrites {
  private readonly operators: Operators;
  private readonly failpoints: Failpoints;
  private trials = 0;

  constructor(
    private readonly cluster: LocalCluster,
    private readonly log: Log,
    private readonly chance: Chance,
    /** Part of the names of keys, so that runs do not meet. */
    private readonly name: string,
  ) {
    this.operators = new Operators(cluster);
    this.failpoints = new Failpoints(cluster);
  }

  async trial(): Promise<LateEntries> {
    this.trials += 1;
    const [shard, key] = SHARDS[this.trials % SHARDS.length]!;
    const { dataset, partition } = parseShardName(shard as ShardName)!;
    const { home, epoch } = await this.operators.ownerOf(shard, 'eu');
    const to = this.chance.pick(REGIONS.filter((region) => region !== home));
    const third = REGIONS.find((region) => region !== home && region !== to)!;
    const { endOffset } = await this.log.admin.bounds(topicOf(dataset), partition);
    // Before an append everything is late that the gateway holds; after it, what is queued behind.
    const armed = this.failpoints.arm({
      appender: 'gateway',
      at: shardEntry(shard, 'data'),
      moment: this.chance.pick(['before', 'after']),
      nth: 1 + this.chance.below(4),
      victim: { region: home, process: 'gateway' },
      signal: 'SIGSTOP',
    });
    const callers: Caller[] = [];
    const call = (): void => {
      for (let index = 0; index < WAVE; index += 1) callers.push(this.caller(key, home, callers.length));
    };
    for (let wave = 0; wave < WAVES_MAX && !armed.isHit(); wave += 1) {
      call();
      await delay(WAVE_PAUSE_MS);
    }
    const { pid } = await armed.hit();
    call();
    const asked = callers.filter((_, index) => index % 3 === 0);
    const early: Answered[] = [];
    try {
      const moved = await moveHome(this.cluster, to, { move: 'failover', shard, to });
      expect(moved.epoch).toBe(epoch + 1);
      early.push(...(await Promise.all(asked.map(({ body, key: id }) => this.ask(to, id, body)))));
    } finally {
      process.kill(pid, 'SIGCONT');
    }
    const told = await Promise.all(callers.map(({ answer }) => answer));
    const again = await Promise.all(callers.map(({ body, key: id }) => this.ask(third, id, body)));
    for (const [index, answer] of told.entries()) {
      expect(answer).toMatchObject({ status: 200, body: { outcome: 'accepted', shard } });
      expect(outcomeOf(again[index]!)).toEqual(outcomeOf(answer));
    }
    for (const [index, answer] of early.entries())
      expect(outcomeOf(answer)).toEqual(outcomeOf(await asked[index]!.answer));
    return this.expectOneVerdict(shard as ShardName, endOffset, epoch);
  }

  private caller(key: string, home: Region, index: number): Caller {
    // Two of three ask the home itself, the others are forwarded to it.
    const via = index % 3 === 2 ? this.chance.pick(REGIONS) : home;
    const id = `${this.name}-${this.trials}-${index}`;
    const events = [{ key: `${key}/${id}`, type: 'placed', data: { customer: 'c', total: index } }];
    const body = { events, ack: 'accepted', timeoutMs: WRITE_TIMEOUT_MS };
    return { key: id, via, body, answer: this.ask(via, id, body) };
  }

  /** As a client does: who is told at the door that nothing was taken comes again when it was told to. */
  private async ask(via: Region, key: string, body: object): Promise<Answered> {
    for (let turn = 1; ; turn += 1) {
      const answer = await write(this.cluster, via, 'orders', body, key);
      if (answer.status !== 429 || turn === TURNS_MAX) return answer;
      await delay(Number(answer.headers.get('retry-after')) * 1_000);
    }
  }

  private async expectOneVerdict(shard: ShardName, from: bigint, epoch: number): Promise<LateEntries> {
    const { dataset, partition } = parseShardName(shard)!;
    const records = await readRecords(this.log, topicOf(dataset), partition, offset(from));
    const headers = records.map(({ header }) => decodeHeader(header!)!);
    const fencedAt = headers.findIndex(({ kind }) => kind === 'fence');
    const last = records.at(-1)!.offset;
    const kept = await Promise.all(
      REGIONS.map(async (region) => {
        await eventually(
          () => this.cluster.sql(region, 'select log_offset from lockstep.cursor where shard = $1', [shard]),
          ([row]) => BigInt(row!['log_offset'] as string) >= last,
        );
        const quarantined = await this.cluster.sql(
          region,
          'select * from lockstep.quarantine where shard = $1 and shard_epoch = $2 order by sequence',
          [shard, epoch + 1],
        );
        const outcomes = await this.cluster.sql(
          region,
          'select key, verdict, sequence, epoch from lockstep.outcome where shard = $1 and sequence > $2 order by key',
          [shard, String(from)],
        );
        return { quarantined, outcomes };
      }),
    );
    expect(kept[1]).toEqual(kept[0]);
    expect(kept[2]).toEqual(kept[0]);
    const { outcomes, quarantined } = kept[0]!;
    const boundAt = new Map(outcomes.map((row) => [row['key'] as string, Number(row['sequence'])]));
    const quarantinedAt = new Set(quarantined.map(({ sequence }) => Number(sequence)));
    const seen = new Set<string>();
    const counts = { fenced: 0, repeated: 0, duplicate: 0 };
    for (const [index, { epoch: written, idempotency, kind, number, publisher }] of headers.entries()) {
      const entry = `${publisher} ${number}`;
      const isCopy = seen.has(entry);
      if (kind !== 'data') continue;
      seen.add(entry);
      if (index < fencedAt || Number(written) > epoch) continue;
      // Every record has a sequence, and no record of these logs was ever removed.
      const sequence = Number(records[index]!.offset) + 1;
      const bound = boundAt.get(idempotency!.key);
      expect(bound).not.toBe(sequence);
      if (quarantinedAt.delete(sequence)) counts.fenced += 1;
      else if (isCopy) counts.duplicate += 1;
      else {
        expect(bound).toBeLessThan(sequence);
        counts.repeated += 1;
      }
    }
    // Nothing else is kept there.
    expect([...quarantinedAt]).toEqual([]);
    return counts;
  }
}

/** What a key is bound to. */
const outcomeOf = ({ body }: Answered): object => {
  const { epoch, outcome, sequence, shard } = body as Readonly<Record<string, unknown>>;
  return { epoch, outcome, sequence, shard };
};
