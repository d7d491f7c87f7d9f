/** The whole service, around a `LockstepModule` that says where its datasets are: behind a gateway, or in memory. */
import { Module, type DynamicModule } from '@nestjs/common';
import { TerminusModule } from '@nestjs/terminus';
import { LockstepModule } from '@lockstep/nest';
import { AccountsController } from './accounts.controller.js';
import { AccountsService } from './accounts.service.js';
import { HealthController } from './health.controller.js';
import { TransfersController } from './transfers.controller.js';
import { TransfersService } from './transfers.service.js';

@Module({
  imports: [LockstepModule.forFeature(['accounts']), TerminusModule],
  controllers: [AccountsController, TransfersController, HealthController],
  providers: [AccountsService, TransfersService],
})
export class LedgerModule {
  static with(lockstep: DynamicModule): DynamicModule {
    return { module: LedgerModule, imports: [lockstep] };
  }
}
