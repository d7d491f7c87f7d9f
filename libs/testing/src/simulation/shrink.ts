/**
 * Makes a failing run smaller while the same violation stays: without some of its faults, with fewer clients, operations,
 * regions and shards. What is left is what a person reads, and what is kept as a regression.
 */
import type { Profile } from './profile.js';

const CLIENTS_MIN = 1;
const RUNS_MAX = 200;
const PERCENTS = [
  'repeatedPercent',
  'wrongVersionsPercent',
  'shortDeadlinesPercent',
  'readsPercent',
  'reusedPercent',
  'doubledPercent',
  'receiptsPercent',
] as const;

/** @param fails runs the profile and answers whether the violation is still there. */
export async function shrink(
  profile: Profile,
  fails: (smaller: Profile) => Promise<boolean>,
): Promise<Profile> {
  let best = profile;
  let runs = 0;
  const tried = new Set<string>();
  for (let isSmaller = true; isSmaller;) {
    isSmaller = false;
    for (const candidate of candidates(best)) {
      const text = JSON.stringify(candidate);
      if (tried.has(text)) continue;
      tried.add(text);
      if (runs === RUNS_MAX) return best;
      runs += 1;
      if (!(await fails(candidate))) continue;
      best = candidate;
      isSmaller = true;
      break;
    }
  }
  return best;
}

/** The boldest first. */
function* candidates(profile: Profile): Iterable<Profile> {
  const { clients, faults, load } = profile;
  for (let size = Math.floor(faults.length / 2); size >= 1; size = Math.floor(size / 2)) {
    for (let from = 0; from < faults.length; from += size)
      yield { ...profile, faults: faults.filter((_, index) => index < from || index >= from + size) };
  }
  for (const part of ['accountEntries', 'orderEvents', 'readingEvents'] as const) {
    if (load[part] === 0) continue;
    for (const less of [0, Math.floor(load[part] / 2), load[part] - 5, load[part] - 1])
      if (less >= 0 && less < load[part]) yield { ...profile, load: { ...load, [part]: less } };
  }
  for (const percent of PERCENTS)
    if (load[percent] > 0) yield { ...profile, load: { ...load, [percent]: 0 } };
  if (profile.rest !== null) {
    yield { ...profile, rest: null };
    if (profile.rest.lateCopies > 0) yield { ...profile, rest: { ...profile.rest, lateCopies: 0 } };
  }
  if (profile.outage !== null) yield { ...profile, outage: null };
  if (profile.leaderlessMs !== null) yield { ...profile, leaderlessMs: null };
  for (const fewer of [CLIENTS_MIN, Math.floor(clients / 2), clients - 1])
    if (fewer >= CLIENTS_MIN && fewer < clients) yield { ...profile, clients: fewer };
  if (profile.services > 1) yield { ...profile, services: 1 };
  if (profile.askers > 0) yield { ...profile, askers: 0 };
  if (profile.readers > 0) yield { ...profile, readers: 0 };
  if (profile.applyEventsMax < 2_000) yield { ...profile, applyEventsMax: 2_000 };
  if (profile.failover === 'automatic') yield { ...profile, failover: 'manual' };
  if (profile.openFirst !== null) yield { ...profile, openFirst: null };
  if (profile.degrades) yield { ...profile, degrades: false };
  for (const fewer of [0, profile.ruleChanges - 1])
    if (fewer >= 0 && fewer < profile.ruleChanges) yield { ...profile, ruleChanges: fewer };
  for (const fewer of [0, profile.moves - 1])
    if (fewer >= 0 && fewer < profile.moves) yield { ...profile, moves: fewer };
  if (profile.clockDriftMax > 0) yield { ...profile, clockDriftMax: 0 };
  if (profile.clockOffsetMsMax > 0) yield { ...profile, clockOffsetMsMax: 0 };
  if (profile.shardsPerGroup > 1) yield { ...profile, shardsPerGroup: 1 };
  if (profile.replicators > 1 && !faults.some(({ target }) => target.endsWith('replicator-1')))
    yield { ...profile, replicators: 1 };
  if (
    profile.roles === 'apart' &&
    profile.leaderlessMs === null &&
    !faults.some(({ target }) => target.endsWith('coordinator'))
  )
    yield { ...profile, roles: 'together' };
  const groups = [...new Set(profile.groups)];
  if (groups.length < profile.groups.length) yield { ...profile, groups };
  const last = profile.regions.at(-1)!;
  const isNamed = profile.outage?.region === last || faults.some(({ target }) => target.includes(last));
  if (profile.regions.length > 3 && !isNamed)
    yield {
      ...profile,
      regions: profile.regions.slice(0, -1),
      groups: profile.groups.filter((group) => group !== last),
    };
}
