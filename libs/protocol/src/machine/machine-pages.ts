/** The machines as files that others read: JSON in the format of xstate, and one page with a picture of each. */
import { ELECTION_MACHINE } from '../election/election-machine.js';
import { PROMOTION_MACHINE } from '../promotion/promotion-machine.js';
import { SHARD_MACHINE } from '../promotion/shard-machine.js';
import type { Machine, Reaction } from './machine.js';

type AnyMachine = Machine<string, string, string>;

const MACHINES: readonly AnyMachine[] = [ELECTION_MACHINE, PROMOTION_MACHINE, SHARD_MACHINE];

const PAGE_BEGINS = `# State machines

Made from the tables that the code runs on; do not edit. Write it anew with

    npx tsc -b libs/protocol && node libs/protocol/machines/write.mjs

Beside it lies each machine as JSON in the format of xstate. \`[guard]\` must hold for a transition; what no arrow shows is ignored, and the
JSON says so for each state and event.
`;

/** Names and contents of the files in \`machines/\`. */
export function machinePages(): ReadonlyMap<string, string> {
  return new Map([
    ...MACHINES.map(
      (machine) => [`${machine.id}.machine.json`, `${JSON.stringify(machine, null, 2)}\n`] as const,
    ),
    ['MACHINES.md', [PAGE_BEGINS, ...MACHINES.map(pageOf)].join('\n')] as const,
  ]);
}

function pageOf(machine: AnyMachine): string {
  const states = Object.entries(machine.states);
  const rows = states.map(([name, { description }]) => `| \`${name}\` | ${description} |`);
  const arrows = states.flatMap(([name, state]) =>
    'type' in state
      ? [`  ${idOf(name)} --> [*]`]
      : Object.entries(state.on).flatMap(([event, reaction]) => arrowsOf(name, event, reaction)),
  );
  return `## ${machine.id}

${machine.description}

\`\`\`mermaid
stateDiagram-v2
${states.map(([name]) => `  state "${name}" as ${idOf(name)}`).join('\n')}
  [*] --> ${idOf(machine.initial)}
${arrows.join('\n')}
\`\`\`

| state | meaning |
| --- | --- |
${rows.join('\n')}
`;
}

function arrowsOf(from: string, event: string, reaction: Reaction<string, string>): readonly string[] {
  const transitions = [reaction].flat();
  return transitions.flatMap(({ guard, target }) =>
    target === undefined
      ? []
      : [`  ${idOf(from)} --> ${idOf(target)}: ${event}${guard === undefined ? '' : ` [${guard}]`}`],
  );
}

/** Mermaid takes no hyphen in a name. */
const idOf = (state: string): string => state.replaceAll('-', '_');
