/**
 * What one client was told of, by writes and by reads, as the token that it carries from region to region: what it reads
 * with it is not from before its own writes, nor from before what it has read.
 */
import { decodeToken, encodeToken, hearToken, type Token } from '@lockstep/protocol';

export class Session {
  private positions: Token = new Map();

  /** A token that an answer carried; null where it carried none. */
  take(token: string | null): void {
    const heard = token === null ? null : decodeToken(token);
    if (heard !== null) this.positions = hearToken(this.positions, heard);
  }

  /** Null before anything was told. */
  get token(): string | null {
    return this.positions.size === 0 ? null : encodeToken(this.positions);
  }
}
