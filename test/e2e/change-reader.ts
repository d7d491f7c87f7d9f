/** Reads a gateway's change feed as any client of server-sent events does, and resumes by `Last-Event-ID`. */
export class ChangeReader {
  readonly versions = new Map<string, number>();
  /** Keys that were told with a lower version than before. */
  readonly wentBack: string[] = [];
  position: string | null = null;

  private readonly ending = new AbortController();

  /** Resolves when the feed has begun; rejects when there is none. Answers when it has ended. */
  async open(gateway: string, dataset: string): Promise<{ readonly ended: Promise<void> }> {
    const response = await fetch(`${gateway}/v1/datasets/${dataset}/changes`, {
      headers: this.position === null ? {} : { 'last-event-id': this.position },
      signal: this.ending.signal,
    });
    if (response.status !== 200) throw new Error(`${response.status} ${await response.text()}`);
    return { ended: this.read(response.body!).catch(() => undefined) };
  }

  close(): void {
    this.ending.abort();
  }

  has(expected: ReadonlyMap<string, number>): boolean {
    return [...expected].every(([key, version]) => (this.versions.get(key) ?? 0) >= version);
  }

  private async read(body: ReadableStream<Uint8Array>): Promise<void> {
    let rest = '';
    const decoder = new TextDecoder();
    for await (const bytes of body) {
      const events = (rest + decoder.decode(bytes, { stream: true })).split('\n\n');
      rest = events.pop()!;
      for (const event of events) this.take(event);
    }
  }

  private take(event: string): void {
    const field = (name: string): string | undefined =>
      event
        .split('\n')
        .find((line) => line.startsWith(`${name}: `))
        ?.slice(name.length + 2);
    this.position = field('id') ?? this.position;
    if (field('event') !== 'change') return;
    const { key, version } = JSON.parse(field('data')!) as { key: string; version: number };
    if (version < (this.versions.get(key) ?? 0)) this.wentBack.push(key);
    this.versions.set(key, version);
  }
}
