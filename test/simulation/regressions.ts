/**
 * Runs that once failed, as small as they could be made, each with what was wrong and why. They are run by every
 * `npm test`; none may fail again.
 */
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { faultText, type Profile, type Violation } from '@lockstep/testing/simulation';

export const REGRESSIONS = join(import.meta.dirname, 'regressions');

export interface Regression {
  /** What failed and why, for people; written by the command, completed by whoever mended it. */
  readonly story: string;
  readonly violation: string;
  /** `open`: it still fails, and says so when it does not any more. */
  readonly state: 'mended' | 'open';
  readonly foundAt: string;
  readonly profile: Profile;
}

export const readRegressions = (): readonly (Regression & { readonly file: string })[] =>
  readdirSync(REGRESSIONS)
    .filter((file) => file.endsWith('.json'))
    .sort()
    .map((file) => ({
      file,
      ...(JSON.parse(readFileSync(join(REGRESSIONS, file), 'utf8')) as Regression),
    }));

/** @returns the file. */
export function keepRegression(profile: Profile, violation: Violation, commit: string): string {
  const { code, examples, invariant, sentence } = violation;
  const faults = profile.faults.map(faultText).join('; ');
  const story = `${sentence} (${invariant ?? 'no invariant'}) Seen with: ${faults || 'no fault'}. First example: ${JSON.stringify(examples[0]).slice(0, 300)}`;
  const regression: Regression = { story, violation: code, state: 'open', foundAt: commit, profile };
  const file = join(REGRESSIONS, `${profile.name}-${profile.seed}.json`);
  writeFileSync(file, `${JSON.stringify(regression, null, 2)}\n`);
  return file;
}
