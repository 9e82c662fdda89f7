import { signal } from '@preact/signals';
import type { Event } from '../../model/event.ts';
import type { Session } from '../../model/session.ts';
import type { ToolCall } from '../../model/tool-call.ts';
import { CallFailure } from '../bridge/types.ts';
import type { Calls } from './calls.ts';
import { openEventWindow } from './event-window.ts';
import { argsOf, type Ref } from './refs.ts';

export type OpenSession = ReturnType<typeof openSession>;

const pageSize = 100;
const waitSeconds = 20;
/** Milliseconds between two looks at what wait_for_events does not tell: names, state, hidden events. */
const lookMs = 4000;
/** Milliseconds that what is seen first has to itself, before the rest is read. */
const settleMs = 150;

/** A session that is looked at: it follows what any process does to it, until it is closed. */
export function openSession(calls: Calls, ref: Ref) {
  const end = new AbortController();
  const options = { signal: end.signal };
  const args = argsOf(ref);
  const session = signal<Session | undefined>();
  /** Tool calls that wait for an answer. */
  const openCalls = signal<readonly ToolCall[]>([]);
  const includeHidden = signal(false);
  const state = signal<'reading' | 'read' | 'gone' | 'failed'>('reading');
  const failure = signal<unknown>();
  /** What the agent of a run that began here has said so far. */
  const speech = signal('');

  const listEvents = (more: Record<string, unknown>) => {
    const hidden = includeHidden.value ? { includeHidden: true } : {};
    return calls.read<{ events: Event[]; nextPageToken?: string }>(
      'list_events',
      { ...args, pageSize, ...hidden, ...more },
      options,
    );
  };
  const window = openEventWindow(listEvents);

  async function readSession(): Promise<void> {
    if (!calls.has('get_session')) return;
    session.value = (await calls.read<{ session: Session }>('get_session', args, options)).session;
  }

  async function readOpenCalls(): Promise<void> {
    if (!calls.has('list_tool_calls')) return;
    const answer = await calls.read<{ toolCalls: ToolCall[] }>(
      'list_tool_calls',
      { ...args, pageSize },
      options,
    );
    openCalls.value = answer.toolCalls;
  }

  async function start(): Promise<void> {
    await Promise.all([readSession(), window.readAnew(), readOpenCalls()]);
    state.value = 'read';
    failure.value = undefined;
    // In a browser the server is near; a host may count or show every call.
    if (calls.bridge.kind === 'browser') setTimeout(() => void window.loadAll().catch(() => {}), settleMs);
  }

  /** Brings new events as they are appended, by whichever process. */
  async function follow(): Promise<void> {
    const last = window.events.value.at(-1)?.id;
    const after = last === undefined ? {} : { afterEventId: last };
    if (!calls.has('wait_for_events')) {
      await pause(lookMs, end.signal);
      return window.append((await listEvents(after)).events);
    }
    const { events } = await calls.read<{ events: Event[] }>(
      'wait_for_events',
      { ...args, ...after, timeoutSeconds: waitSeconds, pageSize },
      options,
    );
    if (events.length === 0) return;
    // A new reading may have begun meanwhile, which brings them itself.
    if (last === window.events.value.at(-1)?.id) window.append(events);
    if (events.some(({ author }) => author !== 'user')) speech.value = '';
    await Promise.all([readSession(), readOpenCalls()]);
  }

  /** Sees changes that are no new events: another name, a hidden or deleted event, an answer elsewhere. */
  async function look(): Promise<void> {
    await pause(lookMs * calls.patience(ref.backend), end.signal);
    if (document.visibilityState !== 'visible' || calls.connection.value !== 'ok') return;
    const before = session.value;
    await readSession();
    const after = session.value;
    if (versionOf(after) === versionOf(before)) return;
    const [isSeen] = await Promise.all([window.lookAgain(), readOpenCalls()]);
    // What neither the latest events nor the session show has happened to earlier events.
    if (!isSeen && factsOf(after) === factsOf(before)) await start();
  }

  /** Resolves to whether it makes sense to go on. */
  async function recover(error: unknown): Promise<boolean> {
    if (end.signal.aborted) return false;
    failure.value = error;
    if (!(error instanceof CallFailure && error.code === 'NOT_FOUND')) {
      state.value = 'failed';
      await pause(lookMs, end.signal);
      return true;
    }
    // Either the session is gone, or only the event after which the page waited.
    const isThere = await readSession().then(
      () => true,
      () => false,
    );
    if (!isThere && !end.signal.aborted) state.value = 'gone';
    return isThere;
  }

  async function keep(work: () => Promise<void>, wasWell: boolean): Promise<void> {
    let well = wasWell;
    while (!end.signal.aborted) {
      try {
        if (!well) await start();
        well = true;
        await work();
      } catch (error) {
        well = false;
        if (!(await recover(error))) return;
      }
    }
  }
  void keep(follow, false);
  void keep(look, true);

  return {
    ref,
    argsOf: () => args,
    session,
    openCalls,
    includeHidden,
    state,
    failure,
    speech,
    events: window.events,
    complete: window.complete,
    loadEarlier: () => window.loadEarlier(),
    loadAll: window.loadAll,
    showHidden(shown: boolean): void {
      includeHidden.value = shown;
      void start().catch(recover);
    },
    /** Reads all anew, after a change to what was there. */
    reload: (): Promise<unknown> => start().catch(recover),
    /** Reads an event whole, where the list has cut it. */
    async readWhole(eventId: string): Promise<void> {
      const { event } = await calls.read<{ event: Event }>(
        'get_event',
        { ...args, eventId, view: 'full' },
        options,
      );
      window.replace(event);
    },
    close: () => end.abort(),
  };
}

/** Changes with everything that is done to a session, where the backend counts that, or keeps the time. */
const versionOf = (session: Session | undefined): unknown => session?.revision ?? session?.updateTime;

const factsOf = (session: Session | undefined): string =>
  JSON.stringify({ ...session, revision: 0, updateTime: '' });

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    signal.addEventListener('abort', end);
  });
}
