/** Stages: independent facts about a write; "the stage" is the highest reached. */
import type { DatasetClass } from '../configuration/content.js';

export const STAGES = ['stored', 'logged', 'accepted', 'quorum', 'everywhere'] as const;
export type Stage = (typeof STAGES)[number];

export const isStage = (text: unknown): text is Stage => STAGES.includes(text as Stage);

/** What an answer waits for where the caller asks for nothing. */
export function defaultStage(datasetClass: DatasetClass): Stage {
  switch (datasetClass) {
    case 'bulk':
      return 'logged';
    case 'standard':
      return 'accepted';
    case 'critical':
      return 'quorum';
    case 'local':
      return 'stored';
  }
}
