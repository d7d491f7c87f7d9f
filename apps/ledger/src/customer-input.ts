/** What callers say about customers, judged at the door. */
import { z } from 'zod';
import { HOME_KEY_PATTERN } from './home-key.js';

export const customerKey = z
  .string()
  .regex(
    HOME_KEY_PATTERN,
    'must be a customer such as eu:ada: the home group and up to 64 letters, digits, . _ -',
  );

export const customerToSave = z.strictObject({ name: z.string().min(1).max(200), email: z.email().max(254) });
export type CustomerToSave = z.output<typeof customerToSave>;
