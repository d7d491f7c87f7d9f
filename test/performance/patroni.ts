/** How long nothing is written after whoever takes the writes is killed: a home of ours beside the primary of Patroni. */
import { LocalCluster } from '../e2e/local-cluster.ts';
import { frequentFailovers } from '../e2e/sample-catalogue.ts';
import { spread, type Benchmark, type Context, type Figure } from './benchmark.ts';
import { loseHome } from './lost-home.ts';
import type { Outage } from './outage.ts';
import { PatroniCluster, type PatroniTimes } from './patroni-cluster.ts';
import { losePrimary } from './patroni-primary.ts';

const ROUNDS = 5;
/** Nothing of ours goes by a clock of seconds; so that no trial meets the end of the one before. */
const AFTER_MS = 1_000;

const LOCKSTEP = 'lockstep';
const DEFAULTS = 'Patroni, defaults';
const FASTEST = 'Patroni, fastest settings';
const BELOW = 'Patroni, below its minimum';

const TIMES: ReadonlyMap<string, PatroniTimes> = new Map([
  [DEFAULTS, { ttl: 30, loop_wait: 10, retry_timeout: 10 }],
  // The least values that its documentation names, and that later releases enforce.
  [FASTEST, { ttl: 20, loop_wait: 1, retry_timeout: 3 }],
  // What its rule alone leaves, loop_wait + 2 retry_timeout <= ttl, and Debian's release does not refuse.
  [BELOW, { ttl: 7, loop_wait: 1, retry_timeout: 3 }],
]);
const SIDES = [LOCKSTEP, ...TIMES.keys()];

const told = (name: string): string => {
  const { loop_wait: loopWait, retry_timeout: retryTimeout, ttl } = TIMES.get(name)!;
  return `${name}: ttl ${ttl}, loop_wait ${loopWait}, retry_timeout ${retryTimeout}`;
};

export const patroni: Benchmark = {
  name: 'patroni',
  profile: `Both clusters run all the time, on one machine and without delay between their regions; ${ROUNDS} rounds, in each of which every \
side takes its turn, the first one moving on. A hundred probes a second, each a row of its own that is given up after 1 s, beside four callers who credit accounts; \
then SIGKILL, and nothing of what was killed runs before its writes go on elsewhere. Gap: the longest time from then on in which no probe was acknowledged. \
Lockstep: three regions, \`failover: automatic\` with a cool-down of 1 s, log and broker in a third region (\`--wan 0 --brokers-in ap\`); the home's replicator, gateway and coordinator are \
killed; probes are orders of its two shards, the slower of which counts, asked through one other region's gateway; credits wait for a quorum. Patroni 3.0.2 of Debian 12 with three members \
of etcd 3.4 and three servers of Debian's PostgreSQL 15 (ours are 18), \`synchronous_mode\`, so that it loses no acknowledged write either; the primary's Patroni and every process of its server are killed, \
at any moment of its loop; the client has connections to all three servers and asks those two at once that did not take its last write, as soon as it is refused. \
${[...TIMES.keys()].map(told).join('. ')}: no longer allowed since Patroni 3.2, and advised against by its authors; without a goal.`,
  run: async ({ ends, say }) => {
    const cluster = await ends(
      LocalCluster.startWith(frequentFailovers, ['--wan', '0', '--brokers-in', 'ap']),
    );
    say('starting Patroni');
    const peer = await ends(PatroniCluster.start(TIMES.get(DEFAULTS)!));
    return figures(await inRounds(say, cluster, peer));
  },
};

type Outages = ReadonlyMap<string, readonly Outage[]>;

async function inRounds(say: Context['say'], cluster: LocalCluster, peer: PatroniCluster): Promise<Outages> {
  const outages = new Map<string, Outage[]>(SIDES.map((side) => [side, []]));
  for (let round = 0; round < ROUNDS; round += 1) {
    const first = round % SIDES.length;
    for (const side of [...SIDES.slice(first), ...SIDES.slice(0, first)]) {
      const trial = `${side.replaceAll(/\W+/g, '-').toLowerCase()}-${round}`;
      const outage = await lose(side, trial, { cluster, peer });
      outages.get(side)!.push(outage);
      say(`round ${round + 1}/${ROUNDS}  ${side}: ${JSON.stringify(outage)}`);
    }
  }
  return outages;
}

async function lose(
  side: string,
  trial: string,
  { cluster, peer }: { readonly cluster: LocalCluster; readonly peer: PatroniCluster },
): Promise<Outage> {
  const times = TIMES.get(side);
  if (times === undefined) return loseHome(cluster, trial, AFTER_MS);
  await peer.configure(times);
  return losePrimary(peer, trial, AFTER_MS + Math.random() * 1_000 * times.loop_wait);
}

function figures(outages: Outages): readonly Figure[] {
  const shown = (side: string, of: (outage: Outage) => number): readonly number[] =>
    outages.get(side)!.map(of);
  const ratio = (other: string, goalMost?: number): Figure => {
    const gaps = shown(other, ({ gapMs }) => gapMs);
    const values = shown(LOCKSTEP, ({ gapMs }) => gapMs).map((gapMs, round) => gapMs / gaps[round]!);
    const goal = goalMost === undefined ? {} : { goalMost };
    return { name: `${LOCKSTEP} / ${other}: gap`, unit: 'ratio', ...spread(values), ...goal };
  };
  const each = (name: string, unit: string, of: (outage: Outage) => number): readonly Figure[] =>
    SIDES.map((side) => ({ name: `${side}: ${name}`, unit, ...spread(shown(side, of)) }));
  return [
    ratio(DEFAULTS, 0.08),
    ratio(FASTEST, 0.12),
    ratio(BELOW),
    ...each('gap', 'ms', ({ gapMs }) => gapMs),
    ...each('until the next one took writes', 'ms', ({ takenMs }) => takenMs),
    ...each('probes acknowledged', 'probes', ({ probes }) => probes),
    ...each('probes acknowledged and lost', 'probes', ({ lost }) => lost),
    ...each('accounts with wrong balances', 'accounts', ({ wrong }) => wrong),
  ];
}
