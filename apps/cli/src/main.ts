/** What `bin/lockstep.mjs` runs on the workspace's Node. */
import { runProgram } from './program.js';

// Types are stripped from reducers by a part of Node that is called experimental: nothing that who runs a command could act on.
process.removeAllListeners('warning');
process.on('warning', (warning) => {
  if (warning.name !== 'ExperimentalWarning') console.error(`${warning.name}: ${warning.message}`);
});

process.exitCode = await runProgram(process.argv.slice(2));
