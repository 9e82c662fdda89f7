import { randomBytes, randomUUID } from 'node:crypto';
import { mergeState, splitState } from '../../../src/model/state.ts';

export type Json = Record<string, unknown>;

/** An event as the fake keeps it: camelCase fields, a time in milliseconds. */
export interface FakeEvent extends Json {
  id: string;
  author: string;
  invocationId: string;
  timestamp: number;
  actions: Json;
}

export interface FakeSession {
  app: string;
  userId: string;
  id: string;
  own: Json;
  events: FakeEvent[];
  updated: number;
}

export interface Owner {
  app: string;
  userId: string;
}

/** What the four dialects share below HTTP: sessions, shared state, artifacts and an agent. */
export interface Core {
  apps: string[];
  /** Sessions handed to the memory service. */
  remembered: string[];
  /** Runs that ended after their client had disconnected. */
  orphans: number;
  find(owner: Owner, id: string): FakeSession | undefined;
  list(owner: Owner): FakeSession[];
  /** `shared` false: `user:` and `app:` keys stay in the session. */
  create(owner: Owner, id: string | undefined, state: Json, shared?: boolean): FakeSession;
  delete(owner: Owner, id: string): boolean;
  stateOf(session: FakeSession): Json;
  append(session: FakeSession, event: Json): FakeEvent;
  /** Adds the fields that a server fills in. Does not store the event. */
  complete(event: Json): FakeEvent;
  artifacts(owner: Owner, sessionId: string): Map<string, Json[]>;
  artifactNames(owner: Owner, sessionId: string): string[];
}

const key = (...parts: string[]) => JSON.stringify(parts);

export function openCore(): Core {
  const sessions = new Map<string, FakeSession>();
  const shared = new Map<string, Json>();
  const artifacts = new Map<string, Map<string, Json[]>>();
  const sharedState = (place: string) => shared.get(place) ?? {};

  function apply(session: FakeSession, delta: Json): void {
    const parts = splitState(delta);
    session.own = { ...session.own, ...parts.session };
    const user = key(session.app, session.userId);
    shared.set(user, { ...sharedState(user), ...parts.user });
    shared.set(key(session.app), { ...sharedState(key(session.app)), ...parts.app });
  }

  const core: Core = {
    apps: ['echo_agent'],
    remembered: [],
    orphans: 0,
    find: (owner, id) => sessions.get(key(owner.app, owner.userId, id)),
    list: (owner) => [...sessions.values()].filter((s) => s.app === owner.app && s.userId === owner.userId),
    create(owner, id, state, isShared = true) {
      const session: FakeSession = {
        ...owner,
        id: id ?? randomUUID(),
        own: {},
        events: [],
        updated: Date.now(),
      };
      if (isShared) apply(session, state);
      else session.own = state;
      sessions.set(key(owner.app, owner.userId, session.id), session);
      return session;
    },
    delete: (owner, id) => sessions.delete(key(owner.app, owner.userId, id)),
    stateOf: (session) =>
      mergeState({
        session: session.own,
        user: sharedState(key(session.app, session.userId)),
        app: sharedState(key(session.app)),
      }),
    complete: (event) => ({
      id: randomBytes(6).toString('base64url').slice(0, 8),
      author: 'echo_agent',
      invocationId: 'e-fake',
      timestamp: Date.now(),
      ...event,
      actions: { stateDelta: {}, artifactDelta: {}, requestedAuthConfigs: {}, ...(event.actions as Json) },
    }),
    append(session, event) {
      const made = core.complete(event);
      const delta = made.actions.stateDelta as Json;
      made.actions.stateDelta = Object.fromEntries(
        Object.entries(delta).filter(([name]) => !name.startsWith('temp:')),
      );
      apply(session, delta);
      session.events.push(made);
      session.updated = made.timestamp;
      return made;
    },
    artifacts(owner, sessionId) {
      const place = key(owner.app, owner.userId, sessionId);
      const found = artifacts.get(place) ?? new Map<string, Json[]>();
      artifacts.set(place, found);
      return found;
    },
    artifactNames: (owner, sessionId) => [
      ...core.artifacts(owner, sessionId).keys(),
      ...core.artifacts(owner, 'user:').keys(),
    ],
  };
  return core;
}
