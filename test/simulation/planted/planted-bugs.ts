/** All bugs that are planted, and of reliability's list those that are not, with the reason. */
import { BUGS_IN_ANSWERS } from './bugs-in-answers.ts';
import { BUGS_IN_APPLY } from './bugs-in-apply.ts';
import { BUGS_IN_FOLD } from './bugs-in-fold.ts';
import { BUGS_IN_MOVES } from './bugs-in-moves.ts';
import { BUGS_IN_OUTBOX } from './bugs-in-outbox.ts';
import { BUGS_IN_STORES } from './bugs-in-stores.ts';
import { BUGS_WHEN_AWAY } from './bugs-when-away.ts';
import type { PlantedBug } from './planted-bug.ts';

export const PLANTED_BUGS: readonly PlantedBug[] = [
  ...BUGS_IN_APPLY,
  ...BUGS_IN_STORES,
  ...BUGS_IN_FOLD,
  ...BUGS_IN_ANSWERS,
  ...BUGS_IN_MOVES,
  ...BUGS_IN_OUTBOX,
  ...BUGS_WHEN_AWAY,
];

export function plantedBug(name: string): PlantedBug {
  const bug = PLANTED_BUGS.find((one) => one.name === name);
  if (bug === undefined)
    throw new Error(
      `no bug "${name}" is planted; there are: ${PLANTED_BUGS.map((one) => one.name).join(', ')}`,
    );
  return bug;
}

/** Of reliability's list. */
export const NOT_PLANTED: readonly {
  readonly listed: number;
  readonly defect: string;
  readonly why: string;
}[] = [
  {
    listed: 22,
    defect: 'last writer wins by wall clock',
    why: 'a row has one home, and nothing merges writes of several regions yet',
  },
  {
    listed: 25,
    defect: 'fsync=off',
    why: 'no defect of code: `flushing-off` is a fault of the profile `beyond`, and the adapter refuses such a database',
  },
];
