/**
 * A planted bug: what is broken, which promise must then be named, and the exact texts of compiled modules that are
 * replaced when a process loads them. Production code knows nothing of it. A text that does not stand in its module
 * exactly once stops whoever plants it: a refactoring cannot disarm a bug in silence.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Profile, ProfileName } from '@lockstep/testing/simulation';

export interface PlantedBug {
  /** Of reliability's list of bugs that a harness must catch; of its catalogue (`B21`); or null for one of our own. */
  readonly listed: number | `B${number}` | null;
  readonly name: string;
  readonly defect: string;
  /** The promise that must be named: an invariant (SPEC), or the code of a finding that belongs to none. */
  readonly breaks: string;
  /** From which faults its seeds are drawn. */
  readonly profile: ProfileName;
  /** Where only a part of the runs can show it: the others are passed over, and not counted. */
  readonly needs?: (profile: Profile) => boolean;
  readonly edits: readonly Edit[];
  /** Where it does no harm: what holds instead. Then no seed may find it. */
  readonly heldBy?: string;
}

export interface Edit {
  /** `engine/apply/lane` is libs/engine/dist/apply/lane.js. */
  readonly module: string;
  readonly text: string;
  readonly becomes: string;
}

const LIBS = join(import.meta.dirname, '../../../libs');

export function fileOf({ module }: Edit): string {
  const [lib, ...path] = module.split('/');
  return join(LIBS, lib!, 'dist', `${path.join('/')}.js`);
}

/** The module with the bug in it. @throws Error that names bug and file where a text stands not there, or twice. */
export function spoilt(bug: PlantedBug, file: string, source: string): string {
  const pieces = bug.edits
    .filter((edit) => fileOf(edit) === file)
    .map(({ becomes, text }) => {
      const from = source.indexOf(text);
      const times = source.split(text).length - 1;
      if (times !== 1)
        throw new Error(
          `planted bug "${bug.name}": its text stands ${times} times in ${file}, not once; ` +
            `write the bug anew for the code as it is now. Text: ${text.trim()}`,
        );
      return { from, to: from + text.length, becomes };
    })
    .sort((x, y) => y.from - x.from);
  return pieces.reduce((all, { becomes, from, to }) => all.slice(0, from) + becomes + all.slice(to), source);
}

/** @throws Error where it does not fit what was built. */
export function checkFit(bug: PlantedBug): void {
  for (const file of filesOf(bug)) spoilt(bug, file, readFileSync(file, 'utf8'));
}

/** Whether a run can show the bug at all. */
export const mayShow = ({ needs }: PlantedBug, profile: Profile): boolean => needs?.(profile) ?? true;

export const filesOf = ({ edits }: PlantedBug): ReadonlySet<string> => new Set(edits.map(fileOf));
