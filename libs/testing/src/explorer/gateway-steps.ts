/**
 * Gateways with their publishers, and the clients, as `gateway/writes.ts`, `gateway/receipts.ts` and
 * `publish/shard-publisher.ts` walk. Those are loops that await; what they decide in passing (numbers, when a session ends,
 * when an attempt is made again) stands here once more. What the core decides is asked of it: verdicts, which of
 * them judge only the attempt, the ledger, and what a caller is told.
 *
 * A gateway without an open call forgets its ledger: a call that had been open all the time would have kept it.
 */
import {
  answerWrite,
  judgesAttempt,
  type Outcome,
  type Receipt,
  type StageTimes,
  type Watermark,
} from '@lockstep/protocol';
import type { Core } from './core.js';
import {
  genesis,
  keyHash,
  SETTLE,
  SETTLED_KEY,
  SHARD,
  regionName,
  type Entries,
  type Entry,
} from './entries.js';
import type { Step } from './explore.js';
import type { Parts } from './parts.js';
import { textOfAnswer } from './parts.js';
import { awaits } from './region-steps.js';
import { other, PLACES, REGIONS, type Budget, type Place, type Scope } from './scope.js';
import type { Answered, Call, Flight, Gateway, Judged, State } from './state.js';

export class GatewaySteps {
  private readonly answers = new Map<string, Answered>();

  constructor(
    private readonly scope: Scope,
    private readonly core: Core,
    private readonly entries: Entries,
    private readonly parts: Parts,
  ) {}

  of(state: State, place: Place): readonly Step<State>[] {
    const gateway = state.gateways[place];
    return [
      ...this.hears(state, gateway),
      ...(gateway.flight === null ? [] : this.appends(state, gateway, gateway.flight)),
      ...this.crashes(state, gateway),
    ];
  }

  /** What one call may do next. */
  ofCall(state: State, index: number): readonly Step<State>[] {
    const call = state.calls[index]!;
    const steps: Step<State>[] = [];
    const name = this.nameOf(index);
    switch (call.stage) {
      case 'unasked':
        if (index < this.scope.wishes.length) {
          steps.push(...this.ask(state, call));
        } else if (state.left.receipts > 0) {
          steps.push(...this.receipts(state, call));
        }
        return steps;
      case 'waiting': {
        const tried = call.attempts < this.scope.attemptsMax ? this.attempt(state, call) : null;
        if (tried !== null) steps.push(tried);
        break;
      }
      case 'logged': {
        const missed = this.readMissed(state, call);
        if (missed !== null) steps.push(missed);
        break;
      }
      case 'ended': {
        return this.repeat(state, call);
      }
      case 'queued':
      case 'sent':
      case 'judged':
        break;
    }
    if (state.left.timeouts > 0) {
      const left = this.spend(state, 'timeouts');
      steps.push({ label: `the time of ${name} is over`, next: this.timeOut({ ...state, left }, call) });
    }
    return steps;
  }

  /** What nobody's request brings about. */
  ofLog(state: State): readonly Step<State>[] {
    const steps: Step<State>[] = [];
    const { late, left, log, regions } = state;
    for (const [at, batch] of late.batches.entries()) {
      if (at > 0 && batch === late.batches[at - 1]) continue;
      const rest = this.parts.late(late.batches.filter((_, index) => index !== at));
      const next = { ...state, late: rest, log: this.entries.append(log, batch) };
      steps.push({ label: `a late copy of ${namesOf(batch)} lands`, next });
    }
    const { cursor } = regions[0].image;
    if (left.fences > 0 && cursor.epoch > 0n) {
      // To us, and back: the second may expect the same epoch as the first, or the one that the first begins.
      const decision = BigInt(this.scope.budget.fences - left.fences + 1);
      const home = regionName(decision % 2n === 1n ? 1 : 0);
      const body = {
        kind: 'fence',
        expectedEpoch: cursor.epoch,
        epoch: (cursor.epoch + 1n) as typeof cursor.epoch,
        home,
        term: 1n,
        decision,
      } as const;
      const fence = this.entries.control(body, 0, `fence to epoch ${body.epoch}, home ${home}`);
      const next = { ...state, left: this.spend(state, 'fences'), log: this.entries.append(log, [fence]) };
      steps.push({ label: `eu appends ${fence.name}`, next });
    }
    if (left.terms > 0 && cursor.epoch > 0n) {
      const body = { kind: 'term', term: 1n, decision: BigInt(this.scope.budget.fences) } as const;
      const term = this.entries.control(body, 0, `term ${body.term}, decision ${body.decision}`);
      const next = { ...state, left: this.spend(state, 'terms'), log: this.entries.append(log, [term]) };
      steps.push({ label: `eu appends ${term.name}`, next });
    }
    if (left.beginnings > 0 && cursor.logIncarnation === null) {
      const ordinal = left.beginnings;
      const entry = this.entries.control(genesis(ordinal), 0, `genesis ${ordinal}`);
      const next = {
        ...state,
        left: this.spend(state, 'beginnings'),
        log: this.entries.append(log, [entry]),
      };
      steps.push({ label: `eu appends ${entry.name}`, next });
    }
    return steps;
  }

  private ask(state: State, call: Call): readonly Step<State>[] {
    const asked = this.put(state, { ...call, stage: 'waiting' });
    const label = `${this.nameOf(call.index)} is asked for at ${REGIONS[call.at]}`;
    if (this.scope.knowledge === 'heard') return [{ label, next: asked }];
    // Nothing but the attempt can come next, so that asking earlier makes no difference.
    const tried = this.attempt(asked, asked.calls[call.index]!);
    return tried === null ? [] : [{ label: `${label}: ${tried.label}`, next: tried.next }];
  }

  /** What the gateway knows of its own region. */
  private own(state: State, place: Place): Watermark | null {
    if (this.scope.knowledge === 'newest') return state.regions[place].said;
    return state.gateways[place].ledger.regions.get(regionName(place))?.watermark ?? null;
  }

  /** One attempt, as `Writes.attempt`: here, forwarded once, or back at the gateway that forwarded. */
  private attempt(state: State, call: Call): Step<State> | null {
    const { at, index, origin } = call;
    const own = this.own(state, at);
    if (own === null || own.home === null) return null;
    const name = this.nameOf(index);
    if (own.home === regionName(at)) {
      const next = this.submit(state, call, own.epoch);
      return { label: `${REGIONS[at]}'s publisher takes ${name} in epoch ${own.epoch}`, next };
    }
    if (at !== origin) {
      // A receiver that is behind waits; it never forwards again.
      if (own.epoch < call.forwardedEpoch) return null;
      const next = this.put(state, { ...call, at: origin });
      return { label: `${REGIONS[at]} is not the home, ${name} goes back to ${REGIONS[origin]}`, next };
    }
    const forwarded = { ...call, at: other(at), forwardedEpoch: own.epoch, attempts: call.attempts + 1 };
    return {
      label: `${REGIONS[at]} forwards ${name} to ${REGIONS[other(at)]}`,
      next: this.put(state, forwarded),
    };
  }

  private submit(state: State, call: Call, epoch: bigint): State {
    const gateway = state.gateways[call.at];
    const attempts = call.at === call.origin ? call.attempts + 1 : call.attempts;
    const queue = [...gateway.queue, { call: call.index, epoch }];
    const queued = this.put(state, { ...call, stage: 'queued', attempts });
    return this.sendNext(this.putGateway(queued, { ...gateway, queue }), call.at);
  }

  /** Numbers all that waits and sends it, unless a batch is in flight. */
  private sendNext(state: State, place: Place): State {
    const gateway = state.gateways[place];
    if (gateway.flight !== null || gateway.queue.length === 0) return state;
    let { last } = gateway;
    let next = state;
    const entries: Entry[] = [];
    for (const { call: index, epoch } of gateway.queue) {
      const isSettle = index === this.scope.wishes.length;
      if (!isSettle) last += 1;
      const entry = isSettle
        ? this.entries.control(SETTLE, place, `settle ${SETTLED_KEY}`)
        : this.entries.data(index, place, gateway.session, last, epoch);
      entries.push(entry);
      next = this.put(next, { ...next.calls[index]!, stage: 'sent', entry });
    }
    const calls = gateway.queue.map(({ call }) => call);
    const flight: Flight = { entries, calls, mayStand: false };
    return this.putGateway(next, { ...gateway, last, queue: [], flight });
  }

  private appends(state: State, gateway: Gateway, flight: Flight): readonly Step<State>[] {
    const { place } = gateway;
    const names = namesOf(flight.entries);
    const log = this.entries.append(state.log, flight.entries);
    const steps: Step<State>[] = [];

    let answered = this.putGateway({ ...state, log }, { ...gateway, flight: null });
    for (const [at, index] of flight.calls.entries()) {
      const call = state.calls[index]!;
      if (call.stage !== 'sent' || call.entry !== flight.entries[at]) continue;
      answered = this.put(answered, { ...call, stage: 'logged', offset: state.log.entries.length + at });
    }
    steps.push({ label: `the log takes ${names} and answers`, next: this.sendNext(answered, place) });

    if (state.left.appendFaults > 0) {
      const left = this.spend(state, 'appendFaults');
      const doubted = this.putGateway(
        { ...state, left },
        { ...gateway, flight: { ...flight, mayStand: true } },
      );
      steps.push({ label: `the log takes ${names}, the answer is lost`, next: { ...doubted, log } });
      const late = this.parts.late([...state.late.batches, flight.entries]);
      steps.push({ label: `a copy of ${names} is under way`, next: { ...doubted, late } });
    }
    if (state.left.timeouts > 0) {
      const next = this.giveUp({ ...state, left: this.spend(state, 'timeouts') }, gateway, flight);
      steps.push({ label: `${REGIONS[place]}'s publisher gives ${names} up`, next });
    }
    return steps;
  }

  /** `ShardPublisher.closeSession`; whoever waited has waited long enough. */
  private giveUp(state: State, gateway: Gateway, flight: Flight): State {
    const mayStand = flight.mayStand && this.core.toldOfDoubt === 'unknown';
    const isNew = this.core.sessionAfterGivingUp === 'new';
    const session = isNew ? { session: gateway.session + 1, last: 0 } : {};
    let next = this.putGateway(state, { ...gateway, ...session, flight: null });
    for (const [at, index] of flight.calls.entries()) {
      const call = state.calls[index]!;
      if (call.stage !== 'sent' || call.entry !== flight.entries[at]) continue;
      // A settle that was not written says nothing of the key.
      if (mayStand || call.index === this.scope.wishes.length) next = this.timeOut(next, call);
      else next = this.end(next, call, call.mayStand ? { kind: 'unknown' } : { kind: 'failed' });
    }
    return this.sendNext(next, gateway.place);
  }

  private hears(state: State, gateway: Gateway): readonly Step<State>[] {
    const steps: Step<State>[] = [];
    for (const place of PLACES) {
      const { pushed, said } = state.regions[place];
      const verdicts = pushed[gateway.place];
      if (said === null && verdicts.length === 0) continue;
      if (verdicts.length > 0 && state.left.droppedVerdicts > 0) {
        const left = this.spend(state, 'droppedVerdicts');
        const label = `verdicts of ${REGIONS[place]} to ${REGIONS[gateway.place]} are dropped`;
        steps.push({ label, next: this.withoutPushed({ ...state, left }, place, gateway.place) });
      }
      if (!this.needsToHear(state, gateway, place)) continue;
      const label = `${REGIONS[gateway.place]}'s gateway hears from ${REGIONS[place]}`;
      steps.push({ label, next: this.hear(state, gateway, place) });
    }
    return steps;
  }

  /** A frame that would change nothing that an open call looks at may as well be heard later, with the next one. */
  private needsToHear(state: State, gateway: Gateway, place: Place): boolean {
    const calls = state.calls.filter((call) => isAt(call, gateway.place));
    if (calls.length === 0) return false;
    const { pushed, said } = state.regions[place];
    if (pushed[gateway.place].length > 0) return true;
    if (said === null) return false;
    const known = gateway.ledger.regions.get(said.region)?.watermark ?? null;
    if (known === said) return false;
    if (this.scope.knowledge === 'newest') return calls.some(({ stage }) => stage === 'judged');
    if (known === null || known.epoch !== said.epoch || known.home !== said.home) return true;
    if (known.storeIncarnation !== said.storeIncarnation || known.withheld !== said.withheld) return true;
    return calls.some(({ stage }) => stage === 'judged' || (stage === 'logged' && place === gateway.place));
  }

  /** Verdicts first, then the watermark that covers them. */
  private hear(state: State, gateway: Gateway, from: Place): State {
    const { pushed, said } = state.regions[from];
    let next = this.withoutPushed(state, from, gateway.place);
    const isDoubted = gateway.ledger.regions.get(regionName(from))?.watermark.withheld?.code === 'diverged';
    for (const told of isDoubted ? [] : pushed[gateway.place]) {
      const call = next.calls.find((one) => one.at === gateway.place && awaits(one, told.entry));
      if (call === undefined) continue;
      if (judgesAttempt(told.verdict)) {
        const { session } = next.gateways[gateway.place];
        const isPresent = told.entry.session === session;
        if (isPresent)
          next = this.putGateway(next, { ...next.gateways[gateway.place], session: session + 1, last: 0 });
        next = this.put(next, { ...call, stage: 'waiting', at: call.origin });
      } else {
        const { epoch, sequence } = told.first ?? told;
        const verdict = (told.first ?? told).verdict as Judged['verdict'];
        next = this.judged(next, call, { verdict, sequence, epoch });
      }
    }
    if (said === null) return next;
    const heard = next.gateways[gateway.place];
    const { ledger, quorum } = this.parts.count(heard.ledger, said);
    next = this.putGateway(next, { ...heard, ledger, quorum: quorum > heard.quorum ? quorum : heard.quorum });
    for (const call of next.calls) {
      if (call.stage === 'judged' && call.at === gateway.place) next = this.answerIfReached(next, call);
    }
    return next;
  }

  private judged(state: State, call: Call, judged: Judged): State {
    return this.answerIfReached(this.put(state, { ...call, stage: 'judged', judged }), { ...call, judged });
  }

  /** Answers a judged call whose stage is reached; `accepted` is, as soon as the verdict is known. */
  private answerIfReached(state: State, call: Omit<Call, 'id'>): State {
    const judged = call.judged!;
    const { ack } = this.scope.wishes[call.index]!;
    const isQuorum = judged.sequence <= state.gateways[call.at].quorum;
    if (judged.verdict === 'accepted' && ack === 'quorum' && !isQuorum) return state;
    return this.end(state, call, this.answerOf(call.index, judged, isQuorum));
  }

  /** The verdict was not heard and this region has folded past the entry: the stored outcome is read. */
  private readMissed(state: State, call: Call): Step<State> | null {
    const own = this.own(state, call.at);
    if (own === null || own.offset < call.offset) return null;
    const label = `${REGIONS[call.at]} reads the stored outcome for ${this.nameOf(call.index)}`;
    if (call.index === this.scope.wishes.length) {
      const outcome = state.regions[call.at].image.outcomes.get(keyHash(SETTLED_KEY));
      return { label, next: this.end(state, call, receiptOf(outcome)) };
    }
    const { key } = this.scope.wishes[call.index]!;
    if (key === null) return null;
    const judged = this.storedOutcome(state, call, key);
    if (judged !== null) return { label, next: this.judged(state, call, judged) };
    const next = this.put(state, { ...call, stage: 'waiting', at: call.origin, mayStand: true });
    return { label: `${label} and finds none`, next };
  }

  private storedOutcome(state: State, call: Call, key: string): Judged | null {
    const outcome = state.regions[call.at].image.outcomes.get(keyHash(key));
    if (outcome === undefined || call.entry === null) return null;
    const isSame =
      outcome.fingerprint === null || outcome.fingerprint === call.entry.idempotency?.fingerprint;
    const { epoch, sequence, verdict } = outcome;
    return { verdict: isSame ? verdict : 'key-reused', sequence, epoch };
  }

  private timeOut(state: State, call: Call): State {
    const { at, index, origin, stage } = call;
    if (index === this.scope.wishes.length) return this.end(state, call, { kind: 'unknown' });
    switch (stage) {
      case 'waiting': {
        const isNever = call.attempts === 0 && !call.mayStand;
        return this.end(state, call, { kind: isNever ? 'failed' : 'unknown' });
      }
      case 'queued': {
        const gateway = state.gateways[at];
        const queue = gateway.queue.filter((queued) => queued.call !== index);
        return this.end(this.putGateway(state, { ...gateway, queue }), call, { kind: 'unknown' });
      }
      case 'sent':
      case 'logged': {
        const { key } = this.scope.wishes[index]!;
        const judged = key === null || at !== origin ? null : this.storedOutcome(state, call, key);
        if (judged === null) return this.end(state, call, { kind: 'unknown' });
        return this.end(state, call, this.answerOf(index, judged, false));
      }
      case 'judged':
        return this.end(state, call, this.answerOf(index, call.judged!, false));
      case 'unasked':
      case 'ended':
        throw new Error(`nobody waits for ${this.nameOf(index)}`);
    }
  }

  /** What the caller is told, decided by the core from the facts. */
  private answerOf(index: number, judged: Judged, isQuorum: boolean): Answered {
    const text = `${index}|${judged.verdict}|${judged.sequence}|${isQuorum}`;
    const known = this.answers.get(text);
    if (known !== undefined) return known;
    const { ack, name } = this.scope.wishes[index]!;
    const isAccepted = judged.verdict === 'accepted';
    const stages: StageTimes = {
      logged: { atMs: 0 },
      ...(isAccepted ? { accepted: { atMs: 0, region: regionName(0) } } : {}),
      ...(isAccepted && isQuorum ? { quorum: { atMs: 0, regions: [] } } : {}),
    };
    const facts = { id: name, dataset: 'accounts', shard: SHARD, traceId: '', eventKeys: [], stages };
    const { body } = answerWrite(
      { ...facts, judged: { ...judged, logIncarnation: null } } as unknown as Parameters<
        typeof answerWrite
      >[0],
      ack,
      false,
      null,
    );
    const parsed = JSON.parse(body) as Receipt | { readonly receipt: Receipt };
    const { code, outcome, sequence, stage } = 'receipt' in parsed ? parsed.receipt : parsed;
    const at = BigInt(sequence!);
    const answer: Answered =
      outcome === 'accepted'
        ? { kind: 'accepted', sequence: at, stage: stage === 'quorum' ? 'quorum' : 'accepted' }
        : { kind: 'rejected', code: code!, sequence: at };
    this.answers.set(text, answer);
    return answer;
  }

  private crashes(state: State, gateway: Gateway): readonly Step<State>[] {
    if (state.left.gatewayCrashes === 0) return [];
    const { place } = gateway;
    if (!state.calls.some((call) => isAt(call, place)) && gateway.flight === null) return [];
    const left = this.spend(state, 'gatewayCrashes');
    const fresh = { session: gateway.session + 1, last: 0, queue: [], flight: null, quorum: 0n };
    let next = this.putGateway(
      { ...state, left },
      { ...gateway, ...fresh, ledger: this.parts.emptyLedger() },
    );
    for (const call of state.calls) {
      if (!isAt(call, place)) continue;
      const isKeyed = this.scope.wishes[call.index]?.key !== null;
      if (call.origin === place) next = this.end(next, call, { kind: 'broken' });
      else if (!isKeyed) next = this.end(next, call, { kind: 'unknown' });
      else next = this.put(next, { ...call, at: call.origin, stage: 'waiting', mayStand: true });
    }
    const label = `${REGIONS[place]}'s gateway crashes and starts again`;
    const steps = [{ label, next }];
    if (gateway.flight !== null && state.left.appendFaults > 0) {
      const late = this.parts.late([...state.late.batches, gateway.flight.entries]);
      const spent = this.spend(next, 'appendFaults');
      steps.push({ label: `${label}, its append is under way`, next: { ...next, late, left: spent } });
    }
    return steps;
  }

  /** A keyed write is asked for once more, through the other gateway. */
  private repeat(state: State, call: Call): readonly Step<State>[] {
    const key = this.scope.wishes[call.index]?.key ?? null;
    if (key === null || state.left.repeats === 0) return [];
    const origin = other(call.origin);
    const fresh = { attempts: 0, mayStand: false, entry: null, offset: -1, judged: null, answer: null };
    const wasDoubted = call.wasDoubted || call.answer?.kind === 'unknown' || call.answer?.kind === 'broken';
    const again = {
      ...call,
      ...fresh,
      wasDoubted,
      stage: 'unasked',
      origin,
      at: origin,
      forwardedEpoch: 0n,
    } as const;
    return this.ask({ ...state, left: this.spend(state, 'repeats') }, this.parts.call(again));
  }

  /** After the deadline of a write whose end is not known: its stored outcome, or a settle. */
  private receipts(state: State, call: Call): readonly Step<State>[] {
    const isDoubted = state.calls.some(({ answer, index }) => {
      const isOfKey = this.scope.wishes[index]?.key === SETTLED_KEY;
      return isOfKey && (answer?.kind === 'unknown' || answer?.kind === 'broken');
    });
    if (!isDoubted) return [];
    return PLACES.map((place) => {
      const left = this.spend(state, 'receipts');
      const asked = { ...call, at: place, origin: place };
      const outcome = state.regions[place].image.outcomes.get(keyHash(SETTLED_KEY));
      const label = `the receipt of ${SETTLED_KEY} is asked for at ${REGIONS[place]}`;
      if (outcome !== undefined)
        return { label, next: this.end({ ...state, left }, asked, receiptOf(outcome)) };
      return {
        label: `${label} and is settled`,
        next: this.submit({ ...state, left }, this.parts.call(asked), 0n),
      };
    });
  }

  private end(state: State, call: Omit<Call, 'id'>, answer: Answered): State {
    const isDefinite = answer.kind === 'accepted' || answer.kind === 'rejected' || answer.kind === 'failed';
    const text = textOfAnswer(answer);
    const isNew = isDefinite && !call.definite.some((one) => textOfAnswer(one) === text);
    const definite = isNew ? [...call.definite, answer] : call.definite;
    // What does not matter any more is forgotten, so that equal futures are equal states.
    const rest = { at: call.origin, forwardedEpoch: 0n, attempts: 0, entry: null, offset: -1, judged: null };
    const ended = { ...call, ...rest, mayStand: false, stage: 'ended', answer, definite } as const;
    return this.put(state, ended);
  }

  private put(state: State, call: Omit<Call, 'id'>): State {
    const kept = this.parts.call(call);
    return { ...state, calls: state.calls.map((one) => (one.index === kept.index ? kept : one)) };
  }

  private putGateway(state: State, gateway: Omit<Gateway, 'id'>): State {
    const kept = this.parts.gateway(gateway);
    const [eu, us] = state.gateways;
    return { ...state, gateways: kept.place === 0 ? [kept, us] : [eu, kept] };
  }

  private withoutPushed(state: State, from: Place, to: Place): State {
    const region = state.regions[from];
    const [eu, us] = region.pushed;
    const kept = this.parts.region({ ...region, pushed: to === 0 ? [[], us] : [eu, []] });
    const [first, second] = state.regions;
    return { ...state, regions: from === 0 ? [kept, second] : [first, kept] };
  }

  private spend(state: State, fault: keyof Budget): State['left'] {
    return this.parts.left({ ...state.left, [fault]: state.left[fault] - 1 });
  }

  private nameOf(index: number): string {
    return this.scope.wishes[index]?.name ?? `the settling of ${SETTLED_KEY}`;
  }
}

/** True while the gateway does something for the call. */
export const isAt = ({ at, origin, stage }: Call, place: Place): boolean =>
  stage !== 'unasked' && stage !== 'ended' && (at === place || origin === place);

const receiptOf = (outcome: Outcome | undefined): Answered => {
  if (outcome === undefined) return { kind: 'rejected', code: 'never-or-expired', sequence: 0n };
  const { sequence, verdict } = outcome;
  if (verdict !== 'accepted') return { kind: 'rejected', code: verdict, sequence };
  return { kind: 'accepted', sequence, stage: 'accepted' };
};

const namesOf = (entries: readonly Entry[]): string => entries.map(({ name }) => name).join(' and ');
