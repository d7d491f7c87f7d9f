/**
 * A region's replicator and store, step by step as `apply/lane.ts` walks: take a shard, fold a batch on a copy, commit,
 * and tell after the commit. A fetch is no step of its own: records never change, so that reading ahead only decides
 * how many a batch takes, and every number of them is tried.
 */
import {
  endsBatch,
  generationOf,
  hashToHex,
  leaseNumber,
  offset,
  recordsUntilProof,
  withheldBy,
  type Standing,
  type StoreIncarnation,
} from '@lockstep/protocol';
import type { Core } from './core.js';
import { regionName, SHARD, type Entries, type Entry } from './entries.js';
import type { Step } from './explore.js';
import type { Batch, Images, Memory } from './images.js';
import type { Parts } from './parts.js';
import { REGIONS, type Budget, type Place, type Scope } from './scope.js';
import type { Call, Recorded, Region, Said, State, Told, Work } from './state.js';

type Applying = Extract<Work, { kind: 'applying' }>;

export class RegionSteps {
  private readonly saids = new Map<string, Said>();

  constructor(
    private readonly scope: Scope,
    private readonly core: Core,
    private readonly entries: Entries,
    private readonly images: Images,
    private readonly parts: Parts,
  ) {}

  of(state: State, place: Place): readonly Step<State>[] {
    const region = state.regions[place];
    const { work } = region;
    switch (work.kind) {
      case 'idle':
        return [
          step(`${REGIONS[place]}'s replicator takes the shard`, this.take(state, place)),
          ...this.storeSteps(state, region),
        ];
      case 'claimed':
        return [
          step(`${REGIONS[place]}'s replicator reads its cursor`, this.load(state, region, work.lease)),
          ...this.crashes(state, region),
          ...this.storeSteps(state, region),
        ];
      case 'applying':
        return [
          ...(work.batch === null
            ? this.folds(state, region, work)
            : this.commits(state, region, work, work.batch)),
          ...this.crashes(state, region),
          ...this.storeSteps(state, region),
        ];
    }
  }

  /** The lease is taken, the cursor read, judged and checked against the log. */
  take(state: State, place: Place): State {
    const region = state.regions[place];
    const lease = region.lease + 1n;
    return this.load(state, this.parts.region({ ...region, lease }), lease);
  }

  private load(state: State, region: Region, lease: bigint): State {
    const { image, told: toldBefore } = region;
    const judged = this.core.judgeStore(image.cursor, incarnation(region.life), toldBefore);
    const generations = toldBefore.map((one) => generationOf(one.storeIncarnation));
    const life = judged.wentBack ? Math.max(region.life, ...generations) + 1 : region.life;
    const { standing } = this.core.judgeStore(image.cursor, incarnation(life), toldBefore);
    const { decoded } = state.log;
    const at = Number(image.cursor.offset);
    const resume = this.core.decideResume(image.cursor, {
      startOffset: offset(0n),
      endOffset: offset(BigInt(decoded.length)),
      record: decoded[Math.max(0, at)]?.record ?? null,
    });
    if (resume.kind === 'halt') throw new Error(`halted: ${resume.halt.detail}`);
    const memory = this.images.memoryOf(image);
    const from = Number(resume.from);
    const work: Work = { kind: 'applying', lease, memory, standing, toldBefore, from, batch: null };
    return this.put(state, this.tell({ ...region, life, work }, memory, standing, null, state));
  }

  /** One batch of every size; cut after a genesis, and where hashes must be compared. */
  private folds(state: State, region: Region, work: Applying): readonly Step<State>[] {
    const { from, memory, standing } = work;
    const { cursor } = memory.state;
    const steps: Step<State>[] = [];
    const most = recordsUntilProof(standing, cursor) ?? this.scope.batchMax;
    const end = Math.min(state.log.decoded.length, from + Math.min(most, this.scope.batchMax));
    for (let to = from + 1; to <= end; to += 1) {
      const log = this.entries.prefix(state.log, to);
      const batch = this.images.fold(region.place, memory, region.image, { log, from, to });
      const began = { ...region, work: { ...work, batch } };
      const next =
        this.core.tells === 'after-commit'
          ? this.parts.region(began)
          : this.tell(began, batch.after, standing, batch, state);
      const label = `${REGIONS[region.place]} folds ${offsets(from, to)}`;
      const folded = this.put(state, next);
      if (this.mayFail(state, region)) steps.push(step(label, folded));
      else {
        const [commit] = this.commits(folded, next, next.work as Applying, batch);
        steps.push(step(`${label}: ${commit!.label}`, commit!.next));
      }
      if (endsBatch(state.log.decoded[to - 1]!)) break;
    }
    return steps;
  }

  /** Where nothing can come between a fold and its commit, they are one step. */
  private mayFail({ left }: State, { copy, lateCommit }: Region): boolean {
    if (left.commitFaults + left.replicatorCrashes > 0 || lateCommit !== null) return true;
    return copy !== null && left.restores > 0;
  }

  private commits(state: State, region: Region, work: Applying, batch: Batch): readonly Step<State>[] {
    const name = REGIONS[region.place];
    const { lease } = work;
    const through = `through offset ${batch.after.state.cursor.offset}`;
    const written = this.written(region, batch, lease);
    const steps: Step<State>[] = [];
    if (written === null) {
      // Taken again under the lease where it is still held.
      const again: Work = region.lease === lease ? { kind: 'claimed', lease } : { kind: 'idle' };
      const lost = this.parts.region({ ...region, work: again, said: null });
      steps.push(step(`${name}'s commit loses the compare-and-set`, this.put(state, lost)));
    } else {
      const { after, before } = batch;
      const standing = this.core.standingAfter(
        work.standing,
        before.state.cursor,
        after.state.cursor,
        incarnation(region.life),
        work.toldBefore,
      );
      const from = work.from + batch.folded.length;
      const done = { ...written, work: { ...work, memory: after, standing, from, batch: null } };
      const told =
        this.core.tells === 'after-commit'
          ? this.tell(done, after, standing, batch, state)
          : this.parts.region(done);
      steps.push(step(`${name} commits ${through} and tells`, this.put(state, told)));
    }
    if (state.left.commitFaults > 0) {
      const left = this.spend(state, 'commitFaults');
      const claimed: Work = { kind: 'claimed', lease };
      const undone = this.parts.region({ ...region, work: claimed });
      steps.push(step(`${name}'s commit ${through} fails`, this.put({ ...state, left }, undone)));
      if (written !== null) {
        const answerLost = this.parts.region({ ...written, work: claimed });
        const label = `${name} commits ${through}, the answer is lost`;
        steps.push(step(label, this.put({ ...state, left }, answerLost)));
      }
      if (region.lateCommit === null) {
        const late = this.parts.region({ ...region, work: claimed, lateCommit: { batch, lease } });
        const label = `${name}'s commit ${through} is under way and not answered`;
        steps.push(step(label, this.put({ ...state, left }, late)));
      }
    }
    return steps;
  }

  /** Everything that the process knows is gone; a commit under way may have happened. */
  private crashes(state: State, region: Region): readonly Step<State>[] {
    if (state.left.replicatorCrashes === 0) return [];
    const left = this.spend(state, 'replicatorCrashes');
    const gone = { work: { kind: 'idle' }, said: null, pushed: [[], []] } as const;
    const name = REGIONS[region.place];
    const after = (made: Omit<Region, 'id'>): State =>
      this.put({ ...state, left }, this.parts.region({ ...made, ...gone }));
    const steps = [step(`${name}'s replicator crashes`, after(region))];
    const { work } = region;
    if (work.kind !== 'applying' || work.batch === null) return steps;
    const written = this.written(region, work.batch, work.lease);
    if (written !== null) steps.push(step(`${name}'s replicator crashes behind its commit`, after(written)));
    return steps;
  }

  private storeSteps(state: State, region: Region): readonly Step<State>[] {
    const { copy, image, lateCommit, lease, life, place, work } = region;
    const name = REGIONS[place];
    const steps: Step<State>[] = [];
    if (lateCommit !== null) {
      const written = this.written(region, lateCommit.batch, lateCommit.lease) ?? region;
      const landed = this.parts.region({ ...written, lateCommit: null });
      steps.push(step(`${name}'s late commit takes effect or is lost`, this.put(state, landed)));
    }
    if (place === 1 && state.left.copies > 0) {
      const copied = this.parts.region({ ...region, copy: { image, lease, life } });
      const left = this.spend(state, 'copies');
      steps.push(step(`the store of ${name} is copied`, this.put({ ...state, left }, copied)));
    }
    if (copy !== null && state.left.restores > 0) {
      const left = this.spend(state, 'restores');
      const disconnected: Work = work.kind === 'applying' ? { kind: 'claimed', lease: work.lease } : work;
      const restored = { ...region, ...copy, copy, work: disconnected, lateCommit: null };
      const next = this.put({ ...state, left }, this.parts.region(restored));
      steps.push(step(`the store of ${name} is put back to the copy`, next));
    }
    return steps;
  }

  /** The region after the commit, or null when it loses. */
  private written(region: Region, batch: Batch, lease: bigint): Omit<Region, 'id'> | null {
    const { image } = region;
    const stored = { cursor: image.cursor, lease: leaseNumber(region.lease) };
    const expected = { cursor: batch.before.state.cursor, lease: leaseNumber(lease) };
    if (!this.core.mayCommit(stored, expected)) return null;
    const next = this.images.write(image, batch);
    const { sequence } = next.cursor;
    const committed = sequence > region.committed ? sequence : region.committed;
    return { ...region, image: next, committed };
  }

  /** Verdicts to whoever waits for them, then the watermark, and its slow copy. */
  private tell(
    region: Omit<Region, 'id'>,
    memory: Memory,
    standing: Standing,
    batch: Batch | null,
    state: State,
  ): Region {
    const { life, place } = region;
    const said = this.said(place, life, memory, standing);
    const push = (gateway: Place): readonly Told[] => [
      ...region.pushed[gateway],
      ...(batch?.folded ?? []).flatMap((one) => {
        const entry = state.log.entries[Number(one.entry.record.offset)]!;
        const isHeard = state.calls.some((call) => call.at === gateway && awaits(call, entry));
        return one.verdict !== 'duplicate' && isHeard ? [this.parts.told(one, entry)] : [];
      }),
    ];
    return this.parts.region({
      ...region,
      said,
      pushed: [push(0), push(1)],
      told: keepTold(region.told, said),
    });
  }

  private said(place: Place, life: number, memory: Memory, standing: Standing): Said {
    const proof = standing.kind === 'unverified' ? standing.until : standing.kind;
    const text = `${place}|${life}|${memory.id}|${proof}`;
    const known = this.saids.get(text);
    if (known !== undefined) return known;
    const { cursor } = memory.state;
    const said = this.parts.said({
      region: regionName(place),
      storeIncarnation: incarnation(life),
      shard: SHARD,
      logIncarnation: cursor.logIncarnation,
      sequence: cursor.sequence,
      offset: cursor.offset,
      epoch: cursor.epoch,
      home: cursor.home,
      term: cursor.term,
      decision: cursor.decision,
      logTimeMs: cursor.logTimeMs,
      rules: cursor.rules,
      inputHash: hashToHex(cursor.inputHash),
      effectsHash: hashToHex(cursor.effectsHash),
      marks: [],
      caughtUpAtMs: null,
      lagRecords: null,
      halted: null,
      withheld: withheldBy(standing),
    });
    this.saids.set(text, said);
    return said;
  }

  private put(state: State, region: Region): State {
    const [eu, us] = state.regions;
    return { ...state, regions: region.place === 0 ? [region, us] : [eu, region] };
  }

  private spend(state: State, fault: keyof Budget): State['left'] {
    return this.parts.left({ ...state.left, [fault]: state.left[fault] - 1 });
  }
}

/** True while the call listens for the verdict of the entry. */
export const awaits = (call: Call, entry: Entry): boolean =>
  call.entry === entry && entry.body === null && (call.stage === 'sent' || call.stage === 'logged');

/** As `ToldBefore.keep`: of each life the highest place, the highest generation at the end. */
function keepTold(told: readonly Recorded[], said: Said): readonly Recorded[] {
  const { logIncarnation } = said;
  if (logIncarnation === null) return told;
  const newest = { ...said, logIncarnation, withheld: said.withheld?.code ?? null };
  const known = told.find((one) => one.storeIncarnation === said.storeIncarnation) ?? newest;
  const isHigher = logIncarnation !== known.logIncarnation || said.sequence >= known.sequence;
  const lives = [...told.filter((one) => one !== known), isHigher ? newest : known];
  return lives.sort((x, y) => generationOf(x.storeIncarnation) - generationOf(y.storeIncarnation));
}

/** A life is named by its generation alone: only one store begins lives here. */
const incarnation = (life: number): StoreIncarnation =>
  `${life.toString(16).padStart(8, '0')}${'0'.repeat(24)}` as StoreIncarnation;

/** A store that has folded `log`; nobody has taken the shard. */
export function firstRegion(parts: Parts, images: Images, log: State['log'], place: Place): Region {
  const { image } = images.reference(log);
  return parts.region({
    place,
    image,
    lease: 0n,
    life: 0,
    copy: null,
    lateCommit: null,
    told: [],
    work: { kind: 'idle' },
    said: null,
    pushed: [[], []],
    committed: image.cursor.sequence,
  });
}

const step = (label: string, next: State): Step<State> => ({ label, next });
const offsets = (from: number, to: number): string =>
  to - from === 1 ? `offset ${from}` : `offsets ${from} to ${to - 1}`;
