/**
 * A service that saves orders of a few writers again and again and then ends:
 *
 *   node saving-service.ts POSTGRES_URL WRITER,WRITER TRANSACTIONS
 *
 * It may be killed at any moment and started again: how far a writer got stands in the database.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { attachOutbox } from '@lockstep/nest';
import { ordersIn, placed } from './replicated-order.ts';
import { isRolledBack, savedBy } from './saved-orders.ts';

const AGAIN_MS = 50;

const [postgres, writers, transactions] = process.argv.slice(2) as [string, string, string];
const source = ordersIn(postgres);

/** An operator ended the connection, or the database was killed. */
const CONNECTION_ENDED = '57P01';

/**
 * When a connection is ended as soon as it is made, pg tells so before TypeORM listens, and the process ends. A service is started
 * again then, like one that was killed.
 */
process.on('uncaughtException', (error: Error & { readonly code?: string }) => {
  console.error(error);
  if (error.code === CONNECTION_ENDED) process.kill(process.pid, 'SIGKILL');
  else process.exit(1);
});

/** A database that is killed is asked again: the supervisor of its cluster starts it. */
async function answered<Answer>(ask: () => Promise<Answer>): Promise<Answer> {
  for (;;) {
    try {
      return await ask();
    } catch {
      await delay(AGAIN_MS);
    }
  }
}

/** The last one that was committed; 0 when none was. */
async function savedUpTo(writer: number): Promise<number> {
  const [first] = savedBy(writer, 1);
  const rows = await answered(() =>
    source.query<readonly { readonly total: string }[]>('select total from public.orders where id = $1', [
      first,
    ]),
  );
  return Number(rows[0]?.total ?? 0);
}

async function saveAll(writer: number): Promise<void> {
  let number = (await savedUpTo(writer)) + 1;
  while (number <= Number(transactions)) {
    const failed = await source
      .transaction(async (manager) => {
        await manager.save(savedBy(writer, number).map((id) => placed(id, number)));
        if (isRolledBack(number)) throw new Error('rolled back');
      })
      .then(
        () => null,
        (error: Error) => error,
      );
    // A commit without an answer may stand: what is in the database says so, as pending or as folded.
    if (failed === null || isRolledBack(number) || (await savedUpTo(writer)) === number) number += 1;
    else await delay(AGAIN_MS);
  }
}

await answered(() => source.initialize());
attachOutbox(source);
await Promise.all(writers.split(',').map((writer) => saveAll(Number(writer))));
await source.destroy();
