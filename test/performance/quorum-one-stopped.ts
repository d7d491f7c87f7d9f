/** Critical writes while one region's database does not move: does the slowest region of three set the pace? */
import type { LocalCluster } from '../e2e/local-cluster.ts';
import { spread, type Benchmark, type Context, type Figure } from './benchmark.ts';
import { Accounts, oneAfterAnother, quantile } from './critical-writes.ts';
import { DELAY_MS, HOME, STRETCHED } from './quorum.ts';

const ROUNDS = 5;
const WRITES = 150;
const STOPPED = 'us';

const ALL = 'all three databases';
const WITHOUT_ONE = 'one database stopped';

export const quorumOneStopped: Benchmark = {
  name: 'quorum-one-stopped',
  profile: `Three regions with ${DELAY_MS} ms one way between them, a broker and a database in each, all on one machine. Credits one after \
the other from a client beside the home's gateway, quorum majority, ${WRITES} with all databases and ${WRITES} while every process of the \
database of ${STOPPED}, which is not the home, is stopped (SIGSTOP), ${ROUNDS} rounds; between them it catches up.`,
  run: async ({ cluster, say }) => measure(say, await cluster(STRETCHED)),
};

interface Round {
  readonly all: readonly number[];
  readonly withoutOne: readonly number[];
}

async function measure(say: Context['say'], cluster: LocalCluster): Promise<readonly Figure[]> {
  const accounts = new Accounts(cluster.gateway(HOME), HOME);
  try {
    await accounts.open(1);
    const way = accounts.way('quorum');
    const rounds: Round[] = [];
    // The first round warms compilers and caches.
    for (let count = 0; count <= ROUNDS; count += 1) {
      const all = await oneAfterAnother(way, WRITES);
      await cluster.lockstep(['local', 'pause', STOPPED, 'postgres']);
      const withoutOne = await oneAfterAnother(way, WRITES);
      await cluster.lockstep(['local', 'continue', STOPPED, 'postgres']);
      await way.settle();
      if (count > 0) rounds.push({ all, withoutOne });
      say(
        `${count === 0 ? 'warm-up' : `round ${count}/${ROUNDS}`}  ${told(all)} with all, ${told(withoutOne)} without one`,
      );
    }
    return figures(rounds);
  } finally {
    accounts.close();
  }
}

function figures(rounds: readonly Round[]): readonly Figure[] {
  const sides = [
    { name: ALL, of: ({ all }: Round) => all },
    { name: WITHOUT_ONE, of: ({ withoutOne }: Round) => withoutOne },
  ];
  const pooled = (of: (round: Round) => readonly number[], share: number): number =>
    quantile(rounds.flatMap(of), share);
  return [
    ...sides.flatMap(({ name, of }) =>
      [0.5, 0.9, 0.99].map((share) => ({
        name: `p${share * 100}, ${name}`,
        unit: 'ms',
        ...spread(rounds.map((round) => quantile(of(round), share))),
        median: pooled(of, share),
      })),
    ),
    {
      name: `p99, ${ALL} / ${WITHOUT_ONE}`,
      unit: 'ratio',
      ...spread(rounds.map(({ all, withoutOne }) => quantile(all, 0.99) / quantile(withoutOne, 0.99))),
      median: pooled(({ all }) => all, 0.99) / pooled(({ withoutOne }) => withoutOne, 0.99),
      goal: 1 / 1.3,
    },
  ];
}

const told = (ms: readonly number[]): string =>
  `p50 ${quantile(ms, 0.5).toFixed(1)} p99 ${quantile(ms, 0.99).toFixed(1)} ms`;
