import { setTimeout as sleep } from 'node:timers/promises';
import { expect, onTestFinished } from 'vitest';
import type { AgentEngineConfig } from '../../../src/backend/agent-engine/config.ts';
import { openAgentEngine } from '../../../src/backend/agent-engine/index.ts';
import type {
  AppVerbs,
  Backend,
  EventVerbs,
  FeedbackVerbs,
  MemoryVerbs,
  NewSession,
  QueryVerbs,
  SessionRef,
  SessionVerbs,
  ToolCallVerbs,
  TransferVerbs,
} from '../../../src/backend/types.ts';
import { SessionError } from '../../../src/errors.ts';
import type { Event, NewEvent } from '../../../src/model/event.ts';
import type { Page } from '../../../src/model/page.ts';
import { type FakeAgentEngine, startAgentEngine } from '../../fake/agent-engine/server.ts';
import { projectId } from '../../fake/agent-engine/store.ts';

/** The backend, typed as having all of its optional verbs. */
export type Whole = Omit<
  Backend,
  'apps' | 'sessions' | 'events' | 'toolCalls' | 'memory' | 'query' | 'feedback' | 'transfer'
> & {
  apps: Required<AppVerbs>;
  sessions: Omit<Required<SessionVerbs>, 'fork' | 'watch'>;
  events: Omit<Required<EventVerbs>, 'setVisibility' | 'delete'>;
  toolCalls: Required<ToolCallVerbs>;
  transfer: Pick<Required<TransferVerbs>, 'append'>;
  memory: Required<MemoryVerbs>;
  query: Required<QueryVerbs>;
  feedback: Required<FeedbackVerbs>;
};

export interface World {
  fake: FakeAgentEngine;
  backend: Whole;
  /** Makes a session of Ada's. */
  make(session?: NewSession, userId?: string): Promise<SessionRef>;
}

export async function world(config: Partial<AgentEngineConfig> = {}): Promise<World> {
  const fake = await startAgentEngine();
  onTestFinished(() => fake.close());
  const backend = await open(fake, config);
  return {
    fake,
    backend,
    async make(session = {}, userId = 'ada') {
      const owner = { app: fake.engine.id, userId };
      const { id } = await backend.sessions.create(owner, session);
      return { ...owner, sessionId: id };
    },
  };
}

/** A backend on the fake, with short waits between polls. */
export async function open(fake: FakeAgentEngine, config: Partial<AgentEngineConfig> = {}): Promise<Whole> {
  const backend = await openAgentEngine({
    project: projectId,
    engineId: fake.engine.id,
    baseUrl: fake.url,
    wait: (ms) => sleep(ms / 50),
    ...config,
  });
  return backend as Whole;
}

/** The RPCs that a piece of work sent. */
export async function rpcsOf(
  fake: FakeAgentEngine,
  work: () => Promise<unknown>,
): Promise<(string | undefined)[]> {
  const before = fake.requests.length;
  await work();
  return fake.requests.slice(before).map((request) => request.rpc);
}

export const said = (text: string, more: Partial<NewEvent> = {}): NewEvent => ({
  author: 'user',
  content: { role: 'user', parts: [{ text }] },
  ...more,
});

export const textsOf = (events: readonly Event[]): (string | undefined)[] =>
  events.map((event) => event.content?.parts.map((part) => part.text).join(''));

export async function drain<T>(load: (cursor: string | undefined) => Promise<Page<T>>): Promise<T[]> {
  const items: T[] = [];
  let cursor: string | undefined;
  do {
    const page = await load(cursor);
    items.push(...page.items);
    cursor = page.cursor;
  } while (cursor !== undefined);
  return items;
}

export async function fails(work: Promise<unknown>, code: string): Promise<SessionError> {
  const error: unknown = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(SessionError);
  const shown = error as SessionError;
  expect(shown.code, shown.message).toBe(code);
  expect(shown.hint ?? '').not.toBe('');
  return shown;
}
