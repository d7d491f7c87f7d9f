/**
 * Which quorum rule judges which position became part of a cursor, and an outcome says whether its write was acknowledged
 * below its rule. Cursors from before have had one rule since their genesis: what their configuration says.
 */
import type { MigrationInterface, QueryRunner } from 'typeorm';
import {
  demandsUnder,
  parseShardName,
  ruleTextOf,
  type ConfigurationContent,
  type RegionName,
} from '@lockstep/protocol';

interface OldCursor {
  readonly shard: string;
  readonly home: RegionName;
  readonly content: ConfigurationContent;
}

export class ManageQuorums1795219200000 implements MigrationInterface {
  readonly name = 'ManageQuorums1795219200000';

  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(`alter table lockstep.cursor add column rules text not null default '[]'`);
    await queryRunner.query(
      'alter table lockstep.outcome add column degraded boolean not null default false',
    );
    const cursors = (await queryRunner.query(
      `select c.shard, c.home, k.content from lockstep.cursor c
       join lockstep.configuration k on k.hash = c.configuration`,
    )) as readonly OldCursor[];
    for (const { content, home, shard } of cursors) {
      const { partition } = parseShardName(shard)!;
      const text = ruleTextOf(content);
      const demanded = demandsUnder(content, { partition, home }, { text, withdrawn: [] });
      if (demanded.kind === 'refused')
        throw new Error(`${shard}: its rule "${text}" cannot be met: ${demanded.reason}`);
      const rule = { from: '1', text, withdrawn: [], demands: demanded.demands, jointly: [] };
      await queryRunner.query(`update lockstep.cursor set rules = $1 where shard = $2`, [
        JSON.stringify([rule]),
        shard,
      ]);
    }
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('alter table lockstep.cursor drop column rules');
    await queryRunner.query('alter table lockstep.outcome drop column degraded');
  }
}
