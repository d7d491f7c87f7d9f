/** Planted in what becomes of entries that services stored: in the twin of the outbox, its settling and its relay. */
import type { PlantedBug } from './planted-bug.ts';

const OUTBOX = 'testing/store/memory-outbox';
const SETTLE = 'protocol/outbox/settle';

const hasServices: PlantedBug['needs'] = ({ services }) => services > 0;

export const BUGS_IN_OUTBOX: readonly PlantedBug[] = [
  {
    listed: null,
    name: 'undo-in-the-wrong-order',
    defect:
      'Changes of a row are taken back from the oldest to the latest: what the one before the latest left stays.',
    breaks: 'I4',
    profile: 'mixed',
    needs: hasServices,
    edits: [
      {
        module: OUTBOX,
        text: 'const [first] = oldest.get(key) ?? [];',
        becomes: 'const first = (oldest.get(key) ?? []).at(-1);',
      },
    ],
  },
  {
    listed: null,
    name: 'trimmed-when-judged-as-an-attempt',
    defect: 'An entry leaves the outbox with its first verdict, also with one that judges the attempt only.',
    breaks: 'I7',
    profile: 'mixed',
    needs: hasServices,
    edits: [{ module: SETTLE, text: "? 'pending' : 'undone'", becomes: "? 'confirmed' : 'undone'" }],
  },
  {
    listed: null,
    name: 'sent-once-only',
    defect: 'A relay never sends again what it has sent, whatever the fold made of it.',
    breaks: 'I20',
    profile: 'mixed',
    needs: hasServices,
    edits: [
      {
        module: 'engine/publish/outbox-relay',
        text: 'for (const key of passed.keys())\n            unfolded.delete(key);',
        becomes: '',
      },
    ],
  },
  {
    listed: null,
    name: 'fence-leaves-what-is-pending',
    defect: 'A region that loses a shard keeps in its outbox, and in its rows, what the log has not.',
    breaks: 'I20',
    profile: 'mixed',
    needs: hasServices,
    edits: [{ module: SETTLE, text: 'if (leaves)\n', becomes: 'if (false)\n' }],
  },
  {
    listed: null,
    name: 'fold-without-the-gate',
    defect: 'The fold of a fence does not wait for services that have a transaction open upon the shard.',
    breaks: 'I20',
    profile: 'mixed',
    needs: hasServices,
    edits: [
      {
        module: 'testing/store/memory-store',
        text: 'gated.length === 0 ? UNLOCKED : foldLock(request)',
        becomes: 'UNLOCKED',
      },
    ],
  },
  {
    listed: null,
    name: 'relay-before-the-end-of-the-log',
    defect: 'A relay sends before its store has folded what an earlier relay sent.',
    breaks: 'I8',
    profile: 'mixed',
    needs: hasServices,
    heldBy:
      'the keys of entries: a copy is `repeated`, and what was judged before is taken out when it is folded',
    edits: [
      {
        module: 'engine/apply/lane',
        text: '|| line.state === null || line.caughtUpAtMs === null)',
        becomes: '|| line.state === null)',
      },
    ],
  },
];
