/** Imported before anything else (NODE_OPTIONS) by the processes of a cluster whose heaps are asked: each role opens its inspector. */
import inspector from 'node:inspector';
import { handOptionsOn, ownRole } from '../chaos/hand-options-on.ts';

if (ownRole === undefined) handOptionsOn();
// Any free port; the role's log tells which.
else inspector.open(0, '127.0.0.1');
