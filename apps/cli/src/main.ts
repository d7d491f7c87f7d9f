/** What `bin/lockstep.mjs` runs on the workspace's Node. */
import { runProgram } from './program.js';

// Types are stripped from reducers by a part of Node that is called experimental: nothing that who runs a command could act on.
process.removeAllListeners('warning');
process.on('warning', (warning) => {
  if (warning.name !== 'ExperimentalWarning') console.error(`${warning.name}: ${warning.message}`);
});

// A reader that went away is no failure of what is read.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
});
process.exitCode = await runProgram(process.argv.slice(2));
