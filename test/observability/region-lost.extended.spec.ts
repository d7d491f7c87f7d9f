/**
 * The alert rules in a real Prometheus over real processes: while all is well nobody is woken; a region that is lost under load is
 * one alert, about that region, and no other; and it ends when the region is back.
 */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { AccountWriter } from '../chaos/account-writer.js';
import { LocalCluster } from '../e2e/local-cluster.js';
import { ScrapingPrometheus } from './scraping-prometheus.js';

/** Beyond every holding time but those of minutes that a slow machine could need by itself. */
const WATCHED_SECONDS = 100;
let cluster: LocalCluster;
let prometheus: ScrapingPrometheus;

beforeAll(async () => {
  cluster = await LocalCluster.start();
  prometheus = await ScrapingPrometheus.start(cluster);
}, 300_000);

afterAll(async () => {
  await prometheus?.close();
  await cluster?.stop();
}, 60_000);

test('a lost region is one alert, that of its loss, and no other', async () => {
  const writer = await AccountWriter.open(cluster, {
    name: 'watched',
    ack: 'quorum',
    inFlight: 4,
    timeoutMs: 10_000,
    via: ['us', 'ap'],
    pauseMs: 20,
  });
  writer.start();
  await prometheus.until(`count(min_over_time(up[30s]) == 1) == 9 and count(up) == 9`, 120_000);
  for (const name of ['leads', 'control_current', 'quorum_reachable', 'failover_allowed', 'region_doubts'])
    expect(await prometheus.query(`lockstep_${name}{role="coordinator"}`)).not.toEqual([]);
  for (const name of ['lag_seconds', 'shard_halted', 'vote_withheld'])
    expect(await prometheus.query(`lockstep_${name}{role="replicator"}`)).not.toEqual([]);
  expect(await prometheus.fired()).toEqual([]);

  await cluster.lockstep(['local', 'stop', 'eu']);
  await prometheus.until('ALERTS{alertname="LockstepRegionDown",alertstate="firing",region="eu"}', 90_000);
  await prometheus.until(
    `count_over_time(lockstep:region_down{region="eu"}[10m]) >= ${WATCHED_SECONDS}`,
    2 * WATCHED_SECONDS * 1_000,
  );
  // It was failed over meanwhile, as the coordinators say themselves.
  await prometheus.until('sum(lockstep_moves_total{move="failover",outcome="done"}) > 0', 30_000);
  expect(await prometheus.fired()).toEqual(['LockstepRegionDown eu']);

  await cluster.lockstep(['local', 'start', 'eu']);
  await prometheus.until('count(up == 1) == 9 unless on () ALERTS{alertstate="firing"}', 240_000);
  await writer.stop();
  expect(await prometheus.fired()).toEqual(['LockstepRegionDown eu']);
}, 600_000);
