/**
 * The system's tables, first edition. Migrations never change once released; the next one goes into its own file.
 *
 * All names and hashes are text in collation C, so that order and equality are those of bytes everywhere (B28). Times
 * are milliseconds since 1970. Ownership (epoch and home of a shard) is part of `cursor`: it is what the fold knows,
 * and it moves with the fold in the same row and the same transaction.
 */
import type { MigrationInterface, QueryRunner } from 'typeorm';

export class CreateLockstepSchema1764547200000 implements MigrationInterface {
  readonly name = 'CreateLockstepSchema1764547200000';

  async up(queryRunner: QueryRunner): Promise<void> {
    for (const statement of STATEMENTS) await queryRunner.query(statement);
  }

  async down(): Promise<void> {
    throw new Error(
      'The first migration is not undone: drop the schema lockstep, and with it every cursor, by hand.',
    );
  }
}

const STATEMENTS = [
  // One life of this database. A restore gives it a new one (I12).
  `create table lockstep.store (
     only_one boolean primary key default true check (only_one),
     incarnation text collate "C" not null check (incarnation ~ '^[0-9a-f]{32}$')
   )`,
  `insert into lockstep.store (incarnation) values ('00000000' || right(replace(gen_random_uuid()::text, '-', ''), 24))`,

  // Few rows, each updated by every commit of its shard: room on the page keeps these updates in place (HOT).
  `create table lockstep.cursor (
     shard text collate "C" primary key,
     lease_number bigint not null default 0,
     log_offset bigint not null default -1,
     sequence bigint not null default 0,
     log_incarnation text collate "C",
     epoch bigint not null default 0,
     home text collate "C",
     term bigint not null default 0,
     decision bigint not null default 0,
     log_time_ms bigint not null default 0,
     sessions_since_ms bigint not null default 0,
     outcomes_since_ms bigint not null default 0,
     input_hash text collate "C" not null default repeat('0', 32),
     effects_hash text collate "C" not null default repeat('0', 32),
     configuration text collate "C",
     record_digest text collate "C" not null default repeat('0', 32),
     mark_sequence bigint,
     mark_input_hash text collate "C",
     mark_effects_hash text collate "C"
   ) with (fillfactor = 20)`,

  // Apart from the cursor, so that a renewal never waits for a commit. The number stands in both.
  `create table lockstep.lease (
     shard text collate "C" primary key references lockstep.cursor,
     number bigint not null default 0,
     holder text collate "C",
     expires_at timestamptz,
     check ((holder is null) = (expires_at is null))
   ) with (fillfactor = 20)`,

  `create table lockstep.session (
     shard text collate "C" not null,
     publisher text collate "C" not null,
     last bigint not null,
     holed boolean not null,
     log_time_ms bigint not null,
     primary key (shard, publisher)
   ) with (fillfactor = 50)`,

  `create table lockstep.outcome (
     shard text collate "C" not null,
     key text collate "C" not null,
     fingerprint text collate "C",
     verdict text collate "C" not null,
     sequence bigint not null,
     epoch bigint not null,
     log_time_ms bigint not null,
     append_time_ms bigint not null,
     event_keys text[] collate "C" not null,
     primary key (shard, key)
   )`,
  // Forgetting goes by age and must not read what is remembered.
  `create index outcome_by_age on lockstep.outcome (shard, log_time_ms)`,

  `create table lockstep.configuration (
     hash text collate "C" primary key,
     content json not null
   )`,

  // The gate of every commit: unless all cursors moved, the statement fails and nothing is written (B18).
  `create function lockstep.all_moved(moved bigint, expected bigint) returns boolean language plpgsql as $$
   begin
     if moved is distinct from expected then
       raise exception using errcode = 'LS001', message = 'a cursor moved, or another instance holds its lease';
     end if;
     return true;
   end $$`,
];
