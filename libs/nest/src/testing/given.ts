/**
 * Tests of deciders: given what happened, when this is decided, these events follow, or this refusal. The row that the
 * decider sees is folded from the history, and what it decides is offered to the same fold: a decision that the log
 * would reject fails the test. Free of test frameworks: what does not hold throws an AssertionError.
 */
import assert from 'node:assert/strict';
import type { DatasetTypes, EventOf, KeyOf } from '../dataset/dataset-types.js';
import { expecting, type Current, type Decider } from '../dataset/decision.js';
import { hearRow, hearWrite } from '../dataset/hear-answer.js';
import { nodeIdentities } from '../world/node-world.js';
import type { MemoryWorld } from './memory-world.js';

export interface Given<Types extends DatasetTypes> {
  when(key: KeyOf<Types>, decider: Decider<Types>): Decided<Types>;
}

export interface Decided<Types extends DatasetTypes> {
  /** These events, in this order; none: there was nothing to write. */
  decides(...events: readonly Types['event'][]): void;
  refuses(reason: string): void;
}

/** @param history one entry for each event; each must be one that the log accepts. */
export function given<Types extends DatasetTypes>(
  world: MemoryWorld,
  dataset: string,
  history: readonly Types['event'][] = [],
): Given<Types> {
  const own = world.empty();
  history.forEach((event, index) => offer(own, dataset, [event], `history[${index}]`));
  return {
    when: (key, decider) => {
      const current = presentRow<Types>(own, dataset, key);
      const decision = decider(current);
      return {
        decides: (...events) => {
          assert.deepStrictEqual(decision, events);
          if (events.length > 0) offer(own, dataset, expecting<Types>(events, current), 'what was decided');
        },
        refuses: (reason) => {
          assert.deepStrictEqual(decision, { refuse: reason });
        },
      };
    },
  };
}

function presentRow<Types extends DatasetTypes>(
  world: MemoryWorld,
  dataset: string,
  key: KeyOf<Types>,
): Current<Types> {
  const read = hearRow(world.row({ dataset, key, consistency: 'local', token: null, timeoutMs: 1 }));
  if ('heard' in read) assert.fail(`"${key}" cannot be read: ${JSON.stringify(read.heard)}`);
  return { key, row: read.row?.row ?? null, version: read.row?.version ?? 0 };
}

function offer<Types extends DatasetTypes>(
  world: MemoryWorld,
  dataset: string,
  events: readonly EventOf<Types>[],
  what: string,
): void {
  const body = JSON.stringify({ events });
  const idempotencyKey = nodeIdentities().idempotencyKey();
  const heard = hearWrite(world.written({ dataset, body, idempotencyKey, timeoutMs: 1 }));
  if (heard.kind === 'receipt') return;
  const why = 'problem' in heard ? `${heard.problem.code}: ${heard.problem.detail}` : heard.detail;
  assert.fail(`the log rejects ${what}: ${why}`);
}
