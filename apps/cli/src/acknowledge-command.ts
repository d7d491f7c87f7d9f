/** `lockstep acknowledge`: a person has looked into a failover that nobody had asked for. */
import type { Command } from 'commander';
import { confirm, withReason, type ActingOptions } from './acting.js';
import { CliError } from './cli-error.js';
import { print } from './output.js';
import { askRole } from './role-call.js';

export function addAcknowledgeCommand(program: Command): void {
  withReason(
    program
      .command('acknowledge')
      .description('a failover without a person was looked into: its region may be failed over again')
      .argument('<failover>', 'its number, as `lockstep decisions` tells it'),
  ).action(async (failover: string, options: ActingOptions) => {
    if (!/^[1-9]\d{0,15}$/.test(failover))
      throw new CliError(2, `A failover is named by its number, not by ${failover}.`);
    await confirm(options, () => `acknowledge failover ${failover}? It will hold no further one back.`);
    const path = `/v1/decisions/${failover}/acknowledge`;
    const { reason } = options;
    const told = (await askRole('coordinator', path, options, { reason })) as {
      readonly acknowledgedBy: string;
    };
    print(told, options, () => `Failover ${failover} is acknowledged by ${told.acknowledgedBy}.`);
  });
}
