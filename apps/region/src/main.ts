/**
 * One process of a region: gateway, replicator, coordinator, or several of them, as LOCKSTEP_ROLES says.
 *
 * Exit codes: 0 after SIGTERM or SIGINT, 1 when it could not start or met a defect, 2 when it was told something that
 * it cannot use. A defect ends the process: its supervisor starts a fresh one, whose state comes from log and store.
 */
import { hostname } from 'node:os';
import { fileURLToPath } from 'node:url';
import {
  composeRole,
  describeFindings,
  EXIT_CODE_MISCONFIGURED,
  openRoleLogger,
  readRoleConfiguration,
  readSite,
  redactedConfiguration,
  serveRole,
  type Site,
} from '@lockstep/nest';

/** Built beside this process by the set-up; a coordinator serves it. */
const CONSOLE_FOLDER = fileURLToPath(new URL('../../console/dist/site', import.meta.url));

const reading = readRoleConfiguration(process.env, hostname());
if (reading.kind === 'invalid') {
  console.error(describeFindings(reading.findings));
  process.exit(EXIT_CODE_MISCONFIGURED);
}
const { configuration } = reading;
const logger = openRoleLogger(configuration);

function endWith(code: number, message: string, cause: unknown): void {
  logger.fatal({ err: cause }, message);
  // Set, not only exited with: what the log still holds is written on the way out.
  process.exitCode = code;
  logger.flush(() => process.exit(code));
}
process.on('unhandledRejection', (cause) => endWith(1, 'a rejection that nobody handled', cause));
process.on('uncaughtException', (cause) => endWith(1, 'an exception that nobody caught', cause));

/** Null, and a warning, where it is not built: pages for people keep no coordinator from its work. */
async function readConsole(): Promise<Site | null> {
  try {
    return await readSite(CONSOLE_FOLDER);
  } catch (cause) {
    logger.warn(
      { err: cause },
      'the console is not served: its pages are not built; `npm start` builds them',
    );
    return null;
  }
}

logger.info({ configuration: redactedConfiguration(configuration) }, 'starting');
try {
  const role = await composeRole(configuration, logger);
  const site = configuration.roles.includes('coordinator') ? await readConsole() : null;
  const served = await serveRole(role, configuration.listen, logger, site);
  logger.info({ url: served.url }, 'serving');

  const end = (signal: NodeJS.Signals): void => {
    logger.info({ signal }, 'ending');
    served.close().then(
      () => logger.flush(() => process.exit(0)),
      (cause: unknown) => endWith(1, 'could not end in order', cause),
    );
  };
  // Once each: a second signal of a kind ends the process at once, as if nobody listened.
  process.once('SIGTERM', end);
  process.once('SIGINT', end);
} catch (cause) {
  // Findings are for the person who wrote the catalogue or placed the key: lines with file and reason, no stack.
  if (cause instanceof Error && ['CatalogueRefused', 'SigningKeyRefused'].includes(cause.name)) {
    console.error(cause.message);
    process.exit(EXIT_CODE_MISCONFIGURED);
  }
  endWith(1, 'could not start', cause);
}
