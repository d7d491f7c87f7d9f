/**
 * What `npx lockstep local load | check | chaos` starts: the experiments, on the Node that the command line runs on.
 * A committed file, so that a clone that was never built says so instead of failing to import.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { projectFolder } from './set-up.mjs';

const program = join(projectFolder, 'apps/local/dist/experiment/main.js');

if (existsSync(program)) await import(program);
else {
  console.error('The experiments are not built yet. Run npm start, or npm run build, once.');
  process.exitCode = 1;
}
