/** The present life of a database, as its migrations and restores have left it. */
import { PortError } from '@lockstep/engine';
import type { StoreIncarnation } from '@lockstep/protocol';
import type { Connection } from './connection.js';

/** @throws PortError `store-not-migrated` (fatal) where the system's tables are missing. */
export async function readIncarnation(statements: Pick<Connection, 'run'>): Promise<StoreIncarnation> {
  const [row] = await statements.run('read', 'select incarnation from lockstep.store');
  if (row !== undefined) return row['incarnation'] as StoreIncarnation;
  throw new PortError(
    'store-not-migrated',
    'fatal',
    'The database has no store incarnation; run the migrations.',
  );
}
