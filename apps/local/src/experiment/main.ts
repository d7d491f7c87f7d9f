/**
 * The process behind `npx lockstep local load | check | chaos`: the first argument names the experiment, the others are
 * its own. 0 = it was carried out and found nothing wrong, 1 = it failed, 2 = it cannot be meant so.
 */
import { isLocalError, LocalError } from '../local-error.js';
import { checkUsage, runCheck } from './check.js';
import { chaosUsage } from './chaos-options.js';
import { runChaos } from './chaos.js';
import { loadUsage } from './load-options.js';
import { runLoad } from './load.js';

interface Experiment {
  readonly usage: string;
  /** @returns the exit code. */
  run(args: readonly string[]): Promise<number>;
}

const experiments: { readonly [name: string]: Experiment } = {
  load: { usage: loadUsage, run: runLoad },
  check: { usage: checkUsage, run: runCheck },
  chaos: { usage: chaosUsage, run: runChaos },
};

try {
  const [name = '', ...args] = process.argv.slice(2);
  process.exitCode = await runExperiment(name, args);
} catch (error) {
  console.error(isLocalError(error) ? error.message : String((error as Error).stack ?? error));
  process.exitCode = isLocalError(error) ? error.exitCode : 1;
}

async function runExperiment(name: string, args: readonly string[]): Promise<number> {
  const experiment = Object.hasOwn(experiments, name) ? experiments[name] : undefined;
  if (experiment === undefined) {
    const known = Object.keys(experiments).join(', ');
    throw new LocalError('unknown-option', `There is no experiment "${name}"; there are ${known}.`);
  }
  if (!args.includes('--help')) return experiment.run(args);
  console.log(experiment.usage);
  return 0;
}
