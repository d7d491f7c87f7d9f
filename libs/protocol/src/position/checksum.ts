/** Guards opaque texts against truncation and typing, not against forgery: 8 hex digits. */
import { Absorber, ZERO_HASH } from '../entry/digest.js';

export function checksum(text: string): string {
  const absorber = new Absorber(ZERO_HASH);
  absorber.text(text);
  return absorber.finish().a.toString(16).padStart(8, '0');
}
