/**
 * A second opinion on the control log and on what came of it: who led, decisions and the fences that carry them out, stages
 * that were true when they were written down, and pauses that held (I5, I13, I14, I19). Its rules are SPEC.md's, told once
 * more; of the protocol's fold it takes only which entries were accepted.
 */
import {
  CLOCK_TOLERANCE_MS,
  covers,
  ruleAt,
  type ControlCommandOf,
  type ControlEntry,
  type ControlVerdict,
  type FinishedMove,
  type Scope,
} from '@lockstep/protocol';
import { Commits, type Commit } from './commits.js';
import type { FindingCode, FindingList } from './finding.js';
import type { Fence, Owner } from './log-audit.js';
import type { RefoldedLog } from './refold.js';
import { isQuorum } from './stage-truth.js';

/** An entry of the control log and what its fold made of it. Moments are those of the history. */
export interface AuditedCommand extends Pick<ControlEntry, 'author' | 'session' | 'clockMs' | 'command'> {
  /** Its control sequence. */
  readonly at: bigint;
  /** When it came to stand. */
  readonly t: number;
  readonly appendTimeMs: number;
  readonly verdict: ControlVerdict;
}

export interface ControlHistory {
  /** In the order of the log. */
  readonly commands: readonly AuditedCommand[];
  readonly finished: readonly Pick<FinishedMove, 'decision' | 'expectedEpoch' | 'outcome' | 'shard' | 'to'>[];
  /** When a record of a shard came to stand; null for one that nobody of the cluster put there. */
  readonly stoodAt: (shard: string, offset: bigint) => number | null;
}

type StageEvent = ControlCommandOf<'stage'>['event'];
type Decision = Pick<ControlCommandOf<'decision'>, 'shard' | 'from' | 'to' | 'expectedEpoch'>;

interface AuditedDecision extends Decision {
  readonly decision: bigint;
  readonly stages: { readonly event: StageEvent; readonly t: number }[];
}

interface AuditedPause {
  readonly pause: bigint;
  readonly scope: Scope;
  readonly untilMs: number;
  confirmedT: number | null;
  endedT: number;
}

/** Who claimed the last term, and what has been said of it since it was heard. */
interface AuditedTerm {
  readonly term: bigint;
  readonly author: string;
  readonly session: string;
  isLeft: boolean;
  heardAtMs: number;
  suspectedAtMs: number;
  readonly silent: Set<string>;
}

/** @param commits null where nobody saw them. */
export function judgeControl(
  { commands, finished, stoodAt }: ControlHistory,
  log: RefoldedLog,
  commits: readonly Commit[] | null,
  found: FindingList,
): void {
  const audit = new ControlAudit(found);
  for (const command of commands) audit.note(command);
  const owners = log.audit.owners();
  for (const [shard, ofShard] of owners) {
    for (const { epoch, fence, home } of ofShard) {
      const t = fence === null ? null : stoodAt(shard, fence.offset);
      if (fence !== null && t !== null) audit.noteFence({ shard, epoch, home, ...fence, t });
    }
  }
  for (const move of finished) audit.judgeOutcome(move, owners.get(move.shard) ?? []);
  if (commits === null) return;
  const committed = new Commits(commits);
  for (const decision of audit.decided()) audit.judgeStages(decision, log, committed);
  judgeOpenings(log, committed, stoodAt, found);
}

/** A region stamps its entries with an epoch that its own store has folded. */
function judgeOpenings(
  { audit }: RefoldedLog,
  commits: Commits,
  stoodAt: ControlHistory['stoodAt'],
  found: FindingList,
): void {
  const owners = audit.owners();
  for (const { epoch, offset, region, shard } of audit.openings()) {
    const t = stoodAt(shard, offset);
    if (t === null) continue;
    const since = owners.get(shard)?.find((owner) => owner.epoch === epoch)?.since;
    if (since !== undefined && commits.hasCommitted({ region, shard, sequence: since }, t)) continue;
    found.add('opened-early', { region, shard, detail: `epoch ${epoch} at offset ${offset}, at ${t} ns` });
  }
}

interface AuditedFence extends Fence {
  readonly shard: string;
  readonly epoch: bigint;
  readonly home: string;
  readonly t: number;
}

class ControlAudit {
  private logTimeMs = 0;
  private configuration: Pick<ControlCommandOf<'configure'>, 'members' | 'settings'> | null = null;
  private term: AuditedTerm | null = null;
  private readonly decisions = new Map<bigint, AuditedDecision>();
  private readonly pauses: AuditedPause[] = [];
  private readonly windows = new Map<bigint, Pick<AuditedPause, 'scope' | 'untilMs'>>();
  private readonly fenced = new Set<bigint>();

  constructor(private readonly found: FindingList) {}

  decided(): Iterable<AuditedDecision> {
    return this.decisions.values();
  }

  note(entry: AuditedCommand): void {
    const { appendTimeMs, at, clockMs, command, t, verdict } = entry;
    this.logTimeMs = Math.max(this.logTimeMs, Math.min(appendTimeMs, clockMs + CLOCK_TOLERANCE_MS));
    for (const pause of this.pauses)
      if (pause.untilMs < this.logTimeMs) pause.endedT = Math.min(pause.endedT, t);
    if (verdict !== 'accepted') return;
    this.auditLeader(entry);
    if (command.kind === 'decision') this.noteDecision(command, at);
    if (command.kind === 'stage')
      this.decisions.get(command.decision)?.stages.push({ event: command.event, t });
    if (command.kind === 'window') this.windows.set(at, command);
    if (command.kind === 'pause' || command.kind === 'begin') {
      const { scope, untilMs } = command.kind === 'pause' ? command : this.windows.get(command.window)!;
      this.pauses.push({ pause: at, scope, untilMs, confirmedT: null, endedT: Infinity });
    }
    if (command.kind !== 'paused' && command.kind !== 'resume') return;
    const pause = this.pauses.find((one) => one.pause === command.pause);
    if (pause === undefined) return;
    if (command.kind === 'paused') pause.confirmedT = t;
    else pause.endedT = Math.min(pause.endedT, t);
  }

  private noteDecision(command: ControlCommandOf<'decision'>, at: bigint): void {
    const { expectedEpoch, from, shard, to } = command;
    this.decisions.set(at, { decision: at, shard, from, to, expectedEpoch, stages: [] });
    const pause = this.pauses.find(({ endedT, scope }) => endedT === Infinity && covers(scope, command));
    if (pause !== undefined)
      this.add('moved-while-paused', shard, `decision ${at} under pause ${pause.pause}`);
  }

  /** It stands in the shard's log and was accepted there. */
  noteFence({ decision, epoch, home, shard, t, term }: AuditedFence): void {
    const known = this.decisions.get(decision);
    const isItsOwn =
      known?.shard === shard && known.to === home && known.expectedEpoch + 1n === epoch && known;
    const sentFrom = known?.stages.find(({ event }) => event === 'fencing')?.t ?? Infinity;
    if (!isItsOwn || sentFrom > t) {
      const detail = `epoch ${epoch} for ${home} by (${term}, ${decision}): ${isItsOwn ? 'before its stage' : 'nobody decided it'}`;
      this.add('fence-undecided', shard, detail);
      return;
    }
    this.fenced.add(decision);
    const pause = this.pauses.find(
      ({ confirmedT, endedT, scope }) =>
        confirmedT !== null && confirmedT < t && t < endedT && covers(scope, isItsOwn),
    );
    if (pause !== undefined)
      this.add('moved-while-paused', shard, `fence of ${decision} under pause ${pause.pause}`);
  }

  judgeOutcome(
    { decision, expectedEpoch, outcome, shard, to }: ControlHistory['finished'][number],
    owners: readonly Owner[],
  ): void {
    const isHome = owners.some(({ epoch, home }) => epoch === expectedEpoch + 1n && home === to);
    const isUntrue = outcome === 'cancelled' ? this.fenced.has(decision) : outcome === 'done' && !isHome;
    if (!isUntrue) return;
    const came = outcome === 'done' ? 'did not come to stand' : 'took effect';
    this.add('move-ended-untrue', shard, `decision ${decision} is ${outcome}, and its fence ${came}`);
  }

  judgeStages(
    { decision, expectedEpoch, shard, stages, to }: AuditedDecision,
    log: RefoldedLog,
    commits: Commits,
  ): void {
    const fence = log.audit
      .owners()
      .get(shard)
      ?.find(({ epoch }) => epoch === expectedEpoch + 1n);
    const rules = log.shards.get(shard)?.rules ?? [];
    const holds: { readonly [event in StageEvent]?: (since: bigint, t: number) => boolean } = {
      fenced: (since, t) => commits.holders(shard, since, t).length > 0,
      folded: (since, t) => commits.hasCommitted({ region: to, shard, sequence: since }, t),
      canary: (since, t) =>
        commits.reachedBy(to, shard, t).some((sequence) => {
          const rule = ruleAt(rules, sequence as never);
          return sequence > since && rule !== null && isQuorum(rule, commits.holders(shard, sequence, t));
        }),
    };
    for (const { event, t } of stages) {
      const isTrue = holds[event];
      if (isTrue === undefined || (fence?.home === to && isTrue(fence.since, t))) continue;
      this.add('move-stage-untrue', shard, `"${event}" of decision ${decision}, at ${t} ns`);
    }
  }

  private auditLeader(entry: AuditedCommand): void {
    const { at, author, command, session } = entry;
    const { logTimeMs, term } = this;
    const isLeading = term !== null && !term.isLeft && term.author === author && term.session === session;
    if (command.kind === 'genesis' || command.kind === 'configure') this.configuration = command;
    if (command.kind === 'claim') {
      this.auditClaim(entry, command.term);
      return;
    }
    if (command.kind === 'silent') term?.silent.add(author);
    if (command.kind === 'suspect' && term !== null)
      term.suspectedAtMs = Math.min(term.suspectedAtMs, logTimeMs);
    if (command.kind === 'join' && term?.author === author) term.isLeft = true;
    if (command.kind === 'silent' || command.kind === 'suspect') return;
    if (!('term' in command)) return;
    if (!isLeading || command.term !== term.term) {
      const leader = term === null ? 'nobody' : `${term.author} in term ${term.term}`;
      this.add(
        'two-leaders',
        undefined,
        `${command.kind} of ${author} in term ${command.term} at ${at}; ${leader} led`,
      );
      return;
    }
    if (command.kind === 'resign') term.isLeft = true;
    if (command.kind !== 'heartbeat') return;
    term.heardAtMs = logTimeMs;
    term.suspectedAtMs = Infinity;
    term.silent.clear();
  }

  /** Valid are the first claim, one behind a leader that left, that a majority has not heard, or whose lease and grace are over. */
  private auditClaim({ at, author, session }: AuditedCommand, claimed: bigint): void {
    const { configuration, logTimeMs, term } = this;
    const { graceMs = 0, leaseMs = 0 } = configuration?.settings ?? {};
    const isVacant = term === null || term.isLeft;
    const isSilenced = 2 * (term?.silent.size ?? 0) > (configuration?.members.length ?? 0);
    const isOver =
      term !== null && logTimeMs >= term.suspectedAtMs + graceMs && logTimeMs >= term.heardAtMs + leaseMs;
    if (claimed !== (term?.term ?? 0n) + 1n)
      this.add(
        'two-leaders',
        undefined,
        `${author} claimed term ${claimed} behind ${term?.term ?? 0n} at ${at}`,
      );
    else if (!isVacant && !isSilenced && !isOver)
      this.add('claim-unfounded', undefined, `${author} took term ${claimed} from ${term.author} at ${at}`);
    const heard = { isLeft: false, heardAtMs: logTimeMs, suspectedAtMs: Infinity, silent: new Set<string>() };
    this.term = { term: claimed, author, session, ...heard };
  }

  private add(code: FindingCode, shard: string | undefined, detail: string): void {
    this.found.add(code, { ...(shard === undefined ? {} : { shard }), detail });
  }
}
