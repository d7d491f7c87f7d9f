/**
 * The model: what one state of the world may become next. It walks the steps of the loops and asks the production core for
 * every decision; it adds only the world around them, at its nastiest that the ports permit.
 */
import { PRODUCTION, type Core } from './core.js';
import { Entries, genesis, type LogNode } from './entries.js';
import type { Model, Step } from './explore.js';
import { GatewaySteps, isAt } from './gateway-steps.js';
import { Images } from './images.js';
import { Invariants } from './invariants.js';
import { Parts } from './parts.js';
import { awaits, firstRegion, RegionSteps } from './region-steps.js';
import { PLACES, type Place, type Scope } from './scope.js';
import type { Call, Gateway, Region, State } from './state.js';

export function modelOf(scope: Scope, core: Core = PRODUCTION): Model<State> {
  const entries = new Entries(scope);
  const images = new Images(core);
  const parts = new Parts(core);
  const regionSteps = new RegionSteps(scope, core, entries, images, parts);
  const gatewaySteps = new GatewaySteps(scope, core, entries, parts);
  const invariants = new Invariants(scope, entries, images);

  const log = scope.budget.beginnings > 0 ? entries.emptyLog : begun(entries);
  const region = (place: Place): Region => firstRegion(parts, images, log, place);
  const gateway = (place: Place): Gateway =>
    parts.gateway({
      place,
      session: 1,
      last: 0,
      queue: [],
      flight: null,
      ledger: parts.emptyLedger(),
      quorum: 0n,
    });
  const call = (index: number): Call =>
    parts.call({
      index,
      stage: 'unasked',
      origin: scope.wishes[index]?.gateway ?? 0,
      at: scope.wishes[index]?.gateway ?? 0,
      forwardedEpoch: 0n,
      attempts: 0,
      mayStand: false,
      entry: null,
      offset: -1,
      judged: null,
      answer: null,
      wasDoubted: false,
      definite: [],
    });

  const untaken: State = {
    log,
    late: parts.late([]),
    regions: [region(0), region(1)],
    gateways: [gateway(0), gateway(1)],
    calls: Array.from({ length: scope.wishes.length + 1 }, (_, index) => call(index)),
    left: parts.left(scope.budget),
  };

  const initial = PLACES.reduce((state, place) => regionSteps.take(state, place), untaken);

  /** What nobody can look at any more is dropped, so that equal futures are equal states. */
  const canonical = (state: State): State => {
    let { gateways, regions } = state;
    for (const place of PLACES) {
      const kept = gateways[place];
      const looks = (one: Call): boolean =>
        isAt(one, place) && (scope.knowledge === 'heard' || one.stage === 'judged');
      if (kept.ledger.regions.size > 0 && !state.calls.some(looks)) {
        const empty = parts.gateway({ ...kept, ledger: parts.emptyLedger(), quorum: 0n });
        gateways = place === 0 ? [empty, gateways[1]] : [gateways[0], empty];
      }
      const { pushed } = regions[place];
      if (pushed[0].length + pushed[1].length === 0) continue;
      const heardBy = (to: Place): Region['pushed'][0] =>
        pushed[to].filter(({ entry }) => state.calls.some((one) => one.at === to && awaits(one, entry)));
      const heard = [heardBy(0), heardBy(1)] as const;
      if (heard[0].length === pushed[0].length && heard[1].length === pushed[1].length) continue;
      const trimmed = parts.region({ ...regions[place], pushed: heard });
      regions = place === 0 ? [trimmed, regions[1]] : [regions[0], trimmed];
    }
    return { ...state, gateways, regions };
  };

  return {
    initial,
    steps: (state): readonly Step<State>[] =>
      [
        ...state.calls.flatMap((_, index) => gatewaySteps.ofCall(state, index)),
        ...gatewaySteps.ofLog(state),
        ...PLACES.flatMap((place) => gatewaySteps.of(state, place)),
        ...PLACES.flatMap((place) => regionSteps.of(state, place)),
      ].map(({ label, next }) => ({ label, next: canonical(next) })),
    words: ({ calls, gateways, late, left, log: { id }, regions }) => [
      id,
      late.id,
      left.id,
      ...regions.map((part) => part.id),
      ...gateways.map((part) => part.id),
      ...calls.map((part) => part.id),
    ],
    violations: (state, isEnd) => invariants.broken(state, isEnd),
  };
}

/** A log that eu has begun. */
const begun = (entries: Entries): LogNode =>
  entries.append(entries.emptyLog, [entries.control(genesis(1), 0, 'genesis 1')]);
