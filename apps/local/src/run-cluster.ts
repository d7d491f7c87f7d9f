/**
 * One life of a local cluster on its data folder: taken alone, cleaned of what a dead supervisor left, settled with the
 * recorded options, run, and ended without a trace but the data.
 */
import { appendFileSync, existsSync, mkdirSync, readdirSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describeFindings, loadCatalogue } from '@lockstep/catalogue';
import { keepBounded } from './bounded-log.js';
import { addressLines } from './cluster-file.js';
import { askEnd, askStatus, ControlServer, type ClusterStatus } from './control.js';
import {
  newPassword,
  projectFolder,
  readRecord,
  resetData,
  writeRecord,
  type ClusterRecord,
  type DataFolder,
} from './data-folder.js';
import { regionsOfCatalogue } from './derived-catalogue.js';
import { guideThroughWrite } from './guided-write.js';
import { buildJaeger } from './jaeger-process.js';
import { isLocalError, LocalError } from './local-error.js';
import { settleOptions, type ClusterOptions, type Request } from './options.js';
import { choosePorts, REGIONS_MAX, type PlanShape } from './port-plan.js';
import { placePostgres } from './postgres-server.js';
import { endProcess, isAlive, readIdentities } from './process-table.js';
import { Supervisor } from './supervisor.js';

export interface RunOptions {
  readonly data: DataFolder;
  readonly request: Request;
  readonly java: string;
  /** Ends the cluster. */
  readonly interrupt: AbortSignal;
  /** The script of a role; tests put a stand-in here. */
  readonly roleScript?: string;
  /** A step of progress, with the time. */
  say(line: string): void;
  /** A plain line. */
  show(line: string): void;
  /** `cluster.json` stands and everything about it has been said. */
  ready(): void;
}

const SAMPLE_CATALOGUE = join(projectFolder, 'infra/catalogue/sample');
const OTHER_START_MS_MAX = 180_000;
const LEFTOVER_END_MS_MAX = 5_000;
const END_MS_MAX = 60_000;
const TOKEN_MS_MAX = 5_000;

/** Runs until it is told to end. @returns the exit code. */
export async function runCluster(options: RunOptions): Promise<number> {
  const { data, request, show } = options;
  const life = new Life(options);
  const until = performance.now() + OTHER_START_MS_MAX;
  while (performance.now() < until) {
    const control = await ControlServer.take(data, life);
    if (control !== undefined) return life.run(control);
    const other = await statusOfOther(data);
    if (other !== undefined && request.reset) {
      await endAndWait(data);
    } else if (other?.state === 'running') {
      settleOptions(request.said, other.options ?? undefined);
      show(`Already running (pid ${other.pid}).`);
      if (other.cluster !== null) for (const line of addressLines(other.cluster)) show(line);
      return 0;
    }
    await sleep(200);
  }
  throw new LocalError(
    'not-running',
    `Another supervisor holds ${data.folder} and has not become ready. See ${data.logs}.`,
  );
}

/** `npm run stop`: ends a running cluster, or what a dead supervisor left. */
export async function stopCluster(data: DataFolder, show: (line: string) => void): Promise<void> {
  if ((await statusOfOther(data)) !== undefined) {
    show('Stopping ...');
    await endAndWait(data);
    show('Stopped. The data stays; npm start takes it up again.');
    return;
  }
  const ended = await endLeftProcesses(data);
  await rm(data.cluster, { force: true });
  show(
    ended === 0
      ? 'Nothing is running.'
      : `Its supervisor was gone; ended the ${ended} processes that it left.`,
  );
}

class Life {
  readonly #options: RunOptions;
  readonly #end = new AbortController();
  #settled: ClusterOptions | undefined;
  #supervisor: Supervisor | undefined;

  constructor(options: RunOptions) {
    this.#options = options;
    options.interrupt.addEventListener('abort', () => this.end(), { once: true });
    if (options.interrupt.aborted) this.end();
  }

  async status(): Promise<ClusterStatus> {
    const of = (await this.#supervisor?.status()) ?? {
      state: 'starting' as const,
      cluster: null,
      processes: [],
      wideArea: null,
    };
    return {
      ...of,
      state: this.#end.signal.aborted ? 'ending' : of.state,
      pid: process.pid,
      options: this.#settled ?? null,
    };
  }

  carryOut(...[order]: Parameters<Supervisor['carryOut']>): Promise<readonly string[]> {
    if (this.#supervisor === undefined) throw new LocalError('not-possible-now', 'The cluster is starting.');
    return this.#supervisor.carryOut(order);
  }

  end(): void {
    this.#end.abort();
  }

  async run(control: ControlServer): Promise<number> {
    const { data, show, say } = this.#options;
    const logs = keepBounded(() =>
      (existsSync(data.logs) ? readdirSync(data.logs) : [])
        .filter((name) => name.endsWith('.log'))
        .map((name) => join(data.logs, name)),
    );
    let serving = false;
    let finishing: Promise<void> | undefined;
    const onEnd = () => {
      show('');
      say('Stopping: roles, then databases, then Kafka ...');
      finishing = this.#supervisor?.end();
    };
    try {
      const supervisor = await this.#prepare();
      this.#supervisor = supervisor;
      if (!this.#end.signal.aborted) {
        this.#end.signal.addEventListener('abort', onEnd, { once: true });
        await supervisor.start();
        serving = true;
        await this.#welcome(supervisor);
        this.#options.ready();
        await aborted(this.#end.signal);
      }
      return serving ? 0 : 130;
    } catch (error) {
      if (this.#end.signal.aborted) return serving ? 0 : 130;
      this.#end.signal.removeEventListener('abort', onEnd);
      this.#end.abort();
      throw error;
    } finally {
      await (finishing ?? this.#supervisor?.end());
      logs.stop();
      await rm(data.control, { force: true });
      await control.close();
      if (this.#supervisor !== undefined) say('Stopped; nothing of it runs any more. The data stays.');
    }
  }

  /** Everything that can be refused is refused here, before anything runs. */
  async #prepare(): Promise<Supervisor> {
    const { data, request, java, say, show, roleScript } = this.#options;
    await rm(data.cluster, { force: true });
    const left = await endLeftProcesses(data);
    if (left > 0) say(`Ended ${left} processes that an earlier supervisor had left`);
    const kept = await readRecord(data);
    if (request.reset && kept !== undefined) {
      await resetData(data, kept.runtimeFolder);
      say('The data is gone; beginning anew');
    }
    const recorded = request.reset ? undefined : kept;
    const wanted = settleOptions(request.said, recorded?.options);
    const catalogue = wanted.catalogue ?? SAMPLE_CATALOGUE;
    await mustBeValid(catalogue);
    const regions = wanted.regions ?? (await regionsOfCatalogue(catalogue));
    await mustKnow(catalogue, regions);
    if (wanted.brokersIn !== null && !regions.includes(wanted.brokersIn))
      throw new LocalError(
        'invalid-option',
        `--brokers-in: no region ${wanted.brokersIn} runs here, only ${regions.join(', ')}.`,
      );
    const settled: ClusterOptions = { ...wanted, regions };
    const shape: PlanShape = {
      regions,
      brokers: settled.brokers,
      wideArea: settled.wanMs !== null,
      standby: settled.standby,
      ledger: settled.ledger,
      jaeger: settled.jaeger,
    };
    const { plan, autoBase } = await choosePorts(settled.ports, shape, recorded?.autoBase ?? null);
    if (settled.jaeger) await buildJaeger({ say, interrupt: this.#end.signal });
    const place = placePostgres(data.postgres);
    const record: ClusterRecord = {
      options: settled,
      autoBase,
      postgresPassword: recorded?.postgresPassword ?? newPassword(),
      runtimeFolder: place.runtimeFolder,
      guidedWrites: recorded?.guidedWrites ?? 0,
    };
    await writeRecord(data, record);
    mkdirSync(data.logs, { recursive: true });
    this.#settled = settled;
    say(
      `${recorded === undefined ? 'A new cluster' : 'Taking up the data'}: ${regions.join(', ')} with ${settled.brokers === 1 ? 'one Kafka broker' : '3 Kafka brokers'}, data in ${data.folder}`,
    );
    return new Supervisor({
      data,
      regions,
      brokers: settled.brokers,
      brokersIn: settled.brokersIn,
      wanMs: settled.wanMs,
      catalogue,
      otlpUrl: settled.otlpUrl,
      plan,
      place,
      postgresPassword: record.postgresPassword,
      java,
      ...(roleScript === undefined ? {} : { roleScript }),
      say,
      note: (line) => {
        appendFileSync(join(data.logs, 'supervisor.log'), `${new Date().toISOString()} ${line}\n`);
        show(line);
      },
    });
  }

  async #welcome(supervisor: Supervisor): Promise<void> {
    const { data, request, say, show } = this.#options;
    say('Ready. Authentication is off and everything listens on loopback only.');
    show('');
    for (const line of addressLines(supervisor.clusterFile())) show(line);
    if (request.detach) {
      show('');
      show('It runs in the background; npm run stop ends it.');
      return;
    }
    await this.#guide(supervisor);
    show('');
    show(`Addresses and pids: ${data.cluster}    Logs: ${data.logs}`);
    show('Try: npx lockstep local status, npx lockstep local kill us replicator');
    show('This stays in the foreground; Ctrl-C stops everything, the data stays.');
  }

  async #guide(supervisor: Supervisor): Promise<void> {
    const { data, show } = this.#options;
    const { options, guidedWrites } = (await readRecord(data)) as ClusterRecord;
    const region = options.regions?.includes('eu') === true ? 'eu' : options.regions?.[0];
    // Another catalogue has other datasets; the tour is for the sample.
    if (options.catalogue !== null || region === undefined || this.#end.signal.aborted) return;
    const number = guidedWrites + 1;
    await writeRecord(data, { ...((await readRecord(data)) as ClusterRecord), guidedWrites: number });
    show('');
    try {
      await guideThroughWrite({ cluster: supervisor.clusterFile(), region, number, say: show });
    } catch (error) {
      const { message, cause } = error as Error;
      show(
        `The guided write did not come through: ${message}${cause instanceof Error ? ` (${cause.message})` : ''}`,
      );
    }
  }
}

/** Judged before anything is started: roles that refuse it would only be started again and again. */
async function mustBeValid(catalogue: string): Promise<void> {
  const result = await loadCatalogue(catalogue);
  if (result.kind === 'invalid') {
    const lines = describeFindings(result.findings);
    throw new LocalError('invalid-catalogue', `The catalogue ${catalogue} cannot be used.\n${lines}`);
  }
}

async function mustKnow(catalogue: string, regions: readonly string[]): Promise<void> {
  const known = await regionsOfCatalogue(catalogue);
  const unknown = regions.find((region) => !known.includes(region));
  if (unknown !== undefined) {
    throw new LocalError(
      'invalid-option',
      `--regions: the catalogue ${catalogue} has no region ${unknown}, only ${known.join(', ')}.`,
    );
  }
  if (regions.length > REGIONS_MAX)
    throw new LocalError('invalid-option', `A local cluster runs at most ${REGIONS_MAX} regions.`);
}

/** `undefined` when nobody is there. One that took the folder just now has not written its token yet: asked again. */
async function statusOfOther(data: DataFolder): Promise<ClusterStatus | undefined> {
  for (const until = performance.now() + TOKEN_MS_MAX; ; await sleep(100)) {
    try {
      return await askStatus(data);
    } catch (error) {
      if (isLocalError(error) && error.code === 'not-running') return undefined;
      if (performance.now() > until) throw error;
    }
  }
}

async function endAndWait(data: DataFolder): Promise<void> {
  await askEnd(data).catch(() => undefined);
  const until = performance.now() + END_MS_MAX;
  while ((await statusOfOther(data)) !== undefined) {
    if (performance.now() > until)
      throw new LocalError(
        'not-ready',
        `The cluster of ${data.folder} has not stopped after ${END_MS_MAX / 1000} s. See ${data.logs}.`,
      );
    await sleep(100);
  }
}

/** @returns how many processes of a dead supervisor were still there. */
async function endLeftProcesses(data: DataFolder): Promise<number> {
  const left = (await readIdentities(data.processes)).filter(isAlive);
  const end = (names: RegExp, ask: NodeJS.Signals) =>
    Promise.all(
      left
        .filter(({ name }) => names.test(name))
        .map((identity) => endProcess(identity, ask, LEFTOVER_END_MS_MAX)),
    );
  await end(/-ledger$/, 'SIGTERM');
  await end(/-(gateway|replicator|coordinator|standby)$/, 'SIGTERM');
  await end(/-postgres$/, 'SIGINT');
  await end(/^(kafka-\d+|jaeger)$/, 'SIGTERM');
  await rm(data.processes, { force: true });
  return left.length;
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((settle) => {
    if (signal.aborted) settle();
    else signal.addEventListener('abort', () => settle(), { once: true });
  });
}
