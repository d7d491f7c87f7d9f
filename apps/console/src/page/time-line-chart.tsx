/**
 * The time line as a picture, and the same in words below it for whoever cannot see it. Events are numbered from the newest, and
 * carry a letter for their kind, so that no colour has to be told from another.
 */
import { useEffect, useRef, useState, type ReactNode } from 'react';
import uPlot from 'uplot';
import type { EventKind, TimeLine, TimeLineEvent } from '../view/time-line.js';
import { clockWords } from '../view/words.js';
import { Table } from './parts.js';

const LETTERS: { readonly [kind in EventKind]: string } = {
  election: 'E',
  decision: 'D',
  automation: 'A',
  'end of a move': 'M',
  'rule change': 'R',
};
const HEIGHT_PX = 240;
const EVENTS_SHOWN = 20;

export function TimeLineChart({ line, nowMs }: { line: TimeLine; nowMs: number }): ReactNode {
  const place = useRef<HTMLDivElement>(null);
  const chart = useRef<uPlot | null>(null);
  const events = useRef<readonly TimeLineEvent[]>([]);
  const span = useRef<[number, number]>([0, 1]);
  const isDark = useMedia('(prefers-color-scheme: dark)');
  const shape = line.regions.join(' ');
  useEffect(() => {
    const element = place.current!;
    const { width } = element.getBoundingClientRect();
    const built = new uPlot(
      optionsOf(
        element,
        shape === '' ? [] : shape.split(' '),
        width,
        () => events.current,
        () => span.current,
      ),
      [[], []],
      element,
    );
    chart.current = built;
    const resized = new ResizeObserver(([entry]) => {
      if (entry !== undefined) built.setSize({ width: entry.contentRect.width, height: HEIGHT_PX });
    });
    resized.observe(element);
    return () => {
      resized.disconnect();
      chart.current = null;
      built.destroy();
    };
  }, [shape, isDark]);
  useEffect(() => {
    events.current = line.events;
    span.current = [line.fromMs / 1_000, nowMs / 1_000];
    chart.current?.setData(line.data as uPlot.AlignedData);
  }, [line, nowMs, shape, isDark]);
  return (
    <>
      <div ref={place} className="chart" role="img" aria-label={line.summary} />
      <p className="note">{line.summary}</p>
      {line.events.length === 0 ? (
        <p>Nothing was decided, elected or changed in this time.</p>
      ) : (
        <Table
          caption={`Marks on the time line, newest first${line.events.length > EVENTS_SHOWN ? ` (${EVENTS_SHOWN} of ${line.events.length})` : ''}; times are UTC`}
          columns={['Mark', 'At', 'What']}
          rows={line.events.slice(0, EVENTS_SHOWN).map((event, index) => ({
            key: `${event.atMs} ${index}`,
            cells: [
              `${LETTERS[event.kind]} ${event.kind}`,
              clockWords(new Date(event.atMs).toISOString()),
              event.text,
            ],
          }))}
        />
      )}
    </>
  );
}

function optionsOf(
  element: HTMLElement,
  regions: readonly string[],
  width: number,
  events: () => readonly TimeLineEvent[],
  span: () => [number, number],
): uPlot.Options {
  const style = getComputedStyle(element);
  const colour = (name: string): string => style.getPropertyValue(`--${name}`).trim();
  const axis = {
    stroke: colour('muted'),
    grid: { stroke: colour('line'), width: 1 },
    ticks: { stroke: colour('line') },
  };
  const dashes = [[], [8, 4], [2, 3], [10, 3, 2, 3]];
  return {
    width,
    height: HEIGHT_PX,
    tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1_000), 'Etc/UTC'),
    cursor: { drag: { x: false, y: false } },
    legend: { live: false },
    scales: {
      x: { range: () => span() },
      ms: { range: (_, __, max) => [0, Math.max(10, 1.1 * (max ?? 0))] },
      share: { range: [0, 100] },
    },
    axes: [
      { ...axis, values: (_, ticks) => ticks.map(clockOf), space: 80 },
      { ...axis, scale: 'ms', values: (_, ticks) => ticks.map((ms) => `${ms} ms`), size: 64 },
      {
        ...axis,
        scale: 'share',
        side: 1,
        grid: { show: false },
        size: 60,
        values: (_, ticks) => ticks.map((one) => `${one} %`),
      },
    ],
    series: [
      {},
      ...regions.map((region, index) => ({
        label: `${region}, ms`,
        scale: 'ms',
        stroke: colour(`series-${(index % 3) + 1}`),
        width: 2,
        dash: dashes[index % dashes.length]!,
        spanGaps: false,
        points: { show: false },
      })),
      {
        label: 'without a good answer, %',
        scale: 'share',
        stroke: colour('bad'),
        fill: colour('bad-soft'),
        width: 1,
        points: { show: false },
      },
    ],
    hooks: { draw: [(plot) => drawEvents(plot, events(), colour('text'))] },
  };
}

const clockOf = (seconds: number): string => clockWords(new Date(1_000 * seconds).toISOString());

/** A thin line where something happened, its letter on top; letters that would cover each other are left to the table. */
function drawEvents(plot: uPlot, events: readonly TimeLineEvent[], colour: string): void {
  const { ctx, bbox } = plot;
  const ratio = window.devicePixelRatio;
  ctx.save();
  ctx.strokeStyle = colour;
  ctx.fillStyle = colour;
  ctx.globalAlpha = 0.75;
  ctx.lineWidth = ratio;
  ctx.setLineDash([2 * ratio, 2 * ratio]);
  ctx.font = `600 ${11 * ratio}px system-ui, sans-serif`;
  ctx.textAlign = 'center';
  let freeFrom = Number.POSITIVE_INFINITY;
  for (const { atMs, kind } of events) {
    const x = plot.valToPos(atMs / 1_000, 'x', true);
    if (x < bbox.left || x > bbox.left + bbox.width) continue;
    ctx.beginPath();
    ctx.moveTo(x, bbox.top + 12 * ratio);
    ctx.lineTo(x, bbox.top + bbox.height);
    ctx.stroke();
    if (x > freeFrom) continue;
    ctx.fillText(LETTERS[kind], x, bbox.top + 9 * ratio);
    freeFrom = x - 12 * ratio;
  }
  ctx.restore();
}

function useMedia(query: string): boolean {
  const [isMet, setMet] = useState(() => window.matchMedia(query).matches);
  useEffect(() => {
    const media = window.matchMedia(query);
    const changed = (): void => setMet(media.matches);
    media.addEventListener('change', changed);
    return () => media.removeEventListener('change', changed);
  }, [query]);
  return isMet;
}
