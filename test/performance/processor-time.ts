/** Who used the processors: what /proc says of our processes, and of the whole machine for what disturbed us. */
import { readFileSync, readdirSync } from 'node:fs';

/** Kafka's and Postgres' main processes. */
export interface WatchedProcesses {
  readonly broker: number;
  /** The postmaster: its children do the work. */
  readonly database: number;
}

/** The kernel counts in hundredths of a second on every architecture that Linux has. */
const TICKS_PER_SECOND = 100;

/** Seconds. */
export interface ProcessorTime {
  /** This process. */
  readonly client: number;
  readonly broker: number;
  readonly database: number;
  /** Everything else on this machine. */
  readonly others: number;
}

/** Since the start of each process, and for `others` since the start of the machine. */
export function processorTime(watched: WatchedProcesses): ProcessorTime {
  const { user, system } = process.cpuUsage();
  const client = (user + system) / 1e6;
  const broker = ticksOf(watched.broker).own / TICKS_PER_SECOND;
  const database = ticksWithChildren(watched.database) / TICKS_PER_SECOND;
  return { client, broker, database, others: machineSeconds() - client - broker - database };
}

/** The parts are not read at one instant: what would be less than nothing is nothing. */
export const timeBetween = (before: ProcessorTime, after: ProcessorTime): ProcessorTime => ({
  client: after.client - before.client,
  broker: after.broker - before.broker,
  database: after.database - before.database,
  others: Math.max(0, after.others - before.others),
});

interface Ticks {
  readonly parent: number;
  readonly own: number;
  /** Of children that have ended. */
  readonly ended: number;
}

/** Zero for a process that is gone. */
function ticksOf(pid: number): Ticks {
  let stat: string;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  } catch {
    return { parent: 0, own: 0, ended: 0 };
  }
  // Behind the name, which may hold anything: state, parent, ...
  const fields = stat
    .slice(stat.lastIndexOf(')') + 2)
    .split(' ')
    .map(Number);
  return { parent: fields[1]!, own: fields[11]! + fields[12]!, ended: fields[13]! + fields[14]! };
}

function ticksWithChildren(pid: number): number {
  const { own, ended } = ticksOf(pid);
  const children = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((name) => ticksOf(Number(name)))
    .filter(({ parent }) => parent === pid);
  return children.reduce((sum, child) => sum + child.own, own + ended);
}

/** All but idle and waiting for disks. */
function machineSeconds(): number {
  const [user, nice, system, , , interrupts, softInterrupts, stolen] = readFileSync('/proc/stat', 'utf8')
    .split('\n', 1)[0]!
    .split(/\s+/)
    .slice(1)
    .map(Number) as [number, number, number, number, number, number, number, number];
  return (user + nice + system + interrupts + softInterrupts + stolen) / TICKS_PER_SECOND;
}
