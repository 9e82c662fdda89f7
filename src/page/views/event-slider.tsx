import { useId } from 'preact/hooks';
import type { Event } from '../../model/event.ts';
import { summaryOf } from '../model/summary.ts';
import { clockTime, dayOf } from '../model/time.ts';
import { AuthorName } from './author.tsx';
import { usePage } from './page-context.ts';

/** Goes from event to event, by mouse or keys, and tells what the event is. */
export function EventSlider({
  events,
  index,
  onIndex,
}: {
  events: readonly Event[];
  index: number;
  onIndex(index: number): void;
}) {
  const page = usePage();
  const id = useId();
  const event = events[index];
  const where = page.where.value;
  return (
    <div class="event-slider">
      <label for={id}>
        Event {(index + 1).toLocaleString()} of {events.length.toLocaleString()}
      </label>
      <input
        id={id}
        type="range"
        min={0}
        max={Math.max(0, events.length - 1)}
        value={index}
        aria-valuetext={event === undefined ? '' : `${index + 1}, ${event.author}: ${summaryOf(event, 80)}`}
        onInput={({ currentTarget }) => onIndex(Number(currentTarget.value))}
      />
      {event !== undefined && (
        <p class="readout">
          <AuthorName author={event.author} />{' '}
          <time dateTime={event.timestamp} title={dayOf(event.timestamp, where)}>
            {clockTime(event.timestamp, where)}
          </time>{' '}
          <bdi>{summaryOf(event)}</bdi>{' '}
          <button
            type="button"
            class="quiet"
            onClick={() => {
              page.view.value = 'conversation';
              page.target.value = { key: event.id };
            }}
          >
            Show in the conversation
          </button>
        </p>
      )}
    </div>
  );
}

/** Views over the whole session read what the conversation has not read yet. */
export function Reading({ isComplete }: { isComplete: boolean }) {
  return isComplete ? undefined : (
    <p class="progress" role="status">
      Reading earlier events…
    </p>
  );
}
