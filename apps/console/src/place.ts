/** Which page is open, from the part of the address behind `#`: links work, and the browser's way back. */
import { useSyncExternalStore } from 'react';

export const PAGES = [
  ['overview', 'Overview'],
  ['shards', 'Shards'],
  ['decisions', 'Decisions'],
  ['write', 'One write'],
  ['move', 'Move or pause'],
  ['quarantine', 'Quarantine'],
  ['status', 'Status'],
] as const;
export type Page = (typeof PAGES)[number][0];

export interface Place {
  readonly page: Page;
  readonly query: URLSearchParams;
}

export function usePlace(): Place {
  const hash = useSyncExternalStore(
    (listener) => {
      window.addEventListener('hashchange', listener);
      return () => window.removeEventListener('hashchange', listener);
    },
    () => window.location.hash,
  );
  const [name = '', query = ''] = hash.replace(/^#\/?/, '').split('?');
  const page = PAGES.find(([known]) => known === name)?.[0] ?? 'overview';
  return { page, query: new URLSearchParams(query) };
}

export const linkTo = (page: Page, query: Readonly<Record<string, string>> = {}): string => {
  const text = new URLSearchParams(query).toString();
  return `#/${page}${text === '' ? '' : `?${text}`}`;
};
