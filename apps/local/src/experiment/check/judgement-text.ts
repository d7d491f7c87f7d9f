/** A judgement as people read it: what was looked at, how much of it there was, and what was found. */
import type { Evidence, Finding, Judgement, RunSummary } from '@lockstep/testing/history';

export function judgementText(history: string, { summary, findings }: Judgement): string {
  const width = Math.max(...summaryRows(summary).map(([name]) => name.length));
  return [
    `Run ${summary.run}, seed ${summary.seed}: ${history}`,
    ...summaryRows(summary).map(([name, text]) => `  ${name.padEnd(width)}  ${text}`),
    ...summary.remarks,
    '',
    findings.length === 0
      ? 'Nothing was found.'
      : `${findings.length} ${findings.length === 1 ? 'finding' : 'findings'}:`,
    ...findings.flatMap(findingLines),
  ].join('\n');
}

function summaryRows(summary: RunSummary): readonly (readonly [name: string, text: string])[] {
  const { operations, unknown } = summary;
  const unknownCount = unknown.tookEffect + unknown.withoutEffect;
  return [
    [
      'operations',
      `${operations.asked}: ${operations.accepted} accepted, ${operations.logged} logged, ` +
        `${operations.failed} rejected or refused, ${operations.open} open`,
    ],
    ['failures', countsText(summary.failures)],
    ['repeats', `${summary.repeats}, ${summary.replayed} recognised when they were asked`],
    ['wrong versions', `${summary.wrongVersions} on purpose`],
    [
      'unknown writes',
      `${unknownCount}: ${unknown.tookEffect} took effect, ${unknown.withoutEffect} did not (${unknown.keyless} without a key)`,
    ],
    ['reads', `${summary.reads}; ${summary.registers.judged} rows put in order`],
    ['stages', `${summary.stagesToldLower} told lower than before`],
    ['faults', faultsText(summary.faults)],
    ['log', `${summary.entries} entries with ${summary.events} events of this run`],
    ...Object.entries(summary.verdicts).map(
      ([dataset, verdicts]) => [`  ${dataset}`, countsText(verdicts)] as const,
    ),
    [
      'regions',
      `${countsText(summary.rows)} rows; ${summary.shards} shards and ${summary.told} told places compared`,
    ],
  ];
}

const countsText = (counts: { readonly [name: string]: number }): string =>
  Object.entries(counts)
    .map(([name, count]) => `${name} ${count}`)
    .join(', ') || 'none';

function faultsText(faults: RunSummary['faults']): string {
  const count = Object.values(faults).reduce((sum, each) => sum + each, 0);
  return count === 0 ? 'none' : `${count} survived: ${countsText(faults)}`;
}

const findingLines = ({ code, count, examples, invariant, sentence }: Finding): readonly string[] => [
  `  ${code}${invariant === null ? '' : ` (${invariant})`}, ${count === 1 ? 'once' : `${count} times`}: ${sentence}`,
  ...examples.map((example) => `    ${evidenceText(example)}`),
];

function evidenceText({ detail, keys, operations, region, sequence, shard }: Evidence): string {
  const place = shard === undefined ? null : `${shard}${sequence === undefined ? '' : ` #${sequence}`}`;
  const parts = [
    region,
    place ?? (sequence === undefined ? null : `#${sequence}`),
    operations === undefined ? null : `operations ${operations.slice(0, 5).join(', ')}`,
    keys === undefined ? null : `keys ${keys.slice(0, 3).join(', ')}`,
    detail,
  ];
  return parts.filter((part) => part !== null && part !== undefined).join('; ');
}
