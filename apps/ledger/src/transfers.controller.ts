/** HTTP of transfers. The request's key is the saga's id, so that there is no transfer that cannot be asked for again. */
import { BadRequestException, Body, Controller, Headers, HttpCode, Post } from '@nestjs/common';
import { ApiHeader, ApiOperation, ApiResponse, ApiTags } from '@nestjs/swagger';
import { transferOrder, type TransferOrder } from './account-input.js';
import { TransfersService } from './transfers.service.js';

/** What a saga adds to its id must fit into a key too. */
const KEY_PATTERN = /^[\x21-\x7e]{1,64}$/;

interface Transfer {
  readonly id: string;
  /** `completed`, or `refused`: then nothing is taken from anybody. */
  readonly state: 'completed' | 'refused';
  readonly why?: { readonly step: string; readonly code: string; readonly message: string };
}

@ApiTags('transfers')
@Controller('transfers')
export class TransfersController {
  constructor(private readonly transfers: TransfersService) {}

  @Post()
  @HttpCode(200)
  @ApiOperation({
    summary: 'Moves money between two accounts, of any regions: wholly, or not at all in the end',
  })
  @ApiHeader({
    name: 'Idempotency-Key',
    required: true,
    description: 'Names the transfer. Asked again under it, an interrupted transfer is brought to its end.',
  })
  @ApiResponse({ status: 200, description: 'It has come to an end, which `state` names.' })
  @ApiResponse({ status: 422, description: 'The key names another transfer.' })
  @ApiResponse({ status: 503, description: 'It is between two steps: ask again under the same key.' })
  async transfer(
    @Headers('idempotency-key') id: string | undefined,
    @Body({ schema: transferOrder }) order: TransferOrder,
  ): Promise<Transfer> {
    if (id === undefined || !KEY_PATTERN.test(id))
      throw new BadRequestException(
        'A transfer needs the header Idempotency-Key: 1 to 64 printable ASCII characters without spaces.',
      );
    const end = await this.transfers.transfer(id, order);
    if (end.kind === 'completed') return { id, state: 'completed' };
    const { step, why } = end;
    return { id, state: 'refused', why: { step, code: why.code, message: why.message } };
  }
}
