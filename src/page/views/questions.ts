import type { Event } from '../../model/event.ts';
import { counted } from '../../model/plural.ts';
import type { Session } from '../../model/session.ts';
import { exportSession } from '../live/export.ts';
import { refOf } from '../live/refs.ts';
import { plainName } from '../model/text.ts';
import type { PageState } from './page-context.ts';

/** What a person can do to a session and its events. What loses something is asked first, and says what. */

export const titleOf = (session: Pick<Session, 'id' | 'displayName'>): string =>
  plainName(session.displayName || session.id);

/** Does something to the opened session and reads it anew. */
const change = (page: PageState, tool: string, args: Record<string, unknown>, done: string) =>
  page.attempt(async () => {
    const opened = page.opened.value;
    if (opened === undefined) return undefined;
    await page.calls.call(tool, { ...opened.argsOf(), ...args });
    await opened.reload();
    return done;
  });

export function hideEvent(page: PageState, event: Event, hidden: boolean): void {
  const done = hidden ? 'The event is hidden from lists, agents and memory.' : 'The event is shown again.';
  void change(page, 'set_event_visibility', { eventId: event.id, hidden }, done);
}

export function deleteEvent(page: PageState, event: Event): void {
  page.question.value = {
    title: 'Delete this event?',
    text: 'The event is deleted for good and cannot be brought back. State that it set stays.',
    yes: 'Delete',
    destroys: true,
    run: () => change(page, 'delete_event', { eventId: event.id, confirm: true }, 'The event is deleted.'),
  };
}

export function forkSession(page: PageState, event: Event | undefined): void {
  const opened = page.opened.value;
  const session = opened?.session.value;
  if (opened === undefined || session === undefined) return;
  page.question.value = {
    title: event === undefined ? 'Fork this session?' : 'Fork from here?',
    text: `A new session begins with a copy of ${event === undefined ? 'all events' : 'the events up to this one'}, of the state as it was then, and of the files. This session stays as it is.`,
    yes: 'Fork',
    field: { label: 'Name of the copy', value: `${session.displayName || session.id} (fork)` },
    run: (displayName) =>
      page.attempt(async () => {
        const copy = await page.calls.call<{ session: Session }>('fork_session', {
          ...opened.argsOf(),
          ...(event === undefined ? {} : { upToEventId: event.id }),
          ...(displayName === '' ? {} : { displayName }),
        });
        void page.list.refresh();
        page.open(refOf(copy.session, page.calls.standing.value?.userId, opened.ref.backend));
        return 'This is the copy.';
      }),
  };
}

export function rewindSession(page: PageState, event: Event): void {
  const events = page.opened.value?.events.value ?? [];
  const later = events.length - 1 - events.findIndex(({ id }) => id === event.id);
  page.question.value = {
    title: 'Rewind to here?',
    text: `The session goes back to how it was after this event: ${counted(later, 'later event')} no longer ${later === 1 ? 'counts' : 'count'}, and state is set back.`,
    yes: 'Rewind',
    run: () => change(page, 'rewind_session', { toEventId: event.id }, 'The session is rewound.'),
  };
}

export function deleteSession(page: PageState): void {
  const opened = page.opened.value;
  const session = opened?.session.value;
  if (opened === undefined || session === undefined) return;
  const count =
    session.eventCount === undefined ? 'all its events' : `its ${counted(session.eventCount, 'event')}`;
  page.question.value = {
    title: 'Delete this session?',
    text: `“${titleOf(session)}” is deleted with ${count}, its state and its files, for good. Memories made of it stay.`,
    yes: 'Delete',
    destroys: true,
    run: () =>
      page.attempt(async () => {
        await page.calls.call('delete_session', { ...opened.argsOf(), confirm: true });
        page.open(undefined);
        await page.list.refresh();
        return 'The session is deleted.';
      }),
  };
}

export function renameSession(page: PageState): void {
  const session = page.opened.value?.session.value;
  if (session === undefined) return;
  page.question.value = {
    title: 'Rename this session',
    text: 'The name is for people; the id stays.',
    yes: 'Rename',
    field: { label: 'Name', value: session.displayName ?? '' },
    run: (displayName) => change(page, 'update_session', { displayName }, 'The session has its new name.'),
  };
}

/** Saves the session as a file that `agent-sessions-mcp import` reads. */
export const saveSession = (page: PageState): Promise<void> =>
  page.attempt(async () => {
    const { ref } = page.opened.value ?? {};
    if (ref === undefined) return undefined;
    const file = await exportSession(page.calls, ref);
    await page.calls.bridge.saveFile(`${ref.sessionId}.jsonl`, 'application/jsonl', file);
    return 'The session is saved as a file; `agent-sessions-mcp import` reads it.';
  });
