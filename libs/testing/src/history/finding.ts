/**
 * What a judge may find wrong, each once: a stable code, the invariant that is broken (SPEC, "Invariants"), a sentence.
 * A finding carries a bounded number of examples and counts the rest.
 */
export const FINDINGS = {
  'history-broken': {
    invariant: null,
    sentence: 'The recorder wrote something that cannot have been; this history judges nobody.',
  },
  'nothing-accepted': {
    invariant: 'I20',
    sentence: 'No operation of the run was accepted: nothing was shown, or nothing made progress.',
  },
  'accepted-lost': {
    invariant: 'I7',
    sentence: 'A write was told accepted, and the log holds no accepted entry in the place that was told.',
  },
  'accepted-differs': {
    invariant: 'I7',
    sentence: 'A write was told accepted, and the entry in the place that was told is another one.',
  },
  'versions-untrue': {
    invariant: 'I7',
    sentence: 'A receipt told versions that are not its sequence for each of its keys.',
  },
  'receipt-inconsistent': {
    invariant: 'I7',
    sentence: 'A receipt contradicts itself, its status or its token.',
  },
  'quorum-too-small': {
    invariant: 'I7',
    sentence: 'A quorum was told with fewer regions than the rule demands.',
  },
  'stage-untrue': {
    invariant: 'I7',
    sentence: 'A stage was told before the stores of the regions that it speaks of had committed.',
  },
  'told-before-commit': {
    invariant: 'I7',
    sentence: 'A region told a watermark or a verdict that its store had not committed.',
  },
  'former-life-counted': {
    invariant: 'I12',
    sentence:
      'A stage was told with a region whose present store nobody knew to have committed so far, or whose vote is withheld.',
  },
  'epoch-untrue': {
    invariant: 'I7',
    sentence: 'An epoch or a home was told that the shard did not have at that sequence.',
  },
  'logged-lost': { invariant: 'I7', sentence: 'A write was told logged, and it does not stand in the log.' },
  'rejection-untrue': {
    invariant: 'I7',
    sentence: 'A rejection was told, and the log has another verdict in the place that was told.',
  },
  'conflict-unfounded': {
    invariant: 'I3',
    sentence: 'A version conflict was told, and every expected version was the present one.',
  },
  'rejection-took-effect': {
    invariant: 'I9',
    sentence: 'A write was told rejected for good, and it took effect.',
  },
  'refusal-took-effect': {
    invariant: 'I9',
    sentence: 'A write was refused before anything was appended, and it took effect.',
  },
  'unknown-stays-unknown': {
    invariant: 'I9',
    sentence: 'A write with a key ended unknown, and asking for its receipt did not make it definite.',
  },
  'repeat-answered-differently': {
    invariant: 'I10',
    sentence: 'The same write under the same key was answered in two ways.',
  },
  'key-reuse-unnoticed': {
    invariant: 'I10',
    sentence: 'Another payload under a known key was answered as if it were the first one.',
  },
  'effect-twice': { invariant: 'I8', sentence: 'One write took effect more than once.' },
  'phantom-entry': {
    invariant: 'I8',
    sentence: 'The log holds an accepted entry of the run that nobody asked for.',
  },
  'place-told-twice': {
    invariant: 'I2',
    sentence: 'One place of a shard was told to two different writes.',
  },
  'position-inconsistent': {
    invariant: 'I2',
    sentence: 'One sequence of a shard was told with two contents, or one entry with two sequences.',
  },
  'sequence-gap': {
    invariant: 'I2',
    sentence: 'A record of a shard was folded out of its order, twice, or not at all.',
  },
  'number-twice': {
    invariant: 'I8',
    sentence: 'One number of a publisher’s session was judged twice, as if the second were no copy.',
  },
  'session-misjudged': {
    invariant: 'I8',
    sentence:
      'An entry was taken for a copy, for one behind a hole, or for neither, and its number says otherwise.',
  },
  'epoch-jumped': {
    invariant: 'I5',
    sentence: 'The epoch of a shard changed by something else than one valid step.',
  },
  'two-owners': { invariant: 'I6', sentence: 'One epoch of a shard was given to two owners.' },
  'owner-ignored': {
    invariant: 'I6',
    sentence: 'An entry was judged that another epoch or another region than the owner wrote.',
  },
  'fence-unfounded': {
    invariant: 'I6',
    sentence: 'An entry of the owner was turned away for its epoch or its region, or by the wrong name.',
  },
  'fence-undecided': {
    invariant: 'I19',
    sentence: 'A coordinator’s fence took effect that no decision stood for, or not yet.',
  },
  'move-ended-untrue': {
    invariant: 'I5',
    sentence: 'A move was ended as without effect and its fence took effect, or as done and it did not.',
  },
  'move-stage-untrue': {
    invariant: 'I13',
    sentence: 'A stage of a move was written down before it was true.',
  },
  'opened-early': {
    invariant: 'I13',
    sentence: 'An entry was stamped with an epoch that its region had not folded and committed.',
  },
  'moved-while-paused': {
    invariant: 'I14',
    sentence: 'A move was decided under a pause, or took effect after the pause was confirmed.',
  },
  'pause-outlived': {
    invariant: 'I14',
    sentence: 'A move was held back by a pause that was over, or that nobody had asked for.',
  },
  'failover-unfounded': {
    invariant: 'I14',
    sentence: 'A region was failed over that not enough others found unfit, or when most regions were.',
  },
  'failover-repeated': {
    invariant: 'I14',
    sentence:
      'A shard was failed over from a region again within its cool-down, or a region beyond the budget, and nobody had acknowledged.',
  },
  'governor-overreached': {
    invariant: 'I14',
    sentence:
      'A shard was moved without a person, and no failover of its home or of a stuck promotion did so.',
  },
  'promoted-unfit': {
    invariant: 'I14',
    sentence: 'A region was to take a shard that it may not hold, or for which it was not seen to be fit.',
  },
  'two-leaders': {
    invariant: null,
    sentence: 'The control log obeyed another than the one process that leads its term.',
  },
  'claim-unfounded': {
    invariant: null,
    sentence: 'A leader was followed that had not left, was heard, and held its lease.',
  },
  'verdict-told-untrue': {
    invariant: 'I3',
    sentence: 'A region told another verdict than the log has at that sequence.',
  },
  'order-reversed': {
    invariant: 'I1',
    sentence: 'A write that began after another one had been acknowledged stands before it in its shard.',
  },
  'expected-version-ignored': {
    invariant: 'I3',
    sentence: 'An accepted event expected another version than its key had.',
  },
  'effect-missing': {
    invariant: 'I4',
    sentence: 'A write was told accepted, and a region lacks its effect.',
  },
  'entry-torn': { invariant: 'I4', sentence: 'A region holds one part of an entry and lacks another.' },
  'row-missing': { invariant: 'I4', sentence: 'A region lacks a row that the log demands.' },
  'row-phantom': { invariant: 'I4', sentence: 'A region holds a row of the run that no entry made.' },
  'row-version-differs': {
    invariant: 'I4',
    sentence: 'The version of a row is not the sequence of the last accepted entry of its key.',
  },
  'row-differs': {
    invariant: 'I4',
    sentence: 'A row is not what the accepted events of its key make of it.',
  },
  'balance-differs': {
    invariant: 'I4',
    sentence: 'The balance of an account is not the sum of its accepted moves.',
  },
  'balance-negative': { invariant: 'I3', sentence: 'The balance of an account was or is below zero.' },
  'total-differs': {
    invariant: 'I4',
    sentence: 'The balances of a region do not add up to what was paid in and out.',
  },
  'regions-differ': { invariant: 'I11', sentence: 'A row is not the same in all regions.' },
  'not-quiet': {
    invariant: 'I20',
    sentence: 'After the end of the load the cluster did not come to rest in the time it was given.',
  },
  'region-behind': {
    invariant: 'I20',
    sentence: 'A region has not folded the log to where it ended when the load was over.',
  },
  'hashes-differ': {
    invariant: 'I11',
    sentence: 'Regions at the same sequence of a shard have different logs or hashes.',
  },
  'told-hashes-differ': {
    invariant: 'I11',
    sentence: 'At one sequence of a shard two hashes were told, or others than the log has there.',
  },
  'outcome-differs': {
    invariant: 'I10',
    sentence: 'A store keeps another outcome of a key than the log gives it, or none.',
  },
  'session-differs': {
    invariant: 'I8',
    sentence: 'A store keeps another state of a publisher’s session than the log gives it.',
  },
  'read-untrue': {
    invariant: 'I11',
    sentence: 'A read showed a row that is not what the log makes of it at the position that was told.',
  },
  'session-read-stale': {
    invariant: null,
    sentence: 'A read was answered from before the position that its token names.',
  },
  'strong-read-stale': {
    invariant: null,
    sentence: 'A strong read was answered from before a position that was told when it began.',
  },
  'not-linearizable': {
    invariant: 'I1',
    sentence: 'The strong reads and conditional writes of a row fit into no order that agrees with time.',
  },
  'refold-differs': {
    invariant: 'I3',
    sentence: 'Folding the whole log again gives another place or other hashes than the regions have.',
  },
  'refold-halted': {
    invariant: 'I3',
    sentence: 'The whole log cannot be folded with the configurations that the regions keep.',
  },
} as const satisfies {
  readonly [code: string]: { readonly invariant: string | null; readonly sentence: string };
};

export type FindingCode = keyof typeof FINDINGS;

/** Where to look. */
export interface Evidence {
  /** Ordinals of operations in the history. */
  readonly operations?: readonly number[];
  readonly keys?: readonly string[];
  readonly region?: string;
  readonly shard?: string;
  readonly sequence?: number;
  readonly detail?: string;
}

export interface Finding {
  readonly code: FindingCode;
  readonly invariant: string | null;
  readonly sentence: string;
  readonly count: number;
  /** The first ones, at most `EXAMPLES_MAX`. */
  readonly examples: readonly Evidence[];
}

export const EXAMPLES_MAX = 5;

export class FindingList {
  private readonly found = new Map<FindingCode, { count: number; examples: Evidence[] }>();

  add(code: FindingCode, evidence: Evidence): void {
    const known = this.found.get(code);
    if (known === undefined) this.found.set(code, { count: 1, examples: [evidence] });
    else {
      known.count += 1;
      if (known.examples.length < EXAMPLES_MAX) known.examples.push(evidence);
    }
  }

  /** Takes over what another list holds. */
  include(other: FindingList): void {
    for (const [code, { count, examples }] of other.found) {
      for (const example of examples) this.add(code, example);
      this.found.get(code)!.count += count - examples.length;
    }
  }

  /** In the order of the list above, so that two judgements compare. */
  all(): readonly Finding[] {
    return (Object.keys(FINDINGS) as FindingCode[]).flatMap((code) => {
      const found = this.found.get(code);
      return found === undefined ? [] : [{ code, ...FINDINGS[code], ...found }];
    });
  }
}
