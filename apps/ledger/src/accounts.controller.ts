/** HTTP of accounts. `Idempotency-Key` and `Lockstep-Token` are taken up by the library's interceptor. */
import { Body, Controller, Get, HttpCode, Param, Post } from '@nestjs/common';
import { ApiHeader, ApiOperation, ApiParam, ApiResponse, ApiTags } from '@nestjs/swagger';
import type { WriteReceipt } from '@lockstep/nest';
import {
  accountKey,
  accountToOpen,
  movement,
  type AccountKey,
  type AccountToOpen,
  type Movement,
} from './account-input.js';
import { AccountsService, type Account } from './accounts.service.js';

const KEY_HEADER = {
  name: 'Idempotency-Key',
  required: false,
  description: 'A repeat under the same key has one effect and the same answer.',
};
const ACCOUNT = { name: 'account', description: 'For example eu:ada.', schema: { type: 'string' } } as const;
const REFUSED = { status: 409, description: 'Refused for good; `code` and `message` say why.' };
const UNKNOWN = { status: 503, description: 'It may have had its effect: ask again under the same key.' };

/** How far it got when it was answered. */
interface Booked {
  readonly id: string;
  readonly stage: string | null;
  readonly replayed: boolean;
}

const booked = ({ id, replayed, stage }: WriteReceipt): Booked => ({ id, stage, replayed });

@ApiTags('accounts')
@Controller('accounts')
export class AccountsController {
  constructor(private readonly accounts: AccountsService) {}

  @Post()
  @ApiOperation({ summary: 'Opens an account' })
  @ApiHeader(KEY_HEADER)
  @ApiResponse({ status: 201, description: 'Open, in a quorum of regions.' })
  @ApiResponse(REFUSED)
  @ApiResponse(UNKNOWN)
  async open(@Body({ schema: accountToOpen }) body: AccountToOpen): Promise<Booked> {
    return booked(await this.accounts.open(body));
  }

  @Get(':account')
  @ApiOperation({ summary: 'Reads an account in this region, behind everything that the token has seen' })
  @ApiParam(ACCOUNT)
  @ApiHeader({ name: 'Lockstep-Token', required: false, description: 'As an answer gave it, in any region.' })
  @ApiResponse({ status: 200, description: 'The account.' })
  @ApiResponse({ status: 404, description: 'There is none.' })
  read(@Param('account', { schema: accountKey }) account: AccountKey): Promise<Account> {
    return this.accounts.read(account);
  }

  @Post(':account/deposits')
  @HttpCode(200)
  @ApiOperation({ summary: 'Pays into an account' })
  @ApiParam(ACCOUNT)
  @ApiHeader(KEY_HEADER)
  @ApiResponse({ status: 200, description: 'Paid in.' })
  @ApiResponse(REFUSED)
  @ApiResponse(UNKNOWN)
  async deposit(
    @Param('account', { schema: accountKey }) account: AccountKey,
    @Body({ schema: movement }) { amount }: Movement,
  ): Promise<Booked> {
    return booked(await this.accounts.deposit(account, amount));
  }

  @Post(':account/withdrawals')
  @HttpCode(200)
  @ApiOperation({ summary: 'Takes from an account what it holds, however many want it at once' })
  @ApiParam(ACCOUNT)
  @ApiHeader(KEY_HEADER)
  @ApiResponse({ status: 200, description: 'Taken.' })
  @ApiResponse(REFUSED)
  @ApiResponse(UNKNOWN)
  async withdraw(
    @Param('account', { schema: accountKey }) account: AccountKey,
    @Body({ schema: movement }) { amount }: Movement,
  ): Promise<Booked> {
    return booked(await this.accounts.withdraw(account, amount));
  }
}
