import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { plainName } from '../model/text.ts';
import { duration } from '../model/time.ts';
import { type Lane, laneKey, type Span, scaleOf, type Timeline, ticksOf } from '../model/timeline.ts';
import { AuthorName } from './author.tsx';

const [laneHeight, barHeight, headHeight, labelWidth] = [34, 16, 24, 130];

interface LanesProps {
  timeline: Timeline;
  zoom: number;
  pauseMs: number | undefined;
  selected: string | undefined;
  onSelect(eventId: string): void;
}

/** A chart of who did what when, with a lane for each author and branch. */
export function Lanes({ timeline, zoom, pauseMs: shortest, selected, onSelect }: LanesProps) {
  const box = useRef<HTMLDivElement>(null);
  const [room, setRoom] = useState(800);
  const [left, setLeft] = useState(0);
  useEffect(() => {
    const place = box.current;
    if (place === null) return undefined;
    const observer = new ResizeObserver(() => setRoom(Math.max(200, place.clientWidth)));
    observer.observe(place);
    return () => observer.disconnect();
  }, []);
  const width = (room - 24) * zoom;
  const scale = useMemo(() => scaleOf(timeline, width, shortest), [timeline, width, shortest]);
  const marks = useMemo(() => {
    const found = timeline.lanes.flatMap(({ moments }) =>
      moments.filter(({ eventId }) => eventId === selected),
    );
    return found.map(({ at }) => scale.x(at));
  }, [timeline, selected, scale]);
  const height = headHeight + timeline.lanes.length * laneHeight;
  const isSeen = (from: number, to: number) => to >= left - room && from <= left + 2 * room;
  const ticks = shortest === undefined ? ticksOf(timeline.from, timeline.to, width / 110) : [];
  return (
    <div class="lanes">
      <ul
        class="lane-names"
        aria-hidden="true"
        style={{ paddingTop: `${headHeight}px`, width: `${labelWidth}px` }}
      >
        {timeline.lanes.map((lane) => (
          <li key={laneKey(lane)} style={{ height: `${laneHeight}px` }}>
            <AuthorName author={lane.author} />
            {lane.branch !== undefined && <span class="branch"> {plainName(lane.branch)}</span>}
          </li>
        ))}
      </ul>
      <div
        class="lane-chart"
        ref={box}
        tabIndex={0}
        role="group"
        aria-label="Chart"
        onScroll={({ currentTarget }) => setLeft(currentTarget.scrollLeft)}
      >
        <svg
          width={width + 24}
          height={height}
          role="img"
          aria-label={`Lanes of ${timeline.lanes.length} authors over ${duration(timeline.to - timeline.from)}; the table below has the sums.`}
        >
          {ticks
            .map((ms) => ({ ms, x: scale.x(timeline.from + ms) + 8 }))
            .filter(({ x }) => isSeen(x, x))
            .map(({ ms, x }) => (
              <g key={ms}>
                <line class="tick" x1={x} x2={x} y1={headHeight - 6} y2={height} />
                <text class="tick-text" x={x + 3} y={headHeight - 9}>
                  {ms === 0 ? '0' : duration(ms)}
                </text>
              </g>
            ))}
          {scale.pauses
            .filter(({ x }) => isSeen(x, x))
            .map(({ x, ms }) => (
              <text key={x} class="tick-text" x={x} y={headHeight - 9} text-anchor="middle">
                ⋯ {duration(ms)}
              </text>
            ))}
          {timeline.lanes.map((lane, i) => (
            <LaneBars
              key={laneKey(lane)}
              lane={lane}
              top={headHeight + i * laneHeight}
              x={(at) => scale.x(at) + 8}
              isSeen={isSeen}
              onSelect={onSelect}
            />
          ))}
          {marks.map((x) => (
            <line key={x} class="selected" x1={x + 8} x2={x + 8} y1={headHeight - 6} y2={height} />
          ))}
        </svg>
      </div>
    </div>
  );
}

interface LaneBarsProps {
  lane: Lane;
  top: number;
  x(at: number): number;
  isSeen(from: number, to: number): boolean;
  onSelect(eventId: string): void;
}

/** Bars and marks; what would be drawn over one another is drawn once, so that the document stays small. */
function LaneBars({ lane, top, x, isSeen, onSelect }: LaneBarsProps) {
  const y = top + (laneHeight - barHeight) / 2;
  const bars = merged(lane.spans, x).filter(({ start, end }) => isSeen(start, end));
  let lastMark = Number.NEGATIVE_INFINITY;
  const marks = lane.moments
    .map(({ at, eventId }) => ({ at: x(at), eventId }))
    .filter(({ at }) => {
      if (at - lastMark < 2 || !isSeen(at, at)) return false;
      lastMark = at;
      return true;
    });
  return (
    <g>
      <line class="lane-line" x1="0" x2="100%" y1={top + laneHeight / 2} y2={top + laneHeight / 2} />
      {bars.map(({ start, end, span }) => (
        <rect
          key={`${span.kind} ${start}`}
          class={`bar ${span.kind}`}
          x={start}
          y={span.kind === 'tool' ? y + 3 : y}
          width={Math.max(1.5, end - start)}
          height={span.kind === 'tool' ? barHeight - 6 : barHeight}
          rx={2}
          onClick={() => onSelect(span.eventId)}
        >
          <title>{titleOf(span)}</title>
        </rect>
      ))}
      {marks.map(({ at, eventId }) => (
        <circle
          key={eventId}
          class="moment"
          cx={at}
          cy={top + laneHeight / 2}
          r={3}
          onClick={() => onSelect(eventId)}
        />
      ))}
    </g>
  );
}

const titleOf = ({ kind, name, from, to }: Span): string => {
  const what = { work: 'works', tool: plainName(name), wait: 'waits for the user' }[kind];
  return `${what}, ${duration(to - from)}`;
};

interface Bar {
  start: number;
  end: number;
  span: Span;
}

function merged(spans: readonly Span[], x: (at: number) => number): Bar[] {
  const bars: Bar[] = [];
  const lastOf = new Map<string, Bar>();
  for (const span of spans) {
    const [start, end] = [x(span.from), x(span.to)];
    const last = lastOf.get(span.kind);
    if (last !== undefined && end - last.start < 2) {
      last.end = Math.max(last.end, end);
      continue;
    }
    const bar = { start, end, span };
    bars.push(bar);
    lastOf.set(span.kind, bar);
  }
  // Tools are drawn over the work that they are part of.
  return bars.sort((a, b) => Number(a.span.kind === 'tool') - Number(b.span.kind === 'tool'));
}
