import { afterEach, describe, expect, it } from 'vitest';
import { type AgentConfig, openAgents } from '../../src/agent/open.ts';
import { openAdk } from '../../src/backend/adk/index.ts';
import { openLocal } from '../../src/backend/local/index.ts';
import type { Backend, SessionRef } from '../../src/backend/types.ts';
import { textOf } from '../../src/model/event.ts';
import { withNote } from '../../src/model/turn.ts';
import { backendAgent } from '../../src/run/backend-agent.ts';
import { startTurnRunner, type TurnRunner } from '../../src/run/turn-runner.ts';
import { startFake } from '../fake/adk/server.ts';
import { typescript } from '../fake/adk/typescript.ts';
import { eventsOf, forever, memoryStore, newSession, runs } from '../run/support.ts';

const log = { info: () => {}, warn: () => {}, error: () => {} };
const echo: AgentConfig = { kind: 'echo', name: 'parrot', delayMs: 0 };

const ends: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

async function open(...team: AgentConfig[]): Promise<Backend> {
  const agents = openAgents(
    { app: team },
    {
      async openAdk({ name, app, url }) {
        const backend = await openAdk({ baseUrl: url });
        ends.push(() => backend.close());
        return backendAgent(name, app, backend);
      },
    },
  );
  const backend = openLocal({ store: await memoryStore(), agents });
  ends.push(() => backend.close());
  return backend;
}

function start(backend: Backend, ...names: string[]): TurnRunner {
  const runner = startTurnRunner({
    backend,
    runs,
    log,
    agents: names.map((agent) => ({ app: 'app', agent })),
  });
  ends.push(() => runner.stop());
  return runner;
}

const handOver = (backend: Backend, ref: SessionRef, agent: string, text: string, note?: string) =>
  backend.events?.append?.(ref, {
    author: 'planner',
    content: { role: 'model', parts: [{ text }] },
    actions: { transferAgent: agent },
    ...(note === undefined ? {} : withNote(note)),
  });

/** Waits until the session's turn is somebody else's, or nobody's. */
async function answered(backend: Backend, ref: SessionRef): Promise<string[]> {
  let wake: () => void = () => {};
  const unwatch = backend.sessions?.watch?.(ref, () => wake());
  for (;;) {
    const changed = new Promise<void>((resolve) => {
      wake = resolve;
    });
    const session = await backend.sessions?.get?.(ref);
    if (session?.turn === undefined) break;
    await changed;
  }
  unwatch?.();
  return (await eventsOf(backend, ref)).map((event) => `${event.author}: ${textOf(event)}`);
}

describe('a turn that is handed to an agent of this server', () => {
  it('is answered by it, once, though several servers wait', async () => {
    const backend = await open(echo);
    start(backend, 'parrot');
    start(backend, 'parrot');
    const ref = await newSession(backend);
    await handOver(backend, ref, 'parrot', 'Say it.', 'Loudly.');
    expect(await answered(backend, ref)).toEqual([
      'planner: Say it.',
      'parrot: Echo agent (no model): Say it.\nLoudly.',
    ]);
  });

  it('was handed over before the server started', async () => {
    const backend = await open(echo);
    const ref = await newSession(backend);
    await handOver(backend, ref, 'parrot', 'Say it.');
    start(backend, 'parrot');
    expect(await answered(backend, ref)).toHaveLength(2);
  });

  it('waits for the run that goes on in its session', async () => {
    const backend = await open({ kind: 'echo', name: 'slow', delayMs: 30 }, echo);
    start(backend, 'parrot');
    const ref = await newSession(backend);
    const run = await runs.start(backend, ref, { message: { role: 'user', parts: [{ text: 'a b c' }] } });
    await handOver(backend, ref, 'parrot', 'Now you.');
    await run.wait({ ms: 10_000, signal: forever });
    expect(await answered(backend, ref)).toContain('parrot: Echo agent (no model): Now you.');
  });

  it('is answered by an agent of an ADK server, which hears what is new', async () => {
    const fake = await startFake(typescript);
    ends.push(() => fake.close());
    const backend = await open({
      kind: 'adk',
      name: 'echo_there',
      app: 'echo_agent',
      url: fake.url,
      timeoutMs: 5000,
    });
    start(backend, 'echo_there');
    const ref = await newSession(backend);
    await handOver(backend, ref, 'echo_there', 'hello');
    expect(await answered(backend, ref)).toEqual(['planner: hello', 'echo_there: echo: hello']);
    await backend.events?.append?.(ref, { author: 'scout', content: { parts: [{ text: 'It rains.' }] } });
    await handOver(backend, ref, 'echo_there', 'again');
    const said = await answered(backend, ref);
    expect(said.at(-1)).toContain('scout said: It rains.');
    expect(said.at(-1)).toContain('again');
    expect(said.at(-1)).not.toContain('hello');
    const turns = (await eventsOf(backend, ref)).filter((event) => event.author === 'echo_there');
    expect(turns.map((event) => event.turnComplete)).toEqual([true, true]);
  });
});
