/**
 * What is wrong with a catalogue: where, why, and what to do about it. Findings are collected over the whole folder,
 * so that one run names them all.
 */

/** Names and list places from the root of a file to one setting. */
export type SettingPath = readonly (string | number)[];

/** What knows the lines of one file. */
export interface PlacedSettings {
  readonly file: string;
  /** Line of the setting, or of the nearest setting around it where it is absent. */
  lineOf(path: SettingPath): number;
}

export interface Finding {
  /** Relative to the catalogue folder. */
  readonly file: string;
  /** From 1. */
  readonly line: number;
  /** The setting, for example `groups.eu.home`; empty where the whole file is meant. */
  readonly path: string;
  readonly reason: string;
  readonly nextStep: string;
}

/** One line for each finding: `file:line: reason. Next: what to do.` */
export function describeFindings(findings: readonly Finding[]): string {
  return findings
    .map((finding) => `${finding.file}:${finding.line}: ${finding.reason}. Next: ${finding.nextStep}.`)
    .join('\n');
}

/** Grows while a catalogue is checked; `sorted` reads it in the order of files and lines. */
export class FindingList {
  private readonly findings: Finding[] = [];

  add(finding: Finding): void {
    this.findings.push(finding);
  }

  /** A finding about one setting; a setting that is absent is placed at the nearest one around it. */
  at(document: PlacedSettings, path: SettingPath, reason: string, nextStep: string): void {
    this.add({ file: document.file, line: document.lineOf(path), path: path.join('.'), reason, nextStep });
  }

  get count(): number {
    return this.findings.length;
  }

  sorted(): readonly Finding[] {
    return this.findings.toSorted((x, y) => (x.file < y.file ? -1 : x.file > y.file ? 1 : x.line - y.line));
  }
}
