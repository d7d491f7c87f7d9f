/**
 * The whole service, around a `LockstepModule` that says where its datasets are, behind a gateway or in memory, and a
 * `TypeOrmModule` with the database of its region.
 */
import { Module, type DynamicModule } from '@nestjs/common';
import { TerminusModule } from '@nestjs/terminus';
import { TypeOrmModule } from '@nestjs/typeorm';
import { attachOutbox, LockstepModule, Outbox } from '@lockstep/nest';
import { DataSource } from 'typeorm';
import { AccountsController } from './accounts.controller.js';
import { AccountsService } from './accounts.service.js';
import { Customer } from './customer.js';
import { CustomersController } from './customers.controller.js';
import { CustomersService } from './customers.service.js';
import { HealthController } from './health.controller.js';
import { TransfersController } from './transfers.controller.js';
import { TransfersService } from './transfers.service.js';

@Module({
  imports: [LockstepModule.forFeature(['accounts']), TypeOrmModule.forFeature([Customer]), TerminusModule],
  controllers: [AccountsController, TransfersController, CustomersController, HealthController],
  providers: [
    AccountsService,
    TransfersService,
    CustomersService,
    { provide: Outbox, useFactory: attachOutbox, inject: [DataSource] },
  ],
})
export class LedgerModule {
  static with(lockstep: DynamicModule, database: DynamicModule): DynamicModule {
    return { module: LedgerModule, imports: [lockstep, database] };
  }
}
