/** Answers of a simulated cluster: its time moves only while somebody runs it, until the answer is there. */
import type { Answer } from '@lockstep/protocol';
import type { SimulatedCluster } from '@lockstep/testing';

/** @param msMax of virtual time; an answer that takes longer fails the spec. */
export const answeredWithin =
  (msMax: number) =>
  async (made: SimulatedCluster, answer: Promise<Answer>): Promise<Answer> => {
    let result: Answer | null = null;
    void answer.then((told) => {
      result = told;
    });
    await made.options.world.runUntil(() => result !== null, msMax);
    return result!;
  };
