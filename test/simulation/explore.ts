/**
 * `npm run sim:explore [-- NAME...] [-- --states N]`: every schedule of each scope, or of those whose name contains a
 * word, and what each planted defect needs to be found. Exit 1 when an invariant is broken, with the schedule, or when a
 * planted defect is not found.
 */
import { explore, LARGE_SCOPES, modelOf, PLANTED_DEFECTS, SMALL_SCOPES } from '@lockstep/testing/explorer';
import type { Exploration } from '@lockstep/testing/explorer';

const STATES_MAX_DEFAULT = 1_000_000;

const args = process.argv.slice(2).filter((arg) => arg !== '--');
const at = args.indexOf('--states');
const statesMax = at < 0 ? STATES_MAX_DEFAULT : Number(args[at + 1]);
const words = at < 0 ? args : args.toSpliced(at, 2);
if (!Number.isSafeInteger(statesMax) || statesMax < 1 || words.some((word) => word.startsWith('-'))) {
  console.error('Usage: npm run sim:explore [-- WORD...] [-- --states N]');
  process.exit(2);
}

const isAsked = (name: string): boolean => words.length === 0 || words.some((word) => name.includes(word));
const row = (...cells: readonly (string | number)[]): void => console.log(`| ${cells.join(' | ')} |`);

function timed(run: () => Exploration): Exploration & { readonly seconds: string } {
  const startedMs = performance.now();
  const exploration = run();
  return { ...exploration, seconds: ((performance.now() - startedMs) / 1000).toFixed(1) };
}

row('scope', 'states', 'transitions', 'depth', 'ends', 'seconds', 'result');
row('---', '---', '---', '---', '---', '---', '---');
for (const scope of [...SMALL_SCOPES, ...LARGE_SCOPES].filter(({ name }) => isAsked(name))) {
  const { depth, ends, found, isComplete, seconds, states, transitions } = timed(() =>
    explore(modelOf(scope), statesMax),
  );
  const result = found !== null ? 'BROKEN' : isComplete ? 'every state holds' : `holds to depth ${depth - 1}`;
  row(scope.name, states, transitions, depth, ends, seconds, result);
  if (found === null) continue;
  process.exitCode = 1;
  for (const { detail, invariant } of found.violations) console.log(`\n${invariant}: ${detail}`);
  for (const [index, line] of found.schedule.entries())
    console.log(`${String(index + 1).padStart(4)} ${line}`);
  console.log();
}

const defects = PLANTED_DEFECTS.filter(({ name }) => isAsked(name));
if (defects.length > 0) {
  console.log();
  row('planted defect', 'breaks', 'shortest schedule', 'states seen', 'seconds');
  row('---', '---', '---', '---', '---');
}
for (const { breaks, core, name, scope } of defects) {
  const { found, seconds, states } = timed(() => explore(modelOf(scope, core), statesMax));
  const isFound = found?.violations.some(({ invariant }) => invariant === breaks) === true;
  if (!isFound) process.exitCode = 1;
  row(name, breaks, isFound ? `${found.schedule.length} steps` : 'NOT FOUND', states, seconds);
}
