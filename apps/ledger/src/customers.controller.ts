/** HTTP of customers. They are saved where their home is; every region reads them. */
import { Body, Controller, Delete, Get, Param, Put } from '@nestjs/common';
import { ApiOperation, ApiParam, ApiResponse, ApiTags } from '@nestjs/swagger';
import type { StoredReceipt } from '@lockstep/nest';
import { customerKey, customerToSave, type CustomerToSave } from './customer-input.js';
import { CustomersService } from './customers.service.js';

const CUSTOMER = {
  name: 'customer',
  description: 'For example eu:ada.',
  schema: { type: 'string' },
} as const;
const NOT_HOME = { status: 421, description: 'Another region is the home now: `home` names it; ask there.' };
const UNKNOWN = { status: 503, description: 'Ask again; `code` tells `unknown` from what had no effect.' };
const NONE = { status: 404, description: 'There is none.' };

/** Under `id` a gateway tells how far the change has got; both null when there was nothing to change. */
interface Stored {
  readonly id: string | null;
  readonly stage: 'stored' | null;
}

const stored = (receipt: StoredReceipt | null): Stored => ({
  id: receipt?.id ?? null,
  stage: receipt?.stage ?? null,
});

@ApiTags('customers')
@Controller('customers')
export class CustomersController {
  constructor(private readonly customers: CustomersService) {}

  @Put(':customer')
  @ApiOperation({ summary: 'Saves a customer, a new one or one that is there' })
  @ApiParam(CUSTOMER)
  @ApiResponse({ status: 200, description: 'Saved at home, on its way to all regions.' })
  @ApiResponse(NOT_HOME)
  @ApiResponse(UNKNOWN)
  async save(
    @Param('customer', { schema: customerKey }) customer: string,
    @Body({ schema: customerToSave }) body: CustomerToSave,
  ): Promise<Stored> {
    return stored(await this.customers.save(customer, body));
  }

  @Get(':customer')
  @ApiOperation({ summary: 'Reads a customer as this region has him' })
  @ApiParam(CUSTOMER)
  @ApiResponse({ status: 200, description: 'The customer.' })
  @ApiResponse(NONE)
  async read(
    @Param('customer', { schema: customerKey }) customer: string,
  ): Promise<Record<'customer' | 'name' | 'email', string | null>> {
    const { email, name } = await this.customers.read(customer);
    return { customer, name, email };
  }

  @Delete(':customer')
  @ApiOperation({ summary: 'Takes a customer out' })
  @ApiParam(CUSTOMER)
  @ApiResponse({ status: 200, description: 'Taken out at home, on its way to all regions.' })
  @ApiResponse(NONE)
  @ApiResponse(NOT_HOME)
  @ApiResponse(UNKNOWN)
  async remove(@Param('customer', { schema: customerKey }) customer: string): Promise<Stored> {
    return stored(await this.customers.remove(customer));
  }
}
