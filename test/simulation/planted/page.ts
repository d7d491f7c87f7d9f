/** The page that lists the planted bugs and what became of them: written by `npm run sim -- --planted`, checked by a test. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Hunt } from './hunt.ts';
import { readHunts } from './hunt.ts';
import type { PlantedBug } from './planted-bug.ts';
import { NOT_PLANTED, PLANTED_BUGS } from './planted-bugs.ts';

const PAGE = join(import.meta.dirname, 'README.md');

export function pageText(): string {
  const hunts = readHunts();
  const harmful = PLANTED_BUGS.filter(({ heldBy }) => heldBy === undefined);
  const held = PLANTED_BUGS.filter(({ heldBy }) => heldBy !== undefined);
  const caught = harmful.filter(({ name }) => (hunts.get(name)?.caught ?? null) !== null);
  return `# Planted bugs

Positive controls: each row is a defect that is put into the compiled engine, protocol or twins when a process loads them,
and the promise that the judge must then name. Written by \`npm run sim -- --planted\`; do not edit. A number is that of the
list of bugs that a harness must catch, \`B\` that of the catalogue of bugs that builds of such systems really had; the others are our own.

${caught.length} of ${harmful.length} are caught. Seeds are drawn one after the other of the named profile, from 1 unless another first one is named; the smallest run is what is left
when faults, operations, clients and regions were taken away as long as the same violation stays (\`<=\`: its time was over before).

| # | bug | defect | must be named | profile | result | seeds | named | smallest run | commit |
| --- | --- | --- | --- | --- | --- | ---: | --- | --- | --- |
${harmful.map((bug) => row(bug, hunts.get(bug.name))).join('\n')}

## Held by something else

What these break does no harm, because something else holds: no seed may find them.

| # | bug | defect | what holds | profile | seeds | result | commit |
| --- | --- | --- | --- | --- | ---: | --- | --- |
${held.map((bug) => heldRow(bug, hunts.get(bug.name))).join('\n')}

## Not planted

| # | bug | why |
| --- | --- | --- |
${NOT_PLANTED.map(({ defect, listed, why }) => `| ${listed} | ${defect} | ${why} |`).join('\n')}
`;
}

function row(bug: PlantedBug, hunt: Hunt | undefined): string {
  const { breaks, defect, listed, name, profile } = bug;
  const cells = [listed ?? '', `\`${name}\``, defect, breaks, profile];
  if (hunt === undefined) return `| ${[...cells, 'not hunted yet', '', '', '', ''].join(' | ')} |`;
  const { caught, commit, from } = hunt;
  const seeds = from === 1 ? hunt.seeds : `${hunt.seeds}, from ${from}`;
  if (caught === null) return `| ${[...cells, '**NOT CAUGHT**', seeds, '', '', commit].join(' | ')} |`;
  const { clients, faults, isSmallest, operations, regions } = caught.shrunk;
  const smallest = [
    `${isSmallest ? '' : '<= '}${faults.length} faults${faults.length === 0 ? '' : ` (${faults.map(kindOf).join(', ')})`}`,
    `${operations} operations`,
    `${clients} clients`,
    `${regions} regions`,
  ].join(', ');
  const named = caught.codes.map((code) => `\`${code}\``).join(' ');
  return `| ${[...cells, `caught by seed ${caught.seed}`, seeds, named, smallest, commit].join(' | ')} |`;
}

function heldRow({ defect, heldBy, listed, name, profile }: PlantedBug, hunt: Hunt | undefined): string {
  const result = hunt === undefined ? 'not hunted yet' : hunt.caught === null ? 'held' : '**CAUGHT**';
  return `| ${[listed ?? '', `\`${name}\``, defect, heldBy, profile, hunt?.seeds ?? '', result, hunt?.commit ?? ''].join(' | ')} |`;
}

const kindOf = (fault: string): string => fault.split(' ')[0]!;

export const readPage = (): string => readFileSync(PAGE, 'utf8');

export const writePage = (): void => writeFileSync(PAGE, pageText());
