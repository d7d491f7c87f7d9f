/**
 * The leader stands still (SIGSTOP) somewhere between its decision and its fence, and goes on when the cluster has gone on without
 * it: another term has ended the move, or a pause of the shard was confirmed. Whatever it still sends then changes nothing
 * anywhere (I5, I14).
 */
import { expect } from '@jest/globals';
import type { Log } from '@lockstep/engine';
import { CONTROL_TOPIC, offset, parseShardName, topicOf, type ShardName } from '@lockstep/protocol';
import { eventually, REGIONS, type LocalCluster, type Region } from '../e2e/local-cluster.js';
import { controlEntry, Failpoints, shardEntry } from './failpoints.js';
import { readRecords } from './log-records.js';
import type { Owner } from './control-plane.js';
import { Operators } from './operators.js';

export interface Stop {
  readonly kind: 'switchover' | 'failover';
  readonly entry: string;
  readonly moment: 'before' | 'after';
  readonly until: 'another-term' | 'pause-confirmed';
}

const SHARD = 'orders/0' as ShardName;
const MS_MAX = 60_000;
const PAUSED_FOR_MS = 600_000;

interface Fence {
  readonly term: number;
  readonly offset: bigint;
}

export class StoppedLeader {
  private readonly operators: Operators;
  private readonly failpoints: Failpoints;

  constructor(
    private readonly cluster: LocalCluster,
    private readonly log: Log,
  ) {
    this.operators = new Operators(cluster);
    this.failpoints = new Failpoints(cluster);
  }

  /** @returns how the move ended. */
  async expectNoEffect({ entry, kind, moment, until }: Stop): Promise<string> {
    await this.operators.allServe();
    const { leader, term } = await this.operators.leader('eu');
    const { epoch, home } = await this.operators.ownerOf(SHARD, leader);
    const to = REGIONS[(REGIONS.indexOf(home) + 1) % REGIONS.length]!;
    const beganAt = await this.logEnd();
    const controlBeganAt = (await this.log.admin.bounds(CONTROL_TOPIC, 0)).endOffset;
    const decidedBefore = (await this.operators.newest(SHARD, leader))?.decision ?? 0;
    const preflight = `/v1/preflight?shard=${SHARD}&to=${to}&move=${kind}`;
    await eventually(
      () => this.operators.get(leader, preflight),
      ({ body }) => body.allowed === true,
    );
    const armed = this.failpoints.arm({
      appender: 'coordinator',
      at: entry === 'fence' ? shardEntry(SHARD, entry) : controlEntry(entry),
      moment,
      victim: { region: leader, process: 'coordinator' },
      signal: 'SIGSTOP',
    });
    const asked = this.operators
      .post(leader, `/v1/shards/${SHARD}/${kind}`, { to, timeoutMs: 1_000 })
      .catch(() => null);
    const { pid } = await armed.hit();
    const observer = REGIONS.find((region) => region !== leader)!;
    let settled: Owner;
    try {
      if (until === 'another-term') await this.endedBy(observer, decidedBefore);
      else await this.pausedBy(observer);
      settled = await this.folded();
    } finally {
      process.kill(pid, 'SIGCONT');
    }
    await asked;
    await this.operators.allServe();
    // It was about to be sent, and was: this is the fence that must not count.
    if (entry === 'fence')
      await eventually(
        () => this.fencesOf(term, beganAt),
        (fences) => fences.length > 0,
      );
    expect(await this.folded()).toEqual(settled);
    const outcome = await this.endedBy(observer, decidedBefore);
    expect(settled).toEqual(outcome === 'done' ? { home: to, epoch: epoch + 1 } : { home, epoch });
    // Only a fence that stood before the pause may have moved the shard: this leader's, or that of one who adopted the move by then.
    const isFenced = entry === 'fence' && moment === 'after';
    if (until === 'pause-confirmed' && (isFenced || !(await this.isAdoptedBeforePause(controlBeganAt))))
      expect(outcome).toBe(isFenced ? 'done' : 'cancelled');
    await this.operators.expectOneStory(SHARD);
    if (until === 'pause-confirmed') {
      const { status } = await this.operators.post(observer, '/v1/resume', { scope: `shard:${SHARD}` });
      expect(status).toBe(200);
    }
    return outcome;
  }

  private async endedBy(observer: Region, decidedBefore: number): Promise<string> {
    const newest = await eventually(
      () => this.operators.newest(SHARD, observer),
      (newer) => newer !== null && newer.decision > decidedBefore && newer.outcome !== null,
      MS_MAX,
    );
    return newest!.outcome!;
  }

  private async pausedBy(observer: Region): Promise<void> {
    const until = new Date(Date.now() + PAUSED_FOR_MS).toISOString();
    // While nobody leads it may be refused.
    const { body } = await eventually(
      () => this.operators.post(observer, '/v1/pause', { scope: `shard:${SHARD}`, until }),
      (answer) => typeof answer.body.pause === 'number',
      MS_MAX,
    );
    const { pause } = body as { readonly pause: number };
    await eventually(
      () => this.operators.seenBy(observer),
      ({ paused }) => paused.some((one) => one.pause === pause && one.confirmed),
      MS_MAX,
    );
  }

  private async isAdoptedBeforePause(from: bigint): Promise<boolean> {
    const records = await readRecords(this.log, CONTROL_TOPIC, 0, offset(from));
    const kinds = records.map(
      ({ valueText }) =>
        (JSON.parse(valueText!) as { readonly command: { readonly kind: string } }).command.kind,
    );
    return kinds.slice(0, kinds.indexOf('pause')).includes('adopt');
  }

  private async logEnd(): Promise<bigint> {
    const { dataset, partition } = parseShardName(SHARD)!;
    return (await this.log.admin.bounds(topicOf(dataset), partition)).endOffset;
  }

  /** The owner as every database has it, once each has folded what stands in the log now. */
  private async folded(): Promise<Owner> {
    const end = await this.logEnd();
    const rows = await Promise.all(
      REGIONS.map(async (region) => {
        const [row] = await eventually(
          () =>
            this.cluster.sql(region, 'select home, epoch, log_offset from lockstep.cursor where shard = $1', [
              SHARD,
            ]),
          ([cursor]) => BigInt(cursor!['log_offset'] as string) >= end - 1n,
        );
        return { home: row!['home'] as Region, epoch: Number(row!['epoch']) };
      }),
    );
    expect(rows[1]).toEqual(rows[0]);
    expect(rows[2]).toEqual(rows[0]);
    return rows[0]!;
  }

  /** Fences of a term that stand in the shard's log from there on. */
  private async fencesOf(term: number, from: bigint): Promise<readonly Fence[]> {
    const { dataset, partition } = parseShardName(SHARD)!;
    const records = await readRecords(this.log, topicOf(dataset), partition, offset(from));
    return records
      .filter(({ key }) => key !== null && Buffer.from(key).toString() === 'fence')
      .map((record) => ({
        term: (JSON.parse(record.valueText!) as Fence).term,
        offset: record.offset,
      }))
      .filter((fence) => fence.term === term);
  }
}
