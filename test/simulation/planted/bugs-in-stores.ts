/** Planted in the twin of the database: what an adapter can get wrong without the engine noticing. */
import type { PlantedBug } from './planted-bug.ts';

const STORE = 'testing/store/memory-store';
const COMPARED = `cursor.offset === expectedOffset &&
            cursor.sequence === expectedSequence);`;

export const BUGS_IN_STORES: readonly PlantedBug[] = [
  {
    listed: 4,
    name: 'effects-without-compare-and-set',
    defect: 'A commit whose compare-and-set finds no row writes its effects nevertheless, and says so.',
    breaks: 'I4',
    profile: 'process',
    edits: [
      {
        module: STORE,
        text: "if (!owned || new Set(shardsOf(shards)).size !== shards.length)\n        return { kind: 'lost' };",
        becomes: '',
      },
      {
        module: STORE,
        text: 'state.cursors.set(shard, cursor);',
        becomes: 'if (owned) state.cursors.set(shard, cursor);',
      },
    ],
  },
  {
    listed: 5,
    name: 'compare-and-set-of-later-only',
    defect: 'A commit is taken wherever it leads further, whatever it went out from.',
    breaks: 'I11',
    profile: 'mixed',
    edits: [
      {
        module: STORE,
        text: COMPARED,
        becomes: 'cursor.offset < shards.find((one) => one.shard === shard).cursor.offset);',
      },
    ],
  },
  {
    listed: null,
    name: 'commit-behind-a-restore',
    defect: 'A commit is taken by a store that was put back behind the place that the commit went out from.',
    breaks: 'I4',
    profile: 'store',
    edits: [{ module: STORE, text: COMPARED, becomes: 'cursor.offset <= expectedOffset);' }],
  },
  {
    listed: null,
    name: 'lease-number-not-checked',
    defect: 'A commit is taken also from an instance whose lease another one holds.',
    breaks: 'I4',
    profile: 'process',
    heldBy:
      'the compare-and-set on offset and sequence, and the fold, which makes the same of the same records',
    edits: [{ module: STORE, text: 'state.leases.get(shard)?.number === lease &&', becomes: '' }],
  },
];
