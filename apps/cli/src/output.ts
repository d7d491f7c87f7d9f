/** Tables for people, JSON for programs; one place decides which. */
import Table from 'cli-table3';

export interface OutputOptions {
  readonly json?: boolean;
}

export function print(value: unknown, options: OutputOptions, forPeople: () => string): void {
  console.log(options.json === true ? JSON.stringify(value, undefined, 2) : forPeople());
}

/** What happens meanwhile, on stderr: stdout carries one table or one document. */
export function tell(line: string): void {
  console.error(line);
}

/** Null and undefined: not known. */
export type Cell = string | number | boolean | null | undefined;

export function table(head: readonly string[], rows: readonly (readonly Cell[])[]): string {
  const lines = new Table({ head: [...head], style: { head: [], border: [], compact: true } });
  // Unknown is not zero: it has a sign of its own.
  lines.push(
    ...rows.map((row) => row.map((cell) => (cell === null || cell === undefined ? '?' : String(cell)))),
  );
  return lines.toString();
}
