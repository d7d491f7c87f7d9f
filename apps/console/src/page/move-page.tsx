/**
 * Moves a shard, and keeps homes where they are. A move is possible only after a dry run of the very same move passed: what was
 * looked at is what is done, and a change of any field asks for a new look.
 */
import { useState, type FormEvent, type ReactNode } from 'react';
import { ask, type Answer } from '../ask.js';
import type { Cluster, Decision, MoveKind, Pause, Preflight, Shards } from '../facts.js';
import { predictionWords } from '../view/decision-items.js';
import { byShard, clockWords, durationWords } from '../view/words.js';
import { Mark, ProblemNote, Section, Table } from './parts.js';

interface MovePageProps {
  readonly cluster: Cluster;
  readonly shards: Shards | null;
  readonly asked: string;
}

export const MovePage = (props: MovePageProps): ReactNode => (
  <>
    <MoveSection {...props} />
    <PauseSection cluster={props.cluster} />
  </>
);

interface Wish {
  readonly kind: MoveKind;
  readonly shard: string;
  readonly to: string;
  readonly reason: string;
}

type Looked = { readonly wish: Wish; readonly answer: Answer<Preflight> };

function MoveSection({ asked, cluster, shards }: MovePageProps): ReactNode {
  const names = [...(shards?.shards ?? [])].sort(byShard).map(({ shard }) => shard);
  const [shard, setShard] = useState(asked);
  const [to, setTo] = useState('');
  const [kind, setKind] = useState<MoveKind>('switchover');
  const [reason, setReason] = useState('');
  const [looked, setLooked] = useState<Looked | null>(null);
  const [moved, setMoved] = useState<Answer<Decision> | null>(null);
  const [isBusy, setBusy] = useState(false);
  const home = shards?.shards.find((one) => one.shard === shard)?.home ?? null;
  const wish: Wish = { kind, shard, to, reason: reason.trim() };
  const isLooked = looked !== null && JSON.stringify(looked.wish) === JSON.stringify(wish);
  const isAllowed = isLooked && looked.answer.kind === 'told' && looked.answer.value.allowed;

  async function look(event: FormEvent): Promise<void> {
    event.preventDefault();
    setBusy(true);
    setMoved(null);
    setLooked({ wish, answer: await askMove<Preflight>(wish, true) });
    setBusy(false);
  }

  async function move(): Promise<void> {
    setBusy(true);
    setMoved(await askMove<Decision>(wish, false));
    setLooked(null);
    setBusy(false);
  }

  return (
    <Section title="Move a shard" note="First a dry run, which decides nothing; then the same move for real.">
      <form className="fields" onSubmit={(event) => void look(event)}>
        <label>
          Shard
          <select required value={shard} onChange={({ target }) => setShard(target.value)}>
            <option value="">choose</option>
            {names.map((name) => (
              <option key={name}>{name}</option>
            ))}
          </select>
        </label>
        <label>
          {home === null ? 'To region' : `To region (home is ${home})`}
          <select required value={to} onChange={({ target }) => setTo(target.value)}>
            <option value="">choose</option>
            {cluster.regions.map(({ region }) => (
              <option key={region}>{region}</option>
            ))}
          </select>
        </label>
        <label>
          How
          <select value={kind} onChange={({ target }) => setKind(target.value as MoveKind)}>
            <option value="switchover">switchover: nothing is lost</option>
            <option value="failover">failover: the home is lost</option>
          </select>
        </label>
        <label className="wide">
          Reason, kept in the log
          <input required maxLength={512} value={reason} onChange={({ target }) => setReason(target.value)} />
        </label>
        <button type="submit" disabled={isBusy}>
          Dry run
        </button>
        <button type="button" className="act" disabled={isBusy || !isAllowed} onClick={() => void move()}>
          {isAllowed ? `Move ${shard} to ${to}` : 'Move (after a dry run that passes)'}
        </button>
      </form>
      <div aria-live="polite">
        {isBusy ? <p>Asking …</p> : null}
        {isLooked && !isBusy ? <DryRun answer={looked.answer} /> : null}
        {moved === null || isBusy ? null : <Moved answer={moved} />}
      </div>
      {kind === 'failover' ? (
        <p className="note">
          Where a failover would lose entries, two persons agree to it, with <code>npx lockstep approve</code>{' '}
          and <code>failover --accept-loss</code>.
        </p>
      ) : null}
    </Section>
  );
}

const askMove = <T,>({ kind, reason, shard, to }: Wish, dryRun: boolean): Promise<Answer<T>> =>
  ask<T>(`/v1/shards/${shard}/${kind}`, { to, reason, dryRun, timeoutMs: 60_000 });

function DryRun({ answer }: { answer: Answer<Preflight> }): ReactNode {
  if (answer.kind === 'refused') return <ProblemNote problem={answer.problem} />;
  if (answer.kind === 'silent') return <Silence detail={answer.detail} />;
  const { allowed, checks, expectedUnknown, loss, writesHeldMsMax } = answer.value;
  return (
    <div className={`answer ${allowed ? 'well' : 'bad'}`}>
      <p className="verdict">
        <Mark tone={allowed ? 'well' : 'bad'}>
          {allowed ? 'The dry run passed: nothing was decided yet.' : 'The move would be refused.'}
        </Mark>
      </p>
      <p>
        {predictionWords(answer.value)}. {loss}
        {expectedUnknown === null ? '' : ` How long it takes is unknown: ${expectedUnknown}.`} Gateways hold
        new writes for at most {durationWords(writesHeldMsMax)}.
      </p>
      <Table
        caption="Checks of the dry run"
        columns={['Check', 'Result', 'What was found']}
        rows={checks.map(({ code, detail, next, passed }) => ({
          key: code,
          cells: [
            code,
            <Mark tone={passed ? 'well' : 'bad'}>{passed ? 'met' : 'not met'}</Mark>,
            passed || next === null || next === undefined ? detail : `${detail}. Next: ${next}`,
          ],
        }))}
      />
    </div>
  );
}

function Moved({ answer }: { answer: Answer<Decision> }): ReactNode {
  if (answer.kind === 'refused') return <ProblemNote problem={answer.problem} />;
  if (answer.kind === 'silent') return <Silence detail={answer.detail} />;
  const { decision, detail, outcome, real, shard, stages } = answer.value;
  if (outcome !== 'done')
    return (
      <div className="answer unknown">
        <p className="verdict">
          <Mark tone="unknown">
            {decision === null
              ? 'Whether the move was decided is unknown; see the decisions.'
              : `Decision ${decision} is ${outcome ?? 'under way'}; it goes on by itself.`}
          </Mark>
        </p>
        <p>{detail}</p>
      </div>
    );
  return (
    <div className="answer well">
      <p className="verdict">
        <Mark tone="well">
          {shard} was moved by decision {decision}; no write was taken for {durationWords(real?.gapMs)}.
        </Mark>
      </p>
      <p>{detail}</p>
      <p>Stages: {stages.map(({ at, stage }) => `${stage} ${clockWords(at)}`).join(', ')}</p>
    </div>
  );
}

const Silence = ({ detail }: { detail: string }): ReactNode => (
  <div className="answer unknown" role="alert">
    <p>
      <Mark tone="unknown">
        No answer ({detail}): what was asked for may have happened. Look at the decisions before asking again.
      </Mark>
    </p>
  </div>
);

const MINUTES = [5, 15, 30, 60, 240];

function PauseSection({ cluster }: { cluster: Cluster }): ReactNode {
  const [scope, setScope] = useState('all');
  const [minutes, setMinutes] = useState(30);
  const [reason, setReason] = useState('');
  const [told, setTold] = useState<{ readonly what: string; readonly answer: Answer<unknown> } | null>(null);
  const [isBusy, setBusy] = useState(false);
  const scopes = [
    'all',
    ...cluster.regions.map(({ region }) => `region:${region}`),
    ...new Set(cluster.quorums.map(({ shard }) => `dataset:${shard.split('/')[0]}`)),
  ];

  async function act(what: string, path: string, body: object): Promise<void> {
    setBusy(true);
    setTold({ what, answer: await ask(path, body) });
    setBusy(false);
  }

  function pause(event: FormEvent): void {
    event.preventDefault();
    const until = new Date(Date.now() + minutes * 60_000).toISOString();
    void act(`${scope} is paused`, '/v1/pause', { scope, reason: reason.trim(), until });
  }

  return (
    <Section
      title="Keep homes where they are"
      note="A pause: nobody moves a shard in its scope, nor does the automation."
    >
      <Pauses cluster={cluster} />
      <form className="fields" onSubmit={pause}>
        <label>
          Scope
          <select value={scope} onChange={({ target }) => setScope(target.value)}>
            {scopes.map((name) => (
              <option key={name}>{name}</option>
            ))}
          </select>
        </label>
        <label>
          For
          <select value={minutes} onChange={({ target }) => setMinutes(Number(target.value))}>
            {MINUTES.map((one) => (
              <option key={one} value={one}>
                {one} minutes
              </option>
            ))}
          </select>
        </label>
        <label className="wide">
          Reason, kept in the log
          <input required maxLength={512} value={reason} onChange={({ target }) => setReason(target.value)} />
        </label>
        <button type="submit" disabled={isBusy}>
          Pause
        </button>
        <button
          type="button"
          disabled={isBusy || reason.trim() === ''}
          onClick={() => void act(`${scope} is resumed`, '/v1/resume', { scope, reason: reason.trim() })}
        >
          Resume
        </button>
      </form>
      <div aria-live="polite">
        {told === null || isBusy ? null : told.answer.kind === 'refused' ? (
          <ProblemNote problem={told.answer.problem} />
        ) : told.answer.kind === 'silent' ? (
          <Silence detail={told.answer.detail} />
        ) : (
          <p>
            <Mark tone="well">{told.what}.</Mark>
          </p>
        )}
      </div>
    </Section>
  );
}

function Pauses({ cluster: { paused, windows } }: { cluster: Cluster }): ReactNode {
  if (paused === null) return <p>What is paused is unknown.</p>;
  if (paused.length + windows.length === 0) return <p>Nothing is paused.</p>;
  const stateOf = ({ confirmed }: Pause): ReactNode =>
    confirmed ? 'in force' : <Mark tone="warning">not confirmed yet: a move may still end</Mark>;
  return (
    <Table
      caption="Pauses, and windows that begin by themselves"
      columns={['Scope', 'State', 'Until (UTC)', 'By', 'Reason']}
      rows={[
        ...paused.map((pause) => ({
          key: `pause ${pause.pause}`,
          cells: [pause.scope, stateOf(pause), clockWords(pause.until), pause.owner, pause.reason],
        })),
        ...windows.map(({ from, owner, reason, scope, until, window }) => ({
          key: `window ${window}`,
          cells: [scope, `begins ${clockWords(from)}`, clockWords(until), owner, reason],
        })),
      ]}
    />
  );
}
