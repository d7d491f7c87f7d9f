/**
 * Coordinators that are killed, stand still or are cut off one way, and who leads then: another one where the leader was
 * disturbed, the same one where somebody else was. Cuts need a cluster with links whose broker stands in a third region.
 */
import { expect } from '@jest/globals';
import { setTimeout as delay } from 'node:timers/promises';
import { REGIONS, type LocalCluster, type Region } from '../e2e/local-cluster.js';
import { AccountWriter } from './account-writer.js';
import { expectAgreement } from './agreement.js';
import type { ControlHistory } from './control-history.js';

/** `unheard`: what its region sends is lost. `deaf`: what is sent to its region is lost. */
export const DISTURBANCES = ['killed', 'paused', 'unheard', 'deaf'] as const;
export type Disturbance = (typeof DISTURBANCES)[number];

/** Where the only broker stands; a cut of this region would take the log from all others. */
export const BROKER_REGION = 'ap' satisfies Region;

const STALL_MS = 5_000;
/** As many as a leader says in 3.5 s: longer than it takes to be silent, to be doubted and to be followed. */
const QUIET_HEARTBEATS = 14;

/** @returns milliseconds from the disturbance of the leader to the claim of the next one. */
export async function disturbLeader(
  cluster: LocalCluster,
  history: ControlHistory,
  disturbance: Disturbance,
): Promise<number> {
  const { leader, term } = await history.agreed();
  const atMs = performance.now();
  await disturb(cluster, leader, disturbance);
  const claim = await history.claimAbove(term);
  await history.heartbeats(4);
  await mend(cluster, history, leader, disturbance);
  const next = claim.step.entry!.author as Region;
  expect(next).not.toBe(leader);
  expect((await history.agreed()).term).toBeGreaterThanOrEqual(term + 1n);
  return claim.readAtMs - atMs;
}

/** Accounts are written, slowly, while coordinators are disturbed. */
export async function beginWriting(cluster: LocalCluster, name: string): Promise<AccountWriter> {
  const options = { name, ack: 'accepted', inFlight: 3, timeoutMs: 10_000, pauseMs: 100 } as const;
  const writer = await AccountWriter.open(cluster, options);
  writer.start();
  return writer;
}

/** Each term had one leader, and every write was answered, once. */
export async function expectHonestEnd(
  cluster: LocalCluster,
  history: ControlHistory,
  writer: AccountWriter,
): Promise<void> {
  history.expectOneLeaderPerTerm();
  await writer.stop();
  writer.expectHonestAnswers();
  await writer.expectEffectsOnce();
  await expectAgreement(cluster);
}

/** Stops the broker for longer than any lease. */
export async function stallBroker(cluster: LocalCluster, node: number | null): Promise<void> {
  const kafka = { kind: 'kafka', node } as const;
  await cluster.order({ kind: 'process', order: 'pause', target: kafka, stayDown: false });
  await delay(STALL_MS);
  await cluster.order({ kind: 'process', order: 'continue', target: kafka, stayDown: false });
}

/** One that does not lead: the term stays. */
export async function disturbFollower(
  cluster: LocalCluster,
  history: ControlHistory,
  disturbance: Disturbance,
): Promise<void> {
  const before = await history.agreed();
  const follower = REGIONS.find((region) => region !== before.leader && region !== BROKER_REGION)!;
  await disturb(cluster, follower, disturbance);
  await history.heartbeats(QUIET_HEARTBEATS);
  await mend(cluster, history, follower, disturbance);
  await history.expectStays(before);
}

async function disturb(cluster: LocalCluster, region: Region, disturbance: Disturbance): Promise<void> {
  const target = { kind: 'region', region, process: 'coordinator' } as const;
  switch (disturbance) {
    case 'killed':
      return cluster.order({ kind: 'process', order: 'kill', target, stayDown: true });
    case 'paused':
      return cluster.order({ kind: 'process', order: 'pause', target, stayDown: false });
    case 'unheard':
      return cluster.order({ kind: 'cut', region, lost: 'sent' });
    case 'deaf':
      return cluster.order({ kind: 'cut', region, lost: 'received' });
  }
}

async function mend(
  cluster: LocalCluster,
  history: ControlHistory,
  region: Region,
  disturbance: Disturbance,
): Promise<void> {
  const target = { kind: 'region', region, process: 'coordinator' } as const;
  switch (disturbance) {
    case 'killed': {
      const fromMs = performance.now();
      await cluster.order({ kind: 'process', order: 'start', target, stayDown: false });
      await history.read(
        ({ entry, verdict }) =>
          verdict === 'accepted' && entry?.command.kind === 'join' && entry.author === region,
        fromMs,
        60_000,
      );
      return;
    }
    case 'paused':
      return cluster.order({ kind: 'process', order: 'continue', target, stayDown: false });
    case 'unheard':
    case 'deaf':
      return cluster.order({ kind: 'heal', region });
  }
}
