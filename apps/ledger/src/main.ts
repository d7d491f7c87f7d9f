/**
 * One process of the ledger. Exit codes: 0 after SIGTERM or SIGINT, once what is under way is answered; 1 when it could
 * not start or met a defect; 2 when it was told something that it cannot use.
 */
import 'reflect-metadata';
import { LockstepModule } from '@lockstep/nest';
import { ledgerApplication } from './ledger-application.js';
import { LedgerMisconfigured, readLedgerConfiguration } from './ledger-configuration.js';

try {
  const { host, port } = readLedgerConfiguration(process.env);
  const lockstep = LockstepModule.forRootAsync({
    useFactory: () => ({ gateway: readLedgerConfiguration(process.env).gateway }),
  });
  const application = await ledgerApplication(lockstep);
  application.enableShutdownHooks();
  await application.listen(port, host);
} catch (error) {
  if (!(error instanceof LedgerMisconfigured)) throw error;
  console.error(error.message);
  process.exitCode = 2;
}
