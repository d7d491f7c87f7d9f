#!/usr/bin/env node
/**
 * The committed entry of `npx lockstep`: valid on Node 20, it runs the built program on the workspace's Node. It is no
 * build output, because npx looks for a command of that name elsewhere when a bin's target is missing.
 */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const app = join(dirname(fileURLToPath(import.meta.url)), '..');
const program = join(app, 'dist/main.js');
const workspaceNode = join(app, '../../node_modules/.bin/node');
const NODE_MAJOR = 24;

if (!existsSync(program)) {
  console.error('lockstep is not built yet. Run npm start, or npm run build, once.');
  process.exitCode = 1;
} else if (Number(process.versions.node.split('.')[0]) >= NODE_MAJOR) {
  await import(program);
} else if (existsSync(workspaceNode)) {
  const child = spawn(workspaceNode, [program, ...process.argv.slice(2)], { stdio: 'inherit' });
  // What runs long ends in its own order, and nothing is left behind by a signal to this process alone.
  for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => child.kill(signal));
  child.on('error', (error) => {
    console.error(error.message);
    process.exitCode = 1;
  });
  child.on('close', (code) => (process.exitCode = code ?? 1));
} else {
  console.error(`lockstep needs Node ${NODE_MAJOR}. Run npm start or npm ci once: it brings one on Linux.`);
  process.exitCode = 1;
}
