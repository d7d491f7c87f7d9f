/**
 * What makes a history one that may be judged: it names its run, every operation begins and ends once, time does not go
 * back, and a client does one thing at a time and is never heard of again when the end of one is not known.
 */
import type { HistoryLine, RunLine, FaultLine } from './history.js';

export interface Malformation {
  readonly op: number | null;
  readonly detail: string;
}

type OperationLine = Exclude<HistoryLine, RunLine | FaultLine>;

export function malformations(lines: readonly HistoryLine[]): readonly Malformation[] {
  const found: Malformation[] = [];
  const begun = new Map<number, OperationLine>();
  const ended = new Set<number>();
  /** By client: the operation that it waits for, or the one of which it never learnt the end. */
  const busy = new Map<number, { readonly op: number; readonly isOver: boolean }>();
  if (lines[0]?.type !== 'run') found.push({ op: null, detail: 'the first line does not name a run' });
  let t = -Infinity;
  for (const line of lines) {
    if (line.type === 'run' || line.type === 'fault') continue;
    const { op, p } = line;
    const malformed = (detail: string): number => found.push({ op, detail });
    if (line.t < t) malformed(`recorded at ${line.t} ns, behind a line of ${t} ns`);
    t = Math.max(t, line.t);
    if (line.type === 'invoke') {
      if (begun.has(op)) malformed('begins twice');
      const other = busy.get(p);
      if (other !== undefined) {
        const why = other.isOver ? 'whose end it never learnt' : 'under way';
        malformed(`client ${p} asks while operation ${other.op} is one ${why}`);
      }
      begun.set(op, line);
      busy.set(p, { op, isOver: false });
      continue;
    }
    const invoke = begun.get(op);
    if (invoke === undefined) malformed('ends without a beginning');
    else if (ended.has(op)) malformed('ends twice');
    else if (invoke.p !== p || invoke.f !== line.f)
      malformed('ends as another client or operation than it began');
    ended.add(op);
    if (busy.get(p)?.op !== op) continue;
    if (line.type === 'info') busy.set(p, { op, isOver: true });
    else busy.delete(p);
  }
  return found;
}
