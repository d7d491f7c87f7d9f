/** What `bin/lockstep.mjs` runs on the workspace's Node. */
import { runProgram } from './program.js';

// A reader that went away is no failure of what is read.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
});
process.exitCode = await runProgram(process.argv.slice(2));
