/**
 * Late writes of a former home, which the fold judged `fenced`: kept as long as outcomes are, so that they can be asked for.
 */
import type { MigrationInterface, QueryRunner } from 'typeorm';

export class KeepFencedAttempts1795305600000 implements MigrationInterface {
  readonly name = 'KeepFencedAttempts1795305600000';

  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(
      `create table lockstep.quarantine (
         shard text collate "C" not null,
         sequence bigint not null,
         log_incarnation text collate "C" not null,
         region text collate "C" not null,
         publisher text collate "C" not null,
         number bigint not null,
         epoch bigint not null,
         shard_epoch bigint not null,
         first_key text collate "C" not null,
         idempotency_key text collate "C",
         traceparent text collate "C",
         log_time_ms bigint not null,
         primary key (shard, log_incarnation, sequence)
       )`,
    );
    // One to forget by, one to read the newest by.
    await queryRunner.query(`create index quarantine_by_age on lockstep.quarantine (shard, log_time_ms)`);
    await queryRunner.query(`create index quarantine_newest on lockstep.quarantine (log_time_ms desc)`);
  }

  async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('drop table lockstep.quarantine');
  }
}
