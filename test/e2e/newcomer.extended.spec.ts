/**
 * A newcomer's way: what stands in the page of libs/nest is done word for word, by a shell, from packing the libraries to
 * rows in three databases, by an append and by an entity's save. Only the cluster is another one than the page starts, on
 * free ports and data of its own, and its gateway is told by the variable that the page's programs read. The same programs
 * then run in an application on the Nest before.
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { LocalCluster, REGIONS } from './local-cluster.js';

const PROJECT = join(import.meta.dirname, '../..');
const PAGE = join(PROJECT, 'libs/nest/README.md');
const START = 'npm start -- --ledger --detach\n';
const DATA = './.lockstep/local';
const NEST_11 = '11.2.10';
const NEWCOMER_MS_MAX = 180_000;

let cluster: LocalCluster;
let folder: string;

beforeAll(async () => {
  cluster = await LocalCluster.start(['--ledger']);
  folder = mkdtempSync(join(tmpdir(), `${process.env['LOCKSTEP_TEST_RUN'] ?? 'lockstep-test'}-newcomer-`));
}, 180_000);

afterAll(async () => {
  if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
  await cluster?.stop();
}, 60_000);

/** A block of the page's first section: text for the shell, or a file that is to be made. */
interface Block {
  readonly language: string;
  readonly text: string;
  /** Named before it: "As `src/first-write.ts`, ...". */
  readonly file: string | null;
}

function blocksOf(page: string): readonly Block[] {
  const section = /^## The first replicated write, and the first entity\n([^]*?)\nIn a service /m.exec(
    page,
  )![1]!;
  return [...section.matchAll(/(?<before>[^\n]*)\n\n```(?<language>\w+)\n(?<text>[^]*?)```/g)].map(
    ({ groups }) => ({
      language: groups!['language']!,
      text: groups!['text']!,
      file: /^As `([^`]+)`/.exec(groups!['before']!)?.[1] ?? null,
    }),
  );
}

/** What the first block does besides starting the cluster: it reads where that cluster's database is. */
function withoutStart({ text, ...block }: Block): Block {
  expect(text.startsWith(START)).toBe(true);
  expect(text).toContain(DATA);
  return { ...block, text: text.slice(START.length).replace(DATA, cluster.data) };
}

function scriptOf(blocks: readonly Block[]): string {
  const steps = blocks.map(({ file, language, text }) => {
    if (language === 'sh') return text;
    expect(file).not.toBeNull();
    return `cat > ${file} <<'END OF FILE'\n${text}END OF FILE\n`;
  });
  return ['set -e\n', ...steps].join('');
}

const environment = (): NodeJS.ProcessEnv => ({
  GATEWAY: cluster.gateway('eu'),
  TMPDIR: folder,
  // The page asks for Node 24; jest runs on the workspace's.
  PATH: [join(PROJECT, 'node_modules/.bin'), process.env['PATH']].join(delimiter),
});

/** In a process group of its own, that ends with the test whatever it started. */
function shell(script: string, environment: NodeJS.ProcessEnv): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn('sh', ['-c', script], {
      cwd: PROJECT,
      detached: true,
      env: { ...process.env, ...environment },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let printed = '';
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (chunk: Buffer) => (printed = (printed + chunk.toString()).slice(-100_000)));
    const tooLong = setTimeout(() => process.kill(-child.pid!, 'SIGKILL'), NEWCOMER_MS_MAX);
    child.on('error', reject);
    child.on('close', (code, signal) => {
      clearTimeout(tooLong);
      if (code === 0) resolve(printed);
      else reject(new Error(`ended with ${code ?? signal}:\n${printed}`));
    });
  });
}

test(
  'the page of the library leads a new application outside the repository to a row in three databases',
  async () => {
    const [start, ...others] = blocksOf(readFileSync(PAGE, 'utf8'));
    const blocks = [withoutStart(start!), ...others];
    const begunMs = Date.now();
    const printed = await shell(scriptOf(blocks), environment());
    const minutes = ((Date.now() - begunMs) / 60_000).toFixed(1);
    const commands = blocks
      .filter(({ language }) => language === 'sh')
      .flatMap(({ text }) => text.trim().split('\n'));
    console.log(
      `A newcomer: ${commands.length + 1} commands and two files in ${minutes} minutes, npm's downloads included, the start of the cluster not.`,
    );
    expect(printed).toMatch(/^everywhere \{ 'eu:first': \d+ \}$/m);
    expect(printed).toMatch(/^stored everywhere$/m);
    for (const region of REGIONS) {
      const accounts = await cluster.sql(region, "select owner from accounts where id = 'eu:first'");
      expect(accounts).toEqual([{ owner: 'Ada' }]);
      const customers = await cluster.sql(region, "select name from customers where id = 'eu:first'");
      expect(customers).toEqual([{ name: 'Ada' }]);
    }
  },
  NEWCOMER_MS_MAX + 10_000,
);

test(
  'the same programs run on Nest 11',
  async () => {
    const [start, pack, , write, , install, save] = blocksOf(readFileSync(PAGE, 'utf8'));
    expect([pack?.text, write?.file, install?.text, save?.file]).toEqual([
      expect.stringContaining('npm pack'),
      'src/first-write.ts',
      expect.stringContaining('npm install @nestjs/typeorm'),
      'src/first-save.ts',
    ]);
    const own = (program: Block): Block => ({
      ...program,
      text: program.text.replaceAll('eu:first', 'eu:eleven'),
    });
    const script = `${scriptOf([withoutStart(start!), pack!])}
cd "$(mktemp -d)"
npm init --yes > npm-init.log
npm pkg set type=module
npm install @nestjs/common@${NEST_11} @nestjs/core@${NEST_11} @nestjs/platform-express@${NEST_11} \
  reflect-metadata@0.2.2 rxjs@7.8.2 typescript@6.0.3 @types/node@24.19.2 "$packages"/*.tgz
mkdir src
${scriptOf([install!, own(write!), own(save!)])}
npx tsc --strict --skipLibCheck --experimentalDecorators --emitDecoratorMetadata --module nodenext --target es2023 --types node --rootDir src --outDir dist src/*.ts
node dist/first-write.js
node dist/first-save.js
`;
    const printed = await shell(script, environment());
    expect(printed).toMatch(/^everywhere \{ 'eu:eleven': \d+ \}$/m);
    expect(printed).toMatch(/^stored everywhere$/m);
  },
  NEWCOMER_MS_MAX + 10_000,
);
