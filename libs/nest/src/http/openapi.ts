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
const offset = { type: 'string', pattern: '^(0|[1-9][0-9]{0,17})$' };
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
  'home-unavailable', 'home-opening', 'not-ready', 'shard-halted', 'overloaded', 'outbox-only',
] as const; // prettier-ignore

const reason = {
  type: 'string',
  minLength: 1,
  maxLength: 512,
  description: 'Kept in the log with what was done.',
};
const actor = {
  type: 'string',
  pattern: '^[\\x21-\\x7e]{1,64}$',
  description: 'Who asks. Believed while authentication is off; without it, `anonymous`.',
};
const undoneId = parameter('path', 'id', 'The idempotency key that the entry was stored with.', text);
const UNDONE_ENTRY = {
  id: { ...text, description: 'Its idempotency key.' },
  number: { ...ordinal, description: 'Of two that changed one row the later has the higher one.' },
  shard: text,
  key: { ...text, description: 'Of its first event.' },
  reason: {
    ...text,
    description:
      '`fenced`: its shard left the region; `undone-before`: it was made on rows of an entry that was undone; else the verdict.',
  },
  storedAt: time,
  sequence: { ...ordinal, description: 'Where the shard stood when it was undone.' },
  asked: orNull({
    ...object(['by', 'at'], { by: text, at: time }),
    description: 'Who first asked to apply it again.',
  }),
  settled: orNull({
    ...object(['as', 'why', 'sequence', 'by', 'at'], {
      as: { enum: ['accepted', 'rejected', 'discarded'] },
      why: { ...text, description: 'The verdict, or the reason of whoever discarded it.' },
      sequence: orNull(ordinal),
      by: text,
      at: time,
    }),
    description: 'Null: it waits for a person.',
  }),
  outcome: orNull({
    ...object(['verdict', 'sequence'], { verdict: text, sequence: ordinal }),
    description: 'What its key is bound to by now.',
  }),
};
const moveKind = { enum: ['switchover', 'failover'], default: 'switchover' };
const scope = { ...text, description: '`all`, `dataset:NAME`, `shard:DATASET/N` or `region:NAME`.' };
const bodyOf = (schema: object): object => ({ required: true, content: json(schema) });
const listOf = (schema: object): object => ({ type: 'array', items: schema });

/** Unknown is null, never zero. */
const PREDICTION = {
  entriesLost: {
    ...orNull(ordinal),
    description: 'By the move; null while nobody knows where the log ends.',
  },
  atRisk: {
    ...object(['logged', 'accepted', 'quorum'], {
      logged: orNull(ordinal),
      accepted: orNull(ordinal),
      quorum: orNull(ordinal),
    }),
    description:
      'Entries that the next home lacks, at most, by the stage that callers may have been told: lost if the log were lost too.',
  },
  recordsToFold: { ...orNull(ordinal), description: 'By the new home, before it can write.' },
  foldRecordsPerSecond: { ...orNull(ordinal), description: 'As it did when it last was behind.' },
  catchUpMs: orNull(ordinal),
  expectedMs: { ...orNull(ordinal), description: 'How long no write is taken.' },
  worstMs: { ...orNull(ordinal), description: 'The same, if it goes as the worst of the measured moves.' },
  measuredMoves: { ...ordinal, description: 'Moves that the times were taken from.' },
};
const REAL = object(['gapMs', 'entriesLost'], { gapMs: orNull(ordinal), entriesLost: orNull(ordinal) });
const SCORE = object(['gapErrorMs', 'lossCovered'], {
  gapErrorMs: {
    ...orNull({ type: 'integer' }),
    description: 'Real minus predicted: above zero, it took longer than was said.',
  },
  lossCovered: { ...orNull({ type: 'boolean' }), description: 'No more was lost than was said.' },
});

const ASKED_WITH_BODY = ['malformed', 'too-large', 'unsupported-encoding', 'overloaded'] as const;
/** Of everything that the control log judges. */
const CONTROLLED = ['no-leader', 'control-unavailable', 'not-ready', 'not-yet'] as const;

const moveOfShard = (summary: string): object => ({
  post: {
    tags: ['coordinator'],
    summary,
    parameters: [dataset, shardNumber],
    requestBody: bodyOf(reference('MoveRequest')),
    responses: {
      '200': answer('Done, or with `dryRun` what would be checked.', {
        anyOf: [reference('Decision'), reference('Preflight')],
      }),
      '202': answer('Still under way when the time of the caller was over, or not known to be decided.', {
        anyOf: [reference('Decision'), reference('UnknownDecision')],
      }),
      ...refusals(
        ...ASKED_WITH_BODY,
        'not-found',
        'move-refused',
        'approval-needed',
        'move-ended',
        ...CONTROLLED,
      ),
    },
  },
});

const since = parameter('query', 'since', 'Only what began then or later.', time);

/** A read that the coordinator hands on, so that a browser needs one address only. */
const ofRegion = (what: string, source: string, parameters: readonly object[], schema: object): object => ({
  get: {
    tags: ['coordinator'],
    summary: `Of a region, ${what}: ${source}.`,
    description:
      "The answer is the region's own, its refusals too. `region-silent`: it gave none, and what it would have said is unknown.",
    parameters: [parameter('path', 'region', 'The region.', text), ...parameters],
    responses: {
      '200': answer('As the region told it.', schema),
      ...refusals('malformed', 'not-found', 'overloaded', 'region-silent'),
    },
  },
});

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
            '`never`: answer `not-owner`, with the known epoch in `Lockstep-Epoch`, instead of forwarding to the home.',
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
    '/v1/datasets/{dataset}/changes': {
      get: {
        tags: ['gateway'],
        summary:
          'Rows of the dataset as this region commits their changes: server-sent events `change` {key, version, row}, ' +
          '`position` and `end`, without end; a comment every second keeps it alive. `id` is the position to resume from.',
        parameters: [
          dataset,
          parameter('query', 'from', 'The position to resume from; without one the feed begins now.', text),
          parameter('header', 'Last-Event-ID', 'The same; goes before `from`.', text),
        ],
        responses: {
          '200': asText('One event after the other.', 'text/event-stream'),
          ...refusals(
            'malformed',
            'bad-token',
            'unknown-dataset',
            'feed-expired',
            'not-ready',
            'shard-halted',
            'store-unavailable',
            'log-unavailable',
            'overloaded',
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
    '/v1/status': {
      get: {
        tags: ['gateway'],
        summary: 'Where writes are taken now, and when to come back with those that are not.',
        description:
          'From the memory of this gateway, also while log and stores are away. Any gateway takes any write: `gateway` saves a hop. ' +
          'Figures are expectations and no promises. Repeat a write under its idempotency key.',
        parameters: [
          parameter('query', 'dataset', 'Without it all datasets.', text),
          parameter('query', 'shard', 'For example `accounts/0`; without it all shards.', text),
        ],
        responses: {
          '200': answer(
            'As this region knows it.',
            object(['region', 'at', 'shards'], {
              region: text,
              at: time,
              shards: listOf(reference('WriteStatus')),
            }),
            { 'Cache-Control': { schema: text } },
          ),
          ...refusals('malformed', 'unknown-dataset', 'not-found'),
        },
      },
    },
    '/v1/quarantine': {
      get: {
        tags: ['gateway'],
        summary:
          'Late writes of former homes (verdict `fenced`), newest first; and entries of an outbox of this region that were undone.',
        parameters: [
          parameter('query', 'dataset', 'Without it all datasets.', text),
          parameter('query', 'shard', 'For example `accounts/0`; without it all shards.', text),
          parameter('query', 'limit', 'How many at most.', {
            type: 'integer',
            minimum: 1,
            maximum: 1_000,
            default: 100,
          }),
        ],
        responses: {
          '200': answer(
            'What this region keeps of them. Late writes as long as it remembers outcomes; undone entries until somebody has settled them, ' +
              'those that nobody has first.',
            object(['region', 'attempts', 'undone'], {
              region: text,
              attempts: { type: 'array', items: reference('FencedAttempt') },
              undone: { type: 'array', items: reference('UndoneEntry') },
            }),
          ),
          ...refusals('malformed', 'unknown-dataset', 'not-found', 'store-unavailable', 'not-ready'),
        },
      },
    },
    '/v1/quarantine/{id}': {
      get: {
        tags: ['gateway'],
        summary: 'An undone entry of an outbox, with its events and the rows that it changed.',
        parameters: [undoneId],
        responses: {
          '200': answer('The entry.', reference('UndoneEntryInFull')),
          ...refusals('malformed', 'not-found', 'store-unavailable', 'not-ready'),
        },
      },
    },
    '/v1/quarantine/{id}/reapply': {
      post: {
        tags: ['gateway'],
        summary: 'Write an undone entry again, under its own key, at the present home of its shard.',
        description:
          'To be asked of the region that keeps it. Asked again, also twice at once, it has one effect. A refusal that tells no outcome left ' +
          'the entry as it was.',
        parameters: [undoneId, traceparent],
        requestBody: bodyOf(object([], { dryRun: { type: 'boolean', default: false }, actor, timeoutMs })),
        responses: {
          '200': answer(
            'What was told, in `settled`; with `dryRun` what would be done, in `would`.',
            reference('UndoneEntryInFull'),
          ),
          '202': answer('Not known yet: `settled` is null. Ask again.', reference('UndoneEntryInFull')),
          ...refusals(
            ...WRITE_REFUSALS,
            'not-found',
            'entry-settled',
            'reapply-too-late',
            'store-unavailable',
          ),
        },
      },
    },
    '/v1/quarantine/{id}/discard': {
      post: {
        tags: ['gateway'],
        summary: 'Settle an undone entry without any effect.',
        parameters: [undoneId, traceparent],
        requestBody: bodyOf(
          object(['reason'], { reason, actor, dryRun: { type: 'boolean', default: false } }),
        ),
        responses: {
          '200': answer(
            'It is discarded; with `dryRun` it would be, as `would` says.',
            reference('UndoneEntryInFull'),
          ),
          ...refusals(
            'malformed', 'unsupported-encoding', 'too-large', 'not-found', 'entry-settled', 'entry-may-stand', 'store-unavailable',
            'not-ready', 'overloaded',
          ), // prettier-ignore
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
    '/v1/shards/{dataset}/{n}/outbox': {
      get: {
        tags: ['gateway'],
        summary: 'What the outbox of this region has pending of a shard.',
        parameters: [dataset, shardNumber],
        responses: {
          '200': answer(
            'As its database stands.',
            object(['region', 'shard', 'parkedFor', 'pending'], {
              region: text,
              shard: text,
              parkedFor: {
                ...orNull(text),
                description:
                  'Services are told to save again later, for this try of this move; null: what they save is taken.',
              },
              pending: { ...ordinal, description: 'Entries that the log has not decided.' },
            }),
          ),
          ...refusals('not-found', 'store-unavailable', 'not-ready'),
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
        responses: { '200': answer('The cluster.', reference('Cluster')), ...refusals('not-ready') },
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
        summary: 'Moves that were decided, under way or ended, newest first.',
        parameters: [
          parameter('query', 'shard', 'Of this shard only.', text),
          parameter('query', 'decision', 'This one only.', ordinal),
          parameter('query', 'limit', 'How many at most.', {
            type: 'integer',
            minimum: 1,
            maximum: 256,
            default: 50,
          }),
        ],
        responses: {
          '200': answer(
            'Moves, and what the leader did or did not do by itself; each newest first.',
            object(['decisions', 'governed'], {
              decisions: listOf(reference('Decision')),
              governed: listOf(reference('Governed')),
              approvals: {
                ...listOf(reference('Approval')),
                description: 'Those that hold now; absent without any.',
              },
            }),
          ),
          ...refusals('malformed', 'not-ready'),
        },
      },
    },
    '/v1/decisions/{decision}/cancel': {
      post: {
        tags: ['coordinator'],
        summary: 'End a move; before its fence everything is as before.',
        parameters: [parameter('path', 'decision', 'Its number.', ordinal)],
        requestBody: bodyOf(object(['reason'], { reason })),
        responses: {
          '200': answer('As it stands now; `outcome` tells whether it has ended.', reference('Decision')),
          ...refusals(...ASKED_WITH_BODY, 'not-found', ...CONTROLLED),
        },
      },
    },
    '/v1/decisions/{decision}/acknowledge': {
      post: {
        tags: ['coordinator'],
        summary: 'Say that a failover nobody had asked for was looked into: it holds no further one back.',
        parameters: [parameter('path', 'decision', 'Its number, `evacuation` in the history.', ordinal)],
        requestBody: bodyOf(object(['reason'], { reason })),
        responses: {
          '200': answer(
            'Acknowledged.',
            object(['failover', 'acknowledgedBy'], { failover: ordinal, acknowledgedBy: text }),
          ),
          ...refusals(...ASKED_WITH_BODY, 'not-found', ...CONTROLLED),
        },
      },
    },
    '/v1/history': {
      get: {
        tags: ['coordinator'],
        summary: 'Who led, which regions were evacuated, which flags are set.',
        responses: { '200': answer('History.', reference('History')), ...refusals('not-ready') },
      },
    },
    '/v1/history/records': {
      get: {
        tags: ['coordinator'],
        summary: 'The control log itself, from which everything it says can be folded again.',
        parameters: [
          parameter(
            'query',
            'from',
            'Where the page begins; without it, at the first record that is held.',
            offset,
          ),
        ],
        responses: {
          '200': answer('A page of at most 4 MiB of records.', reference('ControlPage')),
          ...refusals('malformed', 'not-found', 'too-many-requests', 'control-unavailable'),
        },
      },
    },
    '/v1/shards/{dataset}/{n}/switchover': moveOfShard('Move a shard without loss.'),
    '/v1/shards/{dataset}/{n}/failover': moveOfShard('Move a shard away from a lost home.'),
    '/v1/shards/{dataset}/{n}/approve': {
      post: {
        tags: ['coordinator'],
        summary: 'Say, as a second person, that a failover of the shard may lose what its next home lacks.',
        description:
          'For one move of the present epoch and 15 minutes of log time. It counts for whoever asks for the failover, unless that is the ' +
          'same person. While authentication is off, persons are whom the calls name.',
        parameters: [dataset, shardNumber],
        requestBody: bodyOf(object(['to', 'reason'], { to: text, reason, actor })),
        responses: {
          '200': answer('It stands in the control log.', reference('Approval')),
          '202': answer('Not known to stand there.', reference('UnknownDecision')),
          ...refusals(...ASKED_WITH_BODY, 'not-found', 'move-refused', ...CONTROLLED),
        },
      },
    },
    '/v1/regions/{region}/evacuate': {
      post: {
        tags: ['coordinator'],
        summary: 'Move every shard away from a region.',
        parameters: [parameter('path', 'region', 'The region.', text)],
        requestBody: bodyOf(reference('EvacuateRequest')),
        responses: {
          '200': answer('Every move has ended, or with `dryRun` the plan.', reference('Evacuation')),
          '202': answer('Some are awaited or under way.', reference('Evacuation')),
          ...refusals(...ASKED_WITH_BODY, 'not-found', 'move-refused', ...CONTROLLED),
        },
      },
    },
    '/v1/preflight': {
      get: {
        tags: ['coordinator'],
        summary: 'What a move would cost, before it is made.',
        parameters: [
          { ...parameter('query', 'shard', 'The shard.', text), required: true },
          { ...parameter('query', 'to', 'The region that shall be home.', text), required: true },
          parameter('query', 'move', 'How.', moveKind),
        ],
        responses: {
          '200': answer('Every check, passed or not.', reference('Preflight')),
          ...refusals('malformed', 'not-found', ...CONTROLLED),
        },
      },
    },
    '/v1/pause': {
      post: {
        tags: ['coordinator'],
        summary: 'Keep every home in a scope where it is.',
        requestBody: bodyOf(reference('PauseRequest')),
        responses: {
          '200': answer('Confirmed: no move in scope can win its fence.', reference('Pause')),
          '202': answer('Decided: a pause that is not confirmed yet, or a window that begins later.', {
            oneOf: [reference('Pause'), reference('Window')],
          }),
          ...refusals(...ASKED_WITH_BODY, ...CONTROLLED),
        },
      },
    },
    '/v1/resume': {
      post: {
        tags: ['coordinator'],
        summary: 'End the pauses and maintenance windows of a scope.',
        requestBody: bodyOf(object(['scope', 'reason'], { scope, reason })),
        responses: {
          '200': answer(
            'They have ended.',
            object(['resumed'], { resumed: { ...listOf(ordinal), description: 'Their numbers.' } }),
          ),
          ...refusals(...ASKED_WITH_BODY, 'not-paused', ...CONTROLLED),
        },
      },
    },
    '/v1/console': {
      get: {
        tags: ['coordinator'],
        summary: 'What a console has to know before it asks anything.',
        responses: {
          '200': answer(
            'Whose console it is.',
            object(['region', 'tracesUrl'], {
              region: text,
              tracesUrl: { ...orNull(text), description: 'Where people look at traces, if anywhere.' },
            }),
          ),
          ...refusals(),
        },
      },
    },
    '/v1/canaries': {
      get: {
        tags: ['coordinator'],
        summary: 'What the canaries of this region met in the others during the last quarter of an hour.',
        parameters: [since],
        responses: { '200': answer('Slices of time.', reference('Canaries')), ...refusals('malformed') },
      },
    },
    '/v1/rule-changes': {
      get: {
        tags: ['coordinator'],
        summary: 'Changes of quorum rules that this coordinator noticed since it started, newest last.',
        responses: {
          '200': answer(
            'At most the 256 newest.',
            object(['region', 'changes'], {
              region: text,
              changes: listOf(
                object(['at', 'shard', 'rule', 'before'], {
                  at: { ...time, description: 'When it was noticed.' },
                  shard: text,
                  rule: text,
                  before: text,
                }),
              ),
            }),
          ),
          ...refusals(),
        },
      },
    },
    '/v1/regions/{region}/shards': ofRegion('shards', '/v1/shards of its gateway', [], {
      type: 'object',
      properties: { shards: listOf(reference('Shard')) },
    }),
    '/v1/regions/{region}/status': ofRegion(
      'status',
      '/v1/status of its gateway',
      [parameter('query', 'shard', 'Of this shard only.', text)],
      { type: 'object', properties: { shards: listOf(reference('WriteStatus')) } },
    ),
    '/v1/regions/{region}/quarantine': ofRegion(
      'quarantine',
      '/v1/quarantine of its gateway',
      ['dataset', 'shard', 'limit'].map((name) => parameter('query', name, 'As there.', text)),
      {
        type: 'object',
        properties: {
          attempts: listOf(reference('FencedAttempt')),
          undone: listOf(reference('UndoneEntry')),
        },
      },
    ),
    '/v1/regions/{region}/canaries': ofRegion(
      'canaries',
      '/v1/canaries of its coordinator',
      [since],
      reference('Canaries'),
    ),
    '/v1/regions/{region}/datasets/{dataset}/receipts/{idempotencyKey}': ofRegion(
      'a receipt',
      'the receipt as its gateway tells it now',
      [
        dataset,
        parameter('path', 'idempotencyKey', 'Of the write.', text),
        parameter('query', 'shard', 'The shard, where it is known.', text),
      ],
      reference('Receipt'),
    ),
    '/v1/verify': {
      post: { tags: ['coordinator'], summary: 'Compare regions deeply.', responses: refusals('not-yet') },
    },
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
      WriteStatus: object(
        ['shard', 'writes', 'reason', 'home', 'gateway', 'epoch', 'since', 'move', 'comeBack'],
        {
          shard: text,
          writes: {
            enum: ['here', 'forwarded', 'waiting', 'refused'],
            description:
              '`here`: appended by this region; `forwarded`: brought to the home; `waiting`: held or tried again until the ' +
              "caller's time is over; `refused`: 503.",
          },
          reason: {
            enum: ['moving', 'opening', 'home-not-heard', 'home-not-known', 'halted', null],
            description: 'Why they are not taken.',
          },
          home: orNull(text),
          gateway: { ...orNull(text), description: "The home's, as the catalogue names it." },
          epoch: orNull(ordinal),
          since: {
            ...orNull(time),
            description:
              'When the home of this epoch opened; null where the control log does not remember it.',
          },
          move: {
            ...orNull(
              object(['decision', 'move', 'stage', 'since', 'to', 'gateway'], {
                decision: ordinal,
                move: { enum: ['switchover', 'failover'] },
                stage: text,
                since: { ...time, description: 'When the stage began.' },
                to: text,
                gateway: orNull(text),
              }),
            ),
            description: 'The move that is under way.',
          },
          comeBack: {
            ...object(['afterMs', 'withinMs'], { afterMs: ordinal, withinMs: ordinal }),
            description:
              'Come back at a random moment of the window of `withinMs` that begins `afterMs` from now. While a shard moves, ' +
              '`afterMs` is what remains of the time that the move was predicted to take.',
          },
        },
      ),
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
      UndoneEntry: object(Object.keys(UNDONE_ENTRY), UNDONE_ENTRY),
      UndoneEntryInFull: object(['region', ...Object.keys(UNDONE_ENTRY), 'events', 'changes'], {
        region: { ...text, description: 'That keeps it.' },
        ...UNDONE_ENTRY,
        events: { type: 'array', items: { type: 'object' } },
        changes: {
          ...listOf(
            object(['table', 'key', 'before', 'after'], {
              table: text,
              key: text,
              before: orNull({ type: 'object' }),
              after: orNull({ type: 'object' }),
            }),
          ),
          description: 'Rows as they were, and as the service had left them.',
        },
        would: { enum: ['reapply', 'accepted', 'rejected', 'discarded'], description: 'Of a dry run.' },
      }),
      FencedAttempt: object(
        [
          'shard',
          'sequence',
          'logIncarnation',
          'region',
          'id',
          'epoch',
          'shardEpoch',
          'key',
          'at',
          'outcome',
        ],
        {
          shard: text,
          sequence: ordinal,
          logIncarnation: hex128,
          region: { ...text, description: 'That wrote it.' },
          id: { ...text, description: '`publisher:number` of the attempt.' },
          epoch: { ...ordinal, description: 'That it was stamped with.' },
          shardEpoch: { ...ordinal, description: 'Of the shard when it landed.' },
          key: { ...text, description: 'Of its first event.' },
          idempotencyKeyHash: orNull(hex128),
          traceparent: orNull(text),
          at: { ...time, description: 'Log time.' },
          outcome: orNull({
            ...object(['verdict', 'sequence'], { verdict: text, sequence: ordinal }),
            description: 'What its key is bound to by now, by another attempt.',
          }),
        },
      ),
      RuleRequest: object(['rule', 'reason'], {
        rule: {
          ...text,
          description: 'majority, all, home, any N of [region, ...] or each [label: any N, ...].',
        },
        withdrawn: { type: 'array', items: text, description: 'Regions whose vote shall not count.' },
        reason,
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
      MoveRequest: object(['to', 'reason'], {
        to: { ...text, description: 'Region that shall be home.' },
        reason,
        dryRun: { type: 'boolean', default: false, description: 'Tell the checks, decide nothing.' },
        acceptLoss: {
          type: 'boolean',
          default: false,
          description:
            'Take the loss of what the log does not hold; not needed while the log survives. A failover that asks for it while the next home ' +
            'lacks entries, or may, needs the approval of another person.',
        },
        timeoutMs,
        actor,
      }),
      EvacuateRequest: object(['reason'], {
        reason,
        move: moveKind,
        concurrency: { type: 'integer', minimum: 1, maximum: 16, default: 2 },
        dryRun: { type: 'boolean', default: false, description: 'Tell the plan, decide nothing.' },
        timeoutMs,
      }),
      PauseRequest: object(['scope', 'reason', 'until'], {
        scope,
        reason,
        from: { ...time, description: 'Begins by itself then. Left out: now.' },
        until: time,
      }),
      Check: object(['code', 'passed', 'detail', 'next'], {
        code: { ...text, description: 'Stable.' },
        passed: { type: 'boolean' },
        detail: text,
        next: { ...text, description: 'What to do when it did not pass.' },
      }),
      Prediction: object(Object.keys(PREDICTION), PREDICTION),
      Preflight: object(
        [
          'shard',
          'from',
          'to',
          'move',
          'allowed',
          'checks',
          ...Object.keys(PREDICTION),
          'expectedUnknown',
          'writesHeldMsMax',
          'loss',
        ],
        {
          shard: text,
          from: text,
          to: text,
          move: moveKind,
          allowed: { type: 'boolean' },
          checks: listOf(reference('Check')),
          ...PREDICTION,
          expectedUnknown: { ...orNull(text), description: 'Why the expected time is not known.' },
          writesHeldMsMax: { ...ordinal, description: 'Gateways hold new writes at most so long.' },
          loss: { ...text, description: 'Why nothing is lost, or why nobody knows.' },
        },
      ),
      Approval: object(['approval', 'shard', 'to', 'actor', 'until'], {
        approval: { ...ordinal, description: 'Of its entry in the control log.' },
        shard: text,
        to: text,
        actor: text,
        until: { ...time, description: 'In log time.' },
      }),
      Governed: object(['decision', 'act', 'region', 'at', 'votes', 'checks', 'shards'], {
        decision: { ...ordinal, description: 'Of its entry in the control log.' },
        act: { type: 'string', enum: ['fail-over', 'held'] },
        region: text,
        at: time,
        votes: listOf(
          object(['observer', 'kinds', 'evidence', 'at'], {
            observer: text,
            kinds: listOf(text),
            evidence: text,
            at: time,
          }),
        ),
        checks: listOf(
          object(['code', 'passed', 'detail'], { code: text, passed: { type: 'boolean' }, detail: text }),
        ),
        shards: { ...listOf({ type: 'object' }), description: 'Of `fail-over`, as in an evacuation.' },
      }),
      Decision: object(['decision', 'move', 'shard', 'from', 'to', 'epoch', 'outcome', 'stages', 'detail'], {
        decision: ordinal,
        move: moveKind,
        shard: text,
        from: text,
        to: text,
        epoch: { ...ordinal, description: 'Of the shard, once the move is done.' },
        outcome: {
          ...orNull(text),
          description: '`done`, or how else it ended; null while it is under way.',
        },
        stage: { ...text, description: 'The present one; always there while it is under way.' },
        lossAgreed: {
          ...object(['approval', 'actor'], { approval: ordinal, actor: text }),
          description: 'The second person who accepted a loss; absent where none had to.',
        },
        stages: listOf(
          object(['stage', 'sequence', 'at'], {
            stage: text,
            sequence: { ...ordinal, description: 'Of its entry in the control log.' },
            at: time,
          }),
        ),
        detail: text,
        reason: { ...text, description: 'This and what follows: in /v1/decisions.' },
        actor: text,
        term: ordinal,
        evacuation: { ...orNull(ordinal), description: 'Of which it is a part.' },
        predicted: orNull(reference('Prediction')),
        real: { ...REAL, description: 'This and the score: of a move that is over.' },
        score: SCORE,
      }),
      UnknownDecision: object(['decision', 'outcome'], {
        decision: { type: 'null' },
        outcome: { const: 'unknown' },
      }),
      Evacuation: object(['evacuation', 'region', 'shards'], {
        evacuation: { ...orNull(ordinal), description: 'Its number; null of a plan.' },
        region: text,
        shards: listOf(
          object(['shard', 'to', 'decision', 'outcome'], {
            shard: text,
            to: text,
            decision: { ...orNull(ordinal), description: 'Null until its move is decided.' },
            outcome: orNull(text),
          }),
        ),
      }),
      Pause: object(['pause', 'scope', 'until', 'confirmed'], {
        pause: ordinal,
        scope,
        until: time,
        confirmed: { type: 'boolean', description: 'No move in scope can win its fence.' },
        owner: { ...text, description: 'This and the reason: in /v1/cluster.' },
        reason: text,
      }),
      Window: object(['window', 'scope', 'from', 'until'], {
        window: { ...ordinal, description: 'A maintenance window: a pause that begins by itself.' },
        scope,
        from: time,
        until: time,
        owner: { ...text, description: 'This and the reason: in /v1/cluster.' },
        reason: text,
      }),
      Cluster: object(
        ['region', 'term', 'leader', 'members', 'paused', 'windows', 'regions', 'failovers', 'quorums'],
        {
          region: { ...text, description: 'The coordinator that answers.' },
          term: orNull(ordinal),
          leader: { ...orNull(text), description: 'Region of the coordinator that leads.' },
          members: { ...listOf(text), description: 'Regions that vote.' },
          paused: { ...orNull(listOf(reference('Pause'))), description: 'Null while it is not known.' },
          windows: listOf(reference('Window')),
          control: object(['sequence', 'current', 'halted'], {
            sequence: { ...ordinal, description: 'Of the last folded entry of the control log.' },
            current: { type: 'boolean', description: 'Folded up to its end.' },
            halted: orNull(text),
          }),
          regions: listOf({ type: 'object' }),
          failovers: {
            ...listOf(object(['shard', 'to', 'allowed'], { shard: text, to: orNull(text), ...PREDICTION })),
            description: 'What a failover of each shard would cost now, to the region that had best take it.',
          },
          quorums: {
            ...listOf(
              object(['shard', 'voters', 'reachable'], {
                shard: text,
                voters: { ...ordinal, description: 'Regions that count, are heard and go on.' },
                reachable: orNull({ type: 'boolean' }),
              }),
            ),
            description: 'Whether these can meet the rule in force; null while nobody has told one.',
          },
        },
      ),
      History: object(['terms', 'evacuations', 'scores', 'flags'], {
        terms: listOf(
          object(['term', 'leader', 'at', 'because'], {
            term: ordinal,
            leader: text,
            at: time,
            because: text,
          }),
        ),
        evacuations: listOf(reference('Evacuation')),
        scores: listOf(
          object(['decision', 'move', 'shard', 'outcome', 'predicted', 'real', 'score'], {
            decision: ordinal,
            move: moveKind,
            shard: text,
            outcome: text,
            predicted: orNull(reference('Prediction')),
            real: REAL,
            score: SCORE,
          }),
        ),
        flags: listOf(object(['name', 'value', 'actor'], { name: text, value: text, actor: text })),
      }),
      Canaries: object(['region', 'at', 'sliceMs', 'keptMs', 'regions'], {
        region: { ...text, description: 'Whose coordinator sent them.' },
        at: time,
        sliceMs: ordinal,
        keptMs: {
          ...ordinal,
          description: 'How long slices are kept, at most, and while the process lives.',
        },
        regions: listOf(
          object(['region', 'slices'], {
            region: { ...text, description: 'To which they were sent.' },
            slices: {
              ...listOf(
                object(['at', 'answered', 'refused', 'failed', 'meanMs', 'maxMs'], {
                  at: time,
                  answered: ordinal,
                  refused: ordinal,
                  failed: ordinal,
                  meanMs: orNull({ type: 'number' }),
                  maxMs: orNull({ type: 'number' }),
                }),
              ),
              description: 'Oldest first; a time without canaries is absent, as nothing is known of it.',
            },
          }),
        ),
      }),
      ControlPage: object(['log', 'startOffset', 'endOffset', 'fromOffset', 'records', 'nextOffset'], {
        log: { ...text, description: 'Another one when the topic was made anew.' },
        startOffset: { ...offset, description: 'Of the first record that is held.' },
        endOffset: { ...offset, description: 'That the next record will get.' },
        fromOffset: { ...offset, description: 'Where the page begins.' },
        records: listOf(
          object(['offset', 'appendTimeMs', 'valueText'], {
            offset,
            appendTimeMs: { type: 'integer' },
            valueText: { ...orNull(text), description: 'Byte for byte; null when it is no text.' },
          }),
        ),
        nextOffset: { ...offset, description: 'Where the next page begins.' },
      }),
      Problem: object(['type', 'title', 'status', 'code', 'detail', 'next'], {
        type: text,
        title: text,
        status: { type: 'integer' },
        code: { ...text, description: 'Stable.' },
        detail: text,
        next: { ...text, description: 'What to do now.' },
        checks: { ...listOf(reference('Check')), description: 'Of `move-refused`.' },
        decision: { ...reference('Decision'), description: 'Of `move-ended`.' },
      }),
    },
  },
};

export const OPENAPI_TEXT = JSON.stringify(DOCUMENT);
