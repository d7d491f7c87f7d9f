/** The datasets that this service is built for, in memory. */
import { join } from 'node:path';
import { MemoryWorld } from '@lockstep/nest/testing';

export const openSample = (): Promise<MemoryWorld> =>
  MemoryWorld.open(join(import.meta.dirname, '../../../infra/catalogue/sample'));
