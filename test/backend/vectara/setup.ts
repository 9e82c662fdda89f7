import { expect, onTestFinished } from 'vitest';
import type {
  AppVerbs,
  ArtifactVerbs,
  Backend,
  EventVerbs,
  NewSession,
  QueryVerbs,
  SessionRef,
  SessionVerbs,
  ToolCallVerbs,
} from '../../../src/backend/types.ts';
import type { VectaraConfig } from '../../../src/backend/vectara/index.ts';
import { openVectara } from '../../../src/backend/vectara/index.ts';
import { SessionError } from '../../../src/errors.ts';
import type { Event } from '../../../src/model/event.ts';
import { type FakeOptions, type FakeVectara, ownerKey, startVectara } from '../../fake/vectara/server.ts';
import type { FakeSession } from '../../fake/vectara/store.ts';

/** The backend, typed as having all of its optional verbs. */
export type Whole = Required<
  Omit<Backend, 'memory' | 'feedback' | 'apps' | 'sessions' | 'events' | 'toolCalls' | 'artifacts' | 'query'>
> & {
  apps: Pick<Required<AppVerbs>, 'list' | 'get'>;
  sessions: Omit<Required<SessionVerbs>, 'watch'>;
  events: Omit<Required<EventVerbs>, 'append'>;
  toolCalls: Required<ToolCallVerbs>;
  artifacts: Pick<Required<ArtifactVerbs>, 'list' | 'get'>;
  query: Required<QueryVerbs>;
};

export interface World {
  fake: FakeVectara;
  backend: Whole;
  /** Makes a session of Ada's. */
  make(session?: NewSession, app?: string): Promise<SessionRef & { wire: FakeSession }>;
}

export async function world(options: FakeOptions = {}, config: Partial<VectaraConfig> = {}): Promise<World> {
  const fake = await startVectara(options);
  onTestFinished(() => fake.close());
  const backend = await open(fake, config);
  return {
    fake,
    backend,
    async make(session = {}, app = 'support') {
      const owner = { app, userId: 'ada' };
      const { id } = await backend.sessions.create(owner, session);
      return { ...owner, sessionId: id, wire: fake.session(id) };
    },
  };
}

export async function open(fake: FakeVectara, config: Partial<VectaraConfig> = {}): Promise<Whole> {
  const backend = await openVectara({
    baseUrl: fake.url,
    credentials: { apiKey: ownerKey },
    ...config,
  });
  return backend as Whole;
}

/** The error of a promise that must fail, after a check that its text is fit for callers. */
export async function failure(promise: Promise<unknown>): Promise<SessionError> {
  const error: unknown = await promise.then(
    (value) => new Error(`it succeeded: ${JSON.stringify(value)}`),
    (reason: unknown) => reason,
  );
  if (!(error instanceof SessionError)) throw error;
  const shown = JSON.stringify([error.message, error.hint, error.details]);
  if (/upstream-text|127\.0\.0\.1|zut_|secret-9f2|<html/.test(shown))
    throw new Error(`an error shows what it must not: ${shown}`);
  if (error.hint === undefined) throw new Error(`an error has no hint: ${shown}`);
  return error;
}

export async function allFail(attempts: readonly Promise<unknown>[], code: string): Promise<void> {
  const errors = await Promise.all(attempts.map(failure));
  expect(errors.map((error) => error.code)).toEqual(errors.map(() => code));
}

export async function collect(events: AsyncIterable<Event>): Promise<Event[]> {
  const all: Event[] = [];
  for await (const event of events) all.push(event);
  return all;
}

/** The text of the partial events, and the text of the stored ones. */
export const textIn = (events: readonly Event[], partial: boolean): string =>
  events
    .filter((event) => (event.partial === true) === partial && event.author !== 'user')
    .flatMap((event) => event.content?.parts ?? [])
    .map((part) => (part.thought === true ? '' : (part.text ?? '')))
    .join('');

export const requestsTo = (fake: FakeVectara, method: string, path: RegExp) =>
  fake.requests.filter((request) => request.method === method && path.test(request.url));

export const message = (text: string) => ({
  message: { role: 'user' as const, parts: [{ text }] },
  invocationId: 'turn-1',
});

export const never = new AbortController().signal;

export async function until(condition: () => boolean): Promise<void> {
  for (let i = 0; i < 500 && !condition(); i += 1) await new Promise((resolve) => setTimeout(resolve, 10));
  if (!condition()) throw new Error('it did not come about');
}
