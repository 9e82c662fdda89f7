import { useEffect, useMemo, useState } from 'preact/hooks';
import type { OpenSession } from '../live/open-session.ts';
import { duration } from '../model/time.ts';
import { timelineOf } from '../model/timeline.ts';
import { EventSlider, Reading } from './event-slider.tsx';
import { Lanes } from './lanes.tsx';
import { Sums } from './time-sums.tsx';

/** A pause that is longer is drawn as this long, if pauses are shortened. */
const pauseMs = 30_000;
const mostZoom = 64;

/** Where the time of a session went: a lane for each author and branch, and the sums. */
export function TimeView({ opened }: { opened: OpenSession }) {
  const events = opened.events.value;
  const timeline = useMemo(() => timelineOf(events), [events]);
  const [index, setIndex] = useState<number | undefined>();
  const [zoom, setZoom] = useState(1);
  const [isShort, setShort] = useState(false);
  useEffect(() => void opened.loadAll().catch(() => {}), []);
  if (events.length === 0) return <p class="empty">No events yet, so no time has passed.</p>;
  const at = Math.min(index ?? events.length - 1, events.length - 1);
  const select = (eventId: string) => setIndex(events.findIndex(({ id }) => id === eventId));
  return (
    <div class="scroll-view" tabIndex={0} role="group" aria-label="Time">
      <Reading isComplete={opened.complete.value} />
      <div class="toolbar">
        <span>
          {duration(timeline.to - timeline.from)} from the first event to the last
          {timeline.tokens > 0 ? `, ${timeline.tokens.toLocaleString()} tokens` : ''}
        </span>
        <span class="legend">
          <i class="swatch work" /> works <i class="swatch tool" /> tool <i class="swatch wait" /> waits for
          the user
        </span>
        <label class="check">
          <input
            type="checkbox"
            checked={isShort}
            onChange={({ currentTarget }) => setShort(currentTarget.checked)}
          />
          Shorten long pauses
        </label>
        <span class="buttons">
          <button type="button" onClick={() => setZoom(zoom / 2)} disabled={zoom <= 1}>
            Zoom out
          </button>
          <button type="button" onClick={() => setZoom(zoom * 2)} disabled={zoom >= mostZoom}>
            Zoom in
          </button>
        </span>
      </div>
      <Lanes
        timeline={timeline}
        zoom={zoom}
        pauseMs={isShort ? pauseMs : undefined}
        selected={events[at]?.id}
        onSelect={select}
      />
      <EventSlider events={events} index={at} onIndex={setIndex} />
      <Sums timeline={timeline} onSelect={select} />
    </div>
  );
}
