/**
 * Parked by a planned move, a shard takes nothing new from services of its home for a while, so that its outbox can be emptied
 * before the fence. Whoever parks it holds its gate alone first: no transaction that could still store something is open then.
 * The next migration lets `hold_shard` refuse what is parked.
 */
import type { MigrationInterface, QueryRunner } from 'typeorm';

export class ParkOutbox1795564800000 implements MigrationInterface {
  readonly name = 'ParkOutbox1795564800000';

  async up(queryRunner: QueryRunner): Promise<void> {
    for (const statement of STATEMENTS) await queryRunner.query(statement);
  }

  async down(): Promise<void> {
    throw new Error('Functions of the outbox ask for these columns: go back to a backup from before.');
  }
}

const STATEMENTS = [
  `alter table lockstep.ownership
     add parked_for text collate "C",
     add parked_until timestamptz`,

  // As briefly as the fold waits: services queue behind it meanwhile.
  `create function lockstep.park_shard(wanted text, parking text, for_ms bigint) returns void language plpgsql
     set lock_timeout to '500ms' as $$
   begin
     perform pg_advisory_xact_lock(hashtextextended('lockstep shard ' || wanted, 0));
     update lockstep.ownership set parked_for = parking, parked_until = clock_timestamp() + for_ms * interval '1 millisecond'
     where shard = wanted and owned and parked_for is distinct from parking;
   end $$`,
];
