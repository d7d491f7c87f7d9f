/** What `bin/lockstep.mjs` runs on the workspace's Node. */
import { runProgram } from './program.js';

process.exitCode = await runProgram(process.argv.slice(2));
