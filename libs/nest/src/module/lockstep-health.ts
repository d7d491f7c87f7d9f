/**
 * Whether writes can be taken, in the shape that terminus reads: `health.check([() => lockstep.isHealthy('lockstep')])`.
 * It needs nothing of terminus itself.
 */
import { Inject, Injectable } from '@nestjs/common';
import { isPortError } from '@lockstep/engine';
import { LockstepClient } from '../dataset/lockstep-client.js';

const READINESS_MS_MAX = 2_000;

export type LockstepHealth<Key extends string> = {
  readonly [key in Key]: { readonly status: 'up' } | { readonly status: 'down'; readonly message: string };
};

@Injectable()
export class LockstepHealthIndicator {
  constructor(@Inject(LockstepClient) private readonly client: LockstepClient) {}

  async isHealthy<Key extends string>(key: Key): Promise<LockstepHealth<Key>> {
    const why = await this.whyDown();
    const health = why === null ? { status: 'up' } : { status: 'down', message: why };
    return { [key]: health } as LockstepHealth<Key>;
  }

  private async whyDown(): Promise<string | null> {
    try {
      const { body, status } = await this.client.port.readiness(READINESS_MS_MAX);
      return status === 200 ? null : `the gateway is not ready (${status}): ${body.slice(0, 500)}`;
    } catch (error) {
      if (!isPortError(error)) throw error;
      return error.message;
    }
  }
}
