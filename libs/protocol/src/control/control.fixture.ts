/** A control log in memory for specs: appends what is said, folds it, and answers the verdict. */
import type { RegionName } from '../identity/identity.js';
import { epoch, offset } from '../identity/identity.js';
import {
  controlEntryText,
  DEFAULT_CONTROL_SETTINGS,
  type ControlCommand,
  type ControlCommandOf,
} from './command.js';
import { foldControl, type ControlRecord, type ControlStep } from './fold-control.js';
import { EMPTY_CONTROL_STATE, type ControlState } from './state.js';

export const EU = 'eu' as RegionName;
export const US = 'us' as RegionName;
export const AP = 'ap' as RegionName;
export const SHARD = 'accounts/0' as ControlCommandOf<'decision'>['shard'];

/** The session of a process: the digit, 32 times. */
export const session = (digit: string): string => digit.repeat(32);
const SESSIONS = new Map([
  [EU, session('e')],
  [US, session('5')],
  [AP, session('a')],
]);

export interface Said {
  readonly session?: string;
  readonly number?: bigint;
  readonly clockMs?: number;
  readonly appendTimeMs?: number;
}

export class ControlLog {
  readonly records: ControlRecord[] = [];
  state: ControlState = EMPTY_CONTROL_STATE;
  nowMs = 1_000_000;
  private number = 0n;

  /** Folds the author's command; a halt is a defect of the spec. */
  say(
    author: RegionName,
    command: ControlCommand,
    said: Said = {},
  ): Extract<ControlStep, { kind: 'folded' }> {
    this.number += 1n;
    const text = controlEntryText({
      author,
      session: said.session ?? SESSIONS.get(author)!,
      number: said.number ?? this.number,
      clockMs: said.clockMs ?? this.nowMs,
      command,
    });
    return this.append(text, said.appendTimeMs);
  }

  append(valueText: string, appendTimeMs = this.nowMs): Extract<ControlStep, { kind: 'folded' }> {
    const record = { offset: offset(BigInt(this.records.length)), appendTimeMs, valueText };
    const step = foldControl(this.state, record);
    this.records.push(record);
    if (step.kind === 'halted') throw new Error(step.detail);
    this.state = step.state;
    return step;
  }
}

/** A log with three members that have joined, and eu leading term 1. */
export function ledByEu(): ControlLog {
  const log = new ControlLog();
  log.say(EU, { kind: 'genesis', members: [EU, US, AP], settings: DEFAULT_CONTROL_SETTINGS });
  log.say(US, { kind: 'join', replaces: null });
  log.say(AP, { kind: 'join', replaces: null });
  log.say(EU, { kind: 'claim', term: 1n, replaces: 0n });
  return log;
}

export const decision = (
  change: Partial<ControlCommandOf<'decision'>> = {},
): ControlCommandOf<'decision'> => ({
  kind: 'decision',
  term: 1n,
  move: 'switchover',
  shard: SHARD,
  from: EU,
  to: US,
  expectedEpoch: epoch(1n),
  reason: 'a test',
  actor: 'operator',
  acceptLoss: false,
  evacuation: null,
  inputs: {},
  ...change,
});
