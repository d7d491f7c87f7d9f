/**
 * The exact description of every call, written by hand: what is served at `/openapi.json` is this, and a test compares
 * its paths and methods with the routes that the server really has.
 */
import { HALT_CODES, PROBLEMS, STAGES } from '@lockstep/protocol';
import type { ProblemCode } from '@lockstep/protocol';
import { HTTP_PROBLEMS, PROBLEM_CONTENT_TYPE } from './http-answer.js';
import type { HttpProblemCode } from './http-answer.js';

const reference = (name: string): object => ({ $ref: `#/components/schemas/${name}` });
const json = (schema: object): object => ({ 'application/json': { schema } });
const answer = (description: string, schema: object, headers: object = {}): object => ({
  description,
  ...(Object.keys(headers).length === 0 ? {} : { headers }),
  content: json(schema),
});

/** Problem answers by status, each with the codes that it may carry; `internal` may meet any call. */
function refusals(...codes: readonly (ProblemCode | HttpProblemCode)[]): {
  readonly [status: string]: object;
} {
  const byStatus = new Map<number, string[]>();
  for (const code of [...codes, 'internal' as const]) {
    const { status } = { ...PROBLEMS, ...HTTP_PROBLEMS }[code];
    const told = code === 'several-shards-hit' ? 'several-shards' : code;
    byStatus.set(status, [...(byStatus.get(status) ?? []), told]);
  }
  return Object.fromEntries(
    [...byStatus].map(([status, told]) => [
      String(status),
      {
        description: told.map((code) => `\`${code}\``).join(', '),
        ...(status === 429 || status === 503
          ? { headers: { 'Retry-After': { schema: { type: 'integer' } } } }
          : {}),
        content: {
          [PROBLEM_CONTENT_TYPE]: {
            schema: { allOf: [reference('Problem'), { properties: { code: { enum: told } } }] },
          },
        },
      },
    ]),
  );
}

const parameter = (
  place: 'path' | 'query' | 'header',
  name: string,
  description: string,
  schema: object,
): object => ({
  name,
  in: place,
  required: place === 'path',
  description,
  schema,
});
const text = { type: 'string' };
const ordinal = { type: 'integer', minimum: 0, maximum: Number.MAX_SAFE_INTEGER };
const timeoutMs = { type: 'integer', minimum: 1, maximum: 60_000, default: 10_000 };
const hex128 = { type: 'string', pattern: '^[0-9a-f]{32}$' };
const time = { type: 'string', format: 'date-time' };
const orNull = (schema: object): object => ({ anyOf: [schema, { type: 'null' }] });
const object = (required: readonly string[], properties: { readonly [name: string]: object }): object => ({
  type: 'object',
  required,
  properties,
});

const dataset = parameter('path', 'dataset', 'A dataset of the catalogue.', text);
const shardNumber = parameter('path', 'n', 'Number of the shard within its dataset.', ordinal);
const traceparent = parameter('header', 'traceparent', 'W3C trace context of the caller.', text);
const token = parameter('header', 'Lockstep-Token', 'Token of a receipt or of an earlier read.', text);
const asText = (description: string, type: string): object => ({
  description,
  content: { [type]: { schema: text } },
});
const REPLAYED = {
  'Idempotent-Replayed': { description: '`true` when the key was answered before.', schema: text },
};
const LOCATION = {
  Location: { description: 'Where the receipt can be asked for; absent without a key.', schema: text },
};

const WRITE_REFUSALS = [
  'malformed', 'unknown-dataset', 'version-conflict', 'guard', 'expired', 'too-large', 'unsupported-encoding', 'not-owner',
  'key-reused', 'schema', 'unknown-group', 'several-shards', 'policy', 'too-many-requests', 'log-unavailable',
  'home-unavailable', 'not-ready', 'shard-halted', 'overloaded',
] as const; // prettier-ignore

const NOT_YET = { responses: refusals('not-yet') };
const move = {
  to: { ...text, description: 'Region that shall own it.' },
  reason: text,
  dryRun: { type: 'boolean' },
  acceptLoss: { type: 'boolean' },
};
const pause = object(['scope', 'reason'], { scope: text, reason: text, until: time });
const bodyOf = (schema: object): object => ({ required: true, content: json(schema) });

const DOCUMENT = {
  openapi: '3.1.0',
  info: {
    title: 'Lockstep',
    version: '0.1.0',
    description:
      'Calls of all roles; a process answers those of its own. Errors are problem documents with a stable `code` and ' +
      'what to do next. Epochs, sequences and versions are numbers, offsets are strings.',
  },
  paths: {
    '/v1/datasets/{dataset}/entries': {
      post: {
        tags: ['gateway'],
        summary: 'Write one entry: an atomic list of events of one shard.',
        parameters: [
          dataset,
          parameter('header', 'Idempotency-Key', 'The same key gets the same answer.', {
            type: 'string',
            pattern: '^[\\x20-\\x7e]{1,128}$',
          }),
          parameter(
            'header',
            'Lockstep-Forward',
            '`never`: answer `not-owner` instead of forwarding to the home.',
            { enum: ['never'] },
          ),
          traceparent,
        ],
        requestBody: bodyOf(reference('Write')),
        responses: {
          '200': answer('The stage asked for is reached.', reference('Receipt'), REPLAYED),
          '202': answer(
            'The stage was not reached in time; the outcome is the verdict if known, else `unknown`.',
            reference('Receipt'),
            { ...LOCATION, ...REPLAYED },
          ),
          ...refusals(...WRITE_REFUSALS),
        },
      },
    },
    '/v1/datasets/{dataset}/entries:batch': {
      post: {
        tags: ['gateway'],
        summary: 'Write several entries, each by itself.',
        parameters: [dataset, traceparent],
        requestBody: bodyOf(reference('Batch')),
        responses: {
          '207': answer(
            'A receipt or a problem per entry, in order.',
            object(['entries'], {
              entries: { type: 'array', items: { anyOf: [reference('Receipt'), reference('Problem')] } },
            }),
          ),
          ...refusals(
            'malformed',
            'unknown-dataset',
            'too-large',
            'unsupported-encoding',
            'not-ready',
            'overloaded',
          ),
        },
      },
    },
    '/v1/datasets/{dataset}/receipts/{idempotencyKey}': {
      get: {
        tags: ['gateway'],
        summary: 'The present receipt of a write, a rejected one too.',
        parameters: [
          dataset,
          parameter('path', 'idempotencyKey', 'Percent-encoded.', text),
          parameter('query', 'wait', 'Await this stage.', { enum: STAGES }),
          parameter('query', 'timeoutMs', 'How long to wait.', timeoutMs),
          parameter('query', 'shard', 'Without it all shards of the dataset are searched.', text),
          parameter(
            'query',
            'deadline',
            "End of the writer's time-out; after it the answer is definite.",
            text,
          ),
          traceparent,
        ],
        responses: {
          '200': answer('What is known now.', reference('Receipt')),
          ...refusals(
            'malformed',
            'unknown-dataset',
            'not-seen',
            'never-or-expired',
            'several-shards-hit',
            'not-ready',
          ),
        },
      },
    },
    '/v1/datasets/{dataset}/rows/{key}': {
      get: {
        tags: ['gateway'],
        summary: 'Read one row.',
        parameters: [
          dataset,
          parameter('path', 'key', 'The whole key, percent-encoded: `eu%3Abook%2Fa`, also `eu:a`.', text),
          parameter(
            'query',
            'consistency',
            'local: as it is; session: not before the token; strong: not before now.',
            {
              enum: ['local', 'session', 'strong'],
              default: 'local',
            },
          ),
          parameter('query', 'timeoutMs', 'How long to wait for the token.', timeoutMs),
          token,
          traceparent,
        ],
        responses: {
          '200': answer('The row.', reference('Row'), {
            ETag: { schema: text },
            'Lockstep-Token': { schema: text },
            'Lockstep-Position': { schema: text },
            Age: { description: 'Seconds.', schema: { type: 'integer' } },
          }),
          ...refusals(
            'malformed',
            'bad-token',
            'unknown-dataset',
            'not-found',
            'token-unreachable',
            'unknown-group',
            'not-ready',
            'not-yet',
          ),
        },
      },
    },
    '/v1/shards': {
      get: {
        tags: ['gateway'],
        summary: 'Every shard, as this region sees it.',
        responses: {
          '200': answer(
            'All shards.',
            object(['shards'], { shards: { type: 'array', items: reference('Shard') } }),
          ),
          ...refusals('not-ready'),
        },
      },
    },
    '/v1/rows': {
      post: {
        tags: ['gateway'],
        summary: 'Read rows of any shards and datasets from one snapshot.',
        parameters: [token, traceparent],
        requestBody: bodyOf(reference('RowsRequest')),
        responses: {
          '200': answer('The rows, in the order asked.', reference('Rows'), {
            'Lockstep-Token': { schema: text },
            Age: { description: 'Seconds; of the oldest shard.', schema: { type: 'integer' } },
          }),
          ...refusals(
            'malformed', 'bad-token', 'unknown-dataset', 'token-unreachable', 'unknown-group', 'too-large',
            'unsupported-encoding', 'too-many-requests', 'store-unavailable', 'region-differs', 'log-unavailable',
            'not-ready', 'overloaded',
          ), // prettier-ignore
        },
      },
    },
    '/v1/shards/{dataset}/{n}': {
      get: {
        tags: ['gateway'],
        summary: 'One shard.',
        parameters: [dataset, shardNumber],
        responses: {
          '200': answer('The shard.', reference('Shard')),
          ...refusals('unknown-dataset', 'not-found', 'not-ready'),
        },
      },
    },
    '/v1/stream': {
      get: {
        tags: ['replicator'],
        summary:
          'Watermarks and verdicts as JSON lines, without end; an empty line every second keeps it alive.',
        parameters: [
          parameter('query', 'verdicts', 'Verdicts of publishers that begin so are told as well.', {
            type: 'string',
            pattern: '^[0-9a-f]{16}$',
          }),
        ],
        responses: {
          '200': asText('One frame a line.', 'application/x-ndjson'),
          ...refusals('malformed', 'overloaded'),
        },
      },
    },
    '/v1/cluster': {
      get: {
        tags: ['coordinator'],
        summary: 'Term, leader, members, regions and their health, pause.',
        responses: { '200': answer('The cluster.', { type: 'object' }), ...refusals('not-ready') },
      },
    },
    '/v1/datasets/{dataset}/rule': {
      post: {
        tags: ['coordinator'],
        summary: 'Change which regions must have committed a write before it counts as `quorum`.',
        parameters: [dataset],
        requestBody: bodyOf(reference('RuleRequest')),
        responses: {
          '200': answer('In force in every shard.', reference('RuleChange')),
          '202': answer('Not in force everywhere yet; ask again.', reference('RuleChange')),
          ...refusals(
            'malformed',
            'unknown-dataset',
            'rule-refused',
            'too-large',
            'unsupported-encoding',
            'overloaded',
          ),
        },
      },
    },
    '/v1/decisions': {
      get: {
        tags: ['coordinator'],
        summary: 'What was decided, and from which inputs.',
        responses: {
          '200': answer('Decisions.', { type: 'object' }),
          ...refusals('malformed', 'not-ready', 'not-yet'),
        },
      },
    },
    '/v1/history': {
      get: {
        tags: ['coordinator'],
        summary: 'What happened, in order.',
        responses: {
          '200': answer('Events.', { type: 'object' }),
          ...refusals('malformed', 'not-ready', 'not-yet'),
        },
      },
    },
    '/v1/shards/{dataset}/{n}/switchover': {
      post: {
        tags: ['coordinator'],
        summary: 'Move a shard without loss.',
        parameters: [dataset, shardNumber],
        requestBody: bodyOf(object(['to', 'reason'], move)),
        ...NOT_YET,
      },
    },
    '/v1/shards/{dataset}/{n}/failover': {
      post: {
        tags: ['coordinator'],
        summary: 'Move a shard away from a lost home.',
        parameters: [dataset, shardNumber],
        requestBody: bodyOf(object(['to', 'reason'], move)),
        ...NOT_YET,
      },
    },
    '/v1/regions/{region}/evacuate': {
      post: {
        tags: ['coordinator'],
        summary: 'Move every shard away from a region.',
        parameters: [parameter('path', 'region', 'The region.', text)],
        ...NOT_YET,
      },
    },
    '/v1/pause': {
      post: {
        tags: ['coordinator'],
        summary: 'Stop automation in a scope.',
        requestBody: bodyOf(pause),
        ...NOT_YET,
      },
    },
    '/v1/resume': {
      post: { tags: ['coordinator'], summary: 'End a pause.', requestBody: bodyOf(pause), ...NOT_YET },
    },
    '/v1/preflight': {
      get: {
        tags: ['coordinator'],
        summary: 'What a move would cost, before it is made.',
        parameters: [
          parameter('query', 'shard', 'The shard.', text),
          parameter('query', 'to', 'The region.', text),
        ],
        ...NOT_YET,
      },
    },
    '/v1/verify': { post: { tags: ['coordinator'], summary: 'Compare regions deeply.', ...NOT_YET } },
    '/healthz': {
      get: {
        tags: ['process'],
        summary: 'Alive, by progress.',
        responses: { '200': answer('Alive.', { type: 'object' }), ...refusals('not-ready') },
      },
    },
    '/readyz': {
      get: {
        tags: ['process'],
        summary: 'Ready for its callers.',
        responses: { '200': answer('Ready.', { type: 'object' }), ...refusals('not-ready') },
      },
    },
    '/metrics': {
      get: {
        tags: ['process'],
        summary: 'Metrics for Prometheus.',
        responses: { '200': asText('Metrics.', 'text/plain'), ...refusals() },
      },
    },
    '/openapi.json': {
      get: {
        tags: ['process'],
        summary: 'This description.',
        responses: { '200': answer('OpenAPI 3.1.', { type: 'object' }), ...refusals() },
      },
    },
  },
  components: {
    schemas: {
      Event: object(['key', 'type', 'data'], {
        key: { ...text, description: '`group:id`; all keys of an entry live in one shard.' },
        type: text,
        v: { type: 'integer', minimum: 1, description: 'Version of the event type.' },
        data: { type: 'object' },
        expectedVersion: {
          ...ordinal,
          description: 'Version of the key before this entry; 0 when there is no row.',
        },
      }),
      Write: object(['events'], {
        events: { type: 'array', minItems: 1, maxItems: 100, items: reference('Event') },
        ack: { enum: STAGES, description: "Stage to wait for; the dataset's own without it." },
        timeoutMs,
      }),
      Batch: object(['entries'], {
        entries: {
          type: 'array',
          minItems: 1,
          maxItems: 1_000,
          items: object(['events'], {
            events: { type: 'array', minItems: 1, maxItems: 100, items: reference('Event') },
            idempotencyKey: { type: 'string', pattern: '^(?! )[\\x20-\\x7e]{1,128}(?<! )$' },
          }),
        },
        ack: { enum: STAGES },
        timeoutMs,
      }),
      Receipt: object(['id', 'dataset', 'shard', 'outcome', 'stage', 'stages', 'traceId'], {
        id: { ...text, description: 'The idempotency key, given or minted, else `publisher:number`.' },
        dataset: text,
        shard: text,
        epoch: ordinal,
        sequence: ordinal,
        outcome: { enum: ['accepted', 'rejected', 'unknown'] },
        code: { ...text, description: 'Why it was rejected.' },
        stage: { ...orNull({ enum: STAGES }), description: 'The highest stage reached.' },
        degraded: {
          const: true,
          description:
            'Acknowledged though its quorum rule was not met in time (`onTimeout: degrade`); else absent.',
        },
        holders: {
          type: 'array',
          items: text,
          description: 'Regions that hold it now, in an answer to GET.',
        },
        stages: object([], {
          logged: object(['at'], { at: time }),
          accepted: object(['at', 'region'], { at: time, region: text }),
          quorum: object(['at', 'regions'], { at: time, regions: { type: 'array', items: text } }),
          everywhere: object(['at'], { at: time }),
        }),
        versions: { type: 'object', additionalProperties: ordinal, description: 'Version by key.' },
        token: text,
        traceId: hex128,
      }),
      Row: object(['key', 'version', 'row'], { key: text, version: ordinal, row: { type: 'object' } }),
      Shard: object(['shard', 'home', 'epoch', 'state', 'regions'], {
        shard: text,
        home: orNull(text),
        epoch: ordinal,
        state: text,
        rule: {
          ...orNull(reference('Rule')),
          description: 'The quorum rule in force; null while no region that counts has told of it.',
        },
        reason: { enum: [...HALT_CODES, null] },
        regions: {
          type: 'object',
          description: 'By region: sequence, lag, hashes, incarnations, parked.',
          additionalProperties: { type: 'object' },
        },
      }),
      RowsRequest: object(['rows'], {
        rows: {
          type: 'array',
          minItems: 1,
          maxItems: 64,
          items: object(['dataset', 'key'], { dataset: text, key: text }),
        },
        consistency: { enum: ['local', 'session', 'strong'], default: 'local' },
        timeoutMs,
      }),
      Rows: object(['rows', 'positions'], {
        rows: {
          type: 'array',
          items: object(['dataset', 'key', 'shard', 'version', 'row'], {
            dataset: text,
            key: text,
            shard: text,
            version: orNull(ordinal),
            row: orNull({ type: 'object' }),
          }),
        },
        positions: {
          type: 'object',
          description: 'By shard, of the same snapshot.',
          additionalProperties: object(['logIncarnation', 'sequence'], {
            logIncarnation: orNull(hex128),
            sequence: ordinal,
          }),
        },
      }),
      Rule: object(['text', 'from', 'withdrawn'], {
        text: { ...text, description: 'As it was written.' },
        from: { ...ordinal, description: 'The first sequence that it judges.' },
        joint: {
          type: 'boolean',
          description: 'What the rule before demanded is demanded as well, for now.',
        },
        withdrawn: { type: 'array', items: text, description: 'Regions whose vote does not count.' },
      }),
      RuleRequest: object(['rule', 'reason'], {
        rule: {
          ...text,
          description: 'majority, all, home, any N of [region, ...] or each [label: any N, ...].',
        },
        withdrawn: { type: 'array', items: text, description: 'Regions whose vote shall not count.' },
        reason: {
          type: 'string',
          minLength: 1,
          maxLength: 512,
          description: 'Kept in the log with the change.',
        },
        timeoutMs,
      }),
      RuleChange: object(['dataset', 'shards'], {
        dataset: text,
        shards: {
          type: 'array',
          items: object(['shard', 'state', 'rule'], {
            shard: text,
            state: { enum: ['in-force', 'joint', 'refused', 'unknown'] },
            detail: text,
            rule: orNull(reference('Rule')),
          }),
        },
      }),
      Problem: object(['type', 'title', 'status', 'code', 'detail', 'next'], {
        type: text,
        title: text,
        status: { type: 'integer' },
        code: { ...text, description: 'Stable.' },
        detail: text,
        next: { ...text, description: 'What to do now.' },
      }),
    },
  },
};

export const OPENAPI_TEXT = JSON.stringify(DOCUMENT);
