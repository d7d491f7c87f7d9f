/** Customers: saved as entities in this region's database, which stores the entry for all regions in the same transaction. */
import { Injectable, NotFoundException } from '@nestjs/common';
import { InjectRepository } from '@nestjs/typeorm';
import { Outbox, type StoredReceipt } from '@lockstep/nest';
import { Repository } from 'typeorm';
import { Customer } from './customer.js';
import type { CustomerToSave } from './customer-input.js';
import { saveFailure } from './save-failure.js';

@Injectable()
export class CustomersService {
  constructor(
    @InjectRepository(Customer) private readonly customers: Repository<Customer>,
    private readonly outbox: Outbox,
  ) {}

  /** @returns null when there was nothing to change. */
  async save(id: string, { email, name }: CustomerToSave): Promise<StoredReceipt | null> {
    const customer = this.customers.create({ id, name, email });
    await this.change(() => this.customers.save(customer));
    return this.outbox.receiptOf(customer);
  }

  async remove(id: string): Promise<StoredReceipt | null> {
    const customer = await this.read(id);
    await this.change(() => this.customers.remove(customer));
    return this.outbox.receiptOf(customer);
  }

  async read(id: string): Promise<Customer> {
    const customer = await this.customers.findOneBy({ id });
    if (customer === null) throw new NotFoundException(`There is no customer ${id}.`);
    return customer;
  }

  private async change(work: () => Promise<Customer>): Promise<void> {
    try {
      await work();
    } catch (error) {
      throw saveFailure(error);
    }
  }
}
