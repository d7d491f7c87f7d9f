/**
 * A service whose region does not own a shard is told its home apart from the message, for callers to go there; also where
 * the region has never owned it, and only the fold's cursor knows. One whose shard is parked is told to come again.
 */
import type { MigrationInterface, QueryRunner } from 'typeorm';

export class NameHomes1795651200000 implements MigrationInterface {
  readonly name = 'NameHomes1795651200000';

  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(
      `create or replace function lockstep.hold_shard(wanted text) returns void language plpgsql as $$
       declare
         known lockstep.ownership;
         owner text;
       begin
         perform pg_advisory_xact_lock_shared(hashtextextended('lockstep shard ' || wanted, 0));
         select o.* into known from lockstep.ownership as o where o.shard = wanted for share;
         if known.owned is distinct from true then
           owner := coalesce(known.home, (select c.home from lockstep.cursor as c where c.shard = wanted));
           raise exception using errcode = 'LS003', detail = coalesce(owner, ''),
             message = format('this region does not own %s; %s', wanted,
               case when owner is null then 'its home is not known here yet' else 'its home is ' || owner end);
         end if;
         if known.parked_until > clock_timestamp() then
           raise exception using errcode = 'LS005', message = format('%s is about to move to another home', wanted);
         end if;
       end $$`,
    );
  }

  async down(): Promise<void> {
    throw new Error(
      'The function that stood here before told the same with less: there is nothing to go back for.',
    );
  }
}
