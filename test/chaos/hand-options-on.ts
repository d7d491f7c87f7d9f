/**
 * For a module that stands in `NODE_OPTIONS` of a local cluster, in its supervisor: the roles, which get nothing of its caller's
 * environment, are started with the same options. Called before the supervisor loads anything that spawns.
 */
import childProcess from 'node:child_process';
import { syncBuiltinESMExports } from 'node:module';

/** Which role this process is; none: the supervisor, or who starts it. */
export const ownRole = process.env['LOCKSTEP_ROLES'];

export function handOptionsOn(): void {
  const { spawn } = childProcess;
  const spawnWith = (command: string, args: readonly string[], options: childProcess.SpawnOptions) => {
    const env = options.env ?? {};
    if (env['LOCKSTEP_ROLES'] === undefined) return spawn(command, args, options);
    return spawn(command, args, {
      ...options,
      env: { ...env, NODE_OPTIONS: process.env['NODE_OPTIONS'] },
    });
  };
  childProcess.spawn = spawnWith as typeof spawn;
  syncBuiltinESMExports();
}
