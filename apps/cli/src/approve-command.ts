/** `lockstep approve`: a second person agrees that a failover may lose what its next home lacks. */
import type { Command } from 'commander';
import { confirm, withActor, withReason, type ActingOptions, type ActorOption } from './acting.js';
import { print } from './output.js';
import { askRole, shardInPath } from './role-call.js';

export function addApproveCommand(program: Command): void {
  withActor(
    withReason(
      program
        .command('approve')
        .description('agree, as a second person, that a failover may lose what its next home lacks')
        .argument('<shard>', 'such as accounts/0')
        .argument('<to>', 'the region that shall be its home'),
    ),
  ).action(async (shard: string, to: string, options: ActingOptions & ActorOption) => {
    const { as: actor, reason } = options;
    const path = `/v1/shards/${shardInPath(shard)}/approve`;
    await confirm(options, () => `approve that a failover of ${shard} to ${to} may lose entries?`);
    const asked = { to, reason, ...(actor === undefined ? {} : { actor }) };
    const told = (await askRole('coordinator', path, options, asked)) as {
      readonly approval: number;
      readonly actor: string;
      readonly until: string;
    };
    print(
      told,
      options,
      () =>
        `Approval ${told.approval} of ${told.actor}: another person may fail ${shard} over to ${to} with --accept-loss until ${told.until}.`,
    );
  });
}
