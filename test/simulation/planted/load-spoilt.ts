/**
 * Imported before anything else by a process that runs seeds with a planted bug (its first argument): replaces the texts
 * of the bug in the modules that it loads. What was built stays as it is.
 */
import { registerHooks } from 'node:module';
import { fileURLToPath } from 'node:url';
import { filesOf, spoilt } from './planted-bug.ts';
import { plantedBug } from './planted-bugs.ts';

const bug = plantedBug(process.argv[2] ?? '');
const left = new Set(filesOf(bug));

registerHooks({
  load(url, context, nextLoad) {
    const loaded = nextLoad(url, context);
    const file = url.startsWith('file:') ? fileURLToPath(url) : '';
    if (!left.delete(file)) return loaded;
    const source = Buffer.from(loaded.source as Uint8Array).toString('utf8');
    return { ...loaded, source: spoilt(bug, file, source) };
  },
});

// By the first run all modules are there: what was not loaded was not spoilt.
process.once('message', () => {
  if (left.size > 0) throw new Error(`planted bug "${bug.name}": nobody loads ${[...left].join(', ')}`);
});
