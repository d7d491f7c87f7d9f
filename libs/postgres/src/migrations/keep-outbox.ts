/**
 * The outbox of a home region: entries that a service stored with its row changes, before the log has them.
 *
 * Every change of a guarded table (`guard_table`) that is not the fold's is caught as the row was and became. At commit each
 * caught change must belong to an entry; so whatever goes past the library rolls back, raw SQL too. An entry is let in only
 * while the region owns its shard, and the shard cannot leave before the transaction ends: the transaction holds the
 * shard's gate shared, the fold of the home takes it exclusively. The gate is an advisory lock because those are queued
 * fairly, and beside it the row of `ownership`, by which a transaction whose snapshot is older than a fence fails.
 */
import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Entries of one shard that may wait for the log; beyond them nothing more is stored. */
const BACKLOG_ENTRIES_MAX = 10_000;

export class KeepOutbox1795392000000 implements MigrationInterface {
  readonly name = 'KeepOutbox1795392000000';

  async up(queryRunner: QueryRunner): Promise<void> {
    for (const statement of STATEMENTS) await queryRunner.query(statement);
  }

  async down(): Promise<void> {
    throw new Error(
      'The outbox holds writes that stand nowhere else: drop its tables by hand when they are empty.',
    );
  }
}

const STATEMENTS = [
  // What the fold of this region knows, for services to hold on to. Only datasets with an outbox have rows here.
  `create table lockstep.ownership (
     shard text collate "C" primary key,
     owned boolean not null,
     home text collate "C",
     epoch bigint not null
   )`,

  `create table lockstep.outbox (
     id bigint generated always as identity primary key,
     shard text collate "C" not null,
     key text collate "C" not null,
     fingerprint text collate "C" not null,
     idempotency_key text collate "C" not null,
     first_key text collate "C" not null,
     body text not null,
     not_after_ms bigint,
     stored_at_ms bigint not null default (extract(epoch from clock_timestamp()) * 1000)::bigint,
     unique (shard, key)
   )`,
  `create index outbox_in_order on lockstep.outbox (shard, id)`,

  // One per row and transaction. The oldest pending one of a row holds what the log says of it.
  `create table lockstep.outbox_change (
     id bigint generated always as identity primary key,
     relation text collate "C" not null,
     key text collate "C" not null,
     before jsonb,
     after jsonb,
     entry bigint references lockstep.outbox on delete cascade
   )`,
  `create unique index outbox_change_unclaimed on lockstep.outbox_change (relation, key) where entry is null`,
  `create index outbox_change_of_entry on lockstep.outbox_change (entry)`,
  `create index outbox_change_of_row on lockstep.outbox_change (relation, key, id)`,

  // Kept until a person decides.
  `create table lockstep.outbox_quarantine (
     id bigint primary key,
     shard text collate "C" not null,
     key text collate "C" not null,
     fingerprint text collate "C" not null,
     idempotency_key text collate "C" not null,
     first_key text collate "C" not null,
     body text not null,
     not_after_ms bigint,
     stored_at_ms bigint not null,
     reason text collate "C" not null,
     sequence bigint not null,
     changes jsonb not null
   )`,
  `create index outbox_quarantine_of_shard on lockstep.outbox_quarantine (shard, id)`,

  `create function lockstep.hold_shard(wanted text) returns void language plpgsql as $$
   declare
     known lockstep.ownership;
   begin
     perform pg_advisory_xact_lock_shared(hashtextextended('lockstep shard ' || wanted, 0));
     select o.* into known from lockstep.ownership as o where o.shard = wanted for share;
     if known.owned is distinct from true then
       raise exception using errcode = 'LS003', message = format('this region does not own %s; %s', wanted,
         case when known.home is null then 'its home is not known here yet' else 'its home is ' || known.home end);
     end if;
   end $$`,

  // Before the first row is changed, so that a fold never waits for a row while its transaction waits for the fold.
  `create function lockstep.enter_outbox(wanted text) returns text language plpgsql as $$
   declare
     active text;
   begin
     perform lockstep.hold_shard(wanted);
     perform 1 from lockstep.outbox where shard = wanted order by id offset ${BACKLOG_ENTRIES_MAX - 1} limit 1;
     if found then
       raise exception using errcode = 'LS004',
         message = format('${BACKLOG_ENTRIES_MAX} entries of %s wait for the log', wanted);
     end if;
     select c.configuration into active from lockstep.cursor as c where c.shard = wanted;
     return active;
   end $$`,

  `create function lockstep.admit_entry() returns trigger language plpgsql as $$
   begin
     perform lockstep.hold_shard(new.shard);
     perform pg_notify('lockstep_outbox', new.shard);
     return new;
   end $$`,
  `create trigger admit_entry before insert on lockstep.outbox
     for each row execute function lockstep.admit_entry()`,

  // The version is the fold's alone. A key names a row for good.
  `create function lockstep.keep_version() returns trigger language plpgsql as $$
   begin
     if tg_op = 'INSERT' then
       new.lockstep_version := 0;
     else
       if new.id is distinct from old.id then
         raise exception using errcode = 'LS002', message = format('%s: the key of a row cannot be changed', tg_table_name);
       end if;
       new.lockstep_version := old.lockstep_version;
     end if;
     return new;
   end $$`,

  // Times in UTC, whatever the session's zone is.
  `create function lockstep.catch_change() returns trigger language plpgsql set timezone to 'UTC' as $$
   declare
     was jsonb := case when tg_op = 'INSERT' then null else to_jsonb(old) end;
     became jsonb := case when tg_op = 'DELETE' then null else to_jsonb(new) end;
   begin
     insert into lockstep.outbox_change (relation, key, before, after)
     values (tg_table_name, coalesce(became, was) ->> 'id', was, became)
     on conflict (relation, key) where entry is null do update set after = excluded.after;
     return null;
   end $$`,

  `create function lockstep.refuse_truncate() returns trigger language plpgsql as $$
   begin
     raise exception using errcode = 'LS002',
       message = format('%s is written through the outbox; it cannot be truncated', tg_table_name);
   end $$`,

  `create function lockstep.require_entry() returns trigger language plpgsql as $$
   declare
     caught lockstep.outbox_change;
   begin
     select c.* into caught from lockstep.outbox_change as c where c.id = new.id;
     if not found or caught.entry is not null then
       return null;
     end if;
     if caught.before is not distinct from caught.after then
       delete from lockstep.outbox_change where id = new.id;
       return null;
     end if;
     raise exception using errcode = 'LS002', message =
       format('row %s of %s was changed without an entry in the outbox', caught.key, caught.relation);
   end $$`,
  `create constraint trigger require_entry after insert on lockstep.outbox_change
     deferrable initially deferred for each row execute function lockstep.require_entry()`,
];
