/**
 * `lockstep catalogue types | asyncapi`: what is generated from a catalogue, on stdout or in a file, and whether that file is
 * current. No role is asked; a catalogue with findings generates nothing.
 */
import { asyncApi, datasetTypes, describeFindings, loadCatalogue, type Catalogue } from '@lockstep/catalogue';
import { Option, type Command } from 'commander';
import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { basename, dirname, join, relative, resolve, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { CliError } from './cli-error.js';
import { tell } from './output.js';

interface GenerateOptions {
  readonly catalogue: string;
  readonly out?: string;
  readonly check?: boolean;
}

/** The same from `src` and from `dist`; what the local cluster runs too when it is not told otherwise. */
const SAMPLE = resolve(dirname(fileURLToPath(import.meta.url)), '../../../infra/catalogue/sample');

export function addCatalogueCommands(program: Command): void {
  const catalogue = program.command('catalogue').description('what is generated from a catalogue');
  addGenerator(catalogue, {
    name: 'types',
    description: 'TypeScript types of keys, events and rows, by dataset',
    textOf: datasetTypes,
  });
  addGenerator(catalogue, {
    name: 'asyncapi',
    description: 'AsyncAPI 3.1 of the topics, for those who read the logs themselves',
    textOf: (read) => `${JSON.stringify(asyncApi(read), undefined, 2)}\n`,
  });
}

interface Generator {
  readonly name: string;
  readonly description: string;
  /** @param command makes the text anew, in the folder of its file. */
  readonly textOf: (catalogue: Catalogue, command: string) => string;
}

function addGenerator(parent: Command, generator: Generator): void {
  parent
    .command(generator.name)
    .description(generator.description)
    .addOption(
      new Option('--catalogue <folder>', 'topology, datasets, schemas and reducers')
        .env('LOCKSTEP_CATALOGUE')
        .default(SAMPLE, 'the sample'),
    )
    .option('--out <file>', 'where to write it, instead of stdout')
    .option('--check', 'write nothing: fail when the file of --out is not current')
    .action((options: GenerateOptions) => generate(generator, options));
}

async function generate(generator: Generator, options: GenerateOptions): Promise<void> {
  const { out, check } = options;
  if (check === true && out === undefined)
    throw new CliError(2, '--check needs --out: the file that shall be current.');
  const text = generator.textOf(await validCatalogue(options.catalogue), commandOf(generator, options));
  if (out === undefined) {
    process.stdout.write(text);
  } else if (check === true) {
    await mustBeCurrent(out, text);
    tell(`${out} is current.`);
  } else {
    await mustBeWritten(out, text);
    tell(`${out} is written.`);
  }
}

async function validCatalogue(folder: string): Promise<Catalogue> {
  // Before every file of another folder is read and found to be wrong.
  if (!existsSync(join(folder, 'topology.yaml')))
    throw new CliError(
      2,
      `${folder} is no catalogue: it has no topology.yaml. Name its folder by --catalogue.`,
    );
  const result = await loadCatalogue(folder);
  if (result.kind === 'valid') return result.catalogue;
  throw new CliError(1, `The catalogue ${folder} is not valid:\n${describeFindings(result.findings)}`);
}

/** Seen from the file's folder, so that the text is the same wherever the command runs. */
function commandOf({ name }: Generator, { catalogue, out }: GenerateOptions): string {
  const folder = out === undefined ? '.' : dirname(out);
  const from = relative(resolve(folder), resolve(catalogue)).split(sep).join('/');
  const file = out === undefined ? [] : ['--out', basename(out)];
  return ['npx', 'lockstep', 'catalogue', name, '--catalogue', from === '' ? '.' : from, ...file]
    .map(shellWord)
    .join(' ');
}

const shellWord = (text: string): string =>
  /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", String.raw`'\''`)}'`;

async function mustBeCurrent(file: string, text: string): Promise<void> {
  const next = 'Run the same command without --check.';
  const found = await readFile(file, 'utf8').catch((error: unknown) => {
    throw new CliError(1, `${file} cannot be read (${codeOf(error)}). ${next}`);
  });
  if (found === text) return;
  const lines = found.split('\n');
  const line = text.split('\n').findIndex((expected, index) => lines[index] !== expected);
  // Where the file only goes on behind the text, the first line that is too much.
  const at = line < 0 ? text.split('\n').length : line + 1;
  throw new CliError(1, `${file} is not what the catalogue says, from line ${at} on. ${next}`);
}

async function mustBeWritten(file: string, text: string): Promise<void> {
  try {
    await writeFile(file, text);
  } catch (error) {
    throw new CliError(1, `${file} cannot be written (${codeOf(error)}). Check its folder and rights.`);
  }
}

const codeOf = (error: unknown): string => String((error as { code?: unknown }).code ?? error);
