/**
 * Brings a region's database to the present schema. Several processes may start at once: one migrates under an
 * advisory lock, the others wait for it and find nothing left to do. TypeORM keeps the list of what ran; the SQL is
 * written by hand.
 */
import 'reflect-metadata';
import pg from 'pg';
import { DataSource } from 'typeorm';
import { assertReadableUrl } from './connection.js';
import { CreateLockstepSchema1764547200000 } from './migrations/create-lockstep-schema.js';
import { KeepFencedAttempts1795305600000 } from './migrations/keep-fenced-attempts.js';
import { KeepOutbox1795392000000 } from './migrations/keep-outbox.js';
import { ManageQuorums1795219200000 } from './migrations/manage-quorums.js';
import { NameHomes1795651200000 } from './migrations/name-homes.js';
import { ParkOutbox1795564800000 } from './migrations/park-outbox.js';
import { SettleQuarantine1795478400000 } from './migrations/settle-quarantine.js';
import { storeFailure } from './store-failure.js';
import type { Call } from './store-failure.js';

/** Any number that nobody else locks: "lockstep" in ASCII. */
const MIGRATION_LOCK = '7813573191660758384';
const LOCK_WAIT_MS = 60_000;
const CONNECT_TIMEOUT_MS = 5_000;

export async function migrate(url: string): Promise<void> {
  assertReadableUrl(url);
  const lock = new pg.Client({
    connectionString: url,
    application_name: 'lockstep-migrate',
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
  });
  // Its loss shows in the next statement; without a listener it would end the process.
  lock.on('error', () => undefined);
  let call: Call = 'read';
  try {
    await lock.connect();
    call = 'write';
    await lock.query(`set lock_timeout = ${LOCK_WAIT_MS}`);
    await lock.query(`select pg_advisory_lock(${MIGRATION_LOCK})`);
    await lock.query('create schema if not exists lockstep');
    await runMigrations(url);
  } catch (error) {
    throw storeFailure(driverError(error), call).error;
  } finally {
    // Ending the session gives the lock back.
    await lock.end();
  }
}

async function runMigrations(url: string): Promise<void> {
  const source = new DataSource({
    type: 'postgres',
    url,
    schema: 'lockstep',
    applicationName: 'lockstep-migrate',
    connectTimeoutMS: CONNECT_TIMEOUT_MS,
    installExtensions: false,
    migrationsTableName: 'migration',
    migrations: [
      CreateLockstepSchema1764547200000,
      ManageQuorums1795219200000,
      KeepFencedAttempts1795305600000,
      KeepOutbox1795392000000,
      SettleQuarantine1795478400000,
      ParkOutbox1795564800000,
      NameHomes1795651200000,
    ],
    migrationsTransactionMode: 'each',
    logging: false,
  });
  await source.initialize();
  try {
    await source.runMigrations();
  } finally {
    await source.destroy();
  }
}

/** TypeORM wraps what the driver threw. */
function driverError(error: unknown): unknown {
  return (error as { readonly driverError?: unknown } | null)?.driverError ?? error;
}
