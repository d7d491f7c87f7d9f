/** Writes the files of this folder from the tables that the code runs on; built first: `npx tsc -b libs/protocol`. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { machinePages } from '../dist/index.js';

for (const [name, content] of machinePages()) writeFileSync(join(import.meta.dirname, name), content);
