import { tmpdir } from 'node:os';
import { expect } from 'vitest';
import { type AgentConfig, openAgents } from '../../src/agent/open.ts';
import type { Agent, AgentEvent, Agents, Turn } from '../../src/agent/types.ts';
import { openLocal } from '../../src/backend/local/index.ts';
import type { ProcessIdentity } from '../../src/backend/local/runs.ts';
import type { Backend, SessionRef } from '../../src/backend/types.ts';
import type { Event } from '../../src/model/event.ts';
import { openRunManager } from '../../src/run/manager.ts';
import { openStore } from '../../src/store/open.ts';
import type { Store } from '../../src/store/types.ts';

/** What the run manager logs. */
export const logged: { level: string; message: string; fields: Record<string, unknown> }[] = [];
const at =
  (level: string) =>
  (message: string, fields: Record<string, unknown> = {}) =>
    void logged.push({ level, message, fields });
export const runs = openRunManager({ log: { info: at('info'), warn: at('warn'), error: at('error') } });

export const memoryStore = (): Promise<Store> =>
  openStore({ url: 'memory:', durability: 'full', dataDir: tmpdir() });

export interface LocalOptions {
  store?: Store;
  configs?: Record<string, AgentConfig>;
  agents?: Agents;
  leaseMs?: number;
  process?: ProcessIdentity;
  now?: () => number;
}

export async function localBackend(options: LocalOptions): Promise<Backend> {
  const { store, configs, agents, ...rest } = options;
  return openLocal({
    ...rest,
    store: store ?? (await memoryStore()),
    agents: agents ?? openAgents(configs ?? { '*': { kind: 'echo', name: 'echo', delayMs: 0 } }),
  });
}

/** An agent made of a function, for one app and all. */
export function agentOf(
  run: (turn: Turn, signal: AbortSignal) => AsyncGenerator<AgentEvent, void>,
  name = 'tested',
): Agents {
  const agent: Agent = { name, run };
  return { bound: [], team: () => [name], open: async () => agent };
}

export const said = (text: string, more: Partial<AgentEvent> = {}): AgentEvent => ({
  content: { role: 'model', parts: [{ text }] },
  ...more,
});

export const owner = { app: 'app', userId: 'ada' };

export async function newSession(backend: Backend): Promise<SessionRef> {
  const session = await backend.sessions?.create?.(owner, {});
  if (session === undefined) throw new Error('The backend creates no sessions.');
  return { ...owner, sessionId: session.id };
}

export async function eventsOf(backend: Backend, ref: SessionRef): Promise<Event[]> {
  return (await backend.events?.list?.(ref, { pageSize: 100 }))?.items ?? [];
}

export const user = (text: string) => ({ role: 'user' as const, parts: [{ text }] });

export const textsOf = (events: readonly Event[]): string[] =>
  events.map(
    (event) => `${event.author}: ${(event.content?.parts ?? []).map((p) => p.text ?? '*').join('')}`,
  );

export const forever = new AbortController().signal;
export const patiently = { ms: 10_000, signal: forever };

/** Waits until an agent has begun to speak, however loaded the machine is. */
export const underWay = (run: Awaited<ReturnType<typeof runs.start>>) =>
  expect.poll(async () => (await run.wait({ ms: 10, signal: forever })).text).toContain('so ');
