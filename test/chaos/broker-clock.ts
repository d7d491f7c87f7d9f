/**
 * Brokers of a local cluster whose clocks are wrong, by libfaketime, and can be moved while they run. The cluster is started
 * with a Java that loads the library into brokers alone; what else it starts keeps the system's clock.
 *
 * Only the time of day is wrong, as on a machine whose clock is: what counts seconds (CLOCK_MONOTONIC) stays right.
 */
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';

/** Waits of the Java machine end by CLOCK_MONOTONIC: the library must neither move it nor "repair" such waits. */
const LIBRARY_SETTINGS =
  'FAKETIME_CACHE_DURATION=1 FAKETIME_DONT_FAKE_MONOTONIC=1 FAKETIME_FORCE_MONOTONIC_FIX=0';
const BY_HAND =
  'libfaketime is missing (for brokers with wrong clocks). Install it, on Debian or Ubuntu with ' +
  '`apt-get install libfaketime`, and start again.';

export class BrokerClocks {
  /** For the command that starts the cluster. */
  readonly environment: NodeJS.ProcessEnv;

  private constructor(private readonly folder: string) {
    this.environment = { JAVA_HOME: folder };
  }

  static async prepare(brokers: number): Promise<BrokerClocks> {
    const library = findLibrary() ?? (await installLibrary());
    const folder = mkdtempSync(
      join(tmpdir(), `${process.env['LOCKSTEP_TEST_RUN'] ?? 'lockstep-test'}-clocks-`),
    );
    mkdirSync(join(folder, 'bin'));
    const java = join(folder, 'bin/java');
    // The last argument of a broker is its properties file, broker-N.properties. `exec`: the pid stays the broker's.
    writeFileSync(
      java,
      `#!/bin/sh
for last in "$@"; do :; done
case " $* " in
  *" kafka.Kafka "*)
    export LD_PRELOAD='${library}' FAKETIME_TIMESTAMP_FILE="${folder}/$(basename "$last" .properties).clock"
    export ${LIBRARY_SETTINGS} ;;
esac
exec '${systemJava()}' "$@"
`,
    );
    chmodSync(java, 0o755);
    const clocks = new BrokerClocks(folder);
    for (let broker = 1; broker <= brokers; broker += 1) clocks.set(broker, 0);
    return clocks;
  }

  /** How far its time of day is ahead of ours; in force within a second. */
  set(broker: number, aheadSeconds: number): void {
    writeFileSync(
      join(this.folder, `broker-${broker}.clock`),
      `${aheadSeconds < 0 ? '' : '+'}${aheadSeconds}\n`,
    );
  }

  close(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

function findLibrary(): string | undefined {
  return readdirSync('/usr/lib', { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => join('/usr/lib', name, 'faketime/libfaketimeMT.so.1'))
    .find((path) => existsSync(path));
}

async function installLibrary(): Promise<string> {
  const setUpScript = new URL('../../apps/local/set-up.mjs', import.meta.url).href;
  const { installWithApt } = (await import(setUpScript)) as {
    installWithApt: (
      choosePackages: () => readonly string[],
      byHand: string,
      log: () => void,
    ) => Promise<void>;
  };
  await installWithApt(
    () => ['libfaketime'],
    BY_HAND,
    () => undefined,
  );
  const library = findLibrary();
  if (library === undefined) throw new Error(BY_HAND);
  return library;
}

/** The Java that the cluster would run with otherwise. */
function systemJava(): string {
  const home = process.env['JAVA_HOME'];
  const folders = [
    ...(home === undefined ? [] : [join(home, 'bin')]),
    ...(process.env['PATH'] ?? '').split(delimiter),
  ];
  const java = folders.map((folder) => join(folder, 'java')).find((path) => existsSync(path));
  if (java === undefined) throw new Error('there is no java; `npm start` and `npm test` install it');
  return java;
}
