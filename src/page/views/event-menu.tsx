import { useRef } from 'preact/hooks';
import type { Event } from '../../model/event.ts';
import { usePage } from './page-context.ts';
import { deleteEvent, forkSession, hideEvent, rewindSession } from './questions.ts';

/** What can be done to one event; it opens in its place, so that it is nowhere cut off. */
export function EventMenu({ event }: { event: Event }) {
  const page = usePage();
  const menu = useRef<HTMLDetailsElement>(null);
  const { has } = page.calls;
  const act = (work: () => void) => () => {
    menu.current?.removeAttribute('open');
    // Whoever is asked a question comes back to here.
    menu.current?.querySelector('summary')?.focus();
    work();
  };
  const hidden = event.hidden === true;
  return (
    <details class="menu" ref={menu}>
      <summary aria-label="What to do with this event">⋯</summary>
      <div class="menu-items">
        {has('fork_session') && !hidden && (
          <button type="button" onClick={act(() => forkSession(page, event))}>
            Fork from here
          </button>
        )}
        {has('rewind_session') && !hidden && (
          <button type="button" onClick={act(() => rewindSession(page, event))}>
            Rewind to here
          </button>
        )}
        {has('set_event_visibility') && (
          <button type="button" onClick={act(() => hideEvent(page, event, !hidden))}>
            {hidden ? 'Show again' : 'Hide'}
          </button>
        )}
        {has('delete_event') && (
          <button type="button" class="bad" onClick={act(() => deleteEvent(page, event))}>
            Delete
          </button>
        )}
        <span class="event-id">
          id <code>{event.id}</code>
        </span>
      </div>
    </details>
  );
}
