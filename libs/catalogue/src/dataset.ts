/**
 * One dataset: its YAML, the schemas and the reducer that it names, checked together and compiled to the content of a
 * fold configuration. Pure: files come in as texts.
 *
 * Groups take contiguous partitions in the order of the file, so the order of groups is part of the meaning; the order
 * of events is not, and they are sorted.
 */
import { posix } from 'node:path';
import { z } from 'zod';
import {
  DEFAULT_LIMITS,
  DEFAULT_RETENTION,
  isDatasetName,
  isGroupName,
  demandsOf,
  parseRule,
  type ColumnContent,
  type ConfigurationContent,
  type EventContent,
  type FailoverMode,
  type GroupContent,
  type ProjectionContent,
  type RegionLabels,
  type RegionName,
} from '@lockstep/protocol';
import { describedSchema, readEventSchema, type DescribedSchema } from './closed-schema.js';
import { DURATION_PATTERN, parseDuration } from './duration.js';
import type { FindingList } from './finding.js';
import { readJson, type PositionedDocument } from './positioned-document.js';
import { compileReducer } from './reducer-source.js';
import { readRowRules } from './row-rules.js';
import { closed, readShape, type SettingSentences } from './shape.js';
import { nearestOrKnown } from './suggestion.js';
import type { Topology } from './topology.js';

export interface CompiledDataset {
  readonly content: ConfigurationContent;
  /** The events of `content`, in the same order, with what their files say to readers. */
  readonly describedEvents: readonly DescribedEvent[];
  readonly logRetentionMs: number;
  /** Who decides that the shards at home in a region that has failed move: a person, or the leader by itself. */
  readonly failover: FailoverMode;
  /** Per cent of the keys that a new home takes writes of first; null: all at once. */
  readonly openFirst: number | null;
}

export interface DescribedEvent {
  readonly type: string;
  readonly version: number;
  readonly schema: DescribedSchema;
}

/** Texts of the catalogue folder by path relative to it, with `/`. */
export type CatalogueFiles = ReadonlyMap<string, string>;

/** Topics of these names belong to the system itself. */
const RESERVED_DATASETS = ['control', 'watermarks'];
const DEFAULT_LOG_RETENTION = '7d';
const LOG_RETENTION_MS_MAX = 3_650 * 86_400_000;
const IDENTIFIER = /^[a-z][a-z0-9_]{0,62}$/;
const EVENT_TYPE = /^[a-z][a-z0-9-]{0,63}$/;
const SHARDS_MAX = 1_024;

const duration = z.string().regex(DURATION_PATTERN);
const columnType = z.enum(['text', 'bigint', 'double precision', 'boolean', 'timestamptz', 'numeric']);
const columns = z.record(z.string(), columnType);
const values = z.record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.null()]));

const datasetShape = closed({
  class: z.enum(['bulk', 'standard', 'critical', 'local']),
  quorum: z.string().nullable().default(null),
  onTimeout: z.enum(['unknown', 'degrade']).default('unknown'),
  failover: z.enum(['manual', 'automatic']).default('manual'),
  openFirst: z
    .string()
    .regex(/^[1-9][0-9]?%$/)
    .nullable()
    .default(null),
  placement: z.enum(['stretched', 'home']),
  writers: z.enum(['log', 'outbox', 'any']),
  keys: z.enum(['always', 'given']),
  groups: z.record(
    z.string(),
    closed({
      home: z.string(),
      shards: z.int().min(1).max(256),
      regions: z.array(z.string()).min(1).max(32),
    }),
  ),
  events: z.record(z.string(), z.record(z.string(), z.string())),
  projection: z.discriminatedUnion('kind', [
    closed({
      kind: z.literal('rows'),
      version: z.int().min(1).max(1_000_000),
      table: z.string(),
      columns,
      reducer: z.record(
        z.string(),
        closed({
          delete: z.literal(true).optional(),
          set: values.optional(),
          add: values.optional(),
          max: values.optional(),
          min: values.optional(),
        }),
      ),
    }),
    closed({
      kind: z.literal('aggregate'),
      version: z.int().min(1).max(1_000_000),
      table: z.string(),
      columns,
      reducer: z.string(),
    }),
  ]),
  retention: closed({
    outcomes: duration.optional(),
    sessions: duration.optional(),
    log: duration.optional(),
  }).optional(),
  limits: closed({
    entryBytesMax: z.int().min(1_024).max(DEFAULT_LIMITS.entryBytesMax).optional(),
    eventsPerEntryMax: z.int().min(1).max(DEFAULT_LIMITS.eventsPerEntryMax).optional(),
    notAfterAhead: duration.optional(),
  }).optional(),
});

type DatasetShape = z.output<typeof datasetShape>;

const DURATION = 'a time such as 24h (units ms, s, m, h, d)';
const QUORUM = 'majority, all, home, any N of [region, ...] or each [label: any N, ...]';
const SENTENCES: SettingSentences = {
  class: 'bulk, standard, critical or local',
  quorum: QUORUM,
  onTimeout: 'unknown or degrade',
  failover: 'manual or automatic',
  openFirst: 'a share of the keys from 1% to 99%',
  placement: 'stretched or home',
  writers: 'log, outbox or any',
  keys: 'always or given',
  groups: 'at least one group, by name',
  'groups.*': 'the settings home, shards and regions',
  'groups.*.home': 'the name of a region',
  'groups.*.shards': 'a whole number from 1 to 256',
  'groups.*.regions': 'a list of 1 to 32 regions, for example [eu, us]',
  events: 'at least one event type with its versions',
  'events.*': 'its versions, for example `1: schemas/orders/placed.v1.json`',
  'events.*.*': 'the path of a schema file',
  projection: 'the settings kind, version, table, columns and reducer',
  'projection.kind': 'rows or aggregate',
  'projection.version': 'a whole number from 1 on',
  'projection.table': 'the name of a table',
  'projection.columns': 'the columns by name, each with its type',
  'projection.columns.*': 'one of text, bigint, double precision, boolean, timestamptz and numeric',
  'projection.reducer':
    'a rule for each event type where kind is rows, the path of a .ts file where kind is aggregate',
  'projection.reducer.*': 'set, add, max and min with columns, or delete: true',
  'projection.reducer.*.*.*': 'a string, a number, true, false, null, or $.name for a property of the event',
  retention: 'the settings outcomes, sessions and log',
  'retention.*': DURATION,
  limits: 'the settings entryBytesMax, eventsPerEntryMax and notAfterAhead',
  'limits.entryBytesMax': `a whole number from 1024 to ${DEFAULT_LIMITS.entryBytesMax}`,
  'limits.eventsPerEntryMax': `a whole number from 1 to ${DEFAULT_LIMITS.eventsPerEntryMax}`,
  'limits.notAfterAhead': DURATION,
};

/**
 * @param topology null where it could not be read; then nothing is said about regions.
 * @returns null after a finding about the shape; the content is meaningful only where no finding was added at all.
 */
export function readDataset(
  name: string,
  document: PositionedDocument,
  context: { readonly files: CatalogueFiles; readonly topology: Topology | null },
  findings: FindingList,
): CompiledDataset | null {
  const shape = readShape(datasetShape, document, SENTENCES, findings);
  if (!isDatasetName(name) || RESERVED_DATASETS.includes(name)) {
    findings.at(
      document,
      [],
      `\`${name}\` is not a name for a dataset`,
      'name the file by a lower-case letter and up to 39 lower-case letters, digits and `_`, not control or watermarks',
    );
    return null;
  }
  if (shape === null) return null;

  const reading: Reading = { document, shape, findings, ...context };
  const groups = readGroups(reading);
  checkPlacement(reading, groups);
  checkQuorum(reading, groups);
  const read = readEvents(reading);
  const events = read.map(({ content }) => content);
  const projection = readProjection(reading, events);
  checkWriters(reading);
  const times = readTimes(reading);
  const content: ConfigurationContent = {
    formatVersion: 1,
    dataset: name,
    class: shape.class,
    writers: shape.writers,
    keys: shape.keys,
    placement: shape.placement,
    quorum: shape.quorum === null ? null : shape.quorum.trim(),
    ...(shape.onTimeout === 'degrade' ? { onTimeout: shape.onTimeout } : {}),
    labels: labelsOf(groups, context.topology),
    ...signedBy(context.topology),
    groups,
    limits: {
      entryBytesMax: shape.limits?.entryBytesMax ?? DEFAULT_LIMITS.entryBytesMax,
      eventsPerEntryMax: shape.limits?.eventsPerEntryMax ?? DEFAULT_LIMITS.eventsPerEntryMax,
      notAfterAheadMsMax: times.notAfterAheadMs,
    },
    retention: { outcomesMs: times.outcomesMs, sessionsMs: times.sessionsMs },
    events,
    projection,
  };
  return {
    content,
    describedEvents: read.map(({ described }) => described),
    logRetentionMs: times.logMs,
    failover: shape.failover,
    openFirst: shape.openFirst === null ? null : Number.parseInt(shape.openFirst, 10),
  };
}

interface Reading {
  readonly document: PositionedDocument;
  readonly shape: DatasetShape;
  readonly findings: FindingList;
  readonly files: CatalogueFiles;
  readonly topology: Topology | null;
}

function readGroups({ document, shape, findings, topology }: Reading): readonly GroupContent[] {
  const groups: GroupContent[] = [];
  let firstShard = 0;
  for (const [name, group] of Object.entries(shape.groups)) {
    const path = ['groups', name];
    if (!isGroupName(name)) {
      findings.at(
        document,
        path,
        `\`${name}\` is not a group name`,
        'use a lower-case letter, then up to 31 lower-case letters, digits and `-`',
      );
      continue;
    }
    const known = topology === null ? null : [...topology.regions.keys()];
    group.regions.forEach((region, index) => {
      const place = [...path, 'regions', index];
      if (known !== null && !known.includes(region as RegionName)) {
        findings.at(document, place, `there is no region \`${region}\``, nearestOrKnown(region, known));
      } else if (group.regions.indexOf(region) < index) {
        findings.at(document, place, `\`${region}\` is listed twice`, 'name it once');
      }
    });
    if (known !== null && !known.includes(group.home as RegionName)) {
      const nextStep = nearestOrKnown(group.home, known);
      findings.at(document, [...path, 'home'], `there is no region \`${group.home}\``, nextStep);
    } else if (!group.regions.includes(group.home)) {
      findings.at(
        document,
        [...path, 'home'],
        `the home \`${group.home}\` is not among the regions of \`${name}\``,
        `add \`${group.home}\` to its regions, or choose another home`,
      );
    }
    groups.push({
      name,
      home: group.home as RegionName,
      firstShard,
      shards: group.shards,
      regions: group.regions as readonly string[] as readonly RegionName[],
    });
    firstShard += group.shards;
  }
  if (Object.keys(shape.groups).length === 0) {
    findings.at(
      document,
      ['groups'],
      'a dataset needs at least one group',
      'add a group with home, shards and regions',
    );
  }
  if (firstShard > SHARDS_MAX) {
    findings.at(
      document,
      ['groups'],
      `${firstShard} shards are more than ${SHARDS_MAX}`,
      'lower the numbers of shards',
    );
  }
  return groups;
}

function checkPlacement(
  { document, shape, findings, topology }: Reading,
  groups: readonly GroupContent[],
): void {
  if (shape.placement === 'home') {
    findings.at(document, ['placement'], 'the placement `home` is not built yet', 'use stretched');
    return;
  }
  if (topology === null) return;
  const clusters = new Set(
    groups
      .flatMap((group) => group.regions.map((region) => topology.regions.get(region)?.cluster))
      .filter((cluster) => cluster !== undefined && topology.clusters.has(cluster)),
  );
  if (clusters.size <= 1) return;
  findings.at(
    document,
    ['placement'],
    `a stretched dataset has one log, and its regions use the clusters ${[...clusters].join(', ')}`,
    'keep the dataset to regions of one cluster',
  );
}

function checkQuorum(
  { document, shape, findings, topology }: Reading,
  groups: readonly GroupContent[],
): void {
  if (shape.onTimeout === 'degrade' && shape.keys !== 'always') {
    const reason =
      'a write is acknowledged below its rule under its key, and `keys` lets writes be without one';
    findings.at(document, ['onTimeout'], reason, 'use `keys: always`, or `onTimeout: unknown`');
  }
  if (shape.quorum === null) {
    if (shape.class !== 'critical') return;
    findings.at(document, ['quorum'], 'a critical dataset needs a quorum rule', `give \`quorum\` ${QUORUM}`);
    return;
  }
  const parsed = parseRule(shape.quorum);
  if (parsed.kind === 'refused') {
    const reason = `the quorum rule cannot be read at character ${parsed.at + 1}: ${parsed.reason}`;
    findings.at(document, ['quorum'], reason, `give \`quorum\` ${QUORUM}`);
    return;
  }
  for (const { home, name, regions: members } of groups) {
    const labels = labelsOf(groups, topology);
    const demanded = demandsOf(parsed.rule, { members, home, labels, withdrawn: [] });
    if (demanded.kind === 'demands') continue;
    const reason = `the quorum rule cannot be met in the group \`${name}\`: ${demanded.reason}`;
    findings.at(document, ['quorum'], reason, 'need fewer, list other regions, or add regions to the group');
  }
}

/** Absent where nobody must sign, so that a catalogue without keys has the hash that it always had. */
const signedBy = (topology: Topology | null): Pick<ConfigurationContent, 'signingKeys'> =>
  topology === null || topology.signingKeys.length === 0 ? {} : { signingKeys: topology.signingKeys };

/** Of every region that may hold something of the dataset. */
function labelsOf(
  groups: readonly GroupContent[],
  topology: Topology | null,
): { readonly [region: string]: RegionLabels } {
  const labels: Record<string, RegionLabels> = {};
  for (const region of groups.flatMap((group) => group.regions)) {
    const known = topology?.regions.get(region);
    if (known === undefined) continue;
    const { jurisdiction, provider, zone } = known;
    labels[region] = { provider, zone, jurisdiction };
  }
  return labels;
}

interface ReadEvent {
  readonly content: EventContent;
  readonly described: DescribedEvent;
}

function readEvents({ document, shape, findings, files }: Reading): readonly ReadEvent[] {
  const events: ReadEvent[] = [];
  for (const [type, versions] of Object.entries(shape.events)) {
    const path = ['events', type];
    if (!EVENT_TYPE.test(type)) {
      findings.at(
        document,
        path,
        `\`${type}\` is not an event type`,
        'use a lower-case letter, then up to 63 lower-case letters, digits and `-`',
      );
    }
    if (Object.keys(versions).length === 0) {
      findings.at(document, path, `the event \`${type}\` has no version`, `give it ${SENTENCES['events.*']}`);
    }
    for (const [version, schemaPath] of Object.entries(versions)) {
      const place = [...path, version];
      if (!/^[1-9][0-9]{0,5}$/.test(version)) {
        findings.at(document, place, `\`${version}\` is not a version`, 'number versions from 1 on');
      }
      const file = fileNamed(files, schemaPath, '.json');
      if (file === null) {
        findings.at(
          document,
          place,
          `there is no schema file \`${schemaPath}\``,
          nearestFile(files, schemaPath, '.json'),
        );
        continue;
      }
      const schemaDocument = readJson(file.path, file.text, findings);
      const schema = schemaDocument === null ? null : readEventSchema(schemaDocument, findings);
      if (schemaDocument === null || schema === null) continue;
      const named = { type, version: Number(version) };
      events.push({
        content: { ...named, schema },
        described: { ...named, schema: describedSchema(schema, schemaDocument.value) },
      });
    }
  }
  if (Object.keys(shape.events).length === 0) {
    findings.at(
      document,
      ['events'],
      'a dataset needs at least one event',
      'add an event type with a version',
    );
  }
  return events.toSorted(({ content: x }, { content: y }) =>
    x.type < y.type ? -1 : x.type > y.type ? 1 : x.version - y.version,
  );
}

function readProjection(reading: Reading, events: readonly EventContent[]): ProjectionContent {
  const { document, shape, findings } = reading;
  const { projection } = shape;
  const columnList: readonly ColumnContent[] = Object.entries(projection.columns).map(([name, type]) => ({
    name,
    type,
  }));
  checkTable(reading, columnList);
  const described = { version: projection.version, table: projection.table, columns: columnList };
  switch (projection.kind) {
    case 'rows': {
      const eventTypes = Object.keys(shape.events);
      const rules = { document, rules: projection.reducer, columns: columnList, eventTypes, events };
      return { kind: 'rows', ...described, reducer: readRowRules(rules, findings) };
    }
    case 'aggregate':
      return { kind: 'aggregate', ...described, reducer: readAggregate(reading, projection.reducer) };
  }
}

function checkTable({ document, shape, findings }: Reading, columnList: readonly ColumnContent[]): void {
  const { table, kind } = shape.projection;
  if (!IDENTIFIER.test(table) || table.startsWith('pg_') || table.startsWith('lockstep')) {
    findings.at(
      document,
      ['projection', 'table'],
      `\`${table}\` is not a name for a table`,
      'use up to 63 lower-case letters, digits and `_`, a letter first, not beginning with pg_ or lockstep',
    );
  }
  if (columnList.length === 0 || columnList.length > 100) {
    findings.at(document, ['projection', 'columns'], 'a table has 1 to 100 columns', 'name its columns');
  }
  for (const column of columnList) {
    const path = ['projection', 'columns', column.name];
    if (['id', 'lockstep_version', 'refuse'].includes(column.name)) {
      const reason = `the column name \`${column.name}\` is taken by the system`;
      findings.at(
        document,
        path,
        reason,
        'choose another name; id and lockstep_version are added by themselves',
      );
    } else if (!IDENTIFIER.test(column.name)) {
      const reason = `\`${column.name}\` is not a column name`;
      findings.at(document, path, reason, 'use up to 63 lower-case letters, digits and `_`, a letter first');
    }
    if (kind === 'aggregate' && (column.type === 'timestamptz' || column.type === 'numeric')) {
      const reason = `an aggregate has no columns of type ${column.type}`;
      findings.at(document, path, reason, 'use text, bigint, double precision or boolean');
    }
  }
}

/** The reducer's JavaScript; empty after a finding. */
function readAggregate({ document, findings, files }: Reading, reducerPath: string): string {
  const place = ['projection', 'reducer'];
  const file = fileNamed(files, reducerPath, '.ts');
  if (file === null) {
    findings.at(
      document,
      place,
      `there is no reducer file \`${reducerPath}\``,
      nearestFile(files, reducerPath, '.ts'),
    );
    return '';
  }
  const compiled = compileReducer(file.text);
  switch (compiled.kind) {
    case 'javascript':
      return compiled.javascript;
    case 'refused':
      for (const problem of compiled.problems) findings.add({ file: file.path, path: '', ...problem });
      return '';
  }
}

function checkWriters({ document, shape, findings }: Reading): void {
  if (shape.writers === 'outbox' && shape.projection.kind === 'aggregate') {
    findings.at(
      document,
      ['writers'],
      'a dataset written through the outbox cannot be an aggregate: its guard is the local transaction',
      'use writers log, or kind rows',
    );
  }
  if (shape.openFirst !== null && shape.writers !== 'log') {
    findings.at(
      document,
      ['openFirst'],
      'a share of the keys is opened first by the gateways of the home, and they do not take its writes alone',
      'use writers log, or leave `openFirst` out',
    );
  }
  if (shape.class === 'local' && shape.writers !== 'outbox') {
    const reason = 'class local answers from the outbox, and this dataset has none';
    findings.at(document, ['class'], reason, 'use class standard, or writers outbox');
  }
}

interface Times {
  readonly notAfterAheadMs: number;
  readonly outcomesMs: number;
  readonly sessionsMs: number;
  readonly logMs: number;
}

function readTimes({ document, shape, findings }: Reading): Times {
  const read = (text: string | undefined, otherwiseMs: number): number =>
    text === undefined ? otherwiseMs : (parseDuration(text) ?? otherwiseMs);
  const times: Times = {
    notAfterAheadMs: read(shape.limits?.notAfterAhead, DEFAULT_LIMITS.notAfterAheadMsMax),
    outcomesMs: read(shape.retention?.outcomes, DEFAULT_RETENTION.outcomesMs),
    sessionsMs: read(shape.retention?.sessions, DEFAULT_RETENTION.sessionsMs),
    logMs: read(shape.retention?.log ?? DEFAULT_LOG_RETENTION, 0),
  };
  // The longest wait for an answer is a minute and the slack two; less would refuse ordinary writes.
  if (times.notAfterAheadMs < 300_000 || times.notAfterAheadMs > 86_400_000) {
    findings.at(
      document,
      ['limits', 'notAfterAhead'],
      '`notAfterAhead` is not between 5m and 24h',
      'use for example 1h',
    );
  }
  // A copy of an entry may be appended up to its `notAfter`; it must still meet its session and its outcome.
  for (const [setting, ms] of [
    ['outcomes', times.outcomesMs],
    ['sessions', times.sessionsMs],
  ] as const) {
    if (ms >= 2 * times.notAfterAheadMs) continue;
    const reason = `\`retention.${setting}\` is shorter than twice \`limits.notAfterAhead\`, so a late copy could take effect again`;
    findings.at(document, ['retention', setting], reason, 'lengthen it, or shorten notAfterAhead');
  }
  if (times.logMs < 3_600_000 || times.logMs > LOG_RETENTION_MS_MAX) {
    findings.at(
      document,
      ['retention', 'log'],
      '`retention.log` is not between 1h and 3650d',
      'use for example 7d',
    );
  }
  return times;
}

/** The file that a setting names, relative to the catalogue folder; null when there is none of that kind. */
function fileNamed(
  files: CatalogueFiles,
  named: string,
  suffix: '.json' | '.ts',
): { readonly path: string; readonly text: string } | null {
  const path = posix.normalize(named);
  const text = files.get(path);
  return text === undefined || !path.endsWith(suffix) ? null : { path, text };
}

function nearestFile(files: CatalogueFiles, named: string, suffix: '.json' | '.ts'): string {
  const known = [...files.keys()].filter((path) => path.endsWith(suffix));
  const nearest = nearestOrKnown(named, known.slice(0, 20));
  return known.length === 0 ? `add a ${suffix} file; paths begin at the catalogue folder` : nearest;
}
