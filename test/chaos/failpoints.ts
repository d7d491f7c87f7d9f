/**
 * Named points of real processes: an append that is about to be sent, or was just answered. One is armed at a time; the process
 * that meets it sends the signal and leaves a file behind, so that whoever armed it knows that it was met (`load-failpoints.ts`).
 */
import { randomUUID } from 'node:crypto';
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { RegionProcess } from '@lockstep/local';
import { parseShardName, topicOf, type ShardName } from '@lockstep/protocol';
import { eventually, LocalCluster, type Region } from '../e2e/local-cluster.js';
import { attended, type Changes } from '../e2e/sample-catalogue.js';

export interface Failpoint {
  readonly name: string;
  /** The role that appends. */
  readonly appender: 'gateway' | 'coordinator';
  readonly at: { readonly topic: string; readonly partition: number; readonly entry: string };
  readonly moment: 'before' | 'after';
  /** The process must meet it so often. */
  readonly nth: number;
  readonly victim: { readonly region: Region; readonly process: RegionProcess };
  readonly signal: 'SIGKILL' | 'SIGSTOP';
}

/** Who is signalled; written just before, so that a process may still be running which stops in a moment. */
export interface Hit {
  readonly pid: number;
}

const HIT_MS_MAX = 30_000;
const LOADED = join(import.meta.dirname, 'load-failpoints.ts');

/** A cluster whose roles meet failpoints, with the sample catalogue so changed. */
export const startFailing = (changes: Changes = attended): Promise<LocalCluster> =>
  LocalCluster.startWith(changes, [], {
    NODE_OPTIONS: `--import=${LOADED} --disable-warning=ExperimentalWarning`,
  });

export const controlEntry = (entry: string): Failpoint['at'] => ({
  topic: 'lockstep.control',
  partition: 0,
  entry,
});

export function shardEntry(shard: string, entry: string): Failpoint['at'] {
  const { dataset, partition } = parseShardName(shard as ShardName)!;
  return { topic: topicOf(dataset), partition, entry };
}

export class Failpoints {
  constructor(private readonly cluster: LocalCluster) {}

  /** Takes the place of the one that was armed before. */
  arm(failpoint: Omit<Failpoint, 'name' | 'nth'> & { readonly nth?: number }): Armed {
    const name = `failpoint-${randomUUID()}`;
    const file = join(this.cluster.data, 'failpoint.json');
    writeFileSync(`${file}.new`, JSON.stringify({ nth: 1, ...failpoint, name } satisfies Failpoint));
    renameSync(`${file}.new`, file);
    return new Armed(join(this.cluster.data, `${name}.hit`), failpoint.signal);
  }
}

class Armed {
  constructor(
    private readonly file: string,
    private readonly signal: Failpoint['signal'],
  ) {}

  isHit(): boolean {
    return existsSync(this.file);
  }

  /** Who was signalled, and stands still where that was asked; refused when nobody came by. */
  async hit(): Promise<Hit> {
    await eventually(
      () => Promise.resolve(this.isHit()),
      (isHit) => isHit,
      HIT_MS_MAX,
    );
    const hit = JSON.parse(readFileSync(this.file, 'utf8')) as Hit;
    // Who lets it go on before it stood still lets it stand for ever.
    if (this.signal === 'SIGSTOP')
      await eventually(
        () => Promise.resolve(isStopped(hit.pid)),
        (standsStill) => standsStill,
        HIT_MS_MAX,
      );
    return hit;
  }
}

const isStopped = (pid: number): boolean => /^State:\s+T/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
