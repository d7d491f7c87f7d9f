/**
 * Rows as registers, judged without the log: of each row that was read strongly or written on an expected version, the
 * writes with the versions that were told, the conflicts, and the strong reads, must fit into one order that agrees with
 * time. A write whose end nobody told has the version that the log gives it, and may take effect at any later moment.
 */
import type { FindingList } from './finding.js';
import { linearizability, type Linearizability, type Model, type TimedOperation } from './linearizability.js';
import { isDefinite, type RunHistory } from './operations.js';
import type { Standing, StandingWrite } from './standing.js';

export type RegisterOperation =
  | { readonly kind: 'write'; readonly version: number; readonly expected: number | null }
  | { readonly kind: 'conflict'; readonly expected: number }
  | { readonly kind: 'read'; readonly version: number };

export interface Register {
  readonly dataset: string;
  readonly key: string;
  readonly operations: readonly RegisterCall[];
}

/** Moments are ordinals of lines, which the recorder's order makes one clock. */
export interface RegisterCall extends TimedOperation<RegisterOperation> {
  /** Ordinal in the history. */
  readonly op: number;
  readonly client: number;
}

/**
 * A register holds the version of the last write, and versions only grow, as they are sequences. So a write must wait for
 * those of lower versions that are known to have happened: nothing is lost by that, and hardly anything is tried in vain.
 */
export function linearizableRegister(
  operations: readonly TimedOperation<RegisterOperation>[],
  stepsMax: number,
): Linearizability {
  const floors = new Map<RegisterOperation, number>();
  const writes = operations.filter(({ operation }) => operation.kind === 'write');
  let [floor, happened] = [0, 0];
  for (const { operation, return: end } of writes.toSorted((x, y) => versionOf(x) - versionOf(y))) {
    const version = versionOf({ operation });
    if (happened < version) floor = happened;
    floors.set(operation, floor);
    if (end !== Infinity) happened = version;
  }
  const model: Model<number, RegisterOperation> = {
    initial: 0,
    step: (version, operation) => {
      const after = registerStep(version, operation);
      return operation.kind === 'write' && version < floors.get(operation)! ? undefined : after;
    },
    name: String,
  };
  return linearizability(model, operations, stepsMax);
}

const versionOf = ({ operation }: { readonly operation: RegisterOperation }): number =>
  operation.kind === 'write' ? operation.version : 0;

/** The version after an operation; undefined where it cannot have been told so. */
export function registerStep(version: number, operation: RegisterOperation): number | undefined {
  switch (operation.kind) {
    case 'read':
      return operation.version === version ? version : undefined;
    case 'conflict':
      return operation.expected === version ? undefined : version;
    case 'write': {
      const fits = operation.expected === null || operation.expected === version;
      return fits && operation.version > version ? operation.version : undefined;
    }
  }
}

/** Far more than a row of a correct history needs; a few seconds for one that nobody can put in order. */
const STEPS_MAX = 1_000_000;

export interface JudgedRegisters {
  readonly judged: number;
  /** Rows for which the search was given up. */
  readonly undecided: number;
}

export function judgeRegisters(
  history: RunHistory,
  standing: Standing,
  found: FindingList,
  stepsMax = STEPS_MAX,
): JudgedRegisters {
  let undecided = 0;
  const registers = registersOf(history, standing).filter(({ operations }) => operations.some(isCondition));
  for (const { key, operations } of registers) {
    const answer = linearizableRegister(operations, stepsMax);
    if (answer === 'undecided') undecided += 1;
    if (answer !== 'not-linearizable') continue;
    const detail = `${operations.length} operations`;
    found.add('not-linearizable', { keys: [key], operations: operations.map(({ op }) => op), detail });
  }
  return { judged: registers.length, undecided };
}

/** Writes alone show nothing that the order of the log does not. */
const isCondition = ({ operation }: RegisterCall): boolean =>
  operation.kind !== 'write' || operation.expected !== null;

/** Every row that was written or strongly read. */
export function registersOf(history: RunHistory, standing: Standing): readonly Register[] {
  const moments = momentsOf(history);
  const registers = new Map<string, { dataset: string; key: string; operations: RegisterCall[] }>();
  const add = (dataset: string, key: string, call: RegisterCall): void => {
    const name = `${dataset} ${key}`;
    const register = registers.get(name) ?? { dataset, key, operations: [] };
    registers.set(name, register);
    register.operations.push(call);
  };
  for (const write of standing.writes) {
    const { operations } = write.write;
    const { op, p } = operations[0]!.invoke;
    const ends = operations.filter(({ end }) => isDefinite(end?.receipt) || end?.type === 'ok');
    const returns = ends.map(({ invoke }) => moments.get(invoke.op)?.return ?? Infinity);
    const call = moments.get(op)?.call ?? 0;
    const common = { op, client: p, call, return: Math.min(Infinity, ...returns) };
    for (const { key, operation } of effectsOf(write))
      add(write.write.dataset, key, { ...common, operation });
  }
  for (const { end, invoke } of history.reads) {
    if (invoke.consistency !== 'strong' || !end?.seen) continue;
    const operation = { kind: 'read', version: end.seen.version } as const;
    const { call = 0, return: returned = Infinity } = moments.get(invoke.op) ?? {};
    const common = { op: invoke.op, client: invoke.p, call, return: returned };
    add(invoke.dataset, invoke.row, { ...common, operation });
  }
  return [...registers.values()];
}

/** What a write did to each row, by what was told; by the log where nobody told. */
function effectsOf(
  write: StandingWrite,
): readonly { readonly key: string; readonly operation: RegisterOperation }[] {
  const told = write.write.operations
    .map(({ end }) => end?.receipt)
    .filter(isDefinite)
    .find(({ code }) => code !== 'key-reused');
  const expectedBy = new Map(write.events.map(({ expectedVersion, key }) => [key, expectedVersion]));
  if (told?.outcome === 'rejected') {
    // Of several rows nobody says which one was in conflict.
    if (told.code !== 'version-conflict' || expectedBy.size > 1) return [];
    return [...expectedBy].flatMap(([key, expected]) =>
      expected === null ? [] : [{ key, operation: { kind: 'conflict', expected: Number(expected) } }],
    );
  }
  const version = told?.sequence ?? write.accepted[0]?.sequence;
  if (version === undefined) return [];
  return [...expectedBy].map(([key, expected]) => ({
    key,
    operation: {
      kind: 'write',
      version: Number(version),
      expected: expected === null ? null : Number(expected),
    },
  }));
}

function momentsOf({
  lines,
}: RunHistory): ReadonlyMap<number, { readonly call: number; readonly return: number }> {
  const moments = new Map<number, { call: number; return: number }>();
  for (const [at, line] of lines.entries()) {
    if (line.type === 'run' || line.type === 'fault') continue;
    if (line.type === 'invoke') moments.set(line.op, { call: at, return: Infinity });
    else if (moments.has(line.op)) moments.get(line.op)!.return = at;
  }
  return moments;
}
