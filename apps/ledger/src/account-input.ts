/** What callers say about accounts, judged at the door; what it means is judged by deciders and the log. */
import type { KeyOf } from '@lockstep/nest';
import { z } from 'zod';
import type { Datasets } from './datasets.js';
import { HOME_KEY_PATTERN } from './home-key.js';

export type Accounts = Datasets['accounts'];
export type AccountKey = KeyOf<Accounts>;

export const accountKey = z
  .string()
  .regex(
    HOME_KEY_PATTERN,
    'must be an account such as eu:ada: its home group and up to 64 letters, digits, . _ -',
  )
  .transform((key) => key as AccountKey);

/** Minor units. */
const amount = z.int().min(1);

export const accountToOpen = z.strictObject({
  account: accountKey,
  owner: z.string().min(1).max(200),
  currency: z.string().regex(/^[A-Z]{3}$/, 'must be an ISO 4217 code such as EUR'),
});
export type AccountToOpen = z.output<typeof accountToOpen>;

export const movement = z.strictObject({ amount });
export type Movement = z.output<typeof movement>;

export const transferOrder = z
  .strictObject({ from: accountKey, to: accountKey, amount })
  .refine(({ from, to }) => from !== to, 'must name two accounts');
export type TransferOrder = z.output<typeof transferOrder>;
