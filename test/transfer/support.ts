import { onTestFinished } from 'vitest';
import type { Backend, NewSession, SessionRef } from '../../src/backend/types.ts';
import type { Event } from '../../src/model/event.ts';
import { pagesOf } from '../../src/transfer/source.ts';
import { memoryBackend } from '../tools/harness.ts';

export const ada = { app: 'default', userId: 'ada' };
export const idle = new AbortController().signal;

export async function local(now?: () => number): Promise<Backend> {
  const backend = await memoryBackend(now);
  onTestFinished(() => backend.close());
  return backend;
}

/** A backend with the verbs that callers have, without those for copying. */
export const plain = (backend: Backend): Backend => {
  const { transfer: _transfer, ...rest } = backend;
  return { ...rest, name: 'plain' };
};

export function verb<T>(found: T | undefined): T {
  if (found === undefined) throw new Error('The backend lacks a verb that this test needs.');
  return found;
}

export async function make(
  backend: Backend,
  sessionId: string,
  session: NewSession = {},
): Promise<SessionRef> {
  await verb(backend.sessions?.create)(ada, { sessionId, ...session });
  return { ...ada, sessionId };
}

/** Appends one event for each delta: e0, e1, … */
export async function grow(backend: Backend, ref: SessionRef, deltas: readonly object[]): Promise<void> {
  for (const [i, delta] of deltas.entries())
    await verb(backend.events?.append)(ref, {
      id: `e${i}`,
      author: i % 2 ? 'bot' : 'user',
      invocationId: 'turn',
      timestamp: new Date(Date.UTC(2026, 0, 1, 0, 0, i)).toISOString(),
      content: { parts: [{ text: `m${i}` }] },
      actions: { stateDelta: { ...delta } },
    });
}

export async function eventsOf(backend: Backend, ref: SessionRef): Promise<Event[]> {
  const events: Event[] = [];
  for await (const event of pagesOf((query) =>
    verb(backend.events?.list)(ref, { ...query, includeHidden: true }),
  ))
    events.push(event);
  return events;
}

export const stateOf = async (backend: Backend, ref: SessionRef) =>
  (await verb(backend.sessions?.get)(ref)).state;

export const save = (backend: Backend, ref: SessionRef, name: string, text: string) =>
  verb(backend.artifacts?.save)(ref, { name, mimeType: 'text/plain', data: Buffer.from(text) });

export const read = async (backend: Backend, ref: SessionRef, name: string, version: number) =>
  (await verb(backend.artifacts?.get)(ref, name, version)).data.toString();
