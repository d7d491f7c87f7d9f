/**
 * One process of the ledger. Exit codes: 0 after SIGTERM or SIGINT, once what is under way is answered; 1 when it could
 * not start or met a defect; 2 when it was told something that it cannot use.
 */
import 'reflect-metadata';
import { LockstepModule } from '@lockstep/nest';
import { TypeOrmModule } from '@nestjs/typeorm';
import { ledgerApplication } from './ledger-application.js';
import { LedgerMisconfigured, readLedgerConfiguration } from './ledger-configuration.js';

try {
  const { host, port } = readLedgerConfiguration(process.env);
  const lockstep = LockstepModule.forRootAsync({
    useFactory: () => ({ gateway: readLedgerConfiguration(process.env).gateway }),
  });
  const database = TypeOrmModule.forRootAsync({
    useFactory: () => ({
      type: 'postgres' as const,
      url: readLedgerConfiguration(process.env).database,
      // The replicator makes the tables of datasets: nothing is synchronised here.
      autoLoadEntities: true,
    }),
  });
  const application = await ledgerApplication(lockstep, database);
  application.enableShutdownHooks();
  await application.listen(port, host);
} catch (error) {
  if (!(error instanceof LedgerMisconfigured)) throw error;
  console.error(error.message);
  process.exitCode = 2;
}
