/** All bugs that are planted, and of reliability's list those that are not, with the reason. */
import { BUGS_IN_ANSWERS } from './bugs-in-answers.ts';
import { BUGS_IN_APPLY } from './bugs-in-apply.ts';
import { BUGS_IN_FOLD } from './bugs-in-fold.ts';
import { BUGS_IN_STORES } from './bugs-in-stores.ts';
import type { PlantedBug } from './planted-bug.ts';

export const PLANTED_BUGS: readonly PlantedBug[] = [
  ...BUGS_IN_APPLY,
  ...BUGS_IN_STORES,
  ...BUGS_IN_FOLD,
  ...BUGS_IN_ANSWERS,
];

export function plantedBug(name: string): PlantedBug {
  const bug = PLANTED_BUGS.find((one) => one.name === name);
  if (bug === undefined)
    throw new Error(
      `no bug "${name}" is planted; there are: ${PLANTED_BUGS.map((one) => one.name).join(', ')}`,
    );
  return bug;
}

const NO_FAILOVER = 'failover is not built yet';
const NO_FENCE = 'nothing writes fences yet; the explorer plants it in the fold';

/** Of reliability's list. */
export const NOT_PLANTED: readonly {
  readonly listed: number;
  readonly defect: string;
  readonly why: string;
}[] = [
  { listed: 8, defect: 'epoch check off in one region', why: NO_FENCE },
  { listed: 9, defect: 'epoch stamped anew on retry', why: NO_FENCE },
  { listed: 10, defect: 'fence not folded before writes open', why: NO_FAILOVER },
  { listed: 11, defect: 'second fence wins', why: NO_FENCE },
  { listed: 19, defect: 'lag sampled', why: NO_FAILOVER },
  { listed: 20, defect: 'pause checked once', why: NO_FAILOVER },
  { listed: 21, defect: 'cool-down in memory', why: NO_FAILOVER },
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
