/**
 * Is `quorum` true when it is said? Right after each acknowledgement the databases of all regions are asked by SQL, and
 * those that had the row must meet the rule of the write's position (I7), while the rule changes, replicators and
 * coordinators die and a region's words are cut off.
 */
import { expect } from '@jest/globals';
import {
  allDemands,
  meets,
  ruleAt,
  type RegionName,
  type RuleInForce,
  type Sequence,
} from '@lockstep/protocol';
import pg from 'pg';
import { setTimeout as delay } from 'node:timers/promises';
import { call, eventually, REGIONS, type LocalCluster, type Region } from '../e2e/local-cluster.js';
import { AccountWriter, type Told } from './account-writer.js';

/** Every change between quorums that can be apart takes a joint step. */
const RULES = ['majority', 'any 1 of [us, ap]', 'all', 'any 1 of [eu]', 'majority', 'any 1 of [ap]'] as const;
const QUERY = `select c.sequence, a.lockstep_version from lockstep.cursor c
  left join accounts a on a.id = $2 where c.shard = $1`;
const QUIET_MS = 500;
const FAULT_MS = 2_000;

/** What the databases held when a write had just been acknowledged. */
interface Acknowledged {
  readonly shard: string;
  readonly sequence: number;
  readonly named: readonly string[];
  readonly holding: readonly Region[];
}

export interface QuorumTruth {
  readonly acknowledged: number;
  readonly rules: number;
  readonly jointSteps: number;
  readonly faults: number;
}

/** Writes until so many were acknowledged at `quorum`, and every fault and rule has had its turn. */
export async function expectQuorumTruth(cluster: LocalCluster, writes: number): Promise<QuorumTruth> {
  const databases = new Map(
    REGIONS.map((region) => [
      region,
      new pg.Pool({ connectionString: cluster.file.regions[region]!.postgres, max: 4 }),
    ]),
  );
  const acknowledged: Acknowledged[] = [];
  const look = async ({ account, answer }: Told): Promise<void> => {
    const { body, status } = answer;
    if (status !== 200 || body.stages.quorum === undefined) return;
    const { sequence, shard } = body as { sequence: number; shard: string };
    const held = await Promise.all(
      REGIONS.map(async (region) =>
        (await holds(databases.get(region)!, shard, account, sequence)) ? region : null,
      ),
    );
    const holding = held.filter((region) => region !== null);
    acknowledged.push({ shard, sequence, named: body.stages.quorum.regions, holding });
  };
  const writer = await AccountWriter.open(cluster, {
    name: 'truth',
    ack: 'quorum',
    inFlight: 8,
    timeoutMs: 5_000,
    afterAnswer: look,
  });
  writer.start();
  let faults = 0;
  const rules = new Rules();
  const highest = new Map<string, number>();
  const learn = (): Promise<void> => {
    for (const { sequence, shard } of acknowledged)
      highest.set(shard, Math.max(sequence, highest.get(shard) ?? 0));
    return rules.learn(cluster, highest);
  };
  for (let turn = 0; turn < RULES.length || acknowledged.length < writes; turn += 1) {
    await changeRule(cluster, RULES[turn % RULES.length]!, turn);
    await strike(cluster, turn);
    faults += 1;
    await learn();
  }
  await writer.stop();
  await learn();
  await Promise.all([...databases.values()].map((database) => database.end()));

  const untrue = acknowledged.filter(({ holding, named, sequence, shard }) => {
    const rule = rules.at(shard, sequence);
    return (
      !meets(rule, holding as readonly string[] as readonly RegionName[]) ||
      !named.every((region) => holding.includes(region as Region))
    );
  });
  expect(untrue).toEqual([]);
  writer.expectHonestAnswers();
  await writer.expectEffectsOnce();
  return { acknowledged: acknowledged.length, rules: rules.count, jointSteps: rules.jointSteps, faults };
}

/** Asks until it is in force in every shard; a coordinator may be gone. */
async function changeRule(cluster: LocalCluster, rule: string, turn: number): Promise<void> {
  const { coordinator } = cluster.file.regions[REGIONS[turn % REGIONS.length]!]!;
  const body = JSON.stringify({ rule, reason: `turn ${turn}` });
  await eventually(
    () =>
      call(`${coordinator}/v1/datasets/accounts/rule`, { method: 'POST', body }).catch(() => ({ status: 0 })),
    ({ status }) => status === 200,
    60_000,
  );
}

/** One fault a turn, repaired at its end. */
async function strike(cluster: LocalCluster, turn: number): Promise<void> {
  const region = REGIONS[turn % REGIONS.length]!;
  switch (turn % 4) {
    case 0:
      await cluster.lockstep(['local', 'kill', region, 'replicator']);
      break;
    case 1:
      for (const each of REGIONS)
        await cluster.lockstep(['local', 'kill', each, 'coordinator', '--stay-down']);
      await delay(FAULT_MS);
      for (const each of REGIONS) await cluster.lockstep(['local', 'start', each, 'coordinator']);
      break;
    case 2:
      await cluster.lockstep(['local', 'cut', region, '--one-way']);
      await delay(FAULT_MS);
      await cluster.lockstep(['local', 'heal', region]);
      break;
    case 3:
      await cluster.lockstep(['local', 'pause', region, 'replicator']);
      await delay(FAULT_MS);
      await cluster.lockstep(['local', 'continue', region, 'replicator']);
  }
  await delay(QUIET_MS);
}

/** What a region's database says by SQL, at once. */
async function holds(database: pg.Pool, shard: string, key: string, sequence: number): Promise<boolean> {
  const { rows } = await database.query<{ sequence: string; lockstep_version: string }>(QUERY, [shard, key]);
  return Number(rows[0]?.sequence) >= sequence && Number(rows[0]?.lockstep_version) >= sequence;
}

/** All rules that ever were in force, read from the cursors before they are forgotten. */
class Rules {
  private readonly byShard = new Map<string, Map<number, RuleInForce>>();

  /** Of these shards, once the region has folded that much of each. */
  async learn(cluster: LocalCluster, highest: ReadonlyMap<string, number>): Promise<void> {
    const rows = await eventually(
      () =>
        cluster.sql('eu', 'select shard, sequence, rules from lockstep.cursor where shard = any($1)', [
          [...highest.keys()],
        ]),
      (cursors) => cursors.every(({ sequence, shard }) => Number(sequence) >= highest.get(shard as string)!),
    );
    for (const row of rows) {
      const known = this.byShard.get(row['shard'] as string) ?? new Map<number, RuleInForce>();
      this.byShard.set(row['shard'] as string, known);
      for (const rule of JSON.parse(row['rules'] as string) as (RuleInForce & { readonly from: unknown })[]) {
        const from = BigInt(rule.from as unknown as string) as Sequence;
        known.set(Number(from), { ...rule, from });
      }
    }
  }

  at(shard: string, sequence: number): ReturnType<typeof allDemands> {
    const rules = [...(this.byShard.get(shard)?.values() ?? [])].sort((x, y) => (x.from < y.from ? -1 : 1));
    const rule = ruleAt(rules, BigInt(sequence) as Sequence);
    return rule === null ? [] : allDemands(rule);
  }

  get count(): number {
    return [...this.byShard.values()].reduce((sum, rules) => sum + rules.size, 0);
  }

  get jointSteps(): number {
    const all = [...this.byShard.values()].flatMap((rules) => [...rules.values()]);
    return all.filter(({ jointly }) => jointly.length > 0).length;
  }
}
