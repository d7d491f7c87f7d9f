/**
 * One process is killed at one point of a move, just before the entry of that point is appended or just after it was answered, and
 * nobody does anything about it: the supervisor starts the process again, as it would any other. Afterwards the move has
 * ended at exactly one home in every database, or was never begun, and the shard takes writes there (I5, I13, I19).
 */
import { expect } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import type { RegionProcess } from '@lockstep/local';
import { eventually, REGIONS, write, type LocalCluster, type Region } from '../e2e/local-cluster.js';
import { controlEntry, Failpoints, shardEntry } from './failpoints.js';
import { moveHome, type Decision, type Owner } from './control-plane.js';
import { Operators } from './operators.js';

export type Victim = 'leader' | 'candidate-gateway' | 'candidate-replicator' | 'home-gateway';

const FAILOVER = [
  'decision',
  'caught-up',
  'fencing',
  'fence',
  'fenced',
  'folded',
  'probe',
  'canary',
  'share',
  'open',
  'placed',
  'done',
] as const;
const SWITCHOVER = [...FAILOVER.slice(0, 2), 'parked', 'drained', ...FAILOVER.slice(2)] as const;
/** What is appended on the way, in its order, where new homes take a share of the writes first. */
export const ENTRIES = {
  switchover: SWITCHOVER,
  failover: FAILOVER,
  evacuation: ['evacuate', ...SWITCHOVER],
} as const;
export type Kind = keyof typeof ENTRIES;

export interface Crash {
  readonly kind: Kind;
  readonly entry: (typeof ENTRIES)[Kind][number];
  readonly moment: 'before' | 'after';
  readonly victim: Victim;
}

/** `not-begun`: the leader died with the wish. */
export type CrashEnd = 'done' | 'cancelled' | 'not-begun';

const ENDED_MS_MAX = 60_000;
const WRITE_TIMEOUT_MS = 20_000;
const SHARD = 'orders/0';
/** Nothing else is at home there by then, and while a pause keeps moves from the third region, all goes to one. */
const EVACUATED = { region: 'us', shards: [SHARD, 'orders/1'], to: 'ap', pause: 'region:eu' } as const;
const PAUSED_FOR_MS = 600_000;

/** What was so before a case, and whom it is about. */
interface Stand {
  readonly leader: Region;
  readonly term: number;
  readonly from: Region;
  readonly to: Region;
  readonly shards: ReadonlyMap<string, Before>;
}

interface Before extends Owner {
  /** The newest one on the shard; 0 where there was none. */
  readonly decision: number;
}

export class MoveCrashes {
  private readonly operators: Operators;
  private readonly failpoints: Failpoints;
  private isPrepared = false;
  private writes = 0;

  constructor(private readonly cluster: LocalCluster) {
    this.operators = new Operators(cluster);
    this.failpoints = new Failpoints(cluster);
  }

  async expectOneHome(crash: Crash): Promise<CrashEnd> {
    const { entry, kind, moment, victim } = crash;
    const stand = await this.prepare(kind);
    const { leader, shards, term } = stand;
    const process = victimOf(victim, stand);
    const isOfShard = entry === 'fence' || entry === 'probe';
    const armed = this.failpoints.arm({
      appender: 'coordinator',
      at: isOfShard ? shardEntry(SHARD, entry) : controlEntry(entry),
      moment,
      victim: process,
      signal: 'SIGKILL',
    });
    const asked = this.ask(kind, stand);
    await armed.hit();

    const observer = REGIONS.find((region) => region !== leader)!;
    const isUnsaid = entry === ENTRIES[kind][0] && moment === 'before' && victim === 'leader';
    if (isUnsaid)
      await eventually(
        () => this.operators.seenBy(observer),
        (seen) => seen.leader !== null && seen.term! > term,
        ENDED_MS_MAX,
      );
    else for (const [shard, before] of shards) await this.ended(shard, before, observer);
    await asked;

    const ends = await Promise.all(
      [...shards].map(([shard, before]) => this.endOf(shard, before, observer, isUnsaid)),
    );
    const via = REGIONS.find((region) => process.process !== 'gateway' || region !== process.region)!;
    await this.expectWrite(via);
    if (kind === 'evacuation') {
      const resumed = await this.operators.post(observer, '/v1/resume', { scope: EVACUATED.pause });
      expect(resumed.status).toBe(200);
    }
    if (isPastFence(crash)) expect({ crash, end: ends[0] }).toEqual({ crash, end: 'done' });
    return ends[0]!;
  }

  /** Everybody serves and the move is allowed. */
  private async prepare(kind: Kind): Promise<Stand> {
    await this.operators.allServe();
    if (kind === 'evacuation') await this.prepareEvacuation();
    const { leader, term } = await this.operators.leader('eu');
    const shards = new Map<string, Before>();
    for (const shard of kind === 'evacuation' ? EVACUATED.shards : [SHARD]) {
      const { epoch, home } = await this.operators.ownerOf(shard, leader);
      const newest = await this.operators.newest(shard, leader);
      shards.set(shard, { home, epoch, decision: newest?.decision ?? 0 });
    }
    const from = shards.get(SHARD)!.home;
    const to = await this.candidate(kind, from, leader);
    return { leader, term, from, to, shards };
  }

  private async prepareEvacuation(): Promise<void> {
    const { region, shards } = EVACUATED;
    if (!this.isPrepared) {
      const { status } = await this.operators.post(region, `/v1/regions/${region}/evacuate`, {
        concurrency: 8,
        timeoutMs: 60_000,
      });
      expect(status).toBe(200);
      this.isPrepared = true;
    }
    for (const shard of shards) {
      const { home } = await this.operators.ownerOf(shard, region);
      if (home === region) continue;
      await moveHome(this.cluster, region, { shard, to: region });
    }
    const until = new Date(Date.now() + PAUSED_FOR_MS).toISOString();
    await eventually(
      () => this.operators.post(region, '/v1/pause', { scope: EVACUATED.pause, until }),
      ({ body }) => body.confirmed === true,
    );
  }

  private async candidate(kind: Kind, from: Region, leader: Region): Promise<Region> {
    if (kind === 'evacuation') return EVACUATED.to;
    const to = REGIONS[(REGIONS.indexOf(from) + 1) % REGIONS.length]!;
    await eventually(
      () => this.operators.get(leader, `/v1/preflight?shard=${SHARD}&to=${to}&move=${kind}`),
      ({ body }) => body.allowed === true,
    );
    return to;
  }

  /** Whoever asked may have died with the one that was asked. */
  private async ask(kind: Kind, { from, leader, to }: Stand): Promise<void> {
    const timeoutMs = 20_000;
    const [path, body] =
      kind === 'evacuation'
        ? [`/v1/regions/${from}/evacuate`, { timeoutMs }]
        : [`/v1/shards/${SHARD}/${kind}`, { to, timeoutMs }];
    await this.operators.post(leader, path, body).catch(() => null);
  }

  private async ended(shard: string, before: Before, observer: Region): Promise<void> {
    await eventually(
      () => this.operators.newest(shard, observer),
      (newest: Decision | null) =>
        newest !== null && newest.decision > before.decision && newest.outcome !== null,
      ENDED_MS_MAX,
    );
  }

  /** What became of it, as every database has it. */
  private async endOf(shard: string, before: Before, observer: Region, isUnsaid: boolean): Promise<CrashEnd> {
    const newest = await this.operators.newest(shard, observer);
    if (isUnsaid) expect(newest?.decision ?? 0).toBe(before.decision);
    const isDone = !isUnsaid && newest!.outcome === 'done';
    if (!isUnsaid) expect(newest!.outcome).toMatch(/^(done|cancelled)$/);
    const owner: Owner = isDone ? { home: newest!.to, epoch: before.epoch + 1 } : before;
    for (const region of REGIONS)
      await eventually(
        () => this.cluster.sql(region, 'select home, epoch from lockstep.cursor where shard = $1', [shard]),
        ([row]) => row!['home'] === owner.home && Number(row!['epoch']) === owner.epoch,
      );
    return isDone ? 'done' : isUnsaid ? 'not-begun' : 'cancelled';
  }

  private async expectWrite(via: Region): Promise<void> {
    this.writes += 1;
    const events = [{ key: `eu:a/crash-${this.writes}`, type: 'placed', data: { customer: 'c', total: 1 } }];
    const answer = await write(
      this.cluster,
      via,
      'orders',
      { events, ack: 'quorum', timeoutMs: WRITE_TIMEOUT_MS },
      randomUUID(),
    );
    expect(answer).toMatchObject({ status: 200, body: { outcome: 'accepted', shard: SHARD } });
  }
}

function victimOf(
  victim: Victim,
  { from, leader, to }: Stand,
): { readonly region: Region; readonly process: RegionProcess } {
  switch (victim) {
    case 'leader':
      return { region: leader, process: 'coordinator' };
    case 'candidate-gateway':
      return { region: to, process: 'gateway' };
    case 'candidate-replicator':
      return { region: to, process: 'replicator' };
    case 'home-gateway':
      return { region: from, process: 'gateway' };
  }
}

/** The fence stands when this entry is answered: there is no way back. */
function isPastFence({ entry, kind, moment }: Crash): boolean {
  const entries: readonly string[] = ENTRIES[kind];
  const steps = entries.indexOf(entry) - entries.indexOf('fence');
  return steps > 0 || (steps === 0 && moment === 'after');
}
