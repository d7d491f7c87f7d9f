/**
 * `npm run verify`: what can be judged without running the system. Every step runs, whatever the others found, and the
 * summary names each with its seconds; the exit code is 0 only if all passed.
 *
 * Free of dependencies and valid on Node 20: the first step installs what the others need.
 */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { nodeToRunWith, projectFolder, setUp } from '../apps/local/set-up.mjs';

const bin = (name) => join(projectFolder, 'node_modules/.bin', name);
const vmModules = ['--experimental-vm-modules', '--disable-warning=ExperimentalWarning'];

/** name, then the arguments of Node. */
const steps = [
  ['format', [bin('prettier'), '--check', '.']],
  ['lint', [bin('oxlint'), '--type-aware', '--deny-warnings', '--report-unused-disable-directives']],
  ['types', [bin('tsc'), '-b']],
  ['dependencies', [bin('depcruise'), 'libs', 'apps', 'test']],
  ['unused', [bin('knip'), '--no-config-hints']],
  ['architecture', [...vmModules, bin('jest'), '--selectProjects', 'unit', '--', 'test/architecture/']],
];

async function timed(name, act) {
  const begunMs = Date.now();
  console.log(`\n--- ${name}`);
  const isGood = await act();
  return { name, isGood, seconds: ((Date.now() - begunMs) / 1000).toFixed(1) };
}

const runNode = (args) =>
  new Promise((settle, fail) => {
    const child = spawn(nodeToRunWith(), args, {
      cwd: projectFolder,
      stdio: ['ignore', 'inherit', 'inherit'],
    });
    child.on('error', fail);
    child.on('close', (code) => settle(code === 0));
  });

const results = [
  await timed('set-up', async () => {
    try {
      await setUp({ log: console.log });
      return true;
    } catch (error) {
      // A build that fails is described better by the steps below; they fail as well if packages are missing.
      if (error.name !== 'SetUpError') throw error;
      console.error(error.message);
      return false;
    }
  }),
];
for (const [name, args] of steps) results.push(await timed(name, () => runNode(args)));

console.log('');
for (const { name, isGood, seconds } of results) {
  console.log(`${isGood ? 'passed' : 'FAILED'}  ${name.padEnd(12)} ${seconds.padStart(6)} s`);
}
process.exitCode = results.every(({ isGood }) => isGood) ? 0 : 1;
