/** Who used the processors: what /proc says of the processes watched, and of the whole machine for what disturbed us. */
import { readFileSync, readdirSync } from 'node:fs';

/** A name for the figures, and the pid; children count with their parent. */
export type WatchedProcesses = Readonly<Record<string, number>>;

/** Seconds, by the names of the processes watched; besides `client`, this process, and `others`, everything else. */
export type ProcessorTime = Readonly<Record<string, number>>;

/** The kernel counts in hundredths of a second on every architecture that Linux has. */
const TICKS_PER_SECOND = 100;

/** Since the start of each process, and for `others` since the start of the machine. */
export function processorTime(watched: WatchedProcesses): ProcessorTime {
  const { user, system } = process.cpuUsage();
  const table = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((name) => ticksOf(Number(name)));
  const known: Record<string, number> = { client: (user + system) / 1e6 };
  for (const [name, pid] of Object.entries(watched)) {
    const ticks = table.reduce((sum, ticksHere) => {
      if (ticksHere.pid === pid) return sum + ticksHere.own + ticksHere.ended;
      return ticksHere.parent === pid ? sum + ticksHere.own : sum;
    }, 0);
    known[name] = ticks / TICKS_PER_SECOND;
  }
  const sum = Object.values(known).reduce((x, y) => x + y, 0);
  return { ...known, others: machineSeconds() - sum };
}

/** The parts are not read at one instant: what would be less than nothing is nothing. */
export const timeBetween = (before: ProcessorTime, after: ProcessorTime): ProcessorTime =>
  Object.fromEntries(
    Object.entries(after).map(([name, seconds]) => [name, Math.max(0, seconds - before[name]!)]),
  );

interface Ticks {
  readonly pid: number;
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
    return { pid, parent: 0, own: 0, ended: 0 };
  }
  // Behind the name, which may hold anything: state, parent, ...
  const fields = stat
    .slice(stat.lastIndexOf(')') + 2)
    .split(' ')
    .map(Number);
  return { pid, parent: fields[1]!, own: fields[11]! + fields[12]!, ended: fields[13]! + fields[14]! };
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
