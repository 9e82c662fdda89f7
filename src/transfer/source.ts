import { type ArtifactContent, type Backend, required, type SessionRef } from '../backend/types.ts';
import { SessionError } from '../errors.ts';
import { type Artifact, isUserArtifact } from '../model/artifact.ts';
import type { Event } from '../model/event.ts';
import type { JsonObject } from '../model/json.ts';
import type { Page, PageQuery } from '../model/page.ts';
import { plural } from '../model/plural.ts';
import type { Session } from '../model/session.ts';
import { applyDelta, splitState } from '../model/state.ts';

/** An event or an artifact version of a session that is copied. */
export type TransferItem = { kind: 'event'; event: Event } | ({ kind: 'artifact' } & ArtifactContent);

/** A session that is copied. */
export interface SessionSource {
  header: Session;
  /** Events in order, then the versions of each artifact in order. Read once. */
  items(): AsyncGenerator<TransferItem, void>;
  /** The final state of the copy, shared keys included. Valid when all items have been read. */
  state(): JsonObject;
  /** How the copy differs from the source, one sentence each. Valid when all items have been read. */
  notes(): string[];
}

const pageSize = 100;

/** How often new events of a source that is still written to are read, before the copy ends with what it has. */
const mostRounds = 5;

/**
 * Opens a session to copy: its visible events, all or up to one, its state right after the last of them, and its
 * artifacts. A source that is written to meanwhile is read until events and state belong to one moment.
 */
export async function openSource(
  backend: Backend,
  ref: SessionRef,
  upToEventId: string | undefined,
): Promise<SessionSource> {
  const get = required(backend.sessions?.get, backend, 'get a session');
  const list = required(backend.events?.list, backend, 'list events');
  const header = await get(ref);
  // A missing event fails the copy here, before anything is created.
  if (upToEventId !== undefined)
    await required(backend.events?.get, backend, 'get an event')(ref, upToEventId);
  const stateAt = backend.transfer?.stateAt;
  let last = header;
  let state = header.state ?? {};
  let hidden = 0;
  const notes: string[] = [];

  const eventsAfter = (afterEventId: string | undefined) =>
    pagesOf((query) => list(ref, { ...query, afterEventId, order: 'asc', includeHidden: true }));

  async function* wholeSession(): AsyncGenerator<Event, void> {
    let latest: string | undefined;
    let steady = false;
    for (let round = 1; !steady && round <= mostRounds; round += 1) {
      for await (const event of eventsAfter(latest)) {
        latest = event.id;
        yield event;
      }
      const now = await get(ref);
      steady = momentOf(now) === momentOf(last);
      last = now;
    }
    state = last.state ?? {};
    if (steady || latest === undefined) return;
    if (stateAt !== undefined) state = { ...sharedOf(state), ...(await stateAt(ref, latest)) };
    else
      notes.push(
        'The source was written to during the whole copy: the state of the copy may be ahead of its last event.',
      );
  }

  async function* upTo(eventId: string): AsyncGenerator<Event, void> {
    const history = stateHistory(splitState(header.state ?? {}).session);
    let reached = false;
    for await (const event of eventsAfter(undefined)) {
      history.add(event, reached);
      if (!reached) yield event;
      reached ||= event.id === eventId;
      if (reached && stateAt !== undefined) break;
    }
    const own = stateAt === undefined ? history.state() : await stateAt(ref, eventId);
    state = { ...sharedOf(header.state ?? {}), ...own };
    if (stateAt === undefined)
      notes.push(
        `The ${backend.name} backend keeps no earlier states: the state was computed from the events' changes, so a change made by update_session may appear in it too early.`,
      );
  }

  return {
    header,
    async *items() {
      for await (const event of upToEventId === undefined ? wholeSession() : upTo(upToEventId)) {
        if (event.hidden === true) hidden += 1;
        else yield { kind: 'event', event };
      }
      for await (const content of artifactsOf(backend, ref)) yield { kind: 'artifact', ...content };
    },
    state: () => state,
    notes: () => [
      ...notes,
      ...(hidden === 0 ? [] : [`${plural(hidden, 'hidden event')} left out, as in every fork.`]),
    ],
  };
}

function sharedOf(state: JsonObject): JsonObject {
  const { app, user } = splitState(state);
  return { ...app, ...user };
}

/** A text that changes with every write, as far as the backend shows writes. */
const momentOf = (session: Session): string => JSON.stringify([session.revision, session.updateTime]);

/**
 * Computes the state right after an event from the present state and the deltas of all events. Keys that no event sets
 * were there from the start; the others have the value that the last event up to then gave them.
 */
function stateHistory(now: JsonObject) {
  let grown: JsonObject = {};
  const setByEvents = new Set<string>();
  return {
    add(event: Event, later: boolean): void {
      const delta = splitState(event.actions?.stateDelta ?? {}).session;
      for (const key of Object.keys(delta)) setByEvents.add(key);
      if (!later) grown = applyDelta(grown, delta);
    },
    state: (): JsonObject =>
      applyDelta(Object.fromEntries(Object.entries(now).filter(([key]) => !setByEvents.has(key))), grown),
  };
}

/**
 * Yields all items of a list, loading it page by page.
 * @throws SessionError UNAVAILABLE when a service sends pages in a circle, which would never end
 */
export async function* pagesOf<T>(load: (query: PageQuery) => Promise<Page<T>>): AsyncGenerator<T, void> {
  const loaded = new Set<string>();
  for (let cursor: string | undefined; ; ) {
    const page = await load({ pageSize, cursor });
    yield* page.items;
    ({ cursor } = page);
    if (cursor === undefined) return;
    if (loaded.has(cursor))
      throw new SessionError('UNAVAILABLE', 'The list does not end: its pages repeat.', {
        hint: 'Try again later; if it stays so, ask the operator to check the address of the service.',
      });
    loaded.add(cursor);
  }
}

/** The latest version of each of the session's own artifacts. `user:` artifacts belong to no session. */
export async function* latestArtifacts(backend: Backend, ref: SessionRef): AsyncGenerator<Artifact, void> {
  const { list, get } = backend.artifacts ?? {};
  if (list === undefined || get === undefined) return;
  for await (const artifact of pagesOf((query) => list(ref, query)))
    if (!isUserArtifact(artifact.name)) yield artifact;
}

/** All versions of the session's own artifacts. Numbers begin at 0 or 1 and may have gaps. */
export async function* artifactsOf(backend: Backend, ref: SessionRef): AsyncGenerator<ArtifactContent, void> {
  const get = backend.artifacts?.get;
  if (get === undefined) return;
  for await (const { name, version: latest } of latestArtifacts(backend, ref))
    for (let version = 0; version <= latest; version += 1) {
      const content = await get(ref, name, version).catch((error: unknown) => {
        const gap = error instanceof SessionError && error.code === 'NOT_FOUND' && version < latest;
        if (gap) return undefined;
        throw error;
      });
      if (content !== undefined) yield content;
    }
}
