/**
 * What moves are said to cost, held against what they cost, in a simulated world under load: the loss is never said to be less than
 * it is, the time is about what moves like it took, and both are kept with the decision (I14, I15).
 */
import { expect, test } from '@jest/globals';
import {
  CONTROL_TOPIC,
  replayDecisions,
  type MoveKind,
  type RegionName,
  type ShardName,
} from '@lockstep/protocol';
import { SimulatedCluster, World } from '@lockstep/testing';
import { answeredWithin } from './answered.js';
import { elapse, leaderSeenBy, REGIONS } from './harassed-cluster.js';
import { sampleDatasets } from './sample-datasets.js';

const SHARD = 'orders/0' as ShardName;
/** Of moves that take some 50 ms. */
const GAP_ERROR_MS_MAX = 100;
const datasets = await sampleDatasets();
const answered = answeredWithin(60_000);

interface Predicted {
  readonly entriesLost: number | null;
  readonly atRisk: Readonly<Record<'logged' | 'accepted' | 'quorum', number | null>>;
  readonly expectedMs: number | null;
  readonly measuredMoves: number;
}
interface Scored {
  readonly decision: number;
  readonly outcome: string;
  readonly predicted: Predicted | null;
  readonly real: { readonly gapMs: number | null; readonly entriesLost: number | null };
  readonly score: { readonly gapErrorMs: number | null; readonly lossCovered: boolean | null };
}

async function cluster(seed: number): Promise<SimulatedCluster> {
  const made = new SimulatedCluster({ world: new World(seed), regions: REGIONS, datasets, roles: 'apart' });
  await made.start();
  await made.options.world.runUntil(
    () => REGIONS.every((region) => leaderSeenBy(made, region) !== null),
    10_000,
  );
  return made;
}

/** Writes orders of one shard through every gateway, and knows which were told to be accepted. */
class Orders {
  readonly told = new Set<string>();
  private asked = 0;

  constructor(private readonly made: SimulatedCluster) {}

  one(): void {
    const id = `eu:a/${this.asked}`;
    const region = REGIONS[this.asked % REGIONS.length]!;
    this.asked += 1;
    const events = [{ key: id, type: 'placed', data: { customer: 'c', total: 1 } }];
    const answer = this.made.write(region, 'orders', { events, ack: 'accepted', timeoutMs: 10_000 }, id);
    void answer.then(({ status }) => {
      if (status === 200) this.told.add(id);
    });
  }

  /** One every 20 ms, from now on. */
  begin(entries: number): void {
    for (let index = 0; index < entries; index += 1)
      this.made.options.world.after(index * 20, null, () => this.one());
  }

  /** Told to somebody as accepted, and not in the region's database. */
  missingIn(region: string, told: Iterable<string> = this.told): number {
    const rows = this.made.region(region).database.rows('orders')!;
    return [...told].filter((id) => !rows.has(id)).length;
  }
}

test.each([3, 11])(
  'moves under load cost what they were said to cost, and nothing told is lost (seed %i)',
  async (seed) => {
    const made = await cluster(seed);
    const orders = new Orders(made);
    orders.begin(140);
    const moves: readonly (readonly [MoveKind, RegionName])[] = [
      ['switchover', 'us'],
      ['switchover', 'ap'],
      ['failover', 'eu'],
      ['switchover', 'us'],
      ['failover', 'ap'],
      ['switchover', 'eu'],
    ].map(([kind, to]) => [kind as MoveKind, to as RegionName]);
    for (const [index, [kind, to]] of moves.entries()) {
      const { operator } = made.region(leaderSeenBy(made, 'us')!).coordinator;
      const before = JSON.parse(operator.preflight({ move: kind, shard: SHARD, to }).body) as Predicted;
      expect(before).toMatchObject({ entriesLost: 0, measuredMoves: index < 2 ? index : expect.any(Number) });
      const asked = {
        to,
        reason: 'a drill',
        dryRun: false,
        acceptLoss: false,
        timeoutMs: 20_000,
        actor: null,
      };
      const moved = JSON.parse((await answered(made, operator.move(kind, SHARD, asked, 'alice'))).body);
      expect(moved).toMatchObject({ outcome: 'done', to });
      const told = [...orders.told];
      await elapse(made, 400);
      expect(orders.missingIn(to, told)).toBe(0);
    }
    // Every write was told.
    await made.options.world.runUntil(() => orders.told.size === 140, 60_000);
    for (const region of ['us', 'ap']) {
      const { operator } = made.region(region).coordinator;
      const { scores } = JSON.parse(operator.history().body) as { scores: readonly Scored[] };
      expect(scores).toHaveLength(moves.length);
      const [first, ...later] = scores;
      expect(first).toMatchObject({ predicted: { expectedMs: null }, score: { gapErrorMs: null } });
      for (const { predicted, real, score } of scores) {
        expect(real.entriesLost).toBe(0);
        expect(score.lossCovered).toBe(true);
        expect(predicted!.entriesLost).toBe(0);
        expect(real.gapMs).toBeGreaterThan(0);
      }
      for (const { score } of later) expect(Math.abs(score.gapErrorMs!)).toBeLessThan(GAP_ERROR_MS_MAX);
    }
    const { decisions, differences } = replayDecisions(made.log.records(CONTROL_TOPIC, 0));
    expect({ decisions, differences }).toEqual({ decisions: moves.length, differences: [] });
  },
);

test.each([
  ['stands still', (made: SimulatedCluster) => made.region('us').process('replicator-0')!.pause()],
  ['is killed', (made: SimulatedCluster) => made.region('us').killProcess('replicator-0')],
])(
  'of a candidate whose replicator %s, no less is said to be at risk than was told and is not there',
  async (_, stop) => {
    const made = await cluster(7);
    const orders = new Orders(made);
    orders.begin(20);
    await elapse(made, 1_000);
    stop(made);
    orders.begin(60);
    await elapse(made, 3_000);
    const missing = orders.missingIn('us');
    expect(missing).toBe(60);
    const risk = (): Predicted['atRisk'] => {
      const { operator } = made.region('ap').coordinator;
      const asked = { move: 'failover', shard: SHARD, to: 'us' as RegionName } as const;
      return (JSON.parse(operator.preflight(asked).body) as Predicted).atRisk;
    };
    for (const stage of ['logged', 'accepted', 'quorum'] as const)
      expect(risk()[stage]).toBeGreaterThanOrEqual(missing);
    // Now the coordinator does not hear the home either, whose callers are told on.
    made.network.cut({ from: 'eu', to: 'ap', fault: 'cut-off' });
    orders.begin(30);
    await elapse(made, 3_000);
    const more = orders.missingIn('us');
    expect(more).toBeGreaterThan(missing);
    for (const stage of ['logged', 'accepted', 'quorum'] as const)
      expect(risk()[stage]).toBeGreaterThanOrEqual(more);
  },
);
