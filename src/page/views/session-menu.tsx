import { useRef } from 'preact/hooks';
import type { OpenSession } from '../live/open-session.ts';
import { usePage } from './page-context.ts';
import { deleteSession, forkSession, renameSession, saveSession } from './questions.ts';

/** What can be done to the open session. */
export function SessionMenu({ opened }: { opened: OpenSession }) {
  const page = usePage();
  const menu = useRef<HTMLDetailsElement>(null);
  const { has } = page.calls;
  const { host } = page;
  const act = (work: () => unknown) => () => {
    menu.current?.removeAttribute('open');
    // Whoever is asked a question comes back to here.
    menu.current?.querySelector('summary')?.focus();
    work();
  };
  const isLarge = page.displayMode.value === 'fullscreen';
  const resize = () =>
    page.attempt(async () => {
      await host?.requestDisplayMode(isLarge ? 'inline' : 'fullscreen');
      return undefined;
    });
  return (
    <details class="menu session-menu" ref={menu}>
      <summary aria-label="What to do with this session">⋯</summary>
      <div class="menu-items">
        <label class="check">
          <input
            type="checkbox"
            checked={opened.includeHidden.value}
            onChange={(event) => opened.showHidden(event.currentTarget.checked)}
          />
          Show hidden events
        </label>
        {host?.surroundings.displayModes?.includes('fullscreen') === true && (
          <button type="button" onClick={act(resize)}>
            {isLarge ? 'Back into the conversation' : 'Whole screen'}
          </button>
        )}
        {has('update_session') && (
          <button type="button" onClick={act(() => renameSession(page))}>
            Rename
          </button>
        )}
        {has('fork_session') && (
          <button type="button" onClick={act(() => forkSession(page, undefined))}>
            Fork
          </button>
        )}
        {has('list_events') && (
          <button type="button" onClick={act(() => saveSession(page))}>
            Export
          </button>
        )}
        {has('delete_session') && (
          <button type="button" class="bad" onClick={act(() => deleteSession(page))}>
            Delete
          </button>
        )}
        <span class="event-id">
          id <code>{opened.ref.sessionId}</code>
        </span>
      </div>
    </details>
  );
}
