/** `npm run sim -- --planted [NAME]`: hunts all planted bugs or one of them, and writes the page anew. */
import { hunt, keepHunt, type Hunt } from './hunt.ts';
import { writePage } from './page.ts';
import type { PlantedBug } from './planted-bug.ts';
import { PLANTED_BUGS, plantedBug } from './planted-bugs.ts';

export async function huntPlanted(options: {
  readonly name: string | null;
  readonly from: number;
  readonly to: number;
  readonly workers: number;
  readonly commit: string;
  readonly isInterrupted: () => boolean;
}): Promise<number> {
  const { commit, isInterrupted, name, workers } = options;
  const left = name === null ? [...PLANTED_BUGS] : [plantedBug(name)];
  let isAsExpected = true;
  const hunter = async (): Promise<void> => {
    for (let bug = left.shift(); bug !== undefined && !isInterrupted(); bug = left.shift()) {
      const hunted = await hunt(bug, options, commit, isInterrupted);
      if (hunted === null) continue;
      keepHunt(hunted);
      isAsExpected &&= (hunted.caught === null) === (bug.heldBy !== undefined);
      console.log(huntText(bug, hunted));
    }
  };
  await Promise.all(Array.from({ length: workers }, hunter));
  writePage();
  return isAsExpected && !isInterrupted() ? 0 : 1;
}

function huntText({ breaks, heldBy }: PlantedBug, { bug, caught, seconds, seeds }: Hunt): string {
  const run = `${seeds} seeds, ${seconds} s`;
  if (caught === null)
    return `${bug}: ${heldBy === undefined ? `NOT CAUGHT (${breaks})` : 'held, as it must be'}: ${run}`;
  const { clients, faults, operations, regions } = caught.shrunk;
  const smallest = `${faults.length} faults, ${operations} operations, ${clients} clients, ${regions} regions`;
  return `${bug}: caught by seed ${caught.seed} (${breaks}: ${caught.codes.join(', ')}): ${run}; smallest run ${smallest}`;
}
