/** Orders as TypeORM entities of a service. Without decorators, which Node does not read: services of specs are run by it as they stand. */
import { Replicated, type ReplicatedEvent } from '@lockstep/nest';
import { DataSource, EntitySchema } from 'typeorm';

export class Order {
  id!: string;
  customer!: string;
  total!: string;
  status!: string;
  reason!: string | null;
}

Replicated({
  dataset: 'orders',
  key: 'id',
  events: ({ after, before }) => {
    // Orders are never removed: told of nothing, a removal is refused.
    if (after === null) return [];
    const events: ReplicatedEvent[] = [];
    const { customer, reason, status, total } = after;
    if (before?.['customer'] !== customer || before?.['total'] !== total)
      events.push({ type: 'placed', data: { customer, total } });
    if (status === 'cancelled') events.push({ type: 'cancelled', data: { reason } });
    return events;
  },
})(Order);

const orders = new EntitySchema<Order>({
  name: 'orders',
  tableName: 'orders',
  target: Order,
  columns: {
    id: { type: 'text', primary: true },
    customer: { type: 'text' },
    total: { type: 'bigint' },
    status: { type: 'text' },
    reason: { type: 'text', nullable: true },
  },
});

export const ordersIn = (postgres: string): DataSource =>
  new DataSource({ type: 'postgres', url: postgres, entities: [orders] });

export const placed = (id: string, total: number): Order =>
  Object.assign(new Order(), { id, customer: 'c', total: String(total), status: 'placed', reason: null });
