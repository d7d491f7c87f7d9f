/** Whoever takes the writes is killed under load and stays down until another one takes them: for how long nobody does. */
import { setTimeout as pause } from 'node:timers/promises';
import { eventually } from '../e2e/local-cluster.ts';
import type { SteadyProbes } from '../chaos/steady-probes.ts';
import { CreditLoad, type Bank } from './credit-load.ts';

const UNDER_LOAD_CREDITS = 30;
const MOVED_MS_MAX = 180_000;
const EQUAL_MS_MAX = 60_000;
/** Load goes on for so long at the next home, and again beside the one that is back. */
const LOAD_MS = 1_000;

/** What is written to. */
export interface Ground {
  /** How many shards the probes meet. */
  readonly shards: number;
  probes(): SteadyProbes;
  bank(): Promise<Bank>;
  /** By SIGKILL, without a word. */
  kill(): Promise<void>;
  /** Until everything runs again. */
  restore(): Promise<void>;
}

export interface Outage {
  /** The longest time from the fault on in which nothing was accepted. */
  readonly gapMs: number;
  /** From the fault until every shard had taken a write at its next home. */
  readonly takenMs: number;
  readonly probes: number;
  readonly credits: number;
  /** Probes that were told as accepted and are missing somewhere. */
  readonly lost: number;
  /** Accounts whose balances are not what callers were told, or differ. */
  readonly wrong: number;
}

/** @param afterMs under load, until the fault. */
export async function failUnderLoad(ground: Ground, afterMs: number): Promise<Outage> {
  const load = new CreditLoad(await ground.bank());
  const probes = ground.probes();
  let told: Pick<Outage, 'gapMs' | 'takenMs'>;
  try {
    await eventually(
      () => Promise.resolve(probes.epochs().size >= ground.shards && load.count('accepted')),
      (credits) => credits !== false && credits > UNDER_LOAD_CREDITS,
    );
    await pause(afterMs);
    told = await fail(ground, probes);
    await ground.restore();
    await pause(LOAD_MS);
  } finally {
    await Promise.all([probes.stop(), load.stop()]);
  }
  const lost = await atLast(() => probes.lost());
  const wrong = await atLast(() => load.wrong());
  return {
    ...told,
    probes: probes.accepted.length,
    credits: load.count('accepted'),
    lost: lost.length,
    wrong: wrong.length,
  };
}

async function fail(ground: Ground, probes: SteadyProbes): Promise<Pick<Outage, 'gapMs' | 'takenMs'>> {
  const epochs = probes.epochs();
  const faultMs = performance.now();
  await ground.kill();
  const movedAtMs = await probes.moved(epochs, MOVED_MS_MAX);
  await pause(LOAD_MS);
  return { gapMs: probes.longestGapMs(faultMs), takenMs: movedAtMs - faultMs };
}

/** What is still found when it should long be gone. */
async function atLast(find: () => Promise<readonly string[]>): Promise<readonly string[]> {
  let found: readonly string[] = [];
  await eventually(
    async () => (found = await find()),
    ({ length }) => length === 0,
    EQUAL_MS_MAX,
  ).catch((error: unknown) => {
    if (found.length === 0) throw error;
  });
  return found;
}
