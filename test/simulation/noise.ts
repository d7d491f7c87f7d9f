/**
 * Runs days of noise, one seed after the other, and adds a line for each to `noise.jsonl`, never rewritten, so that they add up
 * to years. One process is one core: several run beside each other on other seeds.
 */
import { appendFileSync, existsSync, readFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import type { GatewayDataset } from '@lockstep/engine';
import type { DatasetName } from '@lockstep/protocol';
import { runNoise, type NoiseResult } from '@lockstep/testing/simulation';
import { sampleDatasets } from './sample-datasets.ts';

const RESULTS = join(import.meta.dirname, 'noise.jsonl');
const DAYS_PER_YEAR = 365.25;

interface NoiseLine extends Omit<NoiseResult, 'violations'> {
  readonly date: string;
  readonly commit: string;
  readonly machine: string;
  readonly seconds: number;
  readonly failed: readonly string[];
}

export interface NoiseCampaign {
  readonly from: number;
  readonly to: number;
  readonly days: number;
  readonly commit: string;
  readonly isInterrupted: () => boolean;
}

/** Exit code: 1 when a home moved, or when it was interrupted. */
export async function runNoises(campaign: NoiseCampaign): Promise<number> {
  const { commit, days, from, isInterrupted, to } = campaign;
  const dataset = await noisyDataset();
  const machine = `${cpus().length} x ${cpus()[0]!.model.trim()}, Node ${process.versions.node}`;
  const done = readLines().filter((line) => line.commit === commit && line.days === days);
  for (let seed = from; seed <= to && !isInterrupted(); seed += 1) {
    if (done.some((line) => line.seed === seed)) continue;
    const begunMs = performance.now();
    const { violations, ...result } = await runNoise(seed, days, dataset);
    const seconds = Math.round((performance.now() - begunMs) / 100) / 10;
    const failed = violations.map(({ code, examples }) => `${code}: ${examples.join('; ')}`.slice(0, 500));
    const line = { date: new Date().toISOString(), commit, machine, seconds, ...result, failed };
    appendFileSync(RESULTS, `${JSON.stringify(line)}\n`);
    done.push(line);
    console.error(
      `  noise ${seed}: ${days} days in ${seconds} s, ${result.said.votes} votes; ${told(failed)}`,
    );
  }
  console.log(totalsText(done));
  return done.every(({ failed }) => failed.length === 0) && !isInterrupted() ? 0 : 1;
}

/** Of the sample: one whose failovers matter, with two shards at home in each region. */
export async function noisyDataset(): Promise<readonly [DatasetName, GatewayDataset]> {
  const name = 'orders' as DatasetName;
  return [name, (await sampleDatasets()).get(name)!];
}

const told = (failed: readonly string[]): string =>
  failed.length === 0 ? 'no home moved' : failed.join('; ');

function readLines(): readonly NoiseLine[] {
  if (!existsSync(RESULTS)) return [];
  const lines = readFileSync(RESULTS, 'utf8').split('\n');
  return lines.flatMap((line) => (line === '' ? [] : [JSON.parse(line) as NoiseLine]));
}

function totalsText(lines: readonly NoiseLine[]): string {
  const sum = (of: (line: NoiseLine) => number): number => lines.reduce((all, line) => all + of(line), 0);
  const days = sum((line) => line.days);
  const blips = sum((line) => Object.values(line.blips).reduce((all, one) => all + one, 0));
  const perMinute = (60 * days) / sum(({ seconds }) => seconds);
  return (
    `${days} days of noise (${(days / DAYS_PER_YEAR).toFixed(2)} years), ${blips} blips, ` +
    `${sum(({ said }) => said.votes)} votes, ${sum(({ said }) => said.failovers)} failovers; ` +
    `${perMinute.toFixed(1)} days a minute`
  );
}
