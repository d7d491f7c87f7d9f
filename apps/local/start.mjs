/**
 * `npm start` and `npm run stop`: sets the clone up, then hands over to the supervisor on the workspace's Node.
 *
 * Valid on Node 20 and free of dependencies. This process passes signals on and waits, so that its exit code is the
 * supervisor's.
 */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { nodeToRunWith, projectFolder, setUp } from './set-up.mjs';

const supervisor = join(projectFolder, 'apps/local/dist/main.js');
/** Types are stripped from reducers by Node itself, which says each time that this is new. */
const QUIET = '--disable-warning=ExperimentalWarning';
const begun = Date.now();
const log = (line) => console.log(`${((Date.now() - begun) / 1000).toFixed(1).padStart(6)} s  ${line}`);

try {
  const args = process.argv.slice(2);
  if (args.includes('--stop')) {
    // Stopping must not install anything: where nothing was ever built, nothing runs.
    if (existsSync(supervisor)) await handOver(nodeToRunWith(), args, {});
    else console.log('Nothing is running: this folder was never started.');
  } else {
    const { node, java } = await setUp({ log });
    await handOver(node, args, { LOCKSTEP_LOCAL_JAVA: java, LOCKSTEP_LOCAL_BEGUN_MS: String(begun) });
  }
} catch (error) {
  if (error.name !== 'SetUpError') throw error;
  console.error(`\n${error.message}`);
  process.exitCode = 1;
}

async function handOver(node, args, environment) {
  const child = spawn(node, [QUIET, supervisor, ...args], {
    stdio: 'inherit',
    env: { ...process.env, ...environment },
  });
  // Ctrl-C reaches the supervisor twice then, by the terminal and from here; the second one changes nothing.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  process.exitCode = await new Promise((settle, fail) => {
    child.on('error', fail);
    child.on('close', (code, signal) => settle(code ?? (signal === 'SIGKILL' ? 137 : 1)));
  });
}
