/** Customers, as the service's own entity: what is saved is told to all regions by the events of its dataset. */
import { Replicated, type ReplicatedEvent, type RowChange } from '@lockstep/nest';
import { Column, Entity, PrimaryColumn } from 'typeorm';

/** Only what has changed, so that two who change different columns do not undo each other. */
export function customerEvents({ after, before }: RowChange): readonly ReplicatedEvent[] {
  if (after === null) return [{ type: 'left', data: {} }];
  const { email, name } = after;
  return [
    ...(name === before?.['name'] ? [] : [{ type: 'named', data: { name } }]),
    ...(email === before?.['email'] ? [] : [{ type: 'reachable', data: { email } }]),
  ];
}

@Replicated({ dataset: 'customers', key: 'id', events: customerEvents })
@Entity('customers')
export class Customer {
  @PrimaryColumn('text') id!: string;
  @Column('text', { nullable: true }) name!: string | null;
  @Column('text', { nullable: true }) email!: string | null;
}
