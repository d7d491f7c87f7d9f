/**
 * What people did with an entry that was undone: since when somebody has asked to apply it again, and how it was settled. Those
 * that are settled are forgotten in time.
 */
import type { MigrationInterface, QueryRunner } from 'typeorm';

export class SettleQuarantine1795478400000 implements MigrationInterface {
  readonly name = 'SettleQuarantine1795478400000';

  async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query(
      `alter table lockstep.outbox_quarantine
         add asked_at_ms bigint,
         add asked_by text collate "C",
         add settled_at_ms bigint,
         add settled_by text collate "C",
         add settled_as text collate "C",
         add settled_why text,
         add settled_sequence bigint`,
    );
    await queryRunner.query(
      `create index outbox_quarantine_by_key on lockstep.outbox_quarantine (idempotency_key)`,
    );
    await queryRunner.query(
      `create index outbox_quarantine_settled on lockstep.outbox_quarantine (shard, settled_at_ms)
         where settled_at_ms is not null`,
    );
  }

  async down(): Promise<void> {
    throw new Error(
      'It holds what people decided about writes that stand nowhere else: drop its columns by hand.',
    );
  }
}
