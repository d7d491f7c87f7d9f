/**
 * One real Kafka broker and one real Postgres 18 for all integration specs of a run, because starting them takes longer
 * than most specs. Their addresses are in the environment of every spec:
 *
 *   LOCKSTEP_TEST_KAFKA      bootstrap brokers, comma-separated
 *   LOCKSTEP_TEST_POSTGRES   URL of a superuser
 *
 * Specs share nothing but the servers: each makes topics and databases under names of its own and removes them.
 * Loaded by jest on plain Node, hence the built launchers; `npm test` builds first.
 */
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startKafka, startPostgres } from '@lockstep/local';

export default async function startServers() {
  // `npm test` finds and ends what a crashed run left behind by the run's name, which these paths carry.
  const folder = mkdtempSync(join(tmpdir(), `${process.env.LOCKSTEP_TEST_RUN ?? 'lockstep-test'}-`));
  // Open, so that the unprivileged user that Postgres runs as can reach its data.
  chmodSync(folder, 0o755);
  const java = process.env.LOCKSTEP_LOCAL_JAVA;
  const starting = [
    startKafka({ dataFolder: join(folder, 'kafka'), ...(java === undefined ? {} : { java }) }),
    startPostgres({ dataFolder: join(folder, 'postgres') }),
  ];
  const stopServers = async () => {
    const started = await Promise.allSettled(starting);
    await Promise.all(started.map((server) => server.value?.stop()));
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    const [kafka, postgres] = await Promise.all(starting);
    process.env.LOCKSTEP_TEST_KAFKA = kafka.brokers.join(',');
    process.env.LOCKSTEP_TEST_POSTGRES = postgres.url;
  } catch (error) {
    await stopServers();
    throw error;
  }
  // Where global-teardown.mjs, which runs in the same process, finds it.
  globalThis.lockstepStopServers = stopServers;
}
