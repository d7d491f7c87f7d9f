/** Real time and identities for parts of the engine that run here without a role around them. */
import { randomBytes } from 'node:crypto';
import { setTimeout as after } from 'node:timers';
import type { Clock } from '@lockstep/engine';

export const clock: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  sleep: (ms) => {
    let wake!: () => void;
    const done = new Promise<void>((resolve) => {
      const timer = after(resolve, Math.max(0, ms));
      wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    return { done, wake };
  },
};

export const randomId128 = (): string => randomBytes(16).toString('hex');
