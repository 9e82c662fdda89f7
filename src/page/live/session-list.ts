import { type Signal, signal } from '@preact/signals';
import type { Session } from '../../model/session.ts';
import type { Calls } from './calls.ts';
import { scopeOf } from './refs.ts';

/** What the list is about. */
interface Choice {
  app?: string | undefined;
  backend?: string | undefined;
  allUsers: boolean;
  words: string;
  filter: string;
}

interface Page {
  sessions: Session[];
  nextPageToken?: string;
}

export interface SessionList {
  choice: Signal<Choice>;
  sessions: Signal<readonly Session[]>;
  /** undefined: nothing has been read yet. */
  state: Signal<'reading' | 'read' | 'failed'>;
  failure: Signal<unknown>;
  more: Signal<boolean>;
  choose(change: Partial<Choice>): void;
  loadMore(): Promise<void>;
  refresh(): Promise<void>;
  /** Shows what another tool has listed, until the list is read anew. */
  show(page: Partial<Page>): void;
}

const pageSize = 50;
const refreshMs = 3000;

export function openSessionList(calls: Calls): SessionList {
  const choice = signal<Choice>({ allUsers: false, words: '', filter: '' });
  const sessions = signal<readonly Session[]>([]);
  const state = signal<'reading' | 'read' | 'failed'>('reading');
  const failure = signal<unknown>(undefined);
  const more = signal(false);
  let token: string | undefined;
  let round = 0;

  const read = (pageToken?: string) => {
    const { app, backend, allUsers, filter } = choice.value;
    return calls.read<Page>('list_sessions', {
      ...scopeOf({ app, backend }),
      ...(allUsers ? { allUsers } : {}),
      ...(filter !== '' ? { filter } : {}),
      pageSize,
      ...(pageToken === undefined ? {} : { pageToken }),
    });
  };

  /** Reads the first page; what was read of later pages stays below it. */
  async function refresh(): Promise<void> {
    const mine = round;
    try {
      const page = await read();
      if (mine !== round) return;
      const isFirst = state.value !== 'read' || sessions.value.length <= page.sessions.length;
      const known = new Set(page.sessions.map(keyOf));
      const rest = isFirst ? [] : sessions.value.slice(pageSize).filter((one) => !known.has(keyOf(one)));
      sessions.value = [...page.sessions, ...rest];
      if (rest.length === 0) token = page.nextPageToken;
      more.value = token !== undefined;
      state.value = 'read';
      failure.value = undefined;
    } catch (error) {
      if (mine !== round) return;
      failure.value = error;
      state.value = 'failed';
    }
  }

  async function keepFresh(): Promise<void> {
    for (;;) {
      const ms = refreshMs * calls.patience(choice.value.backend);
      await new Promise((resolve) => setTimeout(resolve, ms));
      if (document.visibilityState === 'visible' && calls.connection.value === 'ok') await refresh();
    }
  }
  void keepFresh();

  return {
    choice,
    sessions,
    state,
    failure,
    more,
    refresh,
    choose(change) {
      choice.value = { ...choice.value, ...change };
      // Words are looked for among what has been read.
      if (Object.keys(change).every((name) => name === 'words')) return;
      round += 1;
      token = undefined;
      state.value = 'reading';
      void refresh();
    },
    async loadMore() {
      const mine = round;
      const page = await read(token);
      if (mine !== round) return;
      const known = new Set(sessions.value.map(keyOf));
      sessions.value = [...sessions.value, ...page.sessions.filter((one) => !known.has(keyOf(one)))];
      token = page.nextPageToken;
      more.value = token !== undefined;
    },
    show(page) {
      if (page.sessions === undefined) return;
      sessions.value = page.sessions;
      state.value = 'read';
    },
  };
}

/** Ids are unique within an app and user only. */
export const keyOf = ({ app, userId, id }: Session): string => JSON.stringify([app, userId, id]);
