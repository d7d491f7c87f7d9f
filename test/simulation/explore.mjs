/**
 * `npm run sim:explore`: sets the clone up, then explores on the workspace's Node, which runs the TypeScript as it stands.
 * Valid on Node 20 and free of dependencies, like everything that sets up.
 */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { setUp } from '../../apps/local/set-up.mjs';

const { node } = await setUp({ log: console.error });
const quiet = '--disable-warning=ExperimentalWarning';
const child = spawn(node, [quiet, join(import.meta.dirname, 'explore.ts'), ...process.argv.slice(2)], {
  stdio: 'inherit',
});
// Ctrl-C reaches the child by the terminal as well; the second signal changes nothing.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
child.on('close', (code) => (process.exitCode = code ?? 1));
