/**
 * How pages ask: one call after the other for each fact, never two at a time, bounded in time, none while nobody looks. What was
 * told stays with its age; that a later question went unanswered stands beside it, so that nobody takes it for present.
 *
 * The token that a coordinator asks for is held in memory only: it is gone with the page.
 */
import { useEffect, useRef, useState, useSyncExternalStore } from 'react';
import type { Problem } from './facts.js';

const ANSWER_MS_MAX = 5_000;
/** A move or a pause is waited for so long; it goes on by itself. */
const ACTION_MS_MAX = 65_000;

export type Answer<T> =
  | { readonly kind: 'told'; readonly value: T }
  /** The other side said no, and why. */
  | { readonly kind: 'refused'; readonly problem: Problem }
  /** Nobody answered: what was asked for may have happened. */
  | { readonly kind: 'silent'; readonly detail: string };

export interface Told<T> {
  readonly value: T | null;
  readonly atMs: number | null;
  /** Of the last question; null when it was answered. */
  readonly failure: Problem | string | null;
}

let token: string | null = null;
let isTokenWanted = false;
const tokenListeners = new Set<() => void>();

export function giveToken(given: string): void {
  token = given.trim();
  wantToken(false);
}

function wantToken(isWanted: boolean): void {
  if (isTokenWanted === isWanted) return;
  isTokenWanted = isWanted;
  for (const listener of tokenListeners) listener();
}

export const useTokenWanted = (): boolean =>
  useSyncExternalStore(
    (listener) => {
      tokenListeners.add(listener);
      return () => tokenListeners.delete(listener);
    },
    () => isTokenWanted,
  );

export async function ask<T>(path: string, body?: object): Promise<Answer<T>> {
  try {
    const response = await fetch(path, {
      method: body === undefined ? 'GET' : 'POST',
      headers: {
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...(token === null ? {} : { authorization: `Bearer ${token}` }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(body === undefined ? ANSWER_MS_MAX : ACTION_MS_MAX),
    });
    const value = (await response.json()) as unknown;
    noteClock(response.headers.get('date'));
    if (response.ok) return { kind: 'told', value: value as T };
    if (response.status === 401) wantToken(true);
    return { kind: 'refused', problem: value as Problem };
  } catch (error) {
    return { kind: 'silent', detail: (error as Error).message };
  }
}

const NOTHING_TOLD: Told<never> = { value: null, atMs: null, failure: null };

/** @param path null: nothing is asked. */
export const useTold = <T>(path: string | null, everyMs: number): Told<T> => usePolled<T>(path, everyMs, ask);

/** The first of the paths that is answered: where one gateway is gone, another one's view is better than none. */
export const useToldBy = <T>(paths: readonly string[] | null, everyMs: number): Told<T> =>
  usePolled<T>(paths === null ? null : paths.join(' '), everyMs, askFirst);

/** @param question what `asks` is called with; null: nothing is asked. Another question forgets what was told. */
export function usePolled<T>(
  question: string | null,
  everyMs: number,
  asks: (question: string) => Promise<Answer<T>>,
): Told<T> {
  const [told, setTold] = useState<{ readonly question: string | null; readonly told: Told<T> }>({
    question,
    told: NOTHING_TOLD,
  });
  const asking = useRef(asks);
  useEffect(() => {
    if (question === null) return;
    let isOver = false;
    let timer: number | undefined;
    const round = async (): Promise<void> => {
      if (!document.hidden) {
        const answer = await asking.current(question);
        if (isOver) return;
        setTold((before) => ({
          question,
          told: toldAfter(before.question === question ? before.told : NOTHING_TOLD, answer),
        }));
      }
      if (!isOver) timer = window.setTimeout(() => void round(), everyMs);
    };
    const lookAgain = (): void => {
      if (document.hidden || timer === undefined) return;
      window.clearTimeout(timer);
      timer = undefined;
      void round();
    };
    document.addEventListener('visibilitychange', lookAgain);
    void round();
    return () => {
      isOver = true;
      window.clearTimeout(timer);
      document.removeEventListener('visibilitychange', lookAgain);
    };
  }, [question, everyMs]);
  return told.question === question ? told.told : NOTHING_TOLD;
}

async function askFirst<T>(paths: string): Promise<Answer<T>> {
  let answer: Answer<T> = { kind: 'silent', detail: 'nobody was asked' };
  for (const path of paths.split(' ')) {
    answer = await ask<T>(path);
    if (answer.kind === 'told') return answer;
  }
  return answer;
}

function toldAfter<T>(before: Told<T>, answer: Answer<T>): Told<T> {
  switch (answer.kind) {
    case 'told':
      return { value: answer.value, atMs: presentMs(), failure: null };
    case 'refused':
      return { ...before, failure: answer.problem };
    case 'silent':
      return { ...before, failure: answer.detail };
  }
}

/** The coordinator's clock, by which its facts are dated: this machine's may be wrong. */
let clockOffsetMs = 0;

function noteClock(date: string | null): void {
  const offsetMs = Date.parse(date ?? '') - Date.now();
  // The header is cut to seconds.
  if (Math.abs(offsetMs - clockOffsetMs) > 2_000) clockOffsetMs = offsetMs;
}

const presentMs = (): number => Date.now() + clockOffsetMs;

/** A present time for ages; it moves once a second. */
export function useNow(): number {
  const [nowMs, setNowMs] = useState(presentMs);
  useEffect(() => {
    const timer = window.setInterval(() => setNowMs(presentMs()), 1_000);
    return () => window.clearInterval(timer);
  }, []);
  return nowMs;
}
